"""The one place that reads the clock."""

import time


def now() -> int:
    """Return the time in unix seconds."""
    return int(time.time())  # noqa: TID251  the ban names this module as the one exception


def nanoseconds() -> int:
    """Return the time in unix nanoseconds: handshakes need one that always grows."""
    return time.time_ns()
