"""Bob's listener as a program: lets Alice and Eve in, and says on a line why each link ended."""

import sys

import trio

from f2fbuild.net.connection import Link
from f2fbuild.net.exchange import Exchange
from f2fbuild.net.handshake import PeerId, Secured
from f2fbuild.net.ledger_messages import Head
from f2fbuild.net.listener import serve
from f2fbuild.net.messages import BlobChunk, Request, WantBlob
from tests.net.netpair import ALICE, BOB, EVE, Friends, settings


async def answer(peer: PeerId, request: Request, exchange: Exchange) -> None:
    """Answer with a head, or with a blob that never ends."""
    if not isinstance(request, WantBlob):
        await exchange.send(Head(checkpoint=peer.encode()))
        return
    for index in range(10**6):
        await exchange.send(BlobChunk(index=index, data=b"x" * 2**20, proof=[]))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def keep(stream: trio.abc.Stream, secured: Secured) -> None:
    link = Link(stream, secured, dialer=False, settings=settings(answer))
    ended = await link.run()
    say(f"{'alice' if secured.peer == ALICE.node_id else 'eve'}: {ended.what}")


async def main(seconds: float) -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    say(str(listeners[0].socket.getsockname()[1]))
    gate = Friends([ALICE, EVE]).gate()
    await serve(listeners, identity=BOB, gate=gate, on_secured=keep, seconds=seconds)


if __name__ == "__main__":
    trio.run(main, float(sys.argv[1]))
