"""A link: exchanges both ways over a pretend wire, and whatever can go wrong with them."""

from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild import limits
from f2fbuild.errors import IncompatibleVersionError, RemoteProtocolError
from f2fbuild.net import connection
from f2fbuild.net.exchange import Exchange, ExchangeResetError, LinkClosedError
from f2fbuild.net.frames import GoAwayReason
from f2fbuild.net.handshake import PeerId
from f2fbuild.net.ledger_messages import GetHead, Head, HeadSeen, NoHead, NoLogResource
from f2fbuild.net.messages import BlobChunk, Hello, Request, WantBlob
from f2fbuild.net.streams import Unread
from tests.net.netpair import ALICE, BOB, Recorder, linked, settings

QUESTION = GetHead(origin="o")
BULK = WantBlob(digest="ab" * 32, first_chunk=0)


async def answers(peer: PeerId, request: Request, exchange: Exchange) -> None:
    """A node that has one head and endless blobs."""
    if isinstance(request, GetHead):
        await exchange.send(Head(checkpoint=peer.encode()))
        return
    for index in range(10**6):
        await exchange.send(BlobChunk(index=index, data=bytes(limits.CHUNK_BYTES), proof=[]))


async def ask(link: connection.Link) -> Head:
    async with await link.open(QUESTION) as exchange:
        return await exchange.expect(Head)


async def read_all(exchange: Exchange) -> None:
    async for _ in exchange:
        pass


async def test_both_sides_ask_and_answer() -> None:
    async with linked(settings(answers), settings(answers)) as (alice, bob):
        assert (await ask(alice)).checkpoint == ALICE.node_id.encode()
        assert (await ask(bob)).checkpoint == BOB.node_id.encode()
        assert alice.version == bob.version == connection.VERSION


async def test_a_short_message_and_its_end_go_out_together(monkeypatch: pytest.MonkeyPatch) -> None:
    async with linked(settings(answers), settings(answers)) as (alice, bob):
        sent = []

        def count(link: connection.Link) -> None:
            send_all = link._stream.send_all

            async def counted(data: bytes) -> None:
                sent.append(link)
                await send_all(data)

            monkeypatch.setattr(link._stream, "send_all", counted)

        count(alice)
        count(bob)
        await ask(alice)
        assert sent == [alice, bob]


async def test_an_answer_that_ends_at_once_still_arrives_whole() -> None:
    async def long_answer(peer: PeerId, request: Request, exchange: Exchange) -> None:
        for index in range(3):
            await exchange.send(BlobChunk(index=index, data=bytes(limits.CHUNK_BYTES), proof=[]))

    async with linked(settings(), settings(long_answer)) as (alice, _):
        async with await alice.open(BULK) as exchange:
            chunks = [message async for message in exchange]
        assert [chunk.index for chunk in chunks if isinstance(chunk, BlobChunk)] == [0, 1, 2]


async def test_streams_are_forgotten_when_done() -> None:
    async with linked(settings(), settings(answers)) as (alice, bob):
        for _ in range(3 * limits.LINK_STREAMS):
            async with await alice.open(QUESTION) as exchange:
                await read_all(exchange)
        await alice.ping()
        await trio.testing.wait_all_tasks_blocked()
        assert not alice._streams
        assert not bob._streams


async def test_more_exchanges_than_streams_wait_their_turn() -> None:
    release = trio.Event()
    seen = 0

    async def patient(peer: PeerId, request: Request, exchange: Exchange) -> None:
        nonlocal seen
        seen += 1
        await release.wait()
        await exchange.send(HeadSeen())

    done = 0

    async def one(link: connection.Link) -> None:
        nonlocal done
        async with await link.open(QUESTION) as exchange:
            await exchange.expect(HeadSeen)
            done += 1

    async with linked(settings(), settings(patient)) as (alice, _):
        async with trio.open_nursery() as nursery:
            for _ in range(limits.LINK_STREAMS + 10):
                nursery.start_soon(one, alice)
            await trio.testing.wait_all_tasks_blocked()
            assert seen == limits.LINK_STREAMS
            release.set()
        assert done == limits.LINK_STREAMS + 10


async def test_a_reader_that_never_reads_stops_only_its_stream_and_memory_is_bounded() -> None:
    async with linked(settings(), settings(answers)) as (alice, bob):
        exchanges = [await alice.open(BULK) for _ in range(5)]
        await trio.testing.wait_all_tasks_blocked()
        unread = sum(stream._unread.size for stream in alice._streams.values())
        assert 4 * limits.STREAM_WINDOW_BYTES < unread <= 5 * limits.STREAM_WINDOW_BYTES
        assert (await ask(alice)).checkpoint == ALICE.node_id.encode()
        await alice.ping()
        for exchange in exchanges:
            await exchange.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert not bob._handlers
        assert not alice._streams


