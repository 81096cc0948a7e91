"""The parts of a node and which of them knows which other.

Each part is made when it is first asked for, from the parts it needs, so the order of making follows from the
needs themselves; where two know each other, one takes a function that looks the other up when it is called.
Nothing is started here.
"""

import random
import secrets
from functools import cached_property

from f2fbuild import limits
from f2fbuild.audit.accusations import Accusations
from f2fbuild.audit.compare import judge
from f2fbuild.audit.follow import Follower
from f2fbuild.audit.inspection import Compared, Inspector
from f2fbuild.audit.noting import Notes, Sources
from f2fbuild.audit.overdue import Overdue
from f2fbuild.errors import F2FError
from f2fbuild.jobs.bench import Bench
from f2fbuild.jobs.challenging import Challenging
from f2fbuild.jobs.conduct import Conductor, Surroundings
from f2fbuild.jobs.desk import Desk
from f2fbuild.jobs.fulfil import Fulfilment
from f2fbuild.jobs.intake import Capacity, Intake
from f2fbuild.jobs.journal import Journal
from f2fbuild.jobs.queue import Assignment, Job, Queue
from f2fbuild.jobs.retention import Forgetting
from f2fbuild.jobs.submit import Submission
from f2fbuild.jobs.tasks import Tasks
from f2fbuild.ledger.checkpoint import Checkpoint
from f2fbuild.ledger.evidence import OwnedNode, read_node
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.memory import HeadMemory
from f2fbuild.ledger.mirror import Mirror
from f2fbuild.ledger.retention import Keeping
from f2fbuild.model.friend import Friend
from f2fbuild.model.verdict import Verdict
from f2fbuild.net.connection import LinkSettings
from f2fbuild.net.exchange import Exchange
from f2fbuild.net.handshake import Gate
from f2fbuild.net.handshake import Identity as LinkIdentity
from f2fbuild.net.messages import Request
from f2fbuild.net.noise import PrivateKey
from f2fbuild.net.peers import Peers, PeersSettings
from f2fbuild.node import clock
from f2fbuild.node.accusing import accuse, note_strikes
from f2fbuild.node.certifying import Certifying
from f2fbuild.node.copies import logs_in
from f2fbuild.node.disputes import Disputes
from f2fbuild.node.earlier import Earlier
from f2fbuild.node.exchanges import Exchanges, Heard
from f2fbuild.node.friendships import Friendships
from f2fbuild.node.gossiping import Gossiping
from f2fbuild.node.guarding import Guard
from f2fbuild.node.kept import Kept
from f2fbuild.node.neighbours import Neighbours
from f2fbuild.node.passing import Judgement, Passing
from f2fbuild.node.places import free_disk, private_place
from f2fbuild.node.reach import Reach
from f2fbuild.node.reminding import Reminding
from f2fbuild.node.renewing import Renewing
from f2fbuild.node.roles import AuditorExchanges
from f2fbuild.node.strangers import Strangers
from f2fbuild.node.tidying import Tidying
from f2fbuild.node.witnessing import Witnessing
from f2fbuild.trust.keyring import Keyring


