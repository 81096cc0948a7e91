"""Gossip in a node: what happens on links becomes events of `ledger.gossip`, what that wants is done.

Each friend has an outbox and at most one task that empties it, so a slow friend keeps nobody else waiting;
of one log only the newest head waits there.
"""

import hashlib
import random
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

import trio

from f2fbuild import limits
from f2fbuild.audit.found import EQUIVOCATION, Found
from f2fbuild.errors import F2FError
from f2fbuild.ledger.checkpoint import open_checkpoint, parse_log_vkey
from f2fbuild.ledger.gossip import talk
from f2fbuild.ledger.gossip.spread import Gossip
from f2fbuild.model.friend import Friend
from f2fbuild.net.exchange import ExchangeResetError
from f2fbuild.net.ledger_messages import AnnounceHead, HeadsSwapped, SwapHeads, TuneHeads
from f2fbuild.net.messages import Failure
from f2fbuild.node.gossip_rows import GossipRows
from f2fbuild.node.gossip_words import given, head_request, swap_answer, swap_request, vector
from f2fbuild.node.proving import ORIGIN, Proving
from f2fbuild.trust.policy import Refusal, Right

if TYPE_CHECKING:
    from f2fbuild.node.parts import Parts


class _Outbox:
    """What one friend, whose own log is `log`, is to be told: heads by log, then what else."""

    def __init__(self, log: bytes) -> None:
        self.log = log
        self.heads: dict[bytes, talk.Given] = {}
        self.others: deque[talk.Swap | talk.Tune] = deque(maxlen=limits.LINK_STREAMS)
        self.busy = False

    def next(self) -> talk.Given | talk.Swap | talk.Tune | None:
        """Take what is to be told next."""
        if self.heads:
            return self.heads.pop(next(iter(self.heads)))
        return self.others.popleft() if self.others else None


