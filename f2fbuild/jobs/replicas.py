"""How many builders a job still needs. What they built is judged elsewhere (`audit.compare`).

First the ordered number of builders is asked. Whoever refuses, is lost, or whose statement does not count is
replaced by another owner. When all have answered and the verdict is still open, ties are broken by further
owners, one after the other, as often as the order allows. A disputed majority has its products already; one
tie-breaker more is asked before anybody is accused, as long as one can be had.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from f2fbuild.jobs.lifecycle import OPEN
from f2fbuild.model.job import AssignmentState, Quorum
from f2fbuild.model.verdict import Verdict, VerdictKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One builder that was asked.

    `state` is `done` only once the result was fetched and recomputed. `replaces` and `tie_break` are those of
    the `AskMore` that chose it. `detail` says why it refused (safe to show); `again` is the unix second from
    which a refusing builder may be asked again, None for never.
    """

    node: str
    owner: str
    state: AssignmentState
    tie_break: bool = False
    replaces: str = ""
    detail: str = ""
    again: int | None = None


class GiveUpReason(Enum):
    """Why nobody else will be asked; the value is what the user reads."""

    DEADLINE = "the deadline is over"
    TIE_BREAKERS = "the builders disagree and the tie-breakers are used up"
    NOBODY = "no further owner can build it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enough:
    """The verdict stands; nobody else is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Enough are asked; `open` of them have not answered yet."""

    open: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AskMore:
    """Ask `number` more owners, none of `excluding` (fingerprints).

    `replacing` are the owners, at most `number`, whose seats the new ones take over; a `tie_break` without
    them is a new seat, and has to be logged.
    """

    number: int
    tie_break: bool
    excluding: frozenset[str]
    replacing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """Nobody else will be asked: the verdict is now given with `ended=True`."""

    reason: GiveUpReason


Need: TypeAlias = Enough | Wait | AskMore | GiveUp

_DECIDED = frozenset({VerdictKind.AGREE, VerdictKind.FAILED, VerdictKind.EQUIVALENT})


def need(
    asked: Sequence[Asked],
    quorum: Quorum,
    verdict: Verdict,
    *,
    now: int,
    deadline: int,
    obtainable: bool,
    at_once: bool = True,
) -> Need:
    """Return what to do for a job.

    Args:
        asked: everybody asked for it so far, in that order.
        quorum: as ordered.
        verdict: the judgement over what has come in, with `ended=False`.
        now: unix seconds.
        deadline: the job's, in unix seconds.
        obtainable: whether any other owner can be asked now or later (`schedule.obtainable`).
        at_once: whether one can be asked now; a disputed majority waits for nobody who is away.
    """
    if verdict.kind in _DECIDED:
        return Enough()
    void = {*verdict.struck, *verdict.self_contradicting}
    if verdict.kind is VerdictKind.DISPUTED:
        over = bool(verdict.accuses) or now >= deadline
        return Enough() if over else _confirmation(asked, quorum, void, at_once=obtainable and at_once)
    if now >= deadline:
        return GiveUp(reason=GiveUpReason.DEADLINE)
    return _seats(asked, quorum, void, obtainable=obtainable)


def _confirmation(asked: Sequence[Asked], quorum: Quorum, void: set[str], *, at_once: bool) -> Need:
    """One tie-breaker before anybody is accused; builders that are missing otherwise are not replaced."""
    breakers = [one for one in _held(asked, void) if one.tie_break]
    waiting = sum(one.state in OPEN for one in breakers)
    if waiting:
        return Wait(open=waiting)
    if at_once and len(breakers) < quorum.tie_breakers:
        return _ask(asked, void, 1, tie_break=True)
    return Enough()


def _seats(asked: Sequence[Asked], quorum: Quorum, void: set[str], *, obtainable: bool) -> Need:
    held = _held(asked, void)
    waiting = sum(one.state in OPEN for one in held)
    breakers = sum(one.tie_break for one in held)
    missing = quorum.builders - (len(held) - breakers)
    if obtainable and missing > 0:
        return _ask(asked, void, missing, tie_break=False)
    if waiting:
        return Wait(open=waiting)
    if missing <= 0 and breakers >= quorum.tie_breakers:
        return GiveUp(reason=GiveUpReason.TIE_BREAKERS)
    if not obtainable:
        return GiveUp(reason=GiveUpReason.NOBODY)
    return _ask(asked, void, 1, tie_break=True)


def _held(asked: Sequence[Asked], void: set[str]) -> list[Asked]:
    """Who may still answer, or has given a result that counts."""
    return [one for one in asked if one.state in OPEN or _voted(one, void)]


def _voted(one: Asked, void: set[str]) -> bool:
    return one.state is AssignmentState.DONE and one.owner not in void


def _ask(asked: Sequence[Asked], void: set[str], number: int, *, tie_break: bool) -> AskMore:
    seated = [one for one in asked if one.state is not AssignmentState.REFUSED]
    taken_over = {one.replaces for one in seated}
    vacant = [
        one.owner
        for one in seated
        if one.state not in OPEN
        and not _voted(one, void)
        and one.tie_break is tie_break
        and one.owner not in taken_over
    ]
    excluding = frozenset(one.owner for one in seated)
    return AskMore(number=number, tie_break=tie_break, excluding=excluding, replacing=tuple(vacant[:number]))
