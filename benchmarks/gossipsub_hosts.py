"""Twenty hosts of py-libp2p with gossipsub in one process: the peer that `gossip_live` is compared with.

Run by the Python of its own venv, which has libp2p and nothing of this project: `gossipsub_hosts.py NODES
BYTES MESSAGES CHORD...`. Links are the same ring with chords, Noise on loopback. Messages are signed by their
author, checked by every host (strict signing), and have a validator besides. Prints one JSON list: for each
message the milliseconds, by the clock and of the processor, from publishing until the last host had it; null
for one that did not reach everybody.
"""

import json
import logging
import os
import sys
import time
from contextlib import AsyncExitStack
from typing import Any

import multiaddr
import trio
import trio.testing
from libp2p import new_host
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.custom_types import TProtocol
from libp2p.peer.peerinfo import PeerInfo
from libp2p.pubsub.gossipsub import GossipSub
from libp2p.pubsub.pubsub import Pubsub
from libp2p.tools.anyio_service import background_trio_service

_TOPIC = "heads"
_PROTOCOL = TProtocol("/meshsub/1.1.0")
_PATIENCE = 30


async def _start(stack: AsyncExitStack, degree: int) -> tuple[Any, Any]:
    host = new_host(key_pair=create_new_key_pair())
    address = multiaddr.Multiaddr("/ip4/127.0.0.1/tcp/0")
    await stack.enter_async_context(host.run(listen_addrs=[address]))
    router = GossipSub(
        protocols=[_PROTOCOL],
        degree=degree,
        degree_low=degree - 1,
        degree_high=2 * degree,
        heartbeat_interval=1,
        max_messages_per_topic_per_second=1_000.0,
    )
    pubsub = Pubsub(host, router, strict_signing=True)
    pubsub.set_topic_validator(_TOPIC, lambda _peer, message: bool(message.data), is_async_validator=False)
    await stack.enter_async_context(background_trio_service(pubsub))
    await stack.enter_async_context(background_trio_service(router))
    await pubsub.wait_until_ready()
    return host, pubsub


async def _tell(pubsub: Any, subscriptions: list[Any], size: int) -> tuple[float, float] | None:
    """Publish a message; None if it did not reach everybody."""
    message = os.urandom(size)
    last = [0.0, 0.0]

    async def receive(subscription: Any) -> None:
        while (await subscription.get()).data != message:
            pass
        last[:] = time.perf_counter(), time.process_time()

    arrived = False
    with trio.move_on_after(_PATIENCE):
        async with trio.open_nursery() as nursery:
            for subscription in subscriptions:
                nursery.start_soon(receive, subscription)
            await trio.testing.wait_all_tasks_blocked(0.05)
            begun = time.perf_counter(), time.process_time()
            await pubsub.publish(_TOPIC, message)
        arrived = True
    return ((last[0] - begun[0]) * 1000, (last[1] - begun[1]) * 1000) if arrived else None


async def _run(nodes: int, size: int, messages: int, chords: list[int]) -> None:
    async with AsyncExitStack() as stack:
        peers = [await _start(stack, 2 * len(chords)) for _ in range(nodes)]
        for number, (host, _) in enumerate(peers):
            for chord in chords:
                other = peers[(number + chord) % nodes][0]
                await host.connect(PeerInfo(other.get_id(), other.get_addrs()))
        subscriptions = [await pubsub.subscribe(_TOPIC) for _, pubsub in peers]
        # Two heartbeats and a message: the mesh stands.
        await trio.sleep(3)
        author, others = peers[0][1], subscriptions[1:]
        await _tell(author, others, size)
        figures = [await _tell(author, others, size) for _ in range(messages)]
        sys.stdout.write(json.dumps(figures) + "\n")
        sys.stdout.flush()
        # Its services take long to end one after the other, and there is nothing left to lose.
        os._exit(0)


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    _nodes, _size, _messages, *_chords = map(int, sys.argv[1:])
    trio.run(_run, _nodes, _size, _messages, _chords)
