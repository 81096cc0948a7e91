"""The rollback guard at work: friends are asked what they hold of this node's log before it signs a head.

Links come up and the API answers meanwhile; whatever would have to be signed waits. Friends that come later
are asked too: one that shows a head which is no state of this log ends the epoch, whenever that is.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import trio

from f2fbuild import limits
from f2fbuild.errors import F2FError, LedgerError
from f2fbuild.ledger.checkpoint import Checkpoint
from f2fbuild.ledger.guard import (
    Answer,
    AskFriends,
    Blocked,
    Decision,
    Knows,
    Retired,
    RolledBack,
    SignNow,
    Silent,
    Situation,
    decide,
    weigh,
)
from f2fbuild.ledger.memory import HeadMemory
from f2fbuild.model.tree import range_root
from f2fbuild.net.ledger_messages import GetHead, Head
from f2fbuild.node.reach import Reach

if TYPE_CHECKING:
    from f2fbuild.ledger.log import Log

NEW_EPOCH = "f2fbuild ledger epoch new"


class RolledBackError(LedgerError):
    """This node's log may not be signed."""


class Guard:
    """Decides, and keeps deciding, whether this node may sign heads of its log."""

    def __init__(
        self,
        memory: HeadMemory,
        reach: Callable[[], Reach],
        log: Callable[[], "Log"],
        tell: Callable[[str], None],
        changed: Callable[[], None],
    ) -> None:
        """Wire the guard.

        Args:
            memory: what the log signed last.
            reach: returns friends and the links to them.
            log: returns this node's log, whose `remember` is this guard's.
            tell: is given words for the owner.
            changed: is called whenever the decision is another.
        """
        self._memory = memory
        self._reach = reach
        self._log = log
        self._tell = tell
        self._changed = changed
        self._answers: dict[str, Answer] = {}
        self._asked: set[str] = set()
        self._until = 0.0
        self._decision: Decision | None = None
        self._signing = trio.Event()
        self._going_on = False
        self._news = trio.Event()

    @property
    def decision(self) -> Decision | None:
        """What holds now; None before the first look."""
        return self._decision

    @property
    def held(self) -> str:
        """Why nothing can be accepted or ordered now, in words; empty when the log goes on."""
        if isinstance(self._decision, SignNow):
            return "" if self._going_on else "this node ends what its last run left open"
        return _words(self._decision, self._log().size)

    @property
    def telling(self) -> bool:
        """Whether friends are told the log's head: not before what the last run left open has ended.

        A log that may not go on is told as it is.
        """
        match self._decision:
            case None | AskFriends():
                return False
            case SignNow():
                return self._going_on
            case Blocked() | RolledBack() | Retired():
                return True

    async def wait(self) -> None:
        """Return when the log may be signed."""
        await self._signing.wait()

    def go_on(self) -> None:
        """Say that what the last run left open has ended: from now on jobs are taken and ordered."""
        self._going_on = True
        self._changed()

    def remember(self, before: Checkpoint, following: Checkpoint) -> None:
        """Let the log sign `following`, and remember it first. From any thread.

        Raises:
            RolledBackError: nothing may be signed.
            StorageError: it cannot be remembered.
        """
        if not isinstance(self._decision, SignNow):
            raise RolledBackError(self.held, where=before.origin)
        self._memory.remember(before, following)

    def note_followed(self) -> None:
        """Remember that a friend may see a head from now on."""
        self._memory.note_followed()

    def came(self, peer: str) -> None:
        """A friend is connected: it is asked, also when it was before."""
        self._asked.discard(peer)
        self._wake()

    async def run(self) -> None:
        """Ask whoever comes and decide, until cancelled."""
        self._until = trio.current_time() + limits.GUARD_SECONDS
        await self._recall()
        async with trio.open_nursery() as nursery:
            while True:
                news = self._news
                for peer in sorted(self._reach().connected() - self._asked):
                    self._asked.add(peer)
                    nursery.start_soon(self._ask, peer)
                self._settle()
                with trio.move_on_at(self._until if isinstance(self._decision, AskFriends) else math.inf):
                    await news.wait()

    async def _recall(self) -> None:
        """Weigh again the head that a friend showed in an earlier run."""
        if ahead := self._memory.ahead:
            self._answers["an earlier run"] = await self._weigh(ahead)

    async def _ask(self, peer: str) -> None:
        answer: Answer = Silent()
        with trio.move_on_after(limits.NEWS_SECONDS):
            try:
                request = GetHead(origin=self._log().key.name)
                async with await self._reach().call(peer, request) as exchange:
                    said = await exchange.receive()
                if isinstance(said, Head):
                    answer = await self._weigh(said.checkpoint)
            except F2FError:
                # Who cannot be asked says nothing; it is asked again when it comes back.
                pass
        if isinstance(answer, Knows):
            await trio.to_thread.run_sync(self._memory.keep_ahead, answer.note)
        self._answers[peer] = answer
        self._wake()

    async def _weigh(self, note: bytes) -> Answer:
        return await trio.to_thread.run_sync(self._weigh_now, note)

    def _weigh_now(self, note: bytes) -> Answer:
        log = self._log()
        return weigh(note, log.key, log.head, lambda size: range_root(0, size, log.read_hash))

    def _settle(self) -> None:
        """Decide; a log that was found in order stays so until a friend shows otherwise."""
        log = self._log()
        situation = Situation(
            head=log.head,
            remembered=self._memory.remembered,
            answers=self._answers,
            friends=self._reach().friends(),
            connected=self._reach().connected(),
            until=self._until,
        )
        decision = decide(situation, trio.current_time())
        if isinstance(self._decision, SignNow) and not isinstance(decision, RolledBack):
            return
        if decision == self._decision:
            return
        self._decision = decision
        match decision:
            case SignNow():
                self._signing.set()
            case Blocked() | RolledBack() | Retired():
                # Who waits already goes on waiting for the same event.
                self._signing = trio.Event() if self._signing.is_set() else self._signing
                self._tell(self.held)
            case AskFriends():
                pass
        self._changed()

    def _wake(self) -> None:
        self._news.set()
        self._news = trio.Event()


def _words(decision: AskFriends | Blocked | RolledBack | Retired | None, size: int) -> str:
    """Return why nothing is signed in a log of `size` entries, and what to do about it."""
    match decision:
        case None | AskFriends():
            return "friends are asked first whether they know a later head of this node's log"
        case Blocked(why=why):
            return (
                f"{why.value}: nothing is signed until a friend who follows this log has answered, or a new "
                f"log is begun with `{NEW_EPOCH}`"
            )
        case RolledBack(head=head):
            return (
                f"this node's log was set back: a friend holds a head of {head.size} entries, which the "
                f"log of {size} here never had: nothing is signed in it again. Stop the node; then restore "
                f"the newest copy of its data, or begin a new log with `{NEW_EPOCH}`"
            )
        case Retired():
            return (
                "this log was replaced by that of a later epoch, and an old copy of the data came back. Stop "
                f"the node, then begin a new log with `{NEW_EPOCH}`"
            )
