"""News around this node: friends come and go, trust changes, the log grows, and who needs it hears of it."""

import contextlib
from typing import TYPE_CHECKING

import trio

from f2fbuild import limits
from f2fbuild.errors import F2FError
from f2fbuild.jobs.schedule import Candidate
from f2fbuild.jobs.tasks import OPEN_STATES
from f2fbuild.net.exchange import Exchange
from f2fbuild.net.frames import GoAwayReason
from f2fbuild.net.ledger_messages import RenewCertificate
from f2fbuild.net.messages import Refuse, Request
from f2fbuild.trust.policy import Refusal, Right
from f2fbuild.trust.refusals import RefusalReason

if TYPE_CHECKING:
    from f2fbuild.node.parts import Parts


class Neighbours:
    """Carries news between the parts of a node."""

    def __init__(self, parts: "Parts") -> None:
        """Take the parts; they are looked at only when something happens."""
        self._parts = parts
        self._news = trio.Event()
        self._arrived: set[str] = set()
        self._unaware: set[str] = set()
        self._leaving: set[str] = set()

    @property
    def on_loopback(self) -> bool:
        """Whether this node listens on loopback only, so that loopback hints lead somewhere."""
        listen = self._parts.settings.node.listen
        return bool(listen) and all(one.startswith(("127.", "[::1]", "localhost")) for one in listen)

    def came(self, peer: str) -> None:
        """A friend is connected."""
        self._arrived.add(peer)
        self._unaware.add(peer)
        self._parts.follower.want(peer)
        self._parts.earlier.want(peer)
        self._remember(peer)
        self._parts.passing.wake()
        self._parts.witnessing.returning.wake()
        self._parts.guard.came(peer)
        self._parts.gossiping.came(peer)
        self._parts.conductor.wake()
        self._wake()

    def _remember(self, peer: str) -> None:
        """Have what a friend proved before the last restart compared with its log, too."""
        friend = self._parts.friendships.find(peer)
        if friend is None:
            return
        for proof in self._parts.desk.queue.proofs(peer, limits.PROOFS_REMEMBERED):
            # Of a log from before this epoch there is nothing to be compared with.
            with contextlib.suppress(F2FError):
                self._parts.follower.compare(friend, proof)

    def went(self, peer: str, _why: str) -> None:
        """A friend is gone."""
        self._parts.gossiping.went(peer)
        self._parts.conductor.wake()

    def log_grew(self) -> None:
        """This node's log has a new head."""
        self._parts.gossiping.grew()
        self._parts.witnessing.outside.grew()

    def guard_changed(self) -> None:
        """The log may be signed now, or may not any more."""
        if self._parts.guard.telling:
            self.log_grew()
        self._parts.conductor.wake()

    def certificate_changed(self) -> None:
        """This node has another certificate: friends are shown it."""
        self._unaware |= self._parts.peers.connected()
        self._wake()

    def trust_changed(self) -> None:
        """Every session, build and job is looked at again under the new snapshot."""
        parts = self._parts
        self._arrived |= parts.peers.connected()
        for task in parts.bench.tasks.in_states(OPEN_STATES):
            decision = parts.friendships.decide(task.submitter, Right.SUBMIT)
            if isinstance(decision, Refusal):
                why = f"the submitter's right ended: {decision.reason.text} ({decision.rule})"
                parts.fulfilment.cancel(task.job, why)
        parts.gossiping.trust_changed()
        parts.conductor.wake()
        parts.peers.refresh()
        self._wake()

    def candidates(self) -> list[Candidate]:
        """Return every friend's node as the scheduler sees it; an auditor asks nobody."""
        parts = self._parts
        if parts.is_auditor:
            return []
        connected = parts.peers.connected()
        friends = [friend for friend, _, _ in parts.friendships.all()]
        busy = parts.desk.queue.working_for(friend.node_id for friend in friends)
        found = []
        for friend in friends:
            decision = parts.friendships.decide(friend.node_id, Right.BUILD)
            refusal = f"{decision.reason.text} ({decision.rule})" if isinstance(decision, Refusal) else ""
            found.append(
                Candidate(
                    node=friend.node_id,
                    owner=friend.owner,
                    name=friend.name,
                    connected=friend.node_id in connected,
                    slots=limits.JOBS_PER_FRIEND,
                    busy=busy[friend.node_id],
                    refusal=refusal,
                    forked=parts.convictions.of(friend),
                )
            )
        return found

    def listening(self) -> list[str]:
        """Return the node ids of connected friends who may hear of ledgers."""
        parts = self._parts
        return [
            peer
            for peer in sorted(parts.peers.connected())
            if not isinstance(parts.friendships.decide(peer, Right.LEDGER), Refusal)
        ]

    async def call(self, peer: str, request: Request) -> Exchange:
        """Open an exchange; raises when there is no link."""
        return await self._parts.peers.call(peer, request)

    async def run(self) -> None:
        """Tell friends what they should know, until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                news = self._news
                arrived, self._arrived = self._arrived - self._leaving, set()
                for peer in sorted(arrived):
                    nursery.start_soon(self._check, peer)
                unaware, self._unaware = self._unaware, set()
                certificate = self._parts.identity.certificate.data
                for peer in sorted(unaware):
                    # A friend may hold one from before; who does not take it asks for a new card.
                    await self._say(peer, RenewCertificate(certificate=certificate))
                await news.wait()

    async def _check(self, peer: str) -> None:
        """Tell a friend that may not connect why, and let it go."""
        refusal = self._parts.friendships.refusal(peer)
        if refusal is None:
            return
        self._leaving.add(peer)
        reason = refusal.reason
        detail = f"{reason.text}: {refusal.detail}"[: limits.MESSAGE_TEXT]
        await self._say(peer, Refuse(reason=reason.word, rule=str(refusal.rule), detail=detail))
        if reason is RefusalReason.CERTIFICATE_EXPIRED:
            # In this very session it may show a renewed one; until GnuPG has looked, it is given nothing.
            await trio.sleep(limits.NEWS_SECONDS)
        self._leaving.discard(peer)
        if self._parts.friendships.refusal(peer) is not None:
            self._parts.peers.close(peer, GoAwayReason.NOT_ALLOWED)

    async def _say(self, peer: str, request: Refuse | RenewCertificate) -> None:
        """Say something that a friend may miss: it asks by itself when it comes back."""
        with trio.move_on_after(limits.NEWS_SECONDS):
            try:
                async with await self._parts.peers.call(peer, request) as exchange:
                    await exchange.receive()
            except F2FError:
                return

    def _wake(self) -> None:
        self._news.set()
        self._news = trio.Event()
