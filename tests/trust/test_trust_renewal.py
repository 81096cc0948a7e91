"""Which certificate may take the place of the one that is held."""

from dataclasses import replace

import pytest

from f2fbuild import limits
from f2fbuild.trust.certificates import NodeCertificate
from f2fbuild.trust.renewal import Renewal, compare, ending
from tests.trust.trust_facts import ANN, ANNS, EVE
from tests.trust.trust_people import NOW, YEAR, certificate

RENEWED = certificate(ANN, since=NOW - 50)
NEXT = certificate(ANN, epoch=1)
OTHER = certificate(ANN, seed=b"o" * 32, epoch=1)


@pytest.mark.parametrize(
    ("offered", "what"),
    [
        (RENEWED, Renewal.RENEWED),
        (NEXT, Renewal.NEW_EPOCH),
        (certificate(ANN, epoch=9), Renewal.NEW_EPOCH),
        (replace(NEXT, node="oak"), Renewal.NEW_EPOCH),
        (replace(NEXT, not_before=ANNS.not_before - 9), Renewal.NEW_EPOCH),
        (ANNS, Renewal.OLDER),
        (replace(ANNS, not_before=ANNS.not_before - 1), Renewal.OLDER),
        (replace(ANNS, not_after=ANNS.not_after + 1), Renewal.OLDER),
        (OTHER, Renewal.ANOTHER_NODE),
        (replace(OTHER, owner=EVE), Renewal.ANOTHER_NODE),
        (replace(NEXT, owner=EVE), Renewal.ANOTHER_OWNER),
        (replace(RENEWED, owner=EVE), Renewal.ANOTHER_OWNER),
        (replace(NEXT, noise=OTHER.noise), Renewal.ANOTHER_SESSION_KEY),
        (replace(RENEWED, noise=OTHER.noise), Renewal.ANOTHER_SESSION_KEY),
        (replace(RENEWED, witness=OTHER.witness), Renewal.OTHER_KEYS),
        (replace(RENEWED, mirror=OTHER.mirror), Renewal.OTHER_KEYS),
        (replace(NEXT, log=ANNS.log), Renewal.OTHER_KEYS),
        (replace(NEXT, witness=ANNS.witness), Renewal.OTHER_KEYS),
        (replace(NEXT, mirror=ANNS.mirror), Renewal.OTHER_KEYS),
        (replace(ANNS, log=OTHER.log), Renewal.REPEATED_EPOCH),
        (replace(ANNS, log=OTHER.log, not_before=NOW - YEAR, not_after=NOW - 9), Renewal.REPEATED_EPOCH),
        (replace(RENEWED, log=OTHER.log, noise=OTHER.noise), Renewal.REPEATED_EPOCH),
    ],
)
def test_every_kind_of_certificate_that_may_come(offered: NodeCertificate, what: Renewal) -> None:
    assert compare(ANNS, offered, NOW) is what


def test_an_epoch_that_is_over_is_older_whatever_it_says() -> None:
    assert compare(NEXT, RENEWED, NOW) is Renewal.OLDER
    assert compare(NEXT, replace(RENEWED, log=OTHER.log, not_before=NOW), NOW) is Renewal.OLDER


@pytest.mark.parametrize("offered", [RENEWED, NEXT])
def test_what_is_not_in_force_takes_no_place(offered: NodeCertificate) -> None:
    early = replace(offered, not_before=NOW + limits.CLOCK_SKEW_SECONDS)
    assert compare(ANNS, early, NOW) is not Renewal.NOT_IN_FORCE
    assert compare(ANNS, early, NOW - 1) is Renewal.NOT_IN_FORCE
    assert compare(ANNS, offered, offered.not_after - 1) is not Renewal.NOT_IN_FORCE
    assert compare(ANNS, offered, offered.not_after) is Renewal.NOT_IN_FORCE


@pytest.mark.parametrize(
    ("left", "words"), [(30 * 86_400, ""), (30 * 86_400 - 1, "certificate ends "), (0, "certificate ended ")]
)
def test_the_owner_is_warned_for_a_month_before_the_end(left: int, words: str) -> None:
    said = ending(ANNS, ANNS.not_after - left)
    assert words in said
    assert bool(said) == bool(words)
    assert ("`f2fbuild identity renew`" in said) == bool(words)
