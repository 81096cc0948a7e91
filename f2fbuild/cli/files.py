"""Files that a person names on the command line."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

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


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write whose name `path` appears, whole and durable, only when the block ends well.

    Raises:
        UsageError: there is such a file already: it is never written over.
        OSError: it cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        try:
            # A link refuses what a rename would replace.
            path.hardlink_to(part)
        except FileExistsError as error:
            raise UsageError("exists already", where=str(path), hint="name another file") from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def output_file(path: Path | None) -> Iterator[BinaryIO]:
    """Give `new_file(path)`, or standard output when there is no path."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    else:
        with new_file(path) as file:
            yield file