class Gossiping:
    """One node's part in the gossip."""

    def __init__(self, parts: "Parts") -> None:
        """Take up what was known before."""
        self._parts = parts
        opened = lru_cache(maxsize=limits.OPENED_HEADS)(open_checkpoint)
        self._machine = Gossip(parts.identity.log_key.public, opened)
        self._rows = GossipRows(parts.database, self._machine)
        self._boxes: dict[str, _Outbox] = {}
        self._questions: list[talk.AskConsistency] = []
        self._asking: dict[str, int] = {}
        self._news = trio.Event()
        self._table: dict[type[talk.Action], Callable[..., None]] = {
            talk.Announce: self._announce,
            talk.Swap: self._queue,
            talk.Tune: self._queue,
            talk.AskConsistency: self._question,
            talk.Pull: self._pull,
            talk.Convict: self._convict,
        }
        self.follower = parts.follower
        self.author = parts.author
        self.earlier = parts.earlier.own
        self.follower.on_taken(self._taken)
        self.proving = Proving(parts)

    # What happens

    def came(self, peer: str) -> None:
        """A friend is connected, has the right to hear of ledgers from now on, or begins another epoch."""
        friend = self._parts.friendships.find(peer)
        if friend is None or isinstance(self._parts.friendships.decide(peer, Right.LEDGER), Refusal):
            return
        box = self._boxes.setdefault(peer, _Outbox(b""))
        if box.log != _log(friend):
            box.log = _log(friend)
            self._follow()
            self._happen(talk.Linked(peer=peer, log=box.log))

    def went(self, peer: str) -> None:
        """A friend is gone."""
        if self._boxes.pop(peer, None) is not None:
            self._save([peer])
            self._happen(talk.Unlinked(peer=peer))

    def trust_changed(self) -> None:
        """Rights were given or taken."""
        friendships = self._parts.friendships
        friends = [friend.node_id for friend, _, _ in friendships.all()]
        may = {peer for peer in friends if not isinstance(friendships.decide(peer, Right.LEDGER), Refusal)}
        for peer in sorted(self._machine.peers - may):
            self._boxes.pop(peer, None)
            self._happen(talk.Left(peer=peer))
            self._rows.forget(peer)
        for peer in self._parts.neighbours.listening():
            self.came(peer)
        self._follow()

    def grew(self) -> None:
        """This node's log has a new head."""
        self._happen(talk.Grew(note=self._parts.log.checkpoint()))

    def announced(self, peer: str, request: AnnounceHead) -> None:
        """A friend announced a head."""
        self._meet(peer)
        self._happen(talk.Announced(peer=peer, head=given(request)))

    def swapped(self, peer: str, request: SwapHeads) -> HeadsSwapped | Failure:
        """Answer a friend that wants to swap."""
        self._meet(peer)
        actions = self._happen(talk.Swapped(peer=peer, vector=vector(request)))
        for action in actions:
            if isinstance(action, talk.AnswerSwap):
                self._parts.guard.note_followed()
                return swap_answer(action)
        return Failure(code="too-much", detail="no more swaps are answered for now")

    def tuned(self, peer: str, request: TuneHeads) -> None:
        """A friend wants news of some logs at once."""
        self._meet(peer)
        graft, prune = tuple(request.graft), tuple(request.prune)
        self._happen(talk.Tuned(peer=peer, graft=graft, prune=prune))

    def source(self, origin: str) -> str:
        """Return who brought the newest head of a log, if he is here."""
        known = self._machine.head(_digest(origin))
        return known.source if known is not None and known.source in self._boxes else ""

    def head(self, origin: str) -> bytes:
        """Return the newest head that was heard of a log, empty when none was."""
        known = self._machine.head(_digest(origin))
        return known.note if known is not None else b""

    def origins(self) -> list[str]:
        """Return the origins of all logs that were heard of, this node's own not among them."""
        return [ORIGIN + hashlib.sha256(known.public).hexdigest() for known in self._machine.kept()]

    def givers(self, origin: str) -> list[str]:
        """Return who may have entries of a log and is here: who told of it first, then everybody else."""
        log, source = _digest(origin), self.source(origin)
        told = {peer for peer in self._boxes if any(line.log == log for line in self._machine.lines(peer)[0])}
        return sorted(
            self._parts.reach.connected(), key=lambda peer: (peer != source, peer not in told, peer)
        )

    def _meet(self, peer: str) -> None:
        """Make sure of a friend that speaks before anybody said that it came."""
        if peer not in self._boxes:
            self.came(peer)

    # What is wanted

    def _happen(self, event: talk.Event) -> list[talk.Action]:
        actions = self._machine.receive(event, trio.current_time())
        for action in actions:
            if not isinstance(action, talk.AnswerSwap):
                self._table[type(action)](action)
        if actions:
            self._news.set()
            self._news = trio.Event()
        return actions

    def _announce(self, action: talk.Announce) -> None:
        if action.peer in self._boxes:
            self._boxes[action.peer].heads[action.head.public] = action.head

    def _queue(self, action: talk.Swap | talk.Tune) -> None:
        if action.peer in self._boxes:
            self._boxes[action.peer].others.append(action)

    def _question(self, action: talk.AskConsistency) -> None:
        self._questions.append(action)

    def _pull(self, action: talk.Pull) -> None:
        friend = self._parts.friendships.author(ORIGIN + action.log.hex())
        if friend is not None and friend.node_id == action.peer:
            self.follower.want(action.peer)
        elif friend is not None:
            self.follower.want_from(friend, action.peer, action.note)

    def _convict(self, action: talk.Convict) -> None:
        origin = ORIGIN + action.log.hex()
        friend = self.author(origin)
        self._parts.findings.record(
            Found(
                kind=EQUIVOCATION,
                owner=friend.owner if friend else "",
                node=friend.node_id if friend else "",
                evidence=action.evidence,
                detail="two heads that cannot both be true, shown by different friends",
                origin=origin,
                subject=origin,
            )
        )
        self.follower.convict(origin, action.evidence)

    def _taken(self, friend: Friend, note: bytes) -> None:
        public = parse_log_vkey(friend.vkey).public
        self._happen(talk.Fetched(log=_log(friend), note=note, public=public))

    def _follow(self) -> None:
        """Let the machine know whose entries are kept, and which logs have forked."""
        friends = [friend for friend, _, _ in self._parts.friendships.all()]
        forked = [one for one in self._parts.findings.list() if one.kind == EQUIVOCATION and one.origin]
        self._happen(
            talk.Follows(
                full=frozenset(_log(friend) for friend in friends),
                frozen=frozenset(_digest(one.origin) for one in forked),
            )
        )

    # The service

    async def run(self) -> None:
        """Do what gossip wants, until cancelled. Containment: one friend's link."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._tick)
                while True:
                    news = self._news
                    for peer, box in self._boxes.items():
                        if not box.busy and (box.heads or box.others):
                            box.busy = True
                            nursery.start_soon(self._empty, peer, box)
                    questions, self._questions = self._questions, []
                    for question in questions:
                        nursery.start_soon(self._ask, question)
                    await news.wait()
        finally:
            self._save(list(self._boxes))

    async def _tick(self) -> None:
        while True:
            await trio.sleep(limits.SWAP_SECONDS)
            there = sorted(self._boxes)
            chosen = random.sample(there, min(limits.SWAP_FRIENDS, len(there)))
            self._happen(talk.Tick(chosen=tuple(chosen)))
            self._pull_again()
            self._save(there)

    def _pull_again(self) -> None:
        """Have entries fetched that did not come when their head did: who showed it had none yet, or went."""
        for friend, _, _ in self._parts.friendships.all():
            known = self._machine.head(_log(friend))
            copy = self._parts.mirrored(friend)
            if known is None or known.frozen or copy is None or copy.size >= known.have.size:
                continue
            if friend.node_id in self._boxes:
                self.follower.want(friend.node_id)
            elif holders := self._machine.holders(known.have):
                (peer,) = random.sample(holders, 1)
                self.follower.want_from(friend, peer, known.note)

    async def _empty(self, peer: str, box: _Outbox) -> None:
        try:
            while (said := box.next()) is not None and self._boxes.get(peer) is box:
                with trio.move_on_after(limits.NEWS_SECONDS):
                    await self._say(peer, said)
        finally:
            box.busy = False

    async def _say(self, peer: str, said: talk.Given | talk.Swap | talk.Tune) -> None:
        match said:
            case talk.Given():
                request: AnnounceHead | SwapHeads | TuneHeads = head_request(said)
                if said.hops == 0:
                    self._parts.guard.note_followed()
            case talk.Swap():
                request = swap_request(said)
                self._parts.guard.note_followed()
            case talk.Tune():
                request = TuneHeads(graft=list(said.graft), prune=list(said.prune))
        try:
            async with await self._parts.peers.call(peer, request) as exchange:
                answer = await exchange.receive()
        except ExchangeResetError:
            # A program from before there was gossip does not know the message, and nothing else is wrong.
            self._happen(talk.Unspoken(peer=peer))
            return
        except F2FError:
            return
        if isinstance(answer, HeadsSwapped):
            heads = tuple(given(one) for one in answer.heads)
            self._happen(talk.SwapAnswered(peer=peer, vector=vector(answer), heads=heads))

    async def _ask(self, question: talk.AskConsistency) -> None:
        """Ask for a proof, unless the friend is busy with many: then the next round asks."""
        proof = None
        if self._asking.get(question.peer, 0) < limits.PROOFS_PER_FRIEND:
            self._asking[question.peer] = self._asking.get(question.peer, 0) + 1
            try:
                proof = await self.proving.ask(question.peer, question.log, question.old, question.new)
            finally:
                self._asking[question.peer] -= 1
        self._happen(talk.Proved(log=question.log, consistency=proof))

    def _save(self, peers: list[str]) -> None:
        self._rows.save(peers)


def _log(friend: Friend) -> bytes:
    return _digest(parse_log_vkey(friend.vkey).name)


def _digest(origin: str) -> bytes:
    """Return the hash in an origin; for what is none, a log that nobody has."""
    try:
        return bytes.fromhex(origin.removeprefix(ORIGIN))
    except ValueError:
        return b""
