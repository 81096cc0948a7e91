"""Heads of a log that others cosigned, kept so that its entries can be dated later (pure).

Whoever steals a key can sign anything and date it back. What was under a head that two independent owners had
cosigned before then is older; so of each log such heads are kept, one for each day, and of days long past one
for each month: as much later than an entry as that does it date it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from f2fbuild.ledger.checkpoint import Checkpoint
from f2fbuild.ledger.evidence import Cosigner
from f2fbuild.limits import EVIDENCE_WITNESSES, SIGHTING_SECONDS, SIGHTINGS_IN_FULL, SIGHTINGS_OLD

Independent = Callable[[tuple[str, ...]], int]
"""How many independent voices some owners (fingerprints) have for the reader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A head, its note with the log's signature and its witnesses' lines, and when it was kept.

    `kept` is in unix seconds by this node's own clock: what cosigners say of the time bounds nothing.
    """

    head: Checkpoint
    note: bytes
    kept: int


def is_wanted(kept: Sequence[int], now: int) -> bool:
    """Return whether none of those that were `kept` is of the day of `now`."""
    return all(one // SIGHTING_SECONDS != now // SIGHTING_SECONDS for one in kept)


def superfluous(kept: Sequence[int], now: int) -> tuple[int, ...]:
    """Return which of those that were `kept`, sorted, can go: of old ones the first of each period stays."""
    old = [one for one in kept if one < now - SIGHTINGS_IN_FULL * SIGHTING_SECONDS]
    period = SIGHTINGS_OLD * SIGHTING_SECONDS
    first = {one // period: one for one in reversed(old)}
    return tuple(one for one in old if first[one // period] != one)


def earliest_pair(seen: Sequence[Cosigner], independent: Independent) -> tuple[Cosigner, ...]:
    """Return the two who make it believable the soonest that the head was there, none if no two do.

    Args:
        seen: who cosigned the head, without nodes of the log's own owner.
        independent: how many voices owners have.
    """
    ordered = _one_each(seen)
    for end in range(2, len(ordered) + 1):
        some = ordered[:end]
        if independent(tuple(one.node.owner for one in some)) >= 2:
            # Without the last there was one voice, so with one of the others he makes two (Menger).
            last = some[-1]
            return next(
                (one, last) for one in some[:-1] if independent((one.node.owner, last.node.owner)) >= 2
            )
    return ()


def chosen(seen: Sequence[Cosigner], independent: Independent) -> tuple[Cosigner, ...]:
    """Return those who are named in evidence: the earliest pair, then others; nobody without a pair.

    Each reader believes others, so as many are named as evidence may have.
    """
    pair = earliest_pair(seen, independent)
    others = [one for one in _one_each(seen) if one not in pair]
    return (*pair, *others[: EVIDENCE_WITNESSES - len(pair)]) if pair else ()


def _one_each(seen: Sequence[Cosigner]) -> list[Cosigner]:
    """Return the first cosigner of each owner, in the order of their times."""
    found: dict[str, Cosigner] = {}
    for one in sorted(seen, key=lambda one: (one.time, one.node.owner)):
        found.setdefault(one.node.owner, one)
    return list(found.values())
