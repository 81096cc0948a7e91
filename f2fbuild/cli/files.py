"""Files that a person names on the command line."""

from pathlib import Path

from f2fbuild import limits
from f2fbuild.errors import UsageError


def read_text(file: Path) -> str:
    """Return the text of a file that goes into a request.

    Raises:
        UsageError: not UTF-8, or larger than any request.
    """
    return _decode(read_bytes(file, limits.API_REQUEST_BYTES), file)


def read_bytes(file: Path, limit: int) -> bytes:
    """Return what is in a file of at most `limit` bytes.

    Raises:
        UsageError: it is larger.
    """
    with file.open("rb") as opened:
        data = opened.read(limit + 1)
    if len(data) > limit:
        raise UsageError(f"larger than {limit} bytes", where=str(file))
    return data


def _decode(data: bytes, file: Path) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError("is not a text in UTF-8", where=str(file)) from error
