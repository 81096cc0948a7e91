"""How fast a new head reaches twenty real nodes: logs, Noise links on loopback, gossip, entries pulled.

`python -m benchmarks.gossip_live [--smoke]`. All nodes live in this process, wired as `node.main` wires them;
see `gossip_town`. Measured: from the return of a durable append until the last node holds the checked head,
and how long a burst of entries takes until everybody has all of them, checked and durable. Then gossipsub of
py-libp2p does the same on the same links: twenty hosts in one process, messages as large as a head.

A machine that is shared says less by the clock than by the processor's time, which is that of the whole
process.
"""

import argparse
import json
import os
import statistics
import subprocess  # noqa: TID251 - the peer is run as people run it
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import trio

from benchmarks.gossip_town import CHORDS, NODES, Observed, Town, found_town, living
from benchmarks.peer_venv import peer_python
from benchmarks.report import at_least, at_most, emit
from f2fbuild.ledger import payloads
from f2fbuild.ledger.mirror import Mirror

_APPENDS: Final = 40
_BURST: Final = 1_000
_PATIENCE: Final = 300
_PEER: Final = "libp2p==0.8.1"
_HEAD_BYTES: Final = 400
"""Bytes of a head as it is announced: checkpoint, public key, hops."""


class _Watch:
    """Sees when the last of some nodes holds what is waited for, and how much was computed until then."""

    def __init__(self, nodes: list[Observed]) -> None:
        self._holds: Callable[[int], bool] = lambda _number: True
        self._waiting: set[int] = set()
        self._over = trio.Event()
        self._count = len(nodes)
        self.at = self.cpu = 0.0
        for number, node in enumerate(nodes):
            look = partial(self._look, number)
            node.gossiping.heard = look
            node.follower.on_taken(lambda _friend, _note, look=look: look())  # type: ignore[misc]

    def expect(self, holds: Callable[[int], bool]) -> None:
        """Begin to wait until all nodes, each by its number, hold something."""
        self._holds, self._over = holds, trio.Event()
        self._waiting = set(range(self._count))
        for number in range(self._count):
            self._look(number)

    def _look(self, number: int) -> None:
        if number in self._waiting and self._holds(number):
            self._waiting.discard(number)
            if not self._waiting:
                self.at, self.cpu = time.perf_counter(), time.process_time()
                self._over.set()

    async def wait(self) -> None:
        """Return when the last node holds it."""
        with trio.fail_after(_PATIENCE):
            await self._over.wait()


class _Author:
    """The node whose log grows, and the others that hear of it."""

    def __init__(self, nodes: list[Observed]) -> None:
        self.node, *self.others = nodes
        self.origin = self.node.identity.origin
        self.watch = _Watch(self.others)
        self._mirrors = [_copy(node, self.origin) for node in self.others]

    def entry(self) -> bytes:
        """Return an entry as a submitter's log has them."""
        return self.node.journal.seal(payloads.Order(commit=os.urandom(32).hex()))

    async def tell(self) -> tuple[float, float]:
        """Append an entry; return the seconds, of clock and processor, until the last node has its head."""
        self.node.log.append([self.entry()])
        head = self.node.log.checkpoint()
        self.watch.expect(lambda number: self.others[number].gossiping.head(self.origin) == head)
        begun, cpu = time.perf_counter(), time.process_time()
        self.node.neighbours.log_grew()
        await self.watch.wait()
        return self.watch.at - begun, self.watch.cpu - cpu

    async def followed(self) -> None:
        """Return when everybody has all entries."""
        size = self.node.log.size
        self.watch.expect(lambda number: self._mirrors[number].size == size)
        await self.watch.wait()

    async def burst(self, entries: int) -> tuple[float, float]:
        """Append entries one by one; return the seconds until all have them, and the share that has all."""
        begun = time.perf_counter()
        for _ in range(entries):
            await self.node.journal.ensure(self.entry(), since=self.node.log.size)
        await self.followed()
        taken = time.perf_counter() - begun
        size = self.node.log.size
        whole = self.node.log.entries(0, size)
        arrived = sum(mirror.entries(0, size) == whole for mirror in self._mirrors)
        return taken, arrived / len(self.others)


def _copy(node: Observed, origin: str) -> Mirror:
    friend = node.friendships.author(origin)
    if friend is None:
        raise RuntimeError("not everybody is everybody's friend")
    return node.follower.mirror(friend)


async def _measure(town: Town, appends: int, burst: int) -> dict[str, float]:
    async with living(town) as nodes:
        author = _Author(nodes)
        # The first head finds who is to tell whom; it is not counted.
        await author.tell()
        await author.followed()
        taken = []
        for _ in range(appends):
            taken.append(await author.tell())
            await author.followed()
        seconds, share = await author.burst(burst)
    walls, processor = zip(*taken, strict=True)
    return {
        "last_node_ms": statistics.median(walls) * 1000,
        "best_ms": min(walls) * 1000,
        "worst_ms": max(walls) * 1000,
        "last_node_cpu_ms": statistics.median(processor) * 1000,
        "burst_s": seconds,
        "burst_whole": share,
    }


def _gossipsub(messages: int) -> dict[str, float]:
    """Measure the same among hosts of py-libp2p; nothing if that cannot be had from PyPI."""
    python = peer_python(_PEER)
    if python is None:
        return {}
    program = Path(__file__).with_name("gossipsub_hosts.py")
    command = [python, program, NODES, _HEAD_BYTES, messages, *CHORDS]
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, check=True, text=True)
    said = json.loads(done.stdout.splitlines()[-1])
    arrived = [one for one in said if one is not None]
    walls, processor = zip(*arrived, strict=True)
    return {
        "gossipsub_last_node_ms": statistics.median(walls),
        "gossipsub_best_ms": min(walls),
        "gossipsub_last_node_cpu_ms": statistics.median(processor),
        "gossipsub_lost": float(len(said) - len(arrived)),
    }


def main() -> None:
    """Measure, print, and say whether the bars hold."""
    parser = argparse.ArgumentParser(description="how fast a head reaches twenty nodes")
    parser.add_argument("--smoke", action="store_true", help="a few entries, to see that it works")
    smoke = parser.parse_args().smoke
    appends = 3 if smoke else _APPENDS
    with found_town() as town:
        figures = trio.run(_measure, town, appends, 20 if smoke else _BURST)
    peer = _gossipsub(appends)
    bars = [
        at_most("last of 20 nodes, median", figures["last_node_ms"], 25, "ms"),
        at_least("nodes that have the whole burst", figures["burst_whole"], 1, "share"),
    ]
    if peer:
        ratio = peer["gossipsub_last_node_ms"] / figures["last_node_ms"]
        computing = peer["gossipsub_last_node_cpu_ms"] / figures["last_node_cpu_ms"]
        figures |= peer | {"gossipsub_ratio": ratio, "gossipsub_cpu_ratio": computing}
        bars.append(at_least("faster to the last node than gossipsub", ratio, 3, "ratio"))
    emit("gossip_live", figures, bars)


if __name__ == "__main__":
    main()