async def test_a_slow_reader_does_not_slow_a_fast_one() -> None:
    async with linked(settings(), settings(answers)) as (alice, _):
        slow, fast = await alice.open(BULK), await alice.open(BULK)
        await slow.expect(BlobChunk)
        for index in range(20):
            assert (await fast.expect(BlobChunk)).index == index
        assert (await slow.expect(BlobChunk)).index == 1
        await slow.aclose()
        await fast.aclose()


async def test_a_ping_passes_bulk() -> None:
    async with linked(settings(), settings(answers)) as (alice, _), trio.open_nursery() as nursery:
        bulk = await alice.open(BULK)
        first = await bulk.expect(BlobChunk)
        nursery.start_soon(read_all, bulk)
        for _ in range(5):
            await alice.ping()
        assert first.index == 0
        assert not bulk._stream._finished_there, "all of it went first"  # type: ignore[attr-defined]
        nursery.cancel_scope.cancel()


async def test_what_a_handler_raises_ends_its_exchange_only() -> None:
    async def fails(peer: PeerId, request: Request, exchange: Exchange) -> None:
        if request == BULK:
            raise ValueError("a bug")
        await answers(peer, request, exchange)

    recorder = Recorder()
    async with linked(settings(), settings(fails, recorder)) as (alice, _):
        async with await alice.open(BULK) as exchange:
            with pytest.raises(ExchangeResetError, match="failed"):
                await exchange.receive()
        await ask(alice)
    assert [str(error) for error in recorder.errors] == ["a bug"]


async def test_leaving_early_cancels_the_handler_and_nobody_is_blamed() -> None:
    begun, cancelled = trio.Event(), trio.Event()

    async def waits(peer: PeerId, request: Request, exchange: Exchange) -> None:
        begun.set()
        try:
            await trio.sleep_forever()
        finally:
            cancelled.set()

    recorder = Recorder()
    async with linked(settings(), settings(waits, recorder)) as (alice, _):
        async with await alice.open(QUESTION):
            await begun.wait()
        await cancelled.wait()
    assert recorder.errors == []


async def test_a_handler_may_close_its_exchange_itself() -> None:
    async def closes(peer: PeerId, request: Request, exchange: Exchange) -> None:
        async with exchange:
            await exchange.send(NoHead(origin="o"))
            await exchange.finish()

    recorder = Recorder()
    async with linked(settings(), settings(closes, recorder)) as (alice, _):
        exchange = await alice.open(QUESTION)
        assert [message async for message in exchange] == [NoHead(origin="o")]
    assert recorder.errors == []


@pytest.mark.parametrize("request_", [NoLogResource(), Hello(version_min=1, version_max=1, program="p")])
async def test_what_is_no_request_here_resets_the_exchange(request_: Request) -> None:
    async with linked(settings(), settings(answers)) as (alice, _):
        async with await alice.open(request_) as exchange:
            with pytest.raises(ExchangeResetError, match="protocol"):
                await exchange.receive()
        await ask(alice)


async def test_a_stream_without_a_request_is_reset(autojump_clock: trio.testing.MockClock) -> None:
    async with linked(settings(), settings(answers)) as (alice, _):
        stream = alice._add_stream(alice._mux.open_stream(), opened_here=True)
        alice._wake_writer()
        begun = trio.current_time()
        with pytest.raises(ExchangeResetError, match="protocol"):
            await stream.receive_some()
        assert trio.current_time() - begun == limits.REQUEST_SECONDS


async def test_closing_says_goodbye_with_the_reason() -> None:
    async with linked(settings(answers), settings(answers)) as (alice, bob):
        waiting = await alice.open(BULK)
        await waiting.expect(BlobChunk)
        bob.close(GoAwayReason.NOT_ALLOWED, "unfriended")
        with pytest.raises(LinkClosedError, match="goodbye: not allowed"):
            await read_all(waiting)
        assert bob.ended is not None
        assert bob.ended.what == "unfriended"
        with pytest.raises(LinkClosedError):
            await alice.open(QUESTION)
        with pytest.raises(LinkClosedError):
            await bob.open(QUESTION)


async def test_a_silent_peer_is_given_up(autojump_clock: trio.testing.MockClock) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    async with linked(settings(answers), settings(answers), (ours, theirs)) as (alice, _):

        async def stall() -> None:
            await trio.sleep_forever()

        theirs.send_stream.send_all_hook = stall
        begun = trio.current_time()
        with pytest.raises(LinkClosedError, match="no sign of life"):
            await ask(alice)
        longest = limits.PING_LEAST_SECONDS + limits.PING_SPREAD_SECONDS + limits.PONG_SECONDS
        assert trio.current_time() - begun <= longest


