"""Interrupted transfers keep what was verified, and nothing else."""

import fcntl
import hashlib
import os
from pathlib import Path

import pytest

from f2fbuild.errors import StorageError
from f2fbuild.limits import CHUNK_BYTES, PARTIALS_PER_BLOB
from f2fbuild.model.tree import leaf_hash
from f2fbuild.store.blobs import BlobStore
from f2fbuild.store.partial import BlobBusyError, Partial

CHUNKS = (b"a" * CHUNK_BYTES, b"b" * CHUNK_BYTES, b"c" * 10)
DATA = b"".join(CHUNKS)
DIGEST = hashlib.sha256(DATA).hexdigest()
ROOT = bytes(range(32))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
def store(directory: Path) -> BlobStore:
    return BlobStore.open(directory)


def begin(store: BlobStore, chunks: int, *, root: bytes = ROOT) -> Partial:
    partial = store.partial(DIGEST, root=root, size=len(DATA))
    for chunk in CHUNKS[:chunks]:
        partial.append(chunk, leaf_hash(chunk))
    return partial


def partial_files(directory: Path) -> list[Path]:
    return sorted((directory / "partial").iterdir())


def test_a_finished_transfer_is_a_blob_and_nothing_else(store: BlobStore, directory: Path) -> None:
    assert store.begun(DIGEST) == 0
    assert store.adopt(begin(store, 3))
    assert store.read(DIGEST, len(DATA)) == DATA
    assert partial_files(directory) == []


def test_an_empty_blob_is_a_transfer_too(store: BlobStore) -> None:
    digest = hashlib.sha256(b"").hexdigest()
    assert store.adopt(store.partial(digest, root=digest.encode()[:32], size=0))
    assert store.read(digest, 0) == b""


def test_a_transfer_goes_on_where_it_was_left(store: BlobStore) -> None:
    begin(store, 2).close()
    assert store.begun(DIGEST) == 2
    partial = begin(store, 0)
    assert (partial.digest, partial.root, partial.size, partial.held) == (DIGEST, ROOT, len(DATA), 2)
    partial.append(CHUNKS[2], leaf_hash(CHUNKS[2]))
    partial.close()
    partial = begin(store, 0)
    assert partial.held == 3
    assert store.adopt(partial)
    store.verify(DIGEST)


def test_its_room_is_taken_at_once(store: BlobStore) -> None:
    partial = begin(store, 0)
    assert os.fstat(partial.file.fileno()).st_blocks * 512 >= len(DATA)
    partial.close()


@pytest.mark.parametrize("damage", ["chunk", "leaf", "torn leaf", "no leaves"])
def test_chunks_are_checked_again_when_it_goes_on(store: BlobStore, damage: str) -> None:
    partial = begin(store, 2)
    partial.close()
    leaves = partial.path.with_name(partial.path.name + ".leaves")
    with (partial.path if damage == "chunk" else leaves).open("r+b") as file:
        match damage:
            case "chunk":
                file.seek(CHUNK_BYTES + 5)
                file.write(b"!")
            case "leaf":
                file.seek(32)
                file.write(bytes(32))
            case "torn leaf":
                file.truncate(63)
            case _:
                file.truncate(0)
    again = begin(store, 0)
    assert again.held == (0 if damage == "no leaves" else 1)
    for chunk in CHUNKS[again.held :]:
        again.append(chunk, leaf_hash(chunk))
    assert store.adopt(again)
    store.verify(DIGEST)


def test_more_leaves_than_chunks_are_ignored(store: BlobStore) -> None:
    partial = begin(store, 3)
    partial.close()
    with partial.path.with_name(partial.path.name + ".leaves").open("ab") as file:
        file.write(leaf_hash(b"") * 5)
    again = begin(store, 0)
    assert again.held == 3
    again.close()


def test_a_lie_is_dropped(store: BlobStore, directory: Path) -> None:
    partial = begin(store, 2)
    partial.append(b"x" * 10, leaf_hash(b"x" * 10))
    assert not store.adopt(partial)
    assert not store.has(DIGEST)
    assert partial_files(directory) == []


def test_two_claims_never_mix(store: BlobStore) -> None:
    begin(store, 2).close()
    other = begin(store, 0, root=bytes(32))
    assert other.held == 0
    other.close()
    with begin(store, 0) as again:
        assert again.held == 2


def test_roots_that_are_invented_do_not_fill_the_disk(store: BlobStore, directory: Path) -> None:
    for number in range(6):
        begin(store, 1, root=bytes([number]) * 32).close()
    assert len(partial_files(directory)) == 2 * PARTIALS_PER_BLOB
    with begin(store, 0, root=bytes([5]) * 32) as kept:
        assert kept.held == 1


def test_one_transfer_of_a_claim_at_a_time(store: BlobStore, directory: Path) -> None:
    first = begin(store, 1)
    with pytest.raises(BlobBusyError):
        begin(store, 0)
    for number in range(4):
        begin(store, 0, root=bytes([number]) * 32).close()
    assert first.path.exists(), "a transfer that is going on was dropped"
    first.close()
    begin(store, 0).close()


def test_a_transfer_without_its_list_starts_again(store: BlobStore, directory: Path) -> None:
    begin(store, 2).close()
    partial_files(directory)[1].unlink()
    assert store.begun(DIGEST) == 0
    with begin(store, 0) as partial:
        assert partial.held == 0


def test_what_a_crash_left_of_a_finished_transfer_is_swept(store: BlobStore, directory: Path) -> None:
    begin(store, 3).close()
    begin(store, 1, root=bytes(32)).close()
    place = directory / DIGEST[:2] / DIGEST
    begun, finished = (path for path in partial_files(directory) if path.suffix != ".leaves")
    finished.rename(place)
    BlobStore.open(directory).verify(DIGEST)
    assert partial_files(directory) == [begun, begun.with_name(begun.name + ".leaves")]


def test_a_transfer_dropped_while_it_was_opened_is_begun_anew(
    store: BlobStore, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = fcntl.flock
    drops = iter([True])

    def late(file: int, operation: int) -> None:
        if next(drops, False):
            partial_files(directory)[0].unlink()
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with begin(store, 3) as partial:
        assert partial.path.exists()
        assert store.adopt(partial)
    store.verify(DIGEST)


def test_other_transfers_end_with_the_blob(store: BlobStore, directory: Path) -> None:
    begin(store, 1, root=bytes(32)).close()
    assert store.adopt(begin(store, 3))
    assert partial_files(directory) == []


def test_a_link_in_its_place_is_refused(store: BlobStore, directory: Path, tmp_path: Path) -> None:
    name = Partial.name_of(DIGEST, root=ROOT, size=len(DATA))
    (directory / "partial" / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError):
        begin(store, 0)
    assert not (tmp_path / "elsewhere").exists()
