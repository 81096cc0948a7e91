"""A node's net room as a program: `python netnode.py PORT` lets Alice in and answers her as Bob."""

import sys
import time

import trio

from f2fbuild.net.exchange import Exchange
from f2fbuild.net.handshake import PeerId
from f2fbuild.net.ledger_messages import Head
from f2fbuild.net.messages import Request
from f2fbuild.net.peers import Peers, PeersSettings
from tests.net.netpair import ALICE, BOB, Friends, settings


async def answer(peer: PeerId, request: Request, exchange: Exchange) -> None:
    await exchange.send(Head(checkpoint=f"{type(request).__name__} from {peer}".encode()))


async def main(port: int) -> None:
    peers = Peers(
        PeersSettings(
            identity=BOB,
            gate=Friends([ALICE]).gate(),
            directory=dict,
            link=settings(answer),
            clock=time.time_ns,
            loopback=True,
        )
    )
    listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
    sys.stdout.write(f"{listeners[0].socket.getsockname()[1]}\n")
    sys.stdout.flush()
    await peers.run(listeners)


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]))
