"""An honest peer serves, an honest peer fetches: the same over memory, TCP and a real link."""

from pathlib import Path

import pytest
import trio

from f2fbuild.errors import F2FError, RemoteProtocolError, StorageError
from f2fbuild.limits import CHUNK_BYTES
from f2fbuild.model.digest import sha256_hex
from f2fbuild.net.messages import BlobManifest, BlobsHeld, NoBlob, WantBlob
from f2fbuild.net.transfer import ask_held, fetch_blob
from f2fbuild.store.blobs import BlobStore
from f2fbuild.store.partial import BlobBusyError
from tests.net.transfer_wires import CLIENT, WIRES, Recording, anybody, scripted, serving, wire

ABSENT = "0" * 64
ROOM = 8 * CHUNK_BYTES
LARGE = 20 * CHUNK_BYTES
"""More than the buffers of a TCP connection over loopback hold."""


def content(size: int) -> bytes:
    """Return bytes whose chunks all differ."""
    return b"".join(b"%015d\n" % number for number in range(-(-size // 16)))[:size]


@pytest.fixture(params=WIRES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def theirs(tmp_path: Path) -> BlobStore:
    return BlobStore.open(tmp_path / "theirs")


@pytest.fixture
def ours(tmp_path: Path) -> BlobStore:
    return BlobStore.open(tmp_path / "ours")


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, 5 * CHUNK_BYTES + 7])
async def test_a_blob_arrives_as_it_is(kind: str, theirs: BlobStore, ours: BlobStore, size: int) -> None:
    digest = theirs.put_bytes(content(size))
    told: list[tuple[int, int]] = []
    async with wire(kind, serving(theirs)) as open_exchange:
        path = await fetch_blob(
            open_exchange,
            digest,
            ours,
            max_size=size,
            progress=lambda done, all_of: told.append((done, all_of)),
        )
    assert path == ours.path(digest)
    assert ours.read(digest, size) == content(size)
    steps = [*range(CHUNK_BYTES, size, CHUNK_BYTES), size] if size else []
    assert told == [(step, size) for step in steps]


async def test_what_is_here_is_not_fetched(kind: str, theirs: BlobStore, ours: BlobStore) -> None:
    digest = ours.put_bytes(b"x")
    handler = Recording(serving(theirs))
    async with wire(kind, handler) as open_exchange:
        assert await fetch_blob(open_exchange, digest, ours, max_size=0) == ours.path(digest)
    assert handler.asked == []


async def test_forbidden_and_absent_look_the_same(kind: str, theirs: BlobStore, ours: BlobStore) -> None:
    secret = theirs.put_bytes(b"secret")
    asked: list[tuple[str, str]] = []

    def nobody(peer: str, digest: str) -> bool:
        asked.append((peer, digest))
        return False

    for digest, may_fetch in ((secret, nobody), (ABSENT, anybody), (ABSENT, nobody)):
        async with wire(kind, serving(theirs, may_fetch)) as open_exchange:
            async with await open_exchange(WantBlob(digest=digest, first_chunk=0)) as exchange:
                assert [message async for message in exchange] == [NoBlob(digest=digest)]
            assert await fetch_blob(open_exchange, digest, ours, max_size=ROOM) is None
    assert (CLIENT, secret) in asked


class Withdrawn:
    """A right that ends when the fetcher has verified `chunks` chunks."""

    def __init__(self, chunks: int) -> None:
        self.chunks = chunks
        self.done = 0

    def may_fetch(self, peer: str, digest: str) -> bool:
        return self.done < self.chunks * CHUNK_BYTES

    def progress(self, done: int, size: int) -> None:
        self.done = done


async def fetch_until_withdrawn(kind: str, theirs: BlobStore, ours: BlobStore, digest: str) -> int:
    """Return how many chunks a fetch kept whose right was withdrawn after two of them."""
    right = Withdrawn(2)
    async with wire(kind, serving(theirs, right.may_fetch)) as open_exchange:
        with pytest.raises(F2FError):
            await fetch_blob(open_exchange, digest, ours, max_size=LARGE, progress=right.progress)
    return ours.begun(digest)


async def test_a_withdrawn_right_ends_a_transfer_which_goes_on_with_another_peer(
    kind: str, theirs: BlobStore, ours: BlobStore
) -> None:
    digest = theirs.put_bytes(content(LARGE))
    held = await fetch_until_withdrawn(kind, theirs, ours, digest)
    assert 2 <= held < LARGE // CHUNK_BYTES
    async with wire(kind, handler := Recording(serving(theirs))) as open_exchange:
        assert await fetch_blob(open_exchange, digest, ours, max_size=LARGE)
    assert handler.first_chunks == [held]
    ours.verify(digest)


async def test_a_transfer_killed_before_its_end_needs_no_chunk(
    kind: str, theirs: BlobStore, ours: BlobStore
) -> None:
    digest = theirs.put_bytes(content(CHUNK_BYTES + 1))

    def stop(done: int, size: int) -> None:
        if done == size:
            raise ZeroDivisionError

    async with wire(kind, handler := Recording(serving(theirs))) as open_exchange:
        with pytest.raises(ZeroDivisionError):
            await fetch_blob(open_exchange, digest, ours, max_size=ROOM, progress=stop)
        assert await fetch_blob(open_exchange, digest, ours, max_size=ROOM, progress=stop)
    assert handler.first_chunks == [0, 2]


async def test_chunks_that_the_disk_lost_are_asked_for_again(
    kind: str, theirs: BlobStore, ours: BlobStore, tmp_path: Path
) -> None:
    digest = theirs.put_bytes(content(LARGE))
    held = await fetch_until_withdrawn("memory", theirs, ours, digest)
    (partial,) = (tmp_path / "ours" / "partial").glob("*[0-9]")
    with partial.open("r+b") as file:
        file.seek(CHUNK_BYTES + 5)
        file.write(b"!")
    async with wire(kind, handler := Recording(serving(theirs))) as open_exchange:
        assert await fetch_blob(open_exchange, digest, ours, max_size=LARGE)
    assert handler.first_chunks == [held, 1]
    ours.verify(digest)


async def test_a_blob_is_fetched_once_at_a_time(kind: str, theirs: BlobStore, ours: BlobStore) -> None:
    digest = theirs.put_bytes(content(2 * CHUNK_BYTES))
    async with wire(kind, serving(theirs)) as open_exchange:
        async with await open_exchange(WantBlob(digest=digest, first_chunk=2)) as exchange:
            manifest = await exchange.expect(BlobManifest)
        root = bytes.fromhex(manifest.chunk_root)
        with ours.partial(digest, root=root, size=manifest.size), pytest.raises(BlobBusyError):
            await fetch_blob(open_exchange, digest, ours, max_size=ROOM)
        assert await fetch_blob(open_exchange, digest, ours, max_size=ROOM)
    ours.verify(digest)


async def test_a_full_disk_is_told_before_a_chunk_is_taken(
    kind: str, theirs: BlobStore, tmp_path: Path
) -> None:
    digest = theirs.put_bytes(content(2 * CHUNK_BYTES))
    ours = BlobStore.open(tmp_path / "ours", reserve=2**60)
    async with wire(kind, serving(theirs)) as open_exchange:
        with pytest.raises(StorageError, match="in reserve"):
            await fetch_blob(open_exchange, digest, ours, max_size=ROOM)
    assert ours.begun(digest) == 0


async def test_several_blobs_at_once(kind: str, theirs: BlobStore, ours: BlobStore) -> None:
    blobs = [content(2 * CHUNK_BYTES + number) for number in range(4)]
    async with wire(kind, serving(theirs)) as open_exchange, trio.open_nursery() as nursery:

        async def fetch(digest: str) -> None:
            assert await fetch_blob(open_exchange, digest, ours, max_size=ROOM)

        for blob in blobs:
            nursery.start_soon(fetch, theirs.put_bytes(blob))
    assert [ours.read(sha256_hex(blob), ROOM) for blob in blobs] == blobs


async def test_only_what_may_be_fetched_is_held(kind: str, theirs: BlobStore) -> None:
    free, secret = theirs.put_bytes(b"free"), theirs.put_bytes(b"secret")
    handler = serving(theirs, lambda peer, digest: digest != secret)
    async with wire(kind, handler) as open_exchange:
        assert await ask_held(open_exchange, [secret, ABSENT, free]) == [free]
        assert await ask_held(open_exchange, []) == []


@pytest.mark.parametrize("answer", [["1" * 64], ["2" * 64, "3" * 64], ["3" * 64, "3" * 64]])
async def test_a_peer_that_holds_what_was_not_asked_for_is_refused(answer: list[str]) -> None:
    async with wire("memory", scripted(BlobsHeld(digests=answer))) as open_exchange:
        with pytest.raises(RemoteProtocolError, match="other than those"):
            await ask_held(open_exchange, ["3" * 64, "2" * 64])
