"""The machine of gossip: events in, actions out; all it knows is in here and bounded."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from f2fbuild import limits
from f2fbuild.errors import FormatError
from f2fbuild.ledger.checkpoint import log_vkey, open_checkpoint, strip_checkpoint
from f2fbuild.ledger.gossip import talk
from f2fbuild.ledger.gossip.books import Book
from f2fbuild.ledger.gossip.logs import Kept, Known, Logs, line
from f2fbuild.ledger.gossip.sides import Forked, Question, Sides
from f2fbuild.ledger.gossip.swaps import listen, missing, tell
from f2fbuild.ledger.gossip.talk import Action, Event, Given, Have
from f2fbuild.ledger.gossip.vectors import lacks
from f2fbuild.ledger.monitor import Consistency, Opened
from f2fbuild.model.signing import check_public_key
from f2fbuild.model.vkey import VerifierKey

_SIGNATURE = "\n— ".encode()


class Gossip:
    """What one node knows of logs, and what it does about it.

    `opened` checks a head's signature; it is called often with the same head, so let it remember.
    """

    def __init__(self, public: bytes, opened: Opened = open_checkpoint) -> None:
        """Begin for the node whose log has this public key, knowing nothing."""
        self.own = hashlib.sha256(public).digest()
        self._public = public
        self._opened = opened
        self._logs = Logs()
        self._books: dict[str, Book] = {}
        self._linked: dict[str, Book] = {}
        self._full: frozenset[bytes] = frozenset()
        self._frozen: frozenset[bytes] = frozenset()
        self._out: list[Action] = []
        self._tunes: dict[str, tuple[list[bytes], list[bytes]]] = defaultdict(lambda: ([], []))
        self._table: Mapping[type, Callable[[Any, float], None]] = {
            talk.Linked: self._link,
            talk.Unlinked: self._unlink,
            talk.Left: self._leave,
            talk.Unspoken: self._unspoken,
            talk.Grew: self._grew,
            talk.Announced: self._announced,
            talk.Swapped: self._swapped,
            talk.SwapAnswered: self._swap_answered,
            talk.Tuned: self._tuned,
            talk.Proved: self._proved,
            talk.Fetched: self._fetched,
            talk.Follows: self._follows,
            talk.Tick: self._tick,
        }

    def receive(self, event: Event, now: float) -> list[Action]:
        """Take what happened at `now` (seconds, never going back); return what is to be done."""
        self._table[type(event)](event, now)
        actions, self._out = self._out, []
        for peer, (graft, prune) in self._tunes.items():
            actions.append(talk.Tune(peer=peer, graft=tuple(graft), prune=tuple(prune)))
        self._tunes.clear()
        return actions

    # What is kept over a restart

    @property
    def peers(self) -> frozenset[str]:
        """Everybody of whom something is remembered."""
        return frozenset(self._books)

    @property
    def seq(self) -> int:
        """The number of the last change of any head."""
        return self._logs.seq

    def kept(self, since: int = 0) -> list[Kept]:
        """Return what is to be kept of logs that changed after change number `since`."""
        return [
            Kept(public=known.key.public, note=known.note, hops=known.have.hops, proved=known.sides.proved)
            for known in self._logs.since(since)
            if known.have.log != self.own
        ]

    def lines(self, peer: str) -> tuple[tuple[Have, ...], tuple[Have, ...]]:
        """Return what a friend said it has, and what it was told that we have."""
        book = self._books[peer]
        return tuple(book.has), tuple(book.told)

    def restore(
        self, logs: Iterable[Kept], books: Mapping[str, tuple[Iterable[Have], Iterable[Have]]]
    ) -> None:
        """Take up again what was kept: before anything else happens."""
        for kept in logs:
            key = log_vkey(kept.public)
            log = hashlib.sha256(kept.public).digest()
            sides = Sides(key, self._opened, kept.proved)
            have = line(log, self._opened(kept.note, key), kept.hops)
            self._logs.changed(Known(key=key, note=kept.note, have=have, sides=sides))
        for peer, (has, told) in books.items():
            self._books[peer] = Book(b"", has, told)

    # What is known, for those who look

    def head(self, log: bytes) -> Known | None:
        """Return what is known of a log."""
        return self._logs.get(log)

    def holders(self, have: Have) -> list[str]:
        """Return which friends that are here have this head or a later one, by the shortest way first."""
        held = [(book.holds(have.log), peer) for peer, book in self._linked.items() if book.speaks]
        ways = [(theirs.hops, peer) for theirs, peer in held if theirs and theirs.size >= have.size]
        return [peer for _, peer in sorted(ways)]

    def __len__(self) -> int:
        return len(self._logs)

    # Friends come and go

    def _link(self, event: talk.Linked, now: float) -> None:
        book = self._books.setdefault(event.peer, Book(event.log))
        book.link(event.log)
        self._linked[event.peer] = book
        self._adopt(event.peer, book)
        # One of two asks, and both are served; the other asks when its turn comes.
        if self.own < event.log:
            self._swap(event.peer, book, now)

    def _adopt(self, peer: str, book: Book) -> None:
        """Want news of the friend's own log at once, and of logs that nobody tells of now."""
        graft = self._tunes[peer][0]
        graft.append(book.log)
        own = self._logs.get(book.log)
        if own is not None:
            own.parent = peer
        for known in self._logs:
            if not known.parent and known is not own and not lacks(book.holds(known.have.log), known.have):
                known.parent = peer
                graft.append(known.have.log)

    def _unlink(self, event: talk.Unlinked, now: float) -> None:
        book = self._linked.pop(event.peer, None)
        if book is None:
            return
        book.unlink()
        for known in self._logs:
            if known.parent == event.peer:
                self._find_parent(known)

    def _find_parent(self, known: Known) -> None:
        """Let another friend tell of a log, one who has its head by the shortest way."""
        known.parent = ""
        holders = self.holders(known.have)
        if holders and known.have.log != self.own:
            known.parent = holders[0]
            self._tunes[known.parent][0].append(known.have.log)

    def _leave(self, event: talk.Left, now: float) -> None:
        self._unlink(talk.Unlinked(peer=event.peer), now)
        if self._books.pop(event.peer, None) is None:
            return
        books = self._books.values()
        self._logs.forget(
            lambda known: (
                known.have.log in self._full
                or known.have.log == self.own
                or any(book.holds(known.have.log) for book in books)
            )
        )

    def _unspoken(self, event: talk.Unspoken, now: float) -> None:
        book = self._books.get(event.peer)
        if book is not None:
            book.speaks = False
            book.push([self.own])

    # Heads

    def _grew(self, event: talk.Grew, now: float) -> None:
        key = log_vkey(self._public)
        note = strip_checkpoint(event.note, key)
        have = line(self.own, self._opened(note, key), 0)
        known = self._logs.get(self.own)
        if known is None:
            known = Known(key=key, note=note, have=have, sides=Sides(key, self._opened))
        self._renew(known, note, have, "")

    def _fetched(self, event: talk.Fetched, now: float) -> None:
        """Our copy of a log has a head, by whatever way it came."""
        key = log_vkey(event.public)
        note = strip_checkpoint(event.note, key)
        known = self._logs.get(event.log)
        is_friends = any(book.log == event.log for book in self._books.values())
        hops = known.have.hops if known else 1 if is_friends else limits.HEAD_HOPS
        have = line(event.log, self._opened(note, key), hops)
        if known is None:
            known = Known(key=key, note=note, have=have, sides=Sides(key, self._opened, note))
            self._renew(known, note, have, "")
        elif have.size > known.have.size:
            self._renew(known, note, have, "")
        known.sides.prove(note)
        self._compare(known)

    def _follows(self, event: talk.Follows, now: float) -> None:
        self._full, self._frozen = event.full, event.frozen
        for known in self._logs:
            known.frozen = known.frozen or known.have.log in event.frozen

    def _announced(self, event: talk.Announced, now: float) -> None:
        book = self._linked.get(event.peer)
        if book is not None and book.spend(1, now):
            self._hear(event.peer, book, event.head, now)

    def _hear(self, peer: str, book: Book, given: Given, now: float) -> None:
        """Take a head from a friend, unless it says too much or it is not what it says."""
        log = hashlib.sha256(given.public).digest()
        travelled = range(0 if log == book.log else 1, limits.HEAD_HOPS)
        if log == self.own or given.hops not in travelled:
            # Only the author of a log is at its beginning: hops are not set back on the way.
            return
        known = self._logs.get(log)
        if known is not None and known.note == given.note:
            self._confirm(peer, book, known, given.hops)
            return
        asked = log == book.log or (known is not None and known.parent == peer)
        if not book.may_speak_of(log, now, asked=asked) or (known is not None and known.frozen):
            return
        try:
            key = known.key if known else _checked_key(given.public)
            note = _bare(given.note, key)
            have = line(log, self._opened(note, key), given.hops + 1)
        except FormatError:
            return
        book.heard(log, now)
        book.note(line(log, self._opened(note, key), given.hops))
        if known is None:
            known = Known(key=key, note=note, have=have, sides=Sides(key, self._opened))
            known.frozen = log in self._frozen
            self._renew(known, note, have, peer)
        elif have.size > known.have.size:
            self._renew(known, note, have, peer)
        self._weigh(peer, known, note, given.hops)

    def _confirm(self, peer: str, book: Book, known: Known, hops: int) -> None:
        """A friend has the same head; perhaps it came a shorter way."""
        have = known.have
        theirs = Have(log=have.log, size=have.size, mark=have.mark, hops=hops)
        book.note(theirs)
        if hops + 1 < have.hops:
            self._renew(
                known, known.note, Have(log=have.log, size=have.size, mark=have.mark, hops=hops + 1), peer
            )

    def _renew(self, known: Known, note: bytes, have: Have, peer: str) -> None:
        """Know a head from now on, and tell it to everybody who is to hear of it at once."""
        known.note, known.have, known.source = note, have, peer
        self._logs.changed(known)
        if peer:
            self._prefer(known, peer)
        if have.hops < limits.HEAD_HOPS:
            for other, book in self._linked.items():
                if other != peer and (book.speaks or have.log == self.own) and book.wants(have):
                    self._announce(other, book, known)

    def _prefer(self, known: Known, peer: str) -> None:
        """Want news of a log from who was fastest; from its author for ever, while it is there."""
        log, parent = known.have.log, known.parent
        book = self._linked.get(parent)
        if parent == peer or (book is not None and book.log == log):
            return
        if book is not None:
            self._tunes[parent][1].append(log)
        known.parent = peer
        if self._linked[peer].log != log:
            # The author was asked for news of its own log when it came.
            self._tunes[peer][0].append(log)

    def _announce(self, peer: str, book: Book, known: Known) -> None:
        book.note(_next(known.have))
        self._out.append(talk.Announce(peer=peer, head=known.given))

    # Two stories

    def _weigh(self, peer: str, known: Known, note: bytes, hops: int) -> None:
        """Have the entries of a head fetched, and compare it with what other friends showed."""
        is_coming = known.have.log in self._full and note == known.note
        if is_coming:
            self._out.append(talk.Pull(peer=peer, log=known.have.log, note=note))
        if hops or known.have.log not in self._full:
            known.sides.show(peer, note)
            # What is computed anew from its entries needs no proof: the next round asks if they do not come.
            if not is_coming:
                self._compare(known)

    def _compare(self, known: Known) -> None:
        match known.sides.compare():
            case Question(peer=peer, old=old, new=new):
                if peer and peer not in self._linked:
                    self._conclude(known, None)
                else:
                    log = known.have.log
                    self._out.append(talk.AskConsistency(peer=peer, log=log, old=old, new=new))
            case Forked(evidence=evidence):
                self._convict(known, evidence)
            case _:
                pass

    def _conclude(self, known: Known, consistency: Consistency | None) -> None:
        forked = known.sides.answer(consistency)
        if forked is not None:
            self._convict(known, forked.evidence)
        else:
            self._compare(known)

    def _convict(self, known: Known, evidence: bytes) -> None:
        """A log that tells two stories is passed on no more; its evidence is."""
        known.frozen = True
        self._out.append(talk.Convict(log=known.have.log, evidence=evidence))

    def _proved(self, event: talk.Proved, now: float) -> None:
        known = self._logs.get(event.log)
        if known is not None:
            self._conclude(known, event.consistency)

    def _tick(self, event: talk.Tick, now: float) -> None:
        for peer in event.chosen[: limits.SWAP_FRIENDS]:
            book = self._linked.get(peer)
            if book is not None and book.speaks:
                self._swap(peer, book, now)
        for known in self._logs:
            known.sides.again()
            self._compare(known)

    # Swaps

    def _swap(self, peer: str, book: Book, now: float) -> None:
        book.ask(now)
        self._out.append(talk.Swap(peer=peer, vector=tell(book, self._logs)))

    def _swapped(self, event: talk.Swapped, now: float) -> None:
        book = self._linked.get(event.peer)
        if book is None or not book.spend(limits.SWAP_COST, now):
            return
        listen(book, event.vector)
        book.ask(now)
        heads = missing(book, self._logs)
        for known in heads:
            book.note(_next(known.have))
        given = tuple(known.given for known in heads)
        answer = talk.AnswerSwap(peer=event.peer, vector=tell(book, self._logs), heads=given)
        self._out.append(answer)

    def _swap_answered(self, event: talk.SwapAnswered, now: float) -> None:
        book = self._linked.get(event.peer)
        if book is None:
            return
        is_unsure = listen(book, event.vector)
        for given in event.heads:
            if book.spend(1, now):
                self._hear(event.peer, book, given, now)
        for known in missing(book, self._logs):
            self._announce(event.peer, book, known)
        if is_unsure and book.spend(limits.SWAP_COST, now):
            self._swap(event.peer, book, now)

    def _tuned(self, event: talk.Tuned, now: float) -> None:
        book = self._linked.get(event.peer)
        if book is None or not book.spend(1, now):
            return
        book.hush(event.prune)
        book.push(event.graft)
        for log in event.graft[: limits.ORIGINS_PER_FRIEND]:
            known = self._logs.get(log)
            if known and known.have.hops < limits.HEAD_HOPS and lacks(book.holds(log), known.have):
                self._announce(event.peer, book, known)


def _next(have: Have) -> Have:
    """Return what somebody has who was given what we have."""
    return Have(log=have.log, size=have.size, mark=have.mark, hops=have.hops + 1)


def _checked_key(public: bytes) -> VerifierKey:
    check_public_key(public)
    return log_vkey(public)


def _bare(note: bytes, key: VerifierKey) -> bytes:
    """Return a head with the log's own signature only; most come so."""
    if len(note) > limits.ANNOUNCED_HEAD_BYTES:
        raise FormatError("more signatures than a head is announced with", where="announced head")
    return strip_checkpoint(note, key) if note.count(_SIGNATURE) > 1 else note
