"""What a builder owes: one acceptance has exactly one outcome or closing, and an outcome commits first.

What was committed to is what the outcome must show, as far as the log alone can tell (`openings.opened`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import assert_never

from f2fbuild.errors import FormatError
from f2fbuild.ledger.commitment import opening_of
from f2fbuild.ledger.entry import Acceptance, Closing, Commitment, Entry, Outcome
from f2fbuild.ledger.standing import BEGINNING, ENDED, Standing, stand


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """Indices of acceptances that nothing has closed yet, and what entries (by index) did wrong.

    `committed` has those of `open` whose result is committed to already, each with the commitment's digest;
    `standing` is what the node says of itself.
    """

    open: tuple[int, ...] = ()
    committed: Mapping[int, str] = field(default_factory=dict)
    problems: tuple[tuple[int, str], ...] = ()
    standing: Standing = BEGINNING


class Deed(IntEnum):
    """What an entry does to an acceptance: makes one, commits to its result, closes it, shows the result."""

    OTHER = 0
    ACCEPT = 1
    COMMIT = 2
    CLOSE = 3
    SHOW = 4


NO_ACCEPTANCE = -1
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
        self._owed = {index: since.committed.get(index, "") for index in since.open}
        self._problems = list(since.problems)
        self._standing = since.standing

    @property
    def promises(self) -> Promises:
        """What is owed now."""
        return Promises(
            open=tuple(self._owed),
            committed={index: digest for index, digest in self._owed.items() if digest},
            problems=tuple(self._problems),
            standing=self._standing,
        )

    def take(self, index: int, entry: Entry, opens: str = "") -> str:
        """Take the next entry into account; return what is wrong with it, if anything.

        Args:
            index: where it stands.
            entry: the entry.
            opens: the digest of the commitment that it opens, if it shows a result and that can be told.
        """
        self._standing, problem = stand(self._standing, index, entry)
        if not problem:
            try:
                problem = self._do(index, *deed_of(entry), digest_of(entry) or opens)
            except FormatError as error:
                problem = str(error)
        return self._note(index, problem)

    def take_deed(self, index: int, deed: Deed, acceptance: int, digest: str = "") -> str:
        """Take an entry into account of which only the deed is here: none that tells how its node stands.

        `digest` is that of a commitment, or of the one that a shown result opens.
        """
        return self._note(index, ENDED if self._standing.ended else self._do(index, deed, acceptance, digest))

    def _note(self, index: int, problem: str) -> str:
        if problem:
            self._problems.append((index, problem))
        return problem

    def _do(self, index: int, deed: Deed, acceptance: int, digest: str) -> str:
        match deed:
            case Deed.OTHER:
                return ""
            case Deed.ACCEPT:
                self._owed[index] = ""
                return ""
            case Deed.COMMIT:
                return self._commit(acceptance, digest)
            case Deed.CLOSE:
                return _closes_none(acceptance) if self._owed.pop(acceptance, None) is None else ""
            case Deed.SHOW:
                return self._show(acceptance, digest)
            case _:
                assert_never(deed)

    def _commit(self, acceptance: int, digest: str) -> str:
        if self._owed.get(acceptance) != "":
            return f"commits to no open acceptance, or a second time ({acceptance})"
        self._owed[acceptance] = digest
        return ""

    def _show(self, acceptance: int, opens: str) -> str:
        committed = self._owed.pop(acceptance, None)
        if committed is None:
            return _closes_none(acceptance)
        if not committed:
            return f"shows a result that was not committed to before ({acceptance})"
        if opens and opens != committed:
            return f"shows another result than was committed to ({acceptance})"
        return ""


def _closes_none(acceptance: int) -> str:
    return f"closes no open acceptance ({acceptance})"


def digest_of(entry: Entry) -> str:
    """Return the digest in a commitment; nothing for other entries."""
    return entry.payload.digest if isinstance(entry.payload, Commitment) else ""


def deed_of(entry: Entry) -> tuple[Deed, int]:
    """Return what an entry does to an acceptance, and to which; -1 where there is none before it.

    Raises:
        FormatError: an outcome that names no acceptance.
    """
    match entry.payload:
        case Acceptance():
            return Deed.ACCEPT, NO_ACCEPTANCE
        case Commitment(acceptance=acceptance):
            return Deed.COMMIT, acceptance
        case Closing(acceptance=acceptance):
            return Deed.CLOSE, acceptance
        case Outcome() as outcome:
            return Deed.SHOW, opening_of(outcome).acceptance
        case _:
            return Deed.OTHER, NO_ACCEPTANCE
