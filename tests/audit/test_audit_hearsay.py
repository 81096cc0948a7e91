"""What is taken from friends' evidence, and how much of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild import limits
from f2fbuild.audit.found import CONTRADICTION, EQUIVOCATION, HIDDEN_RESULT, REPEATED_EPOCH, SHARED
from f2fbuild.audit.hearsay import Allowance, heard
from f2fbuild.ledger import evidence
from f2fbuild.model.digest import sha256_hex
from f2fbuild.model.vkey import format_vkey
from tests.ledger.evidence_people import Node
from tests.ledger.ledger_helpers import acceptance, product
from tests.ledger.test_evidence_contradiction import other_log

ELM, ASH, ANN, BEN = Node("A", 1), Node("B", 3), Node("C", 4), Node("D", 5)
GOOD, EVIL = ELM.built(product(b"good")), ASH.built(product(b"evil"))
LATE = acceptance().deadline + limits.HIDDEN_GRACE_SECONDS + 1
PROMISE = ELM.write(ELM.certificate(), acceptance())
FILES = {
    EQUIVOCATION: evidence.format_equivocation(
        format_vkey(ELM.vkey), ELM.head(GOOD), ELM.head([*GOOD[:-1], b"x"])
    ),
    CONTRADICTION: evidence.format_contradiction(
        (ELM.side(GOOD), Node("A", 2).side(Node("A", 2).built(product(b"evil"))))
    ),
    REPEATED_EPOCH: evidence.format_repeated_epoch((ELM.file(), other_log(ELM.file()))),
    HIDDEN_RESULT: ELM.hidden(1, PROMISE, ((ANN, LATE), (BEN, LATE))),
}


@pytest.mark.parametrize("kind", sorted(FILES))
def test_what_convicts_is_kept_by_its_subject(kind: str) -> None:
    found = heard(evidence.check(FILES[kind]), FILES[kind], 2)
    assert found is not None
    assert (found.kind, found.evidence, found.hops) == (kind, FILES[kind], 2)
    assert found.kind in SHARED
    assert found.subject
    if kind == EQUIVOCATION:
        assert (found.owner, found.node, found.origin) == ("", "", ELM.origin)
    else:
        assert found.owner == "A" * 40
        assert len(found.node) == len(sha256_hex(b""))


@pytest.mark.parametrize(
    "file",
    [
        evidence.format_divergence((ELM.side(GOOD), ASH.side(EVIL))),
        ELM.dated(3, GOOD, LATE, ((ANN, 1), (BEN, 2))),
    ],
)
def test_what_convicts_nobody_is_not_kept(file: bytes) -> None:
    assert heard(evidence.check(file), file, 1) is None


@given(st.lists(st.integers(0, 3 * limits.EVIDENCE_HOUR), max_size=300))
def test_no_hour_takes_more_than_its_ration(times: list[int]) -> None:
    allowance, taken = Allowance(since=0), []
    for now in sorted(times):
        left = allowance.spent(now)
        if left is not None:
            allowance = left
            taken.append(now)
    # Windows follow one another, so two of them may meet inside any one hour, never three.
    for start in taken:
        within = [now for now in taken if start <= now < start + limits.EVIDENCE_HOUR]
        assert len(within) <= 2 * limits.EVIDENCE_PER_HOUR


def test_a_clock_that_goes_back_gives_no_more_than_a_new_ration() -> None:
    used = Allowance(since=1000, shown=limits.EVIDENCE_PER_HOUR)
    assert used.spent(1000) is None
    assert used.spent(999) == Allowance(since=999, shown=1)
