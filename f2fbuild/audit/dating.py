"""How old an entry is at least: heads that independent owners saw are kept, and evidence is made of them.

Of this node's log and of those that it follows a head is kept as soon as two independent owners besides the
log's own have cosigned it, one a day. The evidence is a file for anybody to check (`ledger.evidence.dated`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from f2fbuild.errors import NobodyError
from f2fbuild.ledger.checkpoint import Checkpoint, strip_checkpoint
from f2fbuild.ledger.cosignature import Cosignature, attach, cosignatures
from f2fbuild.ledger.directory import LogDirectory
from f2fbuild.ledger.evidence import Cosigner, OwnedNode, cosigned_proof, format_dated
from f2fbuild.ledger.proof import Proof, format_proof
from f2fbuild.ledger.sighted import Sighted
from f2fbuild.ledger.sightings import (
    Independent,
    Sighting,
    chosen,
    earliest_pair,
    is_wanted,
    superfluous,
)
from f2fbuild.model.times import format_time
from f2fbuild.model.tree import prove_inclusion
from f2fbuild.model.vkey import VerifierKey, format_vkey

_HINT = "friends with the right `witness` cosign heads: f2fbuild ledger witness"


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What dating asks of the node.

    `log` gives the log here that has an origin, None when there is none, and `owner` whose it is; `said` the
    cosignatures held of a head; `witnesses` nodes whose owners are known; `clock` returns unix seconds.
    """

    log: Callable[[str], LogDirectory | None]
    owner: Callable[[str], str]
    said: Callable[[Checkpoint], Sequence[Cosignature]]
    witnesses: Callable[[], Sequence[OwnedNode]]
    independent: Independent
    clock: Callable[[], int]


class Dating:
    """Keeps sightings, and dates entries by them."""

    def __init__(self, sighted: Sighted, around: Around) -> None:
        """Keep what is seen in `sighted`."""
        self._sighted = sighted
        self._around = around

    def seen(self, head: Checkpoint) -> None:
        """Keep a head that was cosigned, if it is the newest and the first of the day with two voices.

        Raises:
            StorageError: the disk is full or fails.
        """
        said, now = self._around.said(head), self._around.clock()
        kept = self._sighted.of(head.origin)
        before = next((one for one in kept if one.head == head), None)
        if len(said) < 2 or not (before or is_wanted([one.kept for one in kept], now)):
            return
        log = self._around.log(head.origin)
        if log is None or not (before or log.head == head):
            return
        note = before.note if before else log.checkpoint()
        nodes = self._nodes(head.origin)
        # What was said first of a head is what dates it, so a line that is there stays.
        there = {one.key: one for one in cosignatures(note, list(nodes))}
        lines = {one.key: one for one in said if one.key in nodes} | there
        picked = chosen(_cosigners(list(lines.values()), nodes), self._around.independent)
        if len(picked) > len(there):
            witnesses = [one.node for one in picked]
            note = attach(strip_checkpoint(note, log.key), [lines[one.witness] for one in witnesses])
            sighting = Sighting(head=head, note=note, kept=before.kept if before else now)
            self._sighted.keep(sighting, witnesses, superfluous([one.kept for one in kept], now))

    def evidence(self, log: LogDirectory, index: int, before: int) -> tuple[int, bytes]:
        """Return a time before which the entry at `index` was seen, and the evidence of that.

        Args:
            log: where the entry is.
            index: which.
            before: the time wanted, in unix seconds; 0 for the earliest that can be shown.

        Raises:
            NobodyError: no two independent owners saw it by then.
            StorageError: a file is missing or damaged, or the entry is no longer kept here.
        """
        where = f"entry {index} of {log.key.name}"
        shown = [(one, self._seen(one)) for one in self._candidates(log) if one.head.size > index]
        pairs = ((one, seen, earliest_pair(seen, self._around.independent)) for one, seen in shown)
        dated = [(pair[-1].time, one, seen) for one, seen, pair in pairs if pair]
        if not dated:
            what = "no head kept here that has it was cosigned by two independent owners besides its own"
            raise NobodyError(what, where=where, hint=_HINT)
        time, sighting, seen = min(dated, key=lambda one: one[0])
        if 0 < before <= time:
            what = f"two independent owners saw it, as far as is kept here, not before {format_time(time)}"
            raise NobodyError(what, where=where, hint="ask for a later time")
        before = before or time + 1
        timely = [one for one in seen if one.time < before]
        nodes = [one.node for one in chosen(timely, self._around.independent)]
        return before, _write(log, index, before, sighting, nodes)

    def _candidates(self, log: LogDirectory) -> list[Sighting]:
        """Return what is kept of a log, and its newest head with the lines that are held of it."""
        kept = self._sighted.of(log.key.name)
        if log.size:
            note = attach(log.checkpoint(), self._around.said(log.head))
            kept.append(Sighting(head=log.head, note=note, kept=self._around.clock()))
        return kept

    def _seen(self, sighting: Sighting) -> list[Cosigner]:
        nodes = self._nodes(sighting.head.origin)
        return _cosigners(cosignatures(sighting.note, list(nodes)), nodes)

    def _nodes(self, origin: str) -> dict[VerifierKey, OwnedNode]:
        """Return by witness key whose word counts for a log: not its own owner's."""
        author = self._around.owner(origin)
        known = [*self._around.witnesses(), *self._sighted.witnesses()]
        return {one.witness: one for one in known if one.owner != author}


def _cosigners(said: Sequence[Cosignature], nodes: Mapping[VerifierKey, OwnedNode]) -> list[Cosigner]:
    return [Cosigner(node=nodes[one.key], time=one.time) for one in said]


def _write(log: LogDirectory, index: int, before: int, sighting: Sighting, nodes: list[OwnedNode]) -> bytes:
    hashes = prove_inclusion(index, sighting.head.size, log.read_hash)
    proof = Proof(index=index, hashes=hashes, checkpoint=sighting.note)
    return format_dated(
        format_vkey(log.key),
        (log.entry(0), format_proof(log.inclusion(0))),
        (log.entry(index), cosigned_proof(proof, log.key, nodes)),
        before,
        [node.file for node in nodes],
    )
