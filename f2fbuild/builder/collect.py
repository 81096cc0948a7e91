"""Products are picked up after the last process of the build is dead, and copied to a flat directory.

The tree they are taken from was written by hostile code. Names are looked at before anything is opened, no
link is followed, only regular files count, and number and size are bounded. Nobody writes there any more, so
what is looked at is what is opened; O_NOFOLLOW stands guard all the same.
"""

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from f2fbuild.builder.digests.products import check_name
from f2fbuild.builder.digests.refusal import RefusalError
from f2fbuild.builder.steps import ProductPlace
from f2fbuild.limits import PRODUCT_BYTES, PRODUCT_CHUNK_BYTES, PRODUCT_ENTRIES, PRODUCTS_PER_BUILD

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class CollectReason(StrEnum):
    """Why a build's products are not taken."""

    NAME = "name"
    NOT_A_FILE = "not-a-file"
    TWICE = "twice"
    TOO_MANY = "too-many"
    TOO_LARGE = "too-large"


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectRefusal:
    """The build's products are not taken because of `name`, given as printable ASCII."""

    reason: CollectReason
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """One product that was copied: its name, size in bytes and SHA-256."""

    name: str
    size: int
    sha256: str


class _Refused(Exception):  # noqa: N818  (carries a value out of a walk; never leaves this module)
    def __init__(self, reason: CollectReason, name: str) -> None:
        super().__init__(reason, name)
        self.refusal = CollectRefusal(reason=reason, name=ascii(name)[1:-1][:300])


def collect(
    job: Path, place: ProductPlace, into: Path, *, most_bytes: int = PRODUCT_BYTES
) -> tuple[Collected, ...] | CollectRefusal:
    """Copy the products at `place` in the job's directory into the empty directory `into`.

    Returns what was copied, sorted by name, or why nothing of it may be used; then `into` holds rubbish.
    """
    taken: dict[str, Collected] = {}
    try:
        for directory, name in _candidates(job, place):
            _check_count(name, taken)
            room = most_bytes - sum(product.size for product in taken.values())
            taken[name] = _copy(directory, name, into / name, room)
    except _Refused as refused:
        return refused.refusal
    return tuple(taken[name] for name in sorted(taken))


def _check_count(name: str, taken: Mapping[str, Collected]) -> None:
    if name in taken:
        raise _Refused(CollectReason.TWICE, name)
    if len(taken) == PRODUCTS_PER_BUILD:
        raise _Refused(CollectReason.TOO_MANY, name)


def _candidates(job: Path, place: ProductPlace) -> Iterator[tuple[int, str]]:
    """Yield (directory descriptor, name) of everything that has a product's suffix."""
    with ExitStack() as opened:
        try:
            descriptor = os.open(job, _DIRECTORY)
            opened.callback(os.close, descriptor)
            for part in Path(place.directory).parts:
                _require_directory(descriptor, part)
                descriptor = os.open(part, _DIRECTORY, dir_fd=descriptor)
                opened.callback(os.close, descriptor)
        except FileNotFoundError:
            return
        yield from _walk(descriptor, place.depth, place.suffixes, [PRODUCT_ENTRIES])


def _walk(
    directory: int, depth: int, suffixes: tuple[str, ...], left: list[int]
) -> Iterator[tuple[int, str]]:
    for name in _names(directory, left):
        if depth and stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
            _require_directory(directory, name)
            inner = os.open(name, _DIRECTORY, dir_fd=directory)
            try:
                yield from _walk(inner, depth - 1, suffixes, left)
            finally:
                os.close(inner)
        elif name.endswith(suffixes):
            yield directory, name


def _names(directory: int, left: list[int]) -> list[str]:
    names: list[str] = []
    with os.scandir(directory) as entries:
        for entry in entries:
            left[0] -= 1
            if left[0] < 0:
                raise _Refused(CollectReason.TOO_MANY, entry.name)
            names.append(entry.name)
    return sorted(names)


def _require_directory(directory: int, name: str) -> None:
    """Refuse anything but a directory, and make it readable: it is the node's now."""
    mode = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
    if not stat.S_ISDIR(mode):
        raise _Refused(CollectReason.NOT_A_FILE, name)
    os.chmod(name, 0o700, dir_fd=directory)


def _copy(directory: int, name: str, into: Path, room: int) -> Collected:
    try:
        check_name(name)
    except (RefusalError, UnicodeEncodeError) as error:
        raise _Refused(CollectReason.NAME, name) from error
    status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode):
        raise _Refused(CollectReason.NOT_A_FILE, name)
    if status.st_size > room:
        raise _Refused(CollectReason.TOO_LARGE, name)
    os.chmod(name, 0o644, dir_fd=directory)
    digest = hashlib.sha256()
    with open(os.open(name, _FILE, dir_fd=directory), "rb") as source, into.open("xb") as copy:  # noqa: PTH123
        while block := source.read(PRODUCT_CHUNK_BYTES):
            digest.update(block)
            copy.write(block)
    into.chmod(0o644)
    return Collected(name=name, size=status.st_size, sha256=digest.hexdigest())
