"""How fast a new head reaches twenty real nodes: logs, Noise links on loopback, gossip, signatures checked.

`python -m benchmarks.gossip_live [--smoke]`. All nodes live in this process, each with its own log, links,
database and machine of gossip, in the wiring of `node.gossiping`; trust and jobs are left out, so everybody
is everybody's friend as far as rights go. Links are a ring with chords: nobody is further than three hops.
Measured: from the return of a durable append until the last node holds the checked head.
"""

import argparse
import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

import trio
import trio.lowlevel

from benchmarks.report import at_least, at_most, emit
from f2fbuild.errors import F2FError
from f2fbuild.ledger.checkpoint import log_vkey, open_checkpoint
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.mirror import Mirror
from f2fbuild.model.friend import Friend
from f2fbuild.model.signing import SigningKey
from f2fbuild.model.vkey import format_vkey
from f2fbuild.net.connection import LinkSettings
from f2fbuild.net.dialer import Friend as Dialled
from f2fbuild.net.exchange import Exchange
from f2fbuild.net.handshake import Gate, Identity
from f2fbuild.net.hints import parse_hint
from f2fbuild.net.ledger_messages import (
    AnnounceHead,
    GetConsistency,
    GetLogResource,
    HeadSeen,
    HeadsTuned,
    LogResource,
    NoLogResource,
    SwapHeads,
    TuneHeads,
)
from f2fbuild.net.messages import Request
from f2fbuild.net.noise import PrivateKey
from f2fbuild.net.peers import Peers, PeersSettings
from f2fbuild.node.gossiping import Gossiping
from f2fbuild.store.database import Database
from f2fbuild.store.schema import MIGRATIONS

_NODES: Final = 20
_CHORDS: Final = (1, 4, 7)
_APPENDS: Final = 40
_BURST: Final = 1_000
_PATIENCE: Final = 60


class _Copies:
    """The copies that a node keeps of all logs, pulled from whoever announced a head."""

    def __init__(self, node: "_Node") -> None:
        self._node = node
        self._mirrors: dict[str, Mirror] = {}
        self._wanted: dict[str, tuple[Friend, str, bytes]] = {}
        self._news = trio.Event()
        self._taken: Callable[[Friend, bytes], None] = lambda _friend, _note: None

    def on_taken(self, callback: Callable[[Friend, bytes], None]) -> None:
        self._taken = callback

    def want(self, peer: str) -> None:
        friend = self._node.town[peer].friend
        self.want_from(friend, peer, self._node.gossiping.head(friend.vkey.partition("+")[0]))

    def want_from(self, friend: Friend, peer: str, note: bytes) -> None:
        self._wanted[friend.node_id] = (friend, peer, note)
        self._news.set()
        self._news = trio.Event()

    def mirror(self, friend: Friend) -> Mirror:
        mirror = self._mirrors.get(friend.node_id)
        if mirror is None:
            key = self._node.town[friend.node_id].log.key
            mirror = self._mirrors[friend.node_id] = Mirror.open(
                self._node.directory / friend.node_id[:16], key
            )
        return mirror

    async def run(self) -> None:
        while True:
            news = self._news
            while self._wanted:
                friend, peer, note = self._wanted.popitem()[1]
                await self._pull(friend, peer, note)
            await news.wait()

    async def _pull(self, friend: Friend, peer: str, note: bytes) -> None:
        mirror = self.mirror(friend)

        async def fetch(path: str) -> bytes:
            request = GetLogResource(origin=mirror.key.name, path=path)
            async with await self._node.peers.call(peer, request) as exchange:
                return (await exchange.expect(LogResource)).data

        try:
            await mirror.update(note, fetch)
        except F2FError:
            # Whoever announced the head is still fetching its entries himself: a moment later he has them.
            await trio.sleep(0.01)
            self._wanted.setdefault(friend.node_id, (friend, peer, note))
            return
        self._taken(friend, mirror.checkpoint())

    def close(self) -> None:
        for mirror in self._mirrors.values():
            mirror.close()


