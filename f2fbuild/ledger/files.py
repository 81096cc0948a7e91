"""The files of a log's directory: begun once, locked while open, read, walked and swept.

What is stored is what C2SP tlog-tiles serves: `checkpoint` and the widest tiles and bundles below `tile/`.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from f2fbuild.errors import FormatError, LedgerError, StorageError
from f2fbuild.ledger import tiles
from f2fbuild.ledger.disk import TEMPORARY, sync_directories, write_file
from f2fbuild.limits import TILE_WIDTH
from f2fbuild.model.tree import leaf_hash
from f2fbuild.store.files import storage_errors

_DIGITS = 16

CHECKPOINT = "checkpoint"
EVIDENCE = "equivocation.evidence"
"""File in a mirror's directory whose presence means frozen."""
PRUNED = "pruned"
"""File in a mirror's directory: the index of the first bundle behind those that were pruned."""


class LogInUseError(StorageError):
    """Another process has this log open."""


class PrunedError(StorageError):
    """An entry is no longer kept here; the log's own node has it."""


def read_pruned(directory: Path) -> int:
    """Return the index of the first bundle behind the pruned ones, 0 when all bundles are here.

    Raises:
        StorageError: the file that says so is damaged.
    """
    path = directory / PRUNED
    with storage_errors(path):
        text = path.read_text() if path.exists() else "0"
    if not text.isdecimal() or len(text) > _DIGITS:
        raise StorageError("is no index of a bundle", where=str(path))
    return int(text)


def is_pruned(directory: Path, resource: tiles.Resource) -> bool:
    """Return whether a resource is a bundle that is no longer kept here; raises like `read_pruned`."""
    return isinstance(resource, tiles.Bundle) and 0 < resource.index < read_pruned(directory)


def begin(directory: Path, note: bytes) -> None:
    """Make `directory` a log with the checkpoint `note`, durable; empty bytes begin a mirror of nothing yet.

    Raises:
        LedgerError: there is a log already, or the remains of one.
        StorageError: the disk is full or fails.
    """
    directory.mkdir(parents=True, exist_ok=True)
    # A crash during the very first write leaves the temporary file and nothing else.
    (directory / (CHECKPOINT + TEMPORARY)).unlink(missing_ok=True)
    if any(directory.iterdir()):
        raise LedgerError("is not empty; a log is begun once and never anew", where=str(directory))
    write_file(directory / CHECKPOINT, note)
    sync_directories([directory / CHECKPOINT], directory.parent)


def lock(directory: Path) -> int:
    """Return a descriptor that holds the log's only lock until it is closed.

    Raises:
        LogInUseError: another process or object holds it.
        LedgerError: no such directory.
    """
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise LedgerError("no log here", where=str(directory), hint="A log is begun by `init`") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise LogInUseError("another process has it open", where=str(directory)) from error
    return descriptor


def path_of(directory: Path, resource: tiles.Resource) -> Path:
    """Return where a tile or bundle lies."""
    return directory / tiles.format_path(resource)


def read_file(directory: Path, resource: tiles.Resource) -> bytes:
    """Return the bytes of a stored tile or bundle.

    Raises:
        StorageError: it is not there or cannot be read.
    """
    path = path_of(directory, resource)
    try:
        return path.read_bytes()
    except OSError as error:
        raise StorageError(f"cannot read: {error.strerror}", where=str(path)) from error


def read_entries(directory: Path, size: int, start: int, end: int) -> Iterator[bytes]:
    """Yield the entries [start, end) of a log of `size`, each checked against its leaf hash.

    Raises:
        StorageError: a file is missing or damaged.
    """
    pruned = read_pruned(directory)
    for index in range(start // TILE_WIDTH, -(-end // TILE_WIDTH)):
        if 0 < index < pruned:
            what = f"entries {TILE_WIDTH} to {pruned * TILE_WIDTH - 1} are no longer kept here"
            raise PrunedError(what, where=str(directory), hint="the log's own node has them")
        first = index * TILE_WIDTH
        width = tiles.widest(tiles.Bundle(index=index), size)
        bundle = tiles.Bundle(index=index, width=width)
        leaves = tiles.Tile(level=0, index=index, width=width)
        where = str(path_of(directory, bundle))
        try:
            entries = tiles.decode_bundle(read_file(directory, bundle), width)
            hashes = tiles.split_tile(read_file(directory, leaves), width)
        except FormatError as error:
            raise StorageError(f"damaged: {error}", where=where) from error
        part = slice(max(start - first, 0), min(end - first, width))
        if any(leaf_hash(e) != h for e, h in zip(entries[part], hashes[part], strict=True)):
            raise StorageError("an entry or its leaf hash is damaged", where=where)
        yield from entries[part]


def sweep(directory: Path, size: int) -> None:
    """Remove all that lies beyond the log of `size` entries, and what a write left unfinished."""
    (directory / (CHECKPOINT + TEMPORARY)).unlink(missing_ok=True)
    found: list[tiles.Resource] = []
    for path in sorted((directory / "tile").rglob("*")):
        if path.name.endswith(TEMPORARY):
            path.unlink()
        elif path.is_file():
            with suppress(FormatError):
                found.append(tiles.parse_path(path.relative_to(directory).as_posix()))
    remove_stale(directory, size, found)


def remove_stale(directory: Path, size: int, candidates: Iterable[tiles.Resource]) -> None:
    """Remove those candidates that a log of `size` entries does not keep.

    What cannot be removed now does no harm, and is removed at a later opening.
    """
    for resource in candidates:
        if tiles.is_kept(resource, size):
            continue
        path = path_of(directory, resource)
        with suppress(OSError):
            path.unlink(missing_ok=True)
            if resource.width < TILE_WIDTH:
                path.parent.rmdir()
