"""A peer that lies about a blob is named, and keeps nobody from fetching the rest elsewhere."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from f2fbuild.errors import RemoteProtocolError
from f2fbuild.limits import CHUNK_BYTES
from f2fbuild.model.digest import sha256_hex
from f2fbuild.model.tree import leaf_hash
from f2fbuild.net.chunks import ChunkTree
from f2fbuild.net.exchange import Exchange, PeerFailureError
from f2fbuild.net.ledger_messages import HeadSeen
from f2fbuild.net.messages import BlobChunk, BlobManifest, Failure, NoBlob, WantBlob
from f2fbuild.net.transfer import fetch_blob
from f2fbuild.net.wire import Message
from f2fbuild.store.blobs import BlobStore
from tests.net.transfer_wires import WIRES, Handler, Recording, bending, scripted, serving, wire

CHUNKS = (b"a" * CHUNK_BYTES, b"b" * CHUNK_BYTES, b"c" * CHUNK_BYTES, b"d" * 10)
DATA = b"".join(CHUNKS)
DIGEST = sha256_hex(DATA)
MANIFEST = BlobManifest(
    size=len(DATA), chunks=4, chunk_root=ChunkTree.over(leaf_hash(chunk) for chunk in CHUNKS).root.hex()
)


@pytest.fixture(params=WIRES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def theirs(tmp_path: Path) -> BlobStore:
    store = BlobStore.open(tmp_path / "theirs")
    store.put_bytes(DATA)
    return store


@pytest.fixture
def ours(tmp_path: Path) -> BlobStore:
    return BlobStore.open(tmp_path / "ours")


def chunks_of(data: bytes) -> tuple[BlobManifest, list[BlobChunk]]:
    """Return what an honest peer sends of `data`."""
    parts = [data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES)]
    tree = ChunkTree.over(leaf_hash(part) for part in parts)
    manifest = BlobManifest(size=len(data), chunks=len(parts), chunk_root=tree.root.hex())
    return manifest, [
        BlobChunk(index=index, data=part, proof=tree.proof(index)) for index, part in enumerate(parts)
    ]


def bent(**changes: object) -> Callable[[Message], Message]:
    """Return what changes a manifest, or chunk number 2."""

    def bend(message: Message) -> Message:
        match message:
            case BlobManifest() if changes.keys() <= {"size", "chunks"}:
                return msgspec.structs.replace(message, **changes)
            case BlobChunk(index=2) if changes.keys() <= {"index", "data", "proof"}:
                return msgspec.structs.replace(message, **changes)
            case other:
                return other

    return bend


async def refused(kind: str, handler: Handler, ours: BlobStore, *, max_size: int = len(DATA)) -> str:
    """Fetch from a liar; return what is said of it."""
    async with wire(kind, handler) as open_exchange:
        with pytest.raises(RemoteProtocolError) as caught:
            await fetch_blob(open_exchange, DIGEST, ours, max_size=max_size)
    assert not ours.has(DIGEST)
    return str(caught.value)


async def honest_first_chunks(ours: BlobStore, theirs: BlobStore) -> list[int]:
    """Fetch from an honest peer; return what had to be asked for."""
    handler = Recording(serving(theirs))
    async with wire("memory", handler) as open_exchange:
        assert await fetch_blob(open_exchange, DIGEST, ours, max_size=len(DATA))
    ours.verify(DIGEST)
    return handler.first_chunks


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"data": b"x" * CHUNK_BYTES}, "chunk 2: not under the chunk root"),
        ({"data": b"c" * (CHUNK_BYTES - 1)}, "chunk 2: 1048575 bytes instead of 1048576"),
        ({"data": b""}, "chunk 2: 0 bytes"),
        ({"proof": []}, "not under the chunk root"),
        ({"proof": [bytes(32)] * 64}, "not under the chunk root"),
        ({"proof": [bytes(32)] * 2}, "chunk 2: not under the chunk root"),
        ({"index": 1}, "chunk 1 where 2 is due"),
        ({"index": 3}, "chunk 3 where 2 is due"),
        ({"index": 2**52}, "where 2 is due"),
    ],
)
async def test_a_wrong_chunk_costs_itself_only(
    kind: str, theirs: BlobStore, ours: BlobStore, changes: dict[str, object], complaint: str
) -> None:
    assert complaint in await refused(kind, bending(theirs, bent(**changes)), ours)
    assert await honest_first_chunks(ours, theirs) == [2]


@pytest.mark.parametrize(
    ("changes", "max_size", "complaint"),
    [
        ({}, len(DATA) - 1, "bytes where 3145737 are allowed"),
        ({"size": 2**52, "chunks": 2**32}, len(DATA), "a blob of 4503599627370496 bytes"),
        ({"chunks": 5}, len(DATA), "5 chunks for 3145738 bytes"),
        ({"chunks": 3}, len(DATA), "3 chunks for 3145738 bytes"),
        ({"size": 0}, len(DATA), "4 chunks for 0 bytes"),
    ],
)
async def test_a_wrong_manifest_takes_no_room(
    kind: str,
    theirs: BlobStore,
    ours: BlobStore,
    tmp_path: Path,
    changes: dict[str, object],
    max_size: int,
    complaint: str,
) -> None:
    handler = bending(theirs, bent(**changes))
    assert complaint in await refused(kind, handler, ours, max_size=max_size)
    assert list((tmp_path / "ours" / "partial").iterdir()) == []


@pytest.mark.parametrize("size", [len(DATA) - 1, 3 * CHUNK_BYTES + 11])
async def test_a_wrong_size_is_noticed_at_the_last_chunk(
    theirs: BlobStore, ours: BlobStore, size: int
) -> None:
    handler = bending(theirs, bent(size=size))
    assert "chunk 3: 10 bytes instead of" in await refused("memory", handler, ours, max_size=2**30)
    # What was claimed with another size is another claim, so nothing of it is mixed in.
    assert await honest_first_chunks(ours, theirs) == [3, 0]


@pytest.mark.parametrize("data", [b"other bytes", b"", DATA[:-1] + b"x"])
async def test_a_lying_chunk_root_is_caught_at_the_end_and_nothing_stays(
    kind: str, theirs: BlobStore, ours: BlobStore, tmp_path: Path, data: bytes
) -> None:
    manifest, chunks = chunks_of(data)
    assert "other bytes than the blob" in await refused(kind, scripted(manifest, *chunks), ours)
    assert list((tmp_path / "ours" / "partial").iterdir()) == []
    assert await honest_first_chunks(ours, theirs) == [0]


async def test_a_lying_chunk_root_does_not_cost_what_an_honest_peer_sent(
    kind: str, theirs: BlobStore, ours: BlobStore
) -> None:
    manifest, chunks = chunks_of(DATA)
    await refused("memory", scripted(manifest, *chunks[:3]), ours)
    liar_manifest, liar_chunks = chunks_of(b"x" * len(DATA))
    liar = Recording(scripted(liar_manifest, *liar_chunks))
    assert "other bytes than the blob" in await refused(kind, liar, ours)
    assert liar.first_chunks == [3, 0]
    assert await honest_first_chunks(ours, theirs) == [3]


async def test_a_root_that_changes_each_time_is_refused(kind: str, ours: BlobStore) -> None:
    manifest, chunks = chunks_of(DATA)
    other_manifest, _ = chunks_of(b"x" * len(DATA))
    await refused("memory", scripted(manifest, *chunks[:1]), ours)
    manifests = iter([other_manifest, manifest, other_manifest])

    async def swapping(exchange: Exchange, request: Message) -> None:
        await exchange.send(next(manifests))

    handler = Recording(swapping)
    assert "another chunk root each time" in await refused(kind, handler, ours)
    assert handler.first_chunks == [1, 0]


async def test_a_peer_that_never_ends_is_left_when_the_blob_is_whole(
    kind: str, theirs: BlobStore, ours: BlobStore
) -> None:
    async def endless(exchange: Exchange, request: Message) -> None:
        manifest, chunks = chunks_of(DATA)
        for message in (manifest, *chunks):
            await exchange.send(message)
        while True:
            await exchange.send(chunks[-1])

    async with wire(kind, endless) as open_exchange:
        assert await fetch_blob(open_exchange, DIGEST, ours, max_size=len(DATA))
    ours.verify(DIGEST)


@pytest.mark.parametrize(
    ("messages", "complaint"),
    [
        ([NoBlob(digest="0" * 64)], "NoBlob instead of a manifest"),
        ([HeadSeen()], "HeadSeen instead of a manifest"),
        ([BlobChunk(index=0, data=CHUNKS[0], proof=[])], "BlobChunk instead of a manifest"),
        ([], "finished before"),
        ([MANIFEST], "finished before chunk 0"),
        ([MANIFEST, MANIFEST], "BlobManifest instead of BlobChunk"),
        ([MANIFEST, NoBlob(digest=DIGEST)], "NoBlob instead of BlobChunk"),
    ],
)
async def test_an_answer_out_of_turn_is_refused(
    kind: str, ours: BlobStore, messages: list[Message], complaint: str
) -> None:
    assert complaint in await refused(kind, scripted(*messages), ours)


@pytest.mark.parametrize("before", [[], [MANIFEST]])
async def test_a_peer_that_cannot_answer_says_so(kind: str, ours: BlobStore, before: list[Message]) -> None:
    failing = scripted(*before, Failure(code="busy", detail="later"))
    async with wire(kind, failing) as open_exchange:
        with pytest.raises(PeerFailureError, match="busy"):
            await fetch_blob(open_exchange, DIGEST, ours, max_size=len(DATA))


@pytest.mark.parametrize("first", [4, 5, 2**52])
async def test_a_request_beyond_the_end_gets_no_chunk(kind: str, theirs: BlobStore, first: int) -> None:
    request = WantBlob(digest=DIGEST, first_chunk=first)
    async with wire(kind, serving(theirs)) as open_exchange, await open_exchange(request) as exchange:
        assert [message async for message in exchange] == [MANIFEST]