class Parts(Kept):
    """The parts of one node that know one another."""

    # The log

    @cached_property
    def log(self) -> Log:
        """This node's log; its lock keeps a second process out."""
        opened = Log.open(self.log_directory, self.identity.log_key, remember=self.guard.remember)
        return self._stack.enter_context(opened)

    @cached_property
    def guard(self) -> Guard:
        """Whether the log may be signed."""
        return Guard(
            HeadMemory(self.paths.heads, self.identity.origin),
            reach=lambda: self.reach,
            log=lambda: self.log,
            tell=self._needs.tell,
            changed=lambda: self.neighbours.guard_changed(),
        )

    # Trust and friends

    @cached_property
    def friendships(self) -> Friendships:
        """Friends and every decision about them."""
        own_key = self.user.export(self.settings.owner.fingerprint)
        keyring = Keyring.open(self.paths.keyring, own_key)
        return Friendships(self.database, keyring, self.user, self._needs.clock)

    @cached_property
    def peers(self) -> Peers:
        """The links to friends."""
        digest = bytes.fromhex(self.identity.certificate.digest)
        static = PrivateKey.from_secret(bytes(self.identity.noise_key))
        settings = PeersSettings(
            identity=LinkIdentity(node_id=self.identity.node_id, static=static, certificate_digest=digest),
            gate=Gate(
                authenticate=self.friendships.authenticate,
                accept_timestamp=self.friendships.accept_timestamp,
            ),
            directory=self.friendships.dial_directory,
            link=LinkSettings(
                handler=self._serve,
                report=lambda peer, error: self._needs.tell(f"answering {peer[:8]} failed: {error!r}"),
                spread=random.random,
            ),
            clock=clock.nanoseconds,
            loopback=self.neighbours.on_loopback,
            connected=lambda peer: self.neighbours.came(peer),
            disconnected=lambda peer, why: self.neighbours.went(peer, why),
        )
        return Peers(settings)

    @cached_property
    def reach(self) -> Reach:
        """Friends as the workshops see them."""
        return Reach(self.friendships, self.peers, self.blobs)

    @cached_property
    def neighbours(self) -> Neighbours:
        """What happens when friends come, go, or are trusted otherwise."""
        return Neighbours(self)

    # The builder's side

    @cached_property
    def journal(self) -> Journal:
        """The writing end of the log."""
        grown = lambda: self.neighbours.log_grew()  # noqa: E731  looked up when it is called
        return Journal(self.log, self.identity.statement_key, grown, self.guard)

    @cached_property
    def bench(self) -> Bench:
        """What the builder's story works with."""
        return Bench(
            node_id=self.identity.node_id,
            origin=self.identity.origin,
            tasks=Tasks(self.database),
            journal=self.journal,
            engine=self.engine,
            blobs=self.blobs,
            access=self.access,
            changes=self.changes,
            logs=private_place(self.paths.state / "tasks"),
            work=private_place(self.paths.state / "work"),
            clock=self._needs.clock,
            random=secrets.token_bytes,
            tell=self._needs.tell,
        )

    @cached_property
    def tidying(self) -> Tidying:
        """Forgets what is owed to nobody any more."""
        ledger = self.settings.ledger
        return Tidying(
            Forgetting(self.bench, self.database),
            self.blobs,
            keeping=Keeping(seconds=ledger.keep_days * 86_400, size=ledger.keep_mib * limits.MIB),
            mirrors=self._copies,
            friends=lambda: [*(one for one, _, _ in self.friendships.all()), *self.earlier.of_friends()],
            clock=self._needs.clock,
            tell=self._needs.tell,
        )

    def _copies(self) -> list[Mirror]:
        copies = [self.follower.kept(vkey) for vkey in logs_in(self.paths.mirrors)]
        return [mirror for mirror in copies if mirror is not None]

    @cached_property
    def fulfilment(self) -> Fulfilment:
        """Builds what was accepted."""
        return Fulfilment(self.bench, fetch=self.reach.fetch, slots=self.settings.builder.slots)

    @cached_property
    def exchanges(self) -> Exchanges:
        """Answers friends."""
        builder = self.settings.builder
        capacity = Capacity(
            slots=builder.slots,
            waiting=builder.waiting,
            free_disk=lambda: free_disk(self.paths.cache),
            disk_needed=builder.disk_mib * limits.MIB,
            embargo=builder.embargo_days * 86_400,
        )
        intake = Intake(
            self.bench,
            capacity,
            permit=self.friendships.decide,
            fresh_nonce=self.friendships.fresh_nonce,
        )
        answering = AuditorExchanges if self.is_auditor else Exchanges
        return answering(
            self.bench,
            self.friendships,
            intake=intake,
            fulfilment=self.fulfilment,
            gossiping=self.gossiping,
            gathering=self.witnessing.gathering,
            heard=Heard(evidence=self.passing.heard, certificate=self.renewing.heard),
        )

    # The submitter's side

    @cached_property
    def desk(self) -> Desk:
        """What the submitter's story works with."""
        return Desk(
            node_id=self.identity.node_id,
            statement_key=self.identity.statement_key,
            queue=Queue(self.database),
            journal=self.journal,
            engine=self.engine,
            friends=self.reach,
            blobs=self.blobs,
            access=self.access,
            changes=self.changes,
            logs=private_place(self.paths.state / "jobs"),
            patience=self.settings.jobs.patience_seconds,
            clock=self._needs.clock,
            random=secrets.token_bytes,
            tell=self._needs.tell,
            proved=lambda friend, proof: self.follower.compare(friend, proof),
        )

    @cached_property
    def submission(self) -> Submission:
        """Makes orders."""
        return Submission(self.desk)

    @cached_property
    def challenging(self) -> Challenging:
        """Challenges builders."""
        return Challenging(self.desk)

    @cached_property
    def conductor(self) -> Conductor:
        """Conducts jobs to their verdicts."""
        surroundings = Surroundings(
            judge=lambda ballot, ended: judge(
                self.convictions.ballot(ballot), self.friendships.independent, ended=ended
            ),
            candidates=lambda: self.neighbours.candidates(),
            salt=self.identity.seed,
            judged=self._judged,
        )
        return Conductor(self.desk, self.submission, surroundings)

    def _judged(self, job: Job, verdict: Verdict, asked: list[Assignment]) -> None:
        accuse(self.follower, self.blobs, job, verdict, asked)
        note_strikes(self.findings, job, asked)

    # The auditor's side

    @cached_property
    def follower(self) -> Follower:
        """Follows friends' logs."""
        follower = Follower(
            self.paths.mirrors,
            self.reach,
            self.findings,
            Accusations(self.database),
            self.inspector,
            self.overdue,
            self.witnessing,
        )
        self._stack.callback(follower.close)
        return follower

    @cached_property
    def overdue(self) -> Overdue:
        """Finds promises that nobody kept."""
        return Overdue(self.findings, self._witnesses, self._needs.clock)

    @cached_property
    def reminding(self) -> Reminding:
        """Looks at the clock for what falls due."""
        return Reminding(self)

    @cached_property
    def renewing(self) -> Renewing:
        """Takes in friends' new certificates."""
        return Renewing(
            self.friendships,
            self.findings,
            lambda: self.follower,
            clock=self._needs.clock,
            tell=self._needs.tell,
            ended=lambda peer: self.earlier.want(peer),
        )

    @cached_property
    def earlier(self) -> Earlier:
        """Logs of earlier epochs."""
        return Earlier(self, self._stack, self._needs.tell)

    @cached_property
    def certifying(self) -> Certifying:
        """Renews this node's own certificate."""
        return Certifying(self, self._needs.clock, self._needs.tell)

    @cached_property
    def witnessing(self) -> Witnessing:
        """Cosigns friends' heads and gathers cosignatures."""
        return Witnessing(self, self._needs.clock, self._needs.tell)

    @cached_property
    def gossiping(self) -> Gossiping:
        """Hears of logs and tells of them."""
        return Gossiping(self)

    @cached_property
    def strangers(self) -> Strangers:
        """Reads logs of nodes that are no friends."""
        return Strangers(self, self._needs.clock)

    def author(self, origin: str) -> Friend | None:
        """Return whose log has this origin: a friend's, or another that was read here."""
        return self.friendships.author(origin) or self.strangers.author(origin)

    @cached_property
    def notes(self) -> Notes:
        """Logs what this node has seen and verified of other logs."""
        sources = Sources(
            findings=self.findings,
            heads=self._followed_heads,
            vouch=self.friendships.vouches,
            clock=self._needs.clock,
            random=secrets.token_bytes,
            tell=self._needs.tell,
        )
        notes = Notes(self.database, self.blobs, self.journal, sources)
        self.findings.on_record(notes.wake)
        return notes

    def _followed_heads(self) -> list[Checkpoint]:
        mirrors = [self.mirrored(friend) for friend, _, _ in self.friendships.all()]
        return [mirror.head for mirror in mirrors if mirror is not None and mirror.size]

    @cached_property
    def inspector(self) -> Inspector:
        """Compares what followed logs say."""
        sources = Compared(
            mirror=self._kept,
            products=self.products_list,
            ordered=self.desk.queue.has_ordered,
            judged=self.disputes.heard,
        )
        return Inspector(self.database, self.findings, sources)

    @cached_property
    def disputes(self) -> Disputes:
        """Verdicts against this node's own results."""
        return Disputes(self.bench.tasks, self.findings, self.products_list)

    @cached_property
    def passing(self) -> Passing:
        """Shows evidence to friends and hears it from them."""
        judgement = Judgement(
            vouch=self.friendships.vouches,
            author=self.author,
            closed=lambda origin, index: self.follower.has_closed(origin, index),
            independent=self.friendships.independent,
            convict=lambda origin, evidence: self.follower.convict(origin, evidence),
            clock=self._needs.clock,
        )
        self.findings.on_record(lambda: self.conductor.wake())
        return Passing(self.findings, self.neighbours, judgement)

    def _kept(self, vkey: str) -> Mirror | None:
        """Return the copy of a log, None when there is none or it is damaged."""
        try:
            return self.follower.kept(vkey)
        except F2FError:
            return None

    def _witnesses(self) -> list[OwnedNode]:
        return [read_node(self.identity.certificate.data), *self.friendships.nodes()]

    async def _serve(self, peer: str, request: Request, exchange: Exchange) -> None:
        # Whatever is answered may show a head of the log.
        self.guard.note_followed()
        await self.exchanges.serve(peer, request, exchange)

    def mirrored(self, friend: Friend) -> Mirror | None:
        """Return the copy of a friend's log, None when it is damaged: that must not hide the friend."""
        try:
            return self.follower.mirror(friend)
        except F2FError:
            return None
