"""Times as they are written: unix seconds inside, RFC 3339 in UTC outside, coarse in what is permanent."""

from datetime import UTC, datetime

from f2fbuild.errors import FormatError

LEAF_RESOLUTION = 600
"""Seconds to which times in ledger leaves are rounded down: when somebody worked is nobody's business."""

_RFC3339 = "%Y-%m-%dT%H:%M:%SZ"


def rounded(seconds: int) -> int:
    """Return unix `seconds` rounded down to what a leaf may tell."""
    return seconds - seconds % LEAF_RESOLUTION


def format_time(seconds: int) -> str:
    """Return unix `seconds` as RFC 3339 text in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime(_RFC3339)


def parse_time(text: str, *, where: str = "time") -> int:
    """Return the unix seconds of RFC 3339 `text` in the one spelling of `format_time`.

    Raises:
        FormatError: another spelling, or no time.
    """
    try:
        seconds = int(datetime.strptime(text, _RFC3339).replace(tzinfo=UTC).timestamp())
    except ValueError as error:
        raise FormatError(f"not a time like 2026-01-31T12:00:00Z: {text!r}", where=where) from error
    if format_time(seconds) != text:
        raise FormatError("not the one spelling of a time", where=where)
    return seconds
