"""What a builder owes: one acceptance has exactly one outcome or closing, and an outcome commits first."""

from collections.abc import Iterable
from dataclasses import dataclass

from f2fbuild.errors import FormatError
from f2fbuild.ledger.commitment import opening_of
from f2fbuild.ledger.entry import Acceptance, Closing, Commitment, Entry, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """Indices of acceptances that nothing has closed yet, and what entries (by index) did wrong."""

    open: tuple[int, ...]
    problems: tuple[tuple[int, str], ...]


def fold_promises(entries: Iterable[tuple[int, Entry]]) -> Promises:
    """Return what is still owed after `entries`, given with their indices from the start of a log."""
    owed: dict[int, bool] = {}
    problems: list[tuple[int, str]] = []
    for index, entry in entries:
        problem = _take(owed, index, entry)
        if problem:
            problems.append((index, problem))
    return Promises(open=tuple(owed), problems=tuple(problems))


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