async def test_a_probe_looks_at_once(autojump_clock: trio.testing.MockClock) -> None:
    async with linked(settings(answers), settings(answers)) as (alice, _):
        await trio.testing.wait_all_tasks_blocked()
        before = alice._next_token
        alice.probe()
        await trio.testing.wait_all_tasks_blocked()
        assert alice._next_token == before + 1


async def test_a_link_lives_only_so_long(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LINK_SECONDS", 600.0)
    async with linked(settings(answers), settings(answers)) as (alice, _):
        exchange = await alice.open(BULK)
        await trio.sleep(limits.LINK_SECONDS - 1)
        assert alice.ended is None
        await trio.sleep(2)
        with pytest.raises(LinkClosedError, match=r"day old|expired"):
            await read_all(exchange)


async def test_rekeying_goes_unnoticed() -> None:
    async with linked(settings(), settings(answers)) as (alice, bob):
        for link in (alice, bob):
            for cipher in (link._secured.session.sending, link._secured.session.receiving):
                cipher._rekey_every = 3
        async with await alice.open(BULK) as exchange:
            for _ in range(5):
                await exchange.expect(BlobChunk)


@pytest.fixture
async def intruder() -> AsyncIterator[tuple[trio.abc.Stream, connection.Link]]:
    """A link whose wire the test can write on."""
    ours, theirs = trio.testing.memory_stream_pair()
    async with linked(settings(answers), settings(answers), (ours, theirs)) as (alice, _):
        await trio.testing.wait_all_tasks_blocked()
        yield theirs, alice


async def test_a_forged_record_ends_the_link(intruder: tuple[trio.abc.Stream, connection.Link]) -> None:
    wire, alice = intruder
    await wire.send_all(b"\x00\x20" + bytes(32))
    await trio.testing.wait_all_tasks_blocked()
    assert alice.ended is not None
    assert "does not decrypt" in alice.ended.what


def test_versions_are_agreed_or_not() -> None:
    def hello(least: int, most: int) -> Hello:
        return Hello(version_min=least, version_max=most, program="p")

    assert connection.agreed_version(hello(1, 3), hello(2, 9)) == 3
    assert connection.agreed_version(hello(2, 9), hello(1, 2)) == 2
    for ours, theirs in ((hello(1, 1), hello(2, 3)), (hello(3, 4), hello(1, 2))):
        with pytest.raises(IncompatibleVersionError, match="speaks versions"):
            connection.agreed_version(ours, theirs)


async def test_no_common_version_ends_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    reached = 0
    original = connection.agreed_version

    def refuse(ours: Hello, theirs: Hello) -> int:
        nonlocal reached
        reached += 1
        return original(ours, Hello(version_min=7, version_max=8, program="f2fbuild"))

    monkeypatch.setattr(connection, "agreed_version", refuse)
    with pytest.RaisesGroup(pytest.RaisesExc(LinkClosedError, match="version")):
        async with linked(settings(), settings()):
            raise AssertionError("they did not agree")
    assert reached


async def test_remote_errors_are_theirs() -> None:
    async def babbles(peer: PeerId, request: Request, exchange: Exchange) -> None:
        await exchange._stream.send_all(b"\xff\xff\xff\xff")

    async with linked(settings(), settings(babbles)) as (alice, _):
        exchange = await alice.open(QUESTION)
        with pytest.raises(RemoteProtocolError, match="announced"):
            await exchange.receive()


async def test_a_stream_is_left_once_and_for_all() -> None:
    async with linked(settings(), settings(answers)) as (alice, _):
        stream = alice._add_stream(alice._mux.open_stream(), opened_here=True)
        await stream.wait_send_all_might_not_block()
        await stream.send_eof()
        await stream.send_eof()
        with pytest.raises(trio.ClosedResourceError):
            await stream.send_all(b"after the end")
        await stream.aclose()
        await stream.aclose()
        assert stream.closed
        for use in (stream.send_all(b"x"), stream.receive_some(), stream.wait_send_all_might_not_block()):
            with pytest.raises(trio.ClosedResourceError):
                await use


@given(
    st.lists(st.binary(min_size=1, max_size=9000), max_size=8), st.lists(st.integers(1, 20_000), min_size=1)
)
def test_unread_bytes_come_out_as_they_came_in(parts: list[bytes], sizes: list[int]) -> None:
    unread, taken, turn = Unread(), b"", 0
    for part in parts:
        unread.append(memoryview(part))
    while unread.size:
        taken += unread.take(sizes[turn % len(sizes)])
        turn += 1
    assert taken + unread.take(None) == b"".join(parts)


def test_many_small_frames_cost_no_more_than_their_bytes() -> None:
    unread = Unread()
    for _ in range(limits.STREAM_WINDOW_BYTES):
        unread.append(b"x")
    assert len(unread._parts) <= limits.STREAM_WINDOW_BYTES // limits.UNREAD_PART_BYTES
    unread.clear()
    assert (unread.size, unread.take(None)) == (0, b"")
