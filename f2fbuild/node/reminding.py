"""Looks again at what friends' logs owe when the time has come, whether their nodes are here or not.

The friend is asked for a newer head, or else those who are here for what they hold of his log. Then this
node cosigns the newest head that it knows, so that others can prove with it what they see, and looks at it
with the cosignatures that came from wherever they came.
"""

from typing import TYPE_CHECKING

import trio

from f2fbuild import limits
from f2fbuild.audit.reminders import is_time
from f2fbuild.errors import F2FError
from f2fbuild.model.friend import Friend

if TYPE_CHECKING:
    from f2fbuild.node.parts import Parts


class Reminding:
    """Remembers what is owed, by the clock."""

    def __init__(self, parts: "Parts") -> None:
        """Take the parts; they are looked at only when something is due."""
        self._parts = parts
        self._looked: dict[str, int] = {}

    async def run(self) -> None:
        """Look now and then, until cancelled: a clock goes on while a machine sleeps, a timer does not."""
        while True:
            await self.round()
            await trio.sleep(limits.REMIND_SECONDS)

    async def round(self) -> None:
        """Look at every friend's log once. Containment: one friend's log."""
        for friend, _, _ in self._parts.friendships.all():
            with trio.move_on_after(limits.FOLLOW_SECONDS):
                try:
                    await self._look(friend)
                except F2FError:
                    # What breaks a log's rules is recorded already; who cannot be asked is asked tomorrow.
                    continue

    async def _look(self, friend: Friend) -> None:
        parts, now = self._parts, self._parts.desk.clock()
        mirror = parts.mirrored(friend)
        if mirror is None or mirror.evidence or not mirror.size:
            return
        origin = mirror.key.name
        late = await parts.overdue.late(friend, mirror, await parts.follower.owed(friend))
        if not is_time(late, self._looked.get(origin), now):
            return
        self._looked[origin] = now
        is_here = await self._ask(friend)
        await parts.witnessing.cosigning.cosign(friend)
        note = parts.witnessing.gathering.dressed(
            mirror.checkpoint(), mirror.key, parts.witnessing.cosigners.all()
        )
        owed = await parts.follower.owed(friend)
        await parts.overdue.look(friend, mirror, note, owed, away=not is_here)

    async def _ask(self, friend: Friend) -> bool:
        """Ask for the newest head of a friend's log; return whether he told it himself."""
        here = self._parts.peers.connected()
        if friend.node_id in here and await self._tells(friend, friend.node_id):
            return True
        others = [peer for peer in self._parts.neighbours.listening() if peer != friend.node_id]
        for peer in others[: limits.REMIND_FRIENDS]:
            await self._tells(friend, peer)
        return False

    async def _tells(self, friend: Friend, peer: str) -> bool:
        try:
            return await self._parts.follower.follow(friend, through=peer)
        except F2FError:
            return False
