"""Logs on a stick: an archive written from log directories, and one read without believing it.

Writing takes no lock, reads beside the node and holds one bundle at a time. Reading remembers names and
places only; what is asked for is read then, and never more than the largest entry bundle.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from f2fbuild.errors import FormatError, StorageError
from f2fbuild.ledger import archive, reading, tiles
from f2fbuild.ledger.archive import Member
from f2fbuild.ledger.cosigned import read_cosigned
from f2fbuild.ledger.files import CHECKPOINT, read_file
from f2fbuild.limits import ARCHIVE_LOGS, ARCHIVE_MEMBERS, BUNDLE_BYTES, NOTE_BYTES, TILE_WIDTH
from f2fbuild.model.envelope import unseal
from f2fbuild.model.tree import leaf_hash
from f2fbuild.model.vkey import VerifierKey, format_vkey


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """The log of `key` in `directory`, with the entry bundles from the one that holds entry `start` on."""

    directory: Path
    key: VerifierKey
    start: int = 0


def digits(key: VerifierKey) -> str:
    """Return the name of a log's directory: the last part of its origin."""
    return key.name.rpartition("/")[2]


def pack(output: BinaryIO, shipments: list[Shipment]) -> dict[str, int]:
    """Write an archive of the logs, in the order of their origins; return their sizes by origin.

    Each entry is compared with its leaf hash on the way. A log of which nothing has come yet is left out.

    Raises:
        LedgerError: a directory is no log of its key.
        StorageError: a file is missing or damaged.
    """
    sizes: dict[str, int] = {}
    _write(output, "README", archive.README)
    for shipment in sorted(shipments, key=lambda one: one.key.name):
        head, edge = reading.read_edge(shipment.directory, shipment.key)
        if not head.checkpoint.size:
            continue
        sizes[shipment.key.name] = head.checkpoint.size
        for name, data in _files(shipment, head, edge):
            _write(output, f"{digits(shipment.key)}/{name}", data)
    output.write(archive.END)
    return sizes


def _files(
    shipment: Shipment, head: reading.Head, edge: Mapping[tiles.Resource, bytes]
) -> Iterator[tuple[str, bytes]]:
    size = head.checkpoint.size
    yield "vkey", format_vkey(shipment.key).encode() + b"\n"
    yield CHECKPOINT, read_cosigned(shipment.directory, shipment.key, head.note)
    first = _read(
        shipment.directory, tiles.Bundle(index=0, width=tiles.widest(tiles.Bundle(index=0), size)), edge
    )
    entry = tiles.decode_bundle(first, tiles.widest(tiles.Bundle(index=0), size))[0]
    yield "certificate", unseal(entry, where=str(shipment.directory)).payload
    for tile in tiles.kept_tiles(size):
        yield tiles.format_path(tile), _read(shipment.directory, tile, edge)
    for index in range(min(shipment.start, size - 1) // TILE_WIDTH, -(-size // TILE_WIDTH)):
        width = tiles.widest(tiles.Bundle(index=index), size)
        bundle, leaves = tiles.Bundle(index=index, width=width), tiles.Tile(level=0, index=index, width=width)
        data, hashes = (_read(shipment.directory, one, edge) for one in (bundle, leaves))
        if b"".join(map(leaf_hash, tiles.decode_bundle(data, width))) != hashes:
            where = f"{shipment.directory}/{tiles.format_path(bundle)}"
            raise StorageError("an entry or its leaf hash is damaged", where=where)
        yield tiles.format_path(bundle), data


def _read(directory: Path, resource: tiles.Resource, edge: Mapping[tiles.Resource, bytes]) -> bytes:
    return edge[resource] if resource in edge else read_file(directory, resource)


def _write(output: BinaryIO, name: str, data: bytes) -> None:
    output.write(archive.format_header(Member(name=name, size=len(data))))
    output.write(data + bytes(archive.padding(len(data))))


class Carried:
    """An archive that somebody brought, open for reading. Nothing in it is verified here."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        """Read the headers of the seekable `file`; `name` is what errors call it.

        Raises:
            FormatError: not a tar of files, cut short, a name twice, or more than is taken.
        """
        self._descriptor = file.fileno()
        self._name = name
        self._logs: dict[str, dict[str, tuple[int, int]]] = {}
        self._index(os.fstat(self._descriptor).st_size)

    @property
    def logs(self) -> tuple[str, ...]:
        """The last parts of the origins of the logs in it, sorted."""
        return tuple(sorted(log for log, files in self._logs.items() if CHECKPOINT in files))

    def checkpoint(self, log: str) -> bytes:
        """Return the signed head of a log of `logs`."""
        return self._take(log, CHECKPOINT, NOTE_BYTES)

    def resource(self, log: str, path: str) -> bytes:
        """Return a tile or bundle.

        Raises:
            FormatError: it is not there, or is larger than any.
        """
        return self._take(log, path, BUNDLE_BYTES)

    def _take(self, log: str, path: str, limit: int) -> bytes:
        where = f"{self._name}: {log}/{path}"
        offset, size = self._logs.get(log, {}).get(path, (0, -1))
        if size < 0:
            raise FormatError("not in this archive", where=where)
        if size > limit:
            raise FormatError(f"larger than {limit} bytes", where=where)
        data = os.pread(self._descriptor, size, offset)
        if len(data) != size:
            raise FormatError("cut short", where=where)
        return data

    def _index(self, whole: int) -> None:
        offset, members = 0, 0
        while True:
            block = os.pread(self._descriptor, archive.BLOCK, offset)
            member = archive.parse_header(block, where=self._name)
            if member is None:
                return
            offset += archive.BLOCK
            members += 1
            if members > ARCHIVE_MEMBERS or offset + member.size > whole:
                raise FormatError("cut short, or more files than are taken", where=self._name)
            self._remember(member, offset)
            offset += member.size + archive.padding(member.size)

    def _remember(self, member: Member, offset: int) -> None:
        found = archive.split_name(member.name)
        if found is None or member.name.endswith("/"):
            return
        log, path = found
        files = self._logs.setdefault(log, {})
        if path in files or len(self._logs) > ARCHIVE_LOGS:
            raise FormatError(
                "a name twice, or more logs than are taken", where=f"{self._name}: {member.name}"
            )
        files[path] = (offset, member.size)
