"""An exchange speaks messages over any half-closeable stream."""

import pytest
import trio
import trio.testing

from f2fbuild.errors import RemoteProtocolError
from f2fbuild.net import codec
from f2fbuild.net.exchange import Exchange, ExchangeFinishedError, LinkClosedError, PeerFailureError
from f2fbuild.net.ledger_messages import GetHead, Head, HeadSeen, NoHead
from f2fbuild.net.messages import BlobChunk, Failure

_Stream = trio.StapledStream[trio.testing.MemorySendStream, trio.testing.MemoryReceiveStream]


def pair() -> tuple[Exchange, Exchange]:
    ours, theirs = trio.testing.memory_stream_pair()
    return Exchange(ours, peer="b0b"), Exchange(theirs, peer="a11ce")


def raw() -> tuple[Exchange, _Stream]:
    ours, theirs = trio.testing.memory_stream_pair()
    return Exchange(ours, peer="b0b"), theirs


async def test_a_question_and_its_answers() -> None:
    alice, bob = pair()
    async with alice, bob:
        await alice.send(GetHead(origin="o"))
        await alice.finish()
        assert await bob.expect(GetHead) == GetHead(origin="o")
        with pytest.raises(ExchangeFinishedError):
            await bob.receive()
        await bob.send(Head(checkpoint=b"1"))
        await bob.send(Head(checkpoint=b"2"))
        await bob.finish()
        assert [message async for message in alice] == [Head(checkpoint=b"1"), Head(checkpoint=b"2")]


async def test_messages_do_not_depend_on_how_the_bytes_arrive() -> None:
    exchange, wire = raw()
    message = BlobChunk(index=0, data=b"d" * 3000, proof=[])
    data = codec.encode(message)
    data = codec.prefix(len(data)) + data

    async def trickle() -> None:
        for start in range(0, 2 * len(data), 7):
            await wire.send_all((data * 2)[start : start + 7])
            await trio.lowlevel.checkpoint()
        await wire.send_eof()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trickle)
        assert [received async for received in exchange] == [message, message]


async def test_a_failure_is_raised_with_its_code() -> None:
    alice, bob = pair()
    await bob.send(Failure(code="busy", detail="later"))
    with pytest.raises(PeerFailureError, match="busy: later") as caught:
        await alice.expect(Head)
    assert caught.value.code == "busy"


async def test_an_answer_of_another_kind_breaks_the_protocol() -> None:
    alice, bob = pair()
    await bob.send(NoHead(origin="o"))
    with pytest.raises(RemoteProtocolError, match="NoHead instead of Head"):
        await alice.expect(Head)


@pytest.mark.parametrize("sent", [b"\x00", codec.prefix(5), codec.prefix(5) + b"1234"])
async def test_an_end_in_the_middle_is_no_clean_end(sent: bytes) -> None:
    exchange, wire = raw()
    await wire.send_all(sent)
    await wire.send_eof()
    with pytest.raises(RemoteProtocolError, match="middle"):
        await exchange.receive()


@pytest.mark.parametrize("sent", [codec.prefix(2**31), codec.prefix(1) + b"\xc1"])
async def test_what_is_no_message_breaks_the_protocol(sent: bytes) -> None:
    exchange, wire = raw()
    await wire.send_all(sent)
    with pytest.raises(RemoteProtocolError):
        await exchange.receive()


async def test_a_broken_stream_is_a_closed_link() -> None:
    exchange, wire = raw()
    await wire.aclose()
    wire.send_stream.close()
    with pytest.raises(LinkClosedError):
        await exchange.send(HeadSeen())


async def test_a_stream_that_breaks_while_reading_is_a_closed_link() -> None:
    async def reset() -> None:
        raise trio.BrokenResourceError("connection reset")

    ours, _ = trio.testing.memory_stream_pair()
    ours.receive_stream.receive_some_hook = reset
    exchange = Exchange(ours, peer="b0b")
    with pytest.raises(LinkClosedError, match="b0b: the stream broke"):
        await exchange.receive()
