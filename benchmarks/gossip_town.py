"""Twenty real nodes in one process: made by `init`, friends of one another, linked in a ring with chords.

Everybody is everybody's friend, so everybody keeps everybody's entries; only neighbours know where the other
listens, so news travels. All nodes belong to one owner: so nobody has to certify anybody's key with GnuPG,
which would take most of the time and is no part of what is measured.
"""

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import trio

from f2fbuild.ledger.gossip import talk
from f2fbuild.node import clock, config
from f2fbuild.node.friendships import Friendships
from f2fbuild.node.gossiping import Gossiping
from f2fbuild.node.identity import load_identity
from f2fbuild.node.kept import Needs
from f2fbuild.node.parts import Parts
from f2fbuild.node.roles import NoEngine
from f2fbuild.node.services import open_parts, services
from f2fbuild.node.setup import Wishes, set_up
from f2fbuild.store.database import Database
from f2fbuild.store.paths import Paths
from f2fbuild.store.schema import MIGRATIONS
from f2fbuild.trust.gpg import Gnupg
from f2fbuild.trust.issuing import make_card
from f2fbuild.trust.keyring import Keyring
from f2fbuild.trust.policy import Right

NODES: Final = 20
CHORDS: Final = (1, 4, 7)
_LOOPBACK: Final = "127.0.0.1:1"


def neighbours(number: int) -> set[int]:
    """Return whom a node has a link with: nobody is further than three hops from anybody."""
    return {(number + step) % NODES for chord in CHORDS for step in (chord, -chord)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """The owner's GnuPG and the directories of the nodes."""

    user: Gnupg
    paths: tuple[Paths, ...]


class Listening(Gossiping):
    """The gossip of a node, which rings `heard` whenever something happened to it."""

    heard: Callable[[], None] | None = None

    def _happen(self, event: talk.Event) -> list[talk.Action]:
        actions = super()._happen(event)
        if self.heard is not None:
            self.heard()
        return actions


class Observed(Parts):
    """A node whose gossip can be listened to."""

    @cached_property
    def gossiping(self) -> Listening:
        """As every node's."""
        return Listening(self)


@contextmanager
def found_town() -> Iterator[Town]:
    """Make the nodes of a town and let them be friends."""
    with (
        tempfile.TemporaryDirectory(prefix="live") as name,
        tempfile.TemporaryDirectory(prefix="f2f", dir="/tmp") as home,
    ):
        user = Gnupg(Path(home), agent=True)
        try:
            owner = user.generate("Tamar <tamar@example.org>", protect=False)
            paths = tuple(_paths(Path(name, str(number))) for number in range(NODES))
            for number, one in enumerate(paths):
                wishes = Wishes(
                    name=f"box{number}",
                    key=owner,
                    new_key="",
                    unprotected=True,
                    gnupghome=user.home,
                    listen=(_LOOPBACK,),
                )
                set_up(one, wishes, lambda keys: keys[0].fingerprint)
            town = Town(user=user, paths=paths)
            trio.run(_befriend, town, owner)
            yield town
        finally:
            user.stop()


async def _befriend(town: Town, owner: str) -> None:
    cards = [
        make_card(load_identity(paths).certificate, (_LOOPBACK,), town.user).decode() for paths in town.paths
    ]
    key = town.user.export(owner)
    for number, paths in enumerate(town.paths):
        with Database.open(paths.database, MIGRATIONS) as database:
            friendships = Friendships(database, Keyring.open(paths.keyring, key), town.user, clock.now)
            for other, card in enumerate(cards):
                if other != number:
                    await friendships.admit(card, frozenset({Right.LEDGER}), f"box{other}", certify=False)


def _paths(directory: Path) -> Paths:
    directory.mkdir()
    return Paths(
        config=directory / "config",
        data=directory / "data",
        state=directory / "state",
        cache=directory / "cache",
        runtime=directory / "run",
    )


@asynccontextmanager
async def living(town: Town) -> AsyncIterator[list[Observed]]:
    """Run all nodes, linked and ready to sign."""
    with ExitStack() as stack:
        nodes = [_parts(paths, stack) for paths in town.paths]
        listeners = [await trio.open_tcp_listeners(0, host="127.0.0.1") for _ in nodes]
        ports = [one[0].socket.getsockname()[1] for one in listeners]
        for number, parts in enumerate(nodes):
            known = neighbours(number)
            for other in range(NODES):
                hints = f'["127.0.0.1:{ports[other]}"]' if other in known else "[]"
                parts.database.execute("UPDATE friend SET hints = ? WHERE alias = ?", (hints, f"box{other}"))
        async with trio.open_nursery() as nursery:
            for parts, own in zip(nodes, listeners, strict=True):
                await _start(parts, own, nursery)
            for number, parts in enumerate(nodes):
                for other in neighbours(number):
                    await parts.peers.wait_connected(nodes[other].identity.node_id)
                await parts.guard.wait()
            yield nodes
            nursery.cancel_scope.cancel()


def _parts(paths: Paths, stack: ExitStack) -> Observed:
    needs = Needs(
        paths=paths,
        settings=config.load(paths.config_file),
        identity=load_identity(paths),
        tell=lambda _words: None,
        clock=clock.now,
    )
    return Observed(needs, lambda _needs, _targets: NoEngine(), stack)


async def _start(parts: Parts, listeners: list[trio.SocketListener], nursery: trio.Nursery) -> None:
    """Start a node's services as `node.main` does, but for the API and what looks at the clock."""
    await open_parts(parts)
    nursery.start_soon(parts.peers.run, listeners)
    for service in services(parts, lambda _words: None):
        nursery.start_soon(service)
