"""Five people in a ring, each with two friends: alice - bob - carol - dave - mallory - alice."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import trio

from f2fbuild.ledger import entry
from f2fbuild.ledger.checkpoint import open_checkpoint
from f2fbuild.trust.policy import Right
from tests.ledger.ledger_helpers import acceptance
from tests.scenes.scene_node import Scene, SceneNode
from tests.scenes.scene_town import NAMES, Town, _card, _found, _friendships
from tests.trust.trust_people import person

RING = ("alice", "bob", "carol", "dave", "mallory")


@contextmanager
def make_ring(directory: Path) -> Iterator[Town]:
    """Neighbours in the ring may read each other's ledgers; nobody else knows anybody."""
    with ExitStack() as stack:
        people = {name: stack.enter_context(person(name.capitalize())) for name in NAMES}
        town = Town(people=people, directory=directory)
        for name in RING:
            _found(town, name)
        trio.run(_befriend, town)
        yield town


async def _befriend(town: Town) -> None:
    with ExitStack() as stack:
        known = {name: _friendships(town, name, stack) for name in RING}
        for one, other in zip(RING, (*RING[1:], RING[0]), strict=True):
            for name, friend in ((one, other), (other, one)):
                await known[name].admit(_card(town, friend), frozenset({Right.LEDGER}), friend, certify=True)


def heard(node: SceneNode, author: SceneNode) -> int:
    """The size of an author's log as a node has heard of it."""
    note = node.parts.gossiping.head(author.parts.identity.origin)
    return open_checkpoint(note, author.parts.log.key).size if note else 0


def write(node: SceneNode, deadline: int = 1_200_000) -> None:
    said = replace(acceptance(), deadline=deadline)
    node.parts.log.append([entry.write(said, node.parts.identity.statement_key)])
    node.parts.neighbours.log_grew()


async def forget(scene: Scene, *nodes: SceneNode) -> None:
    """Take nodes whose logs were written to by hand out of the check at the end."""
    for node in nodes:
        await node.stop()
        del scene.paths[node.name]
