"""What a builder owes: one acceptance has exactly one outcome or closing, and an outcome commits first."""

from collections.abc import Iterable
from dataclasses import dataclass

from f2fbuild.errors import FormatError
from f2fbuild.ledger.commitment import opening_of
from f2fbuild.ledger.entry import Acceptance, Closing, Commitment, Entry, Outcome
from f2fbuild.ledger.standing import BEGINNING, Standing, stand


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """Indices of acceptances that nothing has closed yet, and what entries (by index) did wrong.

    `committed` names those of `open` whose result is committed to already; `standing` is what the node says
    of itself.
    """

    open: tuple[int, ...] = ()
    committed: frozenset[int] = frozenset()
    problems: tuple[tuple[int, str], ...] = ()
    standing: Standing = BEGINNING


NOTHING_OWED = Promises()
"""Where every log begins."""


def fold_promises(entries: Iterable[tuple[int, Entry]], since: Promises = NOTHING_OWED) -> Promises:
    """Return what is owed after `entries`, given with their indices, which follow those behind `since`."""
    account = Account(since)
    for index, entry in entries:
        account.take(index, entry)
    return account.promises


class Account:
    """The running account of a log: entries go in one by one, at a cost that what is open does not raise."""

    def __init__(self, since: Promises) -> None:
        """Go on behind `since`."""
        self._owed = {index: index in since.committed for index in since.open}
        self._problems = list(since.problems)
        self._standing = since.standing

    @property
    def promises(self) -> Promises:
        """What is owed now."""
        return Promises(
            open=tuple(self._owed),
            committed=frozenset(index for index, is_committed in self._owed.items() if is_committed),
            problems=tuple(self._problems),
            standing=self._standing,
        )

    def take(self, index: int, entry: Entry) -> str:
        """Take the next entry into account; return what is wrong with it, if anything."""
        self._standing, problem = stand(self._standing, index, entry)
        problem = problem or _take(self._owed, index, entry)
        if problem:
            self._problems.append((index, problem))
        return problem


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
