"""What a builder owes: one acceptance has exactly one outcome or closing, and an outcome commits first."""

from collections.abc import Iterable
from dataclasses import dataclass

from f2fbuild.errors import FormatError
from f2fbuild.ledger.commitment import opening_of
from f2fbuild.ledger.entry import Acceptance, Closing, Commitment, Entry, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """Indices of acceptances that nothing has closed yet, and what entries (by index) did wrong.

    `committed` names those of `open` whose result is committed to already.
    """

    open: tuple[int, ...] = ()
    committed: frozenset[int] = frozenset()
    problems: tuple[tuple[int, str], ...] = ()


NOTHING_OWED = Promises()
"""Where every log begins."""


def fold_promises(entries: Iterable[tuple[int, Entry]], since: Promises = NOTHING_OWED) -> Promises:
    """Return what is owed after `entries`, given with their indices, which follow those behind `since`."""
    owed = {index: index in since.committed for index in since.open}
    problems = list(since.problems)
    for index, entry in entries:
        problem = _take(owed, index, entry)
        if problem:
            problems.append((index, problem))
    committed = frozenset(index for index, is_committed in owed.items() if is_committed)
    return Promises(open=tuple(owed), committed=committed, problems=tuple(problems))


def _take(owed: dict[int, bool], index: int, entry: Entry) -> str:
    """Fold one entry into `owed` (open acceptance to whether its result is committed); return a problem."""
    match entry.payload:
        case Acceptance():
            owed[index] = False
            return ""
        case Commitment(acceptance=acceptance):
            return _take_commitment(owed, acceptance)
        case Closing(acceptance=acceptance):
            is_owed = owed.pop(acceptance, None) is not None
            return "" if is_owed else f"closes no open acceptance ({acceptance})"
        case Outcome() as outcome:
            return _take_outcome(owed, outcome)
        case _:
            return ""


def _take_commitment(owed: dict[int, bool], acceptance: int) -> str:
    if owed.get(acceptance) is not False:
        return f"commits to no open acceptance, or a second time ({acceptance})"
    owed[acceptance] = True
    return ""


def _take_outcome(owed: dict[int, bool], outcome: Outcome) -> str:
    try:
        acceptance = opening_of(outcome).acceptance
    except FormatError as error:
        return str(error)
    committed = owed.pop(acceptance, None)
    if committed is None:
        return f"closes no open acceptance ({acceptance})"
    return "" if committed else f"shows a result that was not committed to before ({acceptance})"
