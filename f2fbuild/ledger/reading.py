"""Reading a log beside the node that writes it: no lock, no recovery, nothing written.

A head that moves meanwhile takes narrower partial files away, so whoever reads works under one checkpoint and
begins again when a file is missing because there is a newer one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from f2fbuild.errors import FormatError, LedgerError, StorageError
from f2fbuild.ledger import tiles
from f2fbuild.ledger.checkpoint import Checkpoint, open_checkpoint
from f2fbuild.ledger.entry import NodeCertificate
from f2fbuild.ledger.files import CHECKPOINT, is_pruned, read_entries, read_file
from f2fbuild.ledger.proof import Proof, verify_proof
from f2fbuild.ledger.review import bound_key
from f2fbuild.limits import TILE_WIDTH
from f2fbuild.model.tree import EMPTY_ROOT, prove_inclusion
from f2fbuild.model.vkey import VerifierKey

_ATTEMPTS = 5
"""Times that a log is read again because its node moved the head meanwhile."""

_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A log's directory under one checkpoint; `note` is empty when a mirror holds nothing yet."""

    directory: Path
    note: bytes
    checkpoint: Checkpoint


def read_head(directory: Path, key: VerifierKey) -> Head:
    """Return the head of the log of `key` in `directory`.

    Raises:
        LedgerError: no log there, or its checkpoint is malformed or not signed by this key.
    """
    path = directory / CHECKPOINT
    try:
        note = path.read_bytes()
    except OSError as error:
        raise LedgerError("no log here", where=str(directory)) from error
    if not note:
        empty = Checkpoint(origin=key.name, size=0, root=EMPTY_ROOT)
        return Head(directory=directory, note=note, checkpoint=empty)
    try:
        checkpoint = open_checkpoint(note, key, where=str(path))
    except FormatError as error:
        raise LedgerError(error.what, where=error.where) from error
    return Head(directory=directory, note=note, checkpoint=checkpoint)


def read_proved(directory: Path, key: VerifierKey, index: int) -> tuple[bytes, Proof]:
    """Return the entry at `index` and the proof that it is in the log, verified.

    Raises:
        IndexError: the log has no such entry.
        LedgerError: see `read_head`; or the files are not those of the signed tree.
        StorageError: a file is missing or damaged.
    """

    def prove(head: Head) -> tuple[bytes, Proof]:
        size = head.checkpoint.size
        if not 0 <= index < size:
            raise IndexError(f"no entry {index} in a log of {size}")
        (entry,) = read_entries(directory, size, index, index + 1)
        hashes = prove_inclusion(
            index,
            size,
            lambda level, at: tiles.read_hash(level, at, size, lambda tile: read_file(directory, tile)),
        )
        proof = Proof(index=index, hashes=hashes, checkpoint=head.note)
        verify_proof(proof, entry, key, where=str(directory))
        return entry, proof

    return _steadily(directory, key, prove)


def read_edge(directory: Path, key: VerifierKey) -> tuple[Head, dict[tiles.Resource, bytes]]:
    """Return the head and the partial files under it, which the next head takes away; full ones stay.

    Raises:
        LedgerError: see `read_head`.
        StorageError: a file is missing or damaged.
    """

    def gather(head: Head) -> tuple[Head, dict[tiles.Resource, bytes]]:
        found = tiles.partials(head.checkpoint.size)
        return head, {resource: read_file(directory, resource) for resource in found}

    return _steadily(directory, key, gather)


def read_resource(directory: Path, key: VerifierKey, wanted: tiles.Resource) -> bytes | None:
    """Return a tile or bundle as it is served, None when the log has none so wide or it was pruned.

    Raises:
        LedgerError: see `read_head`.
        StorageError: a file is missing or damaged.
    """

    def read(head: Head) -> bytes | None:
        available = tiles.widest(wanted, head.checkpoint.size)
        if wanted.width > available or is_pruned(directory, wanted):
            return None
        data = read_file(directory, replace(wanted, width=available))
        try:
            return tiles.slice_to(wanted, data, available)
        except FormatError as error:
            raise StorageError(f"damaged: {error}", where=str(directory)) from error

    return _steadily(directory, key, read)


def read_all(directory: Path, key: VerifierKey, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield (index, entry) from `start` to the end of the log as it is now.

    Each entry is compared with its leaf hash only; `check.verify` computes the whole tree.

    Raises:
        LedgerError: see `read_head`.
        StorageError: a file is missing or damaged.
    """
    size = read_head(directory, key).checkpoint.size
    while start < size:
        end = min(size, start - start % TILE_WIDTH + TILE_WIDTH)
        yield from enumerate(_read_some(directory, key, start, end), start)
        start = end


def bound_statement_key(directory: Path, key: VerifierKey) -> bytes:
    """Return the 32-byte statement key that entry 0, the node's certificate, binds to the log of `key`.

    Raises:
        IndexError: the log is empty.
        LedgerError: entry 0 is not the certificate of this log, signed by the key it names; or see
            `read_proved`.
    """
    entry, _ = read_proved(directory, key, 0)
    return bound_key(entry, key)


def split_certificate(certificate: NodeCertificate) -> tuple[bytes, bytes]:
    """Return the text that a node's owner signed, and the armored OpenPGP signature over exactly that text.

    Raises:
        FormatError: not text, proofs and signature.
    """
    parts = certificate.text.split(b"\n\n", 2)
    if len(parts) != 3:
        raise FormatError("not a text, proofs and a signature", where="node certificate")
    text, _proofs, signature = parts
    return text + b"\n", signature


def _read_some(directory: Path, key: VerifierKey, start: int, end: int) -> list[bytes]:
    return _steadily(
        directory, key, lambda head: list(read_entries(directory, head.checkpoint.size, start, end))
    )


def _steadily(directory: Path, key: VerifierKey, work: Callable[[Head], _Found]) -> _Found:
    """Return what `work` finds under one head, trying again while heads move under it."""
    left = _ATTEMPTS
    while True:
        head = read_head(directory, key)
        left -= 1
        try:
            return work(head)
        except StorageError:
            if not left or read_head(directory, key).note == head.note:
                raise
