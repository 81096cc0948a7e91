"""What a builder's owner is told of a verdict: only what stands against his own result."""

from dataclasses import replace

import pytest

from f2fbuild.audit.contradicted import contradiction
from f2fbuild.ledger.commitment import SALT_BYTES
from f2fbuild.model.outcome import Product, Result, Succeeded
from f2fbuild.model.subject import agreed_subjects
from f2fbuild.model.summary import Figures, Summary
from f2fbuild.model.verdict import VerdictKind
from tests.ledger.ledger_helpers import ALICE, ORDERED, SOME, failure, product

GOOD, OTHER = product(b"good"), product(b"other")
DEB = Product(kind="deb", name="a.deb", size=1, sha256=SOME, canonical=SOME)


def summary(kind: VerdictKind, agreed: Succeeded = GOOD) -> Summary:
    return Summary(
        verifier=ALICE.origin,
        order_index=1,
        order=ORDERED,
        salt=bytes(SALT_BYTES),
        figures=Figures(kind=kind, agree=2, denominator=3, needed=2, verified=2),
        subjects=agreed_subjects([agreed]),
        outcomes=(SOME,),
        at=1_200_600,
    )


@pytest.mark.parametrize("kind", [VerdictKind.AGREE, VerdictKind.DISPUTED])
@pytest.mark.parametrize("own", [OTHER, failure(), Succeeded(products=(DEB, *GOOD.products))])
def test_another_result_than_was_agreed_on(kind: VerdictKind, own: Result) -> None:
    words = contradiction(summary(kind), own)
    assert words == "is another than that of 2 owners of 3 who agreed"


@pytest.mark.parametrize("kind", [VerdictKind.AGREE, VerdictKind.DISPUTED])
def test_what_was_agreed_on_is_not_told(kind: VerdictKind) -> None:
    assert contradiction(summary(kind), GOOD) == ""
    debs = Succeeded(products=(DEB,))
    assert contradiction(summary(kind, debs), debs) == ""
    assert contradiction(summary(kind, debs), Succeeded(products=(replace(DEB, name="b.deb"),)))


@pytest.mark.parametrize("kind", [VerdictKind.DIVERGED, VerdictKind.EQUIVALENT])
def test_where_nobody_knows_who_is_right_all_are_told(kind: VerdictKind) -> None:
    for own in (GOOD, OTHER, failure()):
        assert f"({kind})" in contradiction(summary(kind), own)


@pytest.mark.parametrize("kind", [VerdictKind.FAILED, VerdictKind.INFRA, VerdictKind.INCONCLUSIVE])
def test_other_verdicts_say_nothing_of_one_builder(kind: VerdictKind) -> None:
    assert contradiction(summary(kind), failure()) == ""
