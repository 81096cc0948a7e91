"""What an entry does to an acceptance, and that an account kept by deeds is the one kept by entries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.errors import FormatError
from f2fbuild.ledger import entry
from f2fbuild.ledger.entry import Entry, Kind
from f2fbuild.ledger.promises import NO_ACCEPTANCE, NOTHING_OWED, Account, Deed, deed_of, digest_of
from f2fbuild.ledger.standing import ENDED
from f2fbuild.model.outcome import ClosingReason
from tests.ledger.ledger_helpers import ALICE, SOME, acceptance, failure, outcome

ACCEPT = Entry(kind=Kind.ACCEPTANCE, payload=acceptance())


def commit(index: int) -> Entry:
    return Entry(kind=Kind.COMMITMENT, payload=entry.Commitment(acceptance=index, digest=SOME))


def close(index: int) -> Entry:
    return Entry(kind=Kind.CLOSING, payload=entry.Closing(acceptance=index, reason=ClosingReason.INFRA))


def show(index: int) -> Entry:
    return Entry(kind=Kind.OUTCOME, payload=outcome(ALICE.origin, failure(), index))


def other(_index: int) -> Entry:
    return Entry(kind=Kind.ORDER, payload=entry.Order(commit=SOME))


@pytest.mark.parametrize(
    ("one", "deed"),
    [
        (ACCEPT, (Deed.ACCEPT, NO_ACCEPTANCE)),
        (commit(7), (Deed.COMMIT, 7)),
        (close(7), (Deed.CLOSE, 7)),
        (show(7), (Deed.SHOW, 7)),
        (other(7), (Deed.OTHER, NO_ACCEPTANCE)),
    ],
)
def test_the_deed_of_each_kind(one: Entry, deed: tuple[Deed, int]) -> None:
    assert deed_of(one) == deed


def test_an_outcome_that_names_no_acceptance_has_no_deed() -> None:
    with pytest.raises(FormatError):
        deed_of(Entry(kind=Kind.OUTCOME, payload=entry.Outcome(statement=b"{}")))


STEPS = st.lists(
    st.one_of(
        st.just(ACCEPT),
        *(st.integers(0, 6).map(make) for make in (commit, close, show, other)),
    ),
    max_size=12,
)


@given(STEPS)
def test_deeds_tell_an_account_as_much_as_entries(steps: list[Entry]) -> None:
    by_entries, by_deeds = Account(NOTHING_OWED), Account(NOTHING_OWED)
    for index, one in enumerate(steps):
        assert by_entries.take(index, one) == by_deeds.take_deed(index, *deed_of(one), digest_of(one))
    assert by_entries.promises == by_deeds.promises


@pytest.mark.parametrize(
    ("opens", "problem"),
    [
        (SOME, ""),
        ("ef" * 32, "shows another result than was committed to (0)"),
        # The list of products is a blob: the log alone cannot tell.
        ("", ""),
    ],
)
def test_what_is_shown_is_what_was_committed_to(opens: str, problem: str) -> None:
    by_entries, by_deeds = Account(NOTHING_OWED), Account(NOTHING_OWED)
    for index, one in enumerate([ACCEPT, commit(0)]):
        by_entries.take(index, one)
        by_deeds.take_deed(index, *deed_of(one), digest_of(one))
    assert by_entries.take(2, show(0), opens) == problem
    assert by_deeds.take_deed(2, *deed_of(show(0)), opens) == problem
    assert by_entries.promises == by_deeds.promises
    assert by_entries.promises.open == ()
    assert by_entries.promises.problems == (((2, problem),) if problem else ())


def test_an_account_goes_on_with_what_was_committed_to() -> None:
    before = Account(NOTHING_OWED)
    before.take(0, ACCEPT)
    before.take(1, commit(0))
    assert before.promises.committed == {0: SOME}
    assert Account(before.promises).take(2, show(0), "ef" * 32).startswith("shows another result")


def test_behind_the_end_of_a_log_there_are_no_deeds() -> None:
    account = Account(NOTHING_OWED)
    account.take(0, Entry(kind=Kind.NODE_CERTIFICATE, payload=ALICE.certificate()))
    revocation = entry.Revocation(certificate=0, reason=entry.RevocationReason.RETIRED)
    account.take(1, Entry(kind=Kind.REVOCATION, payload=revocation))
    assert account.take_deed(2, Deed.ACCEPT, NO_ACCEPTANCE) == ENDED
    assert account.promises.open == ()
    assert account.promises.problems == ((2, ENDED),)
