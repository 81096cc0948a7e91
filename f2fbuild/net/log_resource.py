"""Tiles and bundles over a link: in pieces, since a bundle of large entries is longer than a message.

The answer to `GetLogResource` is one `LogResource` after another. One that is not full is the last, so what
fits into one message is one.
"""

from f2fbuild.errors import RemoteProtocolError
from f2fbuild.limits import BUNDLE_BYTES, LOG_PIECE_BYTES
from f2fbuild.net.exchange import Exchange
from f2fbuild.net.ledger_messages import LogResource


async def send_resource(exchange: Exchange, data: bytes) -> None:
    """Send a tile or bundle; raises as `Exchange.send`."""
    for start in range(0, len(data) + 1, LOG_PIECE_BYTES):
        await exchange.send(LogResource(data=data[start : start + LOG_PIECE_BYTES]))


async def receive_resource(exchange: Exchange) -> bytes:
    """Return the tile or bundle that was asked for.

    Raises:
        RemoteProtocolError: there is none, or it is longer than any can be. Else as `Exchange.expect`.
    """
    data = bytearray()
    while True:
        piece = (await exchange.expect(LogResource)).data
        data += piece
        if len(data) > BUNDLE_BYTES:
            raise RemoteProtocolError("longer than a bundle can be", where=exchange.peer)
        if len(piece) < LOG_PIECE_BYTES:
            return bytes(data)
