"""The one place that reads the clock."""

import time


def now() -> int:
    """Return the time in unix seconds."""
    return int(time.time())  # noqa: TID251  the ban names this module as the one exception