class _Node:
    """One node: what `node.parts` wires, without trust and jobs."""

    def __init__(self, number: int, place: Path, stack: ExitStack, town: dict[str, "_Node"]) -> None:
        seed = hashlib.sha256(b"live %d" % number).digest()
        self.directory, self.town = place / str(number), town
        self.directory.mkdir(mode=0o700)
        key = SigningKey.from_seed(seed)
        self.log = stack.enter_context(Log.create(self.directory / "log", key))
        self.id = hashlib.sha256(b"node" + seed).hexdigest()
        self.identity = Identity(
            node_id=self.id, static=PrivateKey.from_secret(seed), certificate_digest=seed
        )
        vkey = format_vkey(log_vkey(key.public))
        self.friend = Friend(
            node_id=self.id, owner="", alias=str(number), node="", vkey=vkey, statement_key=b""
        )
        self.known: set[str] = set()
        self.port = 0
        self.copies = _Copies(self)
        stack.callback(self.copies.close)
        database = stack.enter_context(Database.open(self.directory / "db", MIGRATIONS))
        friendships = SimpleNamespace(
            find=lambda peer: town[peer].friend if peer in town else None,
            decide=lambda _peer, _right: None,
            author=lambda origin: next(
                (one.friend for one in town.values() if one.log.key.name == origin and one is not self), None
            ),
            all=lambda: [(one.friend, frozenset(), ()) for one in town.values() if one is not self],
        )
        self.peers = Peers(self._settings())
        parts = SimpleNamespace(
            identity=SimpleNamespace(log_key=key),
            database=database,
            follower=self.copies,
            friendships=friendships,
            author=friendships.author,
            neighbours=SimpleNamespace(listening=lambda: sorted(self.peers.connected())),
            guard=SimpleNamespace(note_followed=lambda: None),
            findings=SimpleNamespace(list=list),
            exchanges=SimpleNamespace(kept=self._kept),
            peers=self.peers,
            log=self.log,
        )
        self.gossiping = parts.gossiping = Gossiping(cast("Any", parts))

    def _kept(self, origin: str) -> Log | Mirror | None:
        if origin == self.log.key.name:
            return self.log
        author = next((one for one in self.town.values() if one.log.key.name == origin), None)
        return self.copies.mirror(author.friend) if author else None

    def _settings(self) -> PeersSettings:
        async def accept(_peer: str, _stamp: bytes) -> bool:
            return True

        def authenticate(public: bytes, _digest: bytes) -> str | None:
            return next((one.id for one in self.town.values() if one.identity.static.public == public), None)

        return PeersSettings(
            identity=self.identity,
            gate=Gate(authenticate=authenticate, accept_timestamp=accept),
            directory=self._directory,
            link=LinkSettings(handler=self._serve, report=_report, spread=lambda: 0.5),
            clock=time.time_ns,
            loopback=True,
            connected=lambda peer: self.gossiping.came(peer),  # noqa: PLW0108 - made later
            disconnected=lambda peer, _why: self.gossiping.went(peer),
        )

    def _directory(self) -> dict[str, Dialled]:
        return {
            peer: Dialled(
                peer=peer,
                noise_public=self.town[peer].identity.static.public,
                hints=(parse_hint(f"127.0.0.1:{self.town[peer].port}"),),
            )
            for peer in self.known
        }

    async def _serve(self, peer: str, request: Request, exchange: Exchange) -> None:
        match request:
            case AnnounceHead():
                self.gossiping.announced(peer, request)
                await exchange.send(HeadSeen())
            case SwapHeads():
                await exchange.send(self.gossiping.swapped(peer, request))
            case TuneHeads():
                self.gossiping.tuned(peer, request)
                await exchange.send(HeadsTuned())
            case GetConsistency():
                await exchange.send(await self.gossiping.proving.show(peer, request))
            case GetLogResource():
                log = self._kept(request.origin)
                data = await trio.to_thread.run_sync(log.resource, request.path) if log else None
                await exchange.send(LogResource(data=data) if data else NoLogResource())

    async def run(self) -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.peers.run, listeners)
            nursery.start_soon(self.gossiping.run)
            nursery.start_soon(self.copies.run)


def _report(peer: str, error: Exception) -> None:
    raise RuntimeError(f"answering {peer[:8]} failed") from error


async def _until(condition: Callable[[], bool]) -> float:
    """Wait for it, looking every millisecond; returns the time."""
    with trio.fail_after(_PATIENCE):
        while not condition():
            await trio.lowlevel.checkpoint()
    return time.perf_counter()


async def _measure(appends: int, burst: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="gossip-live") as name, ExitStack() as stack:
        town: dict[str, _Node] = {}
        nodes = [_Node(number, Path(name), stack, town) for number in range(_NODES)]
        for place, node in enumerate(nodes):
            town[node.id] = node
            node.known = {nodes[(place + step) % _NODES].id for step in _CHORDS}
        async with trio.open_nursery() as nursery:
            for node in nodes:
                nursery.start_soon(node.run)
            links = 2 * len(_CHORDS)
            await _until(lambda: all(len(node.peers.connected()) >= links for node in nodes))
            author, others = nodes[0], nodes[1:]
            figures = await _grow(author, others, appends, burst)
            nursery.cancel_scope.cancel()
    return figures


async def _grow(author: _Node, others: list[_Node], appends: int, burst: int) -> dict[str, float]:
    origin, key = author.log.key.name, author.log.key
    taken = []

    def holds(node: _Node, size: int) -> bool:
        note = node.gossiping.head(origin)
        return bool(note) and open_checkpoint(note, key).size >= size

    for number in range(appends):
        author.log.append([b"entry %d" % number])
        begun = time.perf_counter()
        author.gossiping.grew()
        head = author.log.checkpoint()
        ended = await _until(lambda head=head: all(n.gossiping.head(origin) == head for n in others))  # type: ignore[misc]
        taken.append(ended - begun)
        size = author.log.size
        await _until(lambda size=size: all(n.copies.mirror(author.friend).size == size for n in others))  # type: ignore[misc]
    begun = time.perf_counter()
    for _tens in range(burst // 10):
        author.log.append([os.urandom(300) for _ in range(10)])
        author.gossiping.grew()
        await trio.lowlevel.checkpoint()
    size = author.log.size
    await _until(lambda: all(n.copies.mirror(author.friend).size == size for n in others))
    whole = author.log.entries(0, size)
    arrived = sum(n.copies.mirror(author.friend).entries(0, size) == whole for n in others)
    return {
        "last_node_ms": statistics.median(taken[1:]) * 1000,
        "worst_ms": max(taken[1:]) * 1000,
        "burst_s": time.perf_counter() - begun,
        "burst_whole": arrived / len(others),
    }


def main() -> None:
    """Measure, print, and say whether the bars hold."""
    parser = argparse.ArgumentParser(description="how fast a head reaches twenty nodes")
    parser.add_argument("--smoke", action="store_true", help="a few entries, to see that it works")
    smoke = parser.parse_args().smoke
    figures = trio.run(_measure, 3 if smoke else _APPENDS, 20 if smoke else _BURST)
    emit(
        "gossip_live",
        figures,
        [
            at_most("last of 20 nodes, median", figures["last_node_ms"], 25, "ms"),
            at_least("nodes that have the whole burst", figures["burst_whole"], 1, "share"),
        ],
    )


if __name__ == "__main__":
    main()
