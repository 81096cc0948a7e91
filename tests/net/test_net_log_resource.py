"""Tiles and bundles of every length come over whole, and no more of them than there can be."""

import pytest

from f2fbuild.errors import F2FError, RemoteProtocolError
from f2fbuild.limits import BUNDLE_BYTES, LOG_PIECE_BYTES
from f2fbuild.net.exchange import Exchange, ExchangeFinishedError, PeerFailureError
from f2fbuild.net.ledger_messages import LogResource, NoLogResource
from f2fbuild.net.log_resource import receive_resource, send_resource
from f2fbuild.net.messages import Failure, WantBlob
from f2fbuild.net.wire import Message
from tests.net.transfer_wires import wire

ASKED = WantBlob(digest="0" * 64, first_chunk=0)
"""What opens the exchange; who answers here does not look at it."""
FULL = LogResource(data=bytes(LOG_PIECE_BYTES))


@pytest.mark.parametrize("wire_kind", ["memory", "link"])
@pytest.mark.parametrize(
    "size",
    [0, 1, LOG_PIECE_BYTES - 1, LOG_PIECE_BYTES, LOG_PIECE_BYTES + 1, 3 * LOG_PIECE_BYTES, BUNDLE_BYTES],
)
async def test_every_length_comes_over(wire_kind: str, size: int) -> None:
    data = (b"%08d" % size) * (size // 8 + 1)

    async def serve(exchange: Exchange, _request: Message) -> None:
        await send_resource(exchange, data[:size])

    async with wire(wire_kind, serve) as open_exchange, await open_exchange(ASKED) as exchange:
        assert await receive_resource(exchange) == data[:size]


async def said(*messages: Message) -> bytes | F2FError:
    """What is received of somebody who says this, or what is wrong with it."""

    async def serve(exchange: Exchange, _request: Message) -> None:
        for message in messages:
            await exchange.send(message)

    async with wire("memory", serve) as open_exchange, await open_exchange(ASKED) as exchange:
        try:
            return await receive_resource(exchange)
        except F2FError as error:
            return error


async def test_what_fits_into_one_message_is_one() -> None:
    assert await said(LogResource(data=b"a tile")) == b"a tile"


async def test_what_never_ends_is_left_at_the_longest_bundle() -> None:
    found = await said(*[FULL] * (BUNDLE_BYTES // LOG_PIECE_BYTES + 1))
    assert isinstance(found, RemoteProtocolError)
    assert "longer than a bundle" in found.what


@pytest.mark.parametrize(
    ("message", "error", "words"),
    [
        (NoLogResource(), RemoteProtocolError, "NoLogResource instead"),
        (Failure(code="right-missing", detail=""), PeerFailureError, "right-missing"),
        (FULL, ExchangeFinishedError, "no further message"),
    ],
    ids=["none", "refused", "cut short"],
)
async def test_what_is_no_resource_is_told(message: Message, error: type[F2FError], words: str) -> None:
    found = await said(message)
    assert isinstance(found, error)
    assert words in found.what
