"""Logs of earlier epochs: this node's own, which it goes on serving, and friends', which count for ever.

A log that a new epoch replaced is never signed again. Its node shows it as long as it has it; who follows the
node brings his copy to the end, reads it like the log in force, and counts what stays owed in it.
"""

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

import trio

from f2fbuild import limits
from f2fbuild.errors import F2FError
from f2fbuild.ledger.checkpoint import origin_of
from f2fbuild.ledger.files import CHECKPOINT
from f2fbuild.ledger.log import Log
from f2fbuild.model.friend import Friend
from f2fbuild.model.signing import Role
from f2fbuild.trust.node_keys import role_key

if TYPE_CHECKING:
    from f2fbuild.node.parts import Parts


class Earlier:
    """The logs before those in force."""

    def __init__(self, parts: "Parts", stack: ExitStack, tell: Callable[[str], None]) -> None:
        """Look for logs where these parts have them; opened ones are closed by `stack`."""
        self._parts = parts
        self._stack = stack
        self._tell = tell
        self._opened: dict[str, Log] = {}
        self._waiting: set[str] = set()
        self._wanted = trio.Event()

    def own(self) -> dict[str, Log]:
        """Return this node's own earlier logs that are still here and in order, by origin."""
        identity = self._parts.identity
        for number in range(identity.certificate.certificate.epoch):
            key = role_key(identity.seed, Role.LOG, number)
            origin, directory = origin_of(key.public), self._parts.paths.log_of(number)
            if origin in self._opened or not (directory / CHECKPOINT).exists():
                continue
            try:
                self._opened[origin] = self._stack.enter_context(Log.open(directory, key))
            except F2FError:
                # It may be why there is a new epoch; the owner sees it by `f2fbuild ledger verify`.
                continue
        return self._opened

    def of_friends(self) -> list[Friend]:
        """Return the authors of the copies kept here of friends' earlier logs."""
        found = []
        for author in self._parts.strangers.all():
            friend = self._parts.friendships.find(author.node_id)
            if friend is not None and friend.owner == author.owner:
                found.append(author)
        return found

    def want(self, peer: str) -> None:
        """Say that a friend is here, or begins another epoch: his earlier logs are looked at once more."""
        self._waiting.add(peer)
        self._wanted.set()
        self._wanted = trio.Event()

    async def run(self) -> None:
        """Look at what is wanted, until cancelled."""
        while True:
            wanted = self._wanted
            while self._waiting:
                peer = self._waiting.pop()
                for author in self.of_friends():
                    if author.node_id == peer:
                        await self._follow(author)
            await wanted.wait()

    async def _follow(self, author: Friend) -> None:
        """Follow one log to its end. Containment: who does not have it any more cannot show it."""
        with trio.move_on_after(limits.FOLLOW_SECONDS):
            try:
                await self._parts.follower.follow(author)
            except F2FError as error:
                self._tell(f"the earlier log of {author.node} cannot be followed: {error}")
