"""How a node stands by its own entries: certificates, revocations, modes."""

import pytest

from f2fbuild.ledger import entry
from f2fbuild.ledger.promises import NOTHING_OWED, Promises, fold_promises
from f2fbuild.ledger.standing import Standing
from tests.ledger.ledger_helpers import ALICE, BOB, SOME, acceptance


def account(*payloads: entry.Payload) -> Promises:
    return fold_promises((n, entry.decode(*entry.encode(payload))) for n, payload in enumerate(payloads))


def revocation(certificate: int) -> entry.Revocation:
    return entry.Revocation(certificate=certificate, reason=entry.RevocationReason.SUPERSEDED)


def change(old: entry.Mode, new: entry.Mode) -> entry.ModeChange:
    return entry.ModeChange(old=old, new=new, forced=False, reason=SOME)


def test_a_renewed_certificate_takes_the_place_of_a_revoked_one() -> None:
    after = account(ALICE.certificate(), ALICE.certificate(), revocation(0), acceptance())
    assert after.problems == ()
    assert after.standing.certificates == (1,)
    assert not after.standing.ended


def test_nothing_stands_behind_the_last_revocation() -> None:
    after = account(ALICE.certificate(), revocation(0), acceptance(), ALICE.certificate())
    assert after.standing.ended
    why = "stands behind the revocation of the log's last certificate"
    assert after.problems == ((2, why), (3, why))
    assert after.open == ()


@pytest.mark.parametrize("named", [1, 2, 5])
def test_only_a_certificate_that_holds_is_revoked(named: int) -> None:
    after = account(ALICE.certificate(), ALICE.certificate(), acceptance(), revocation(1), revocation(named))
    assert after.problems == ((4, f"revokes no certificate that holds ({named})"),)
    assert after.standing.certificates == (0,)


def test_a_certificate_is_renewed_for_the_same_log_and_key() -> None:
    after = account(ALICE.certificate(), BOB.certificate())
    assert after.problems == ((1, "renews the certificate for another log or statement key"),)
    assert after.standing.certificates == (0,)


def test_every_change_of_mode_leaves_the_mode_that_is() -> None:
    distributed, cautious, alone = entry.Mode
    good = account(change(distributed, alone), change(alone, cautious), change(cautious, distributed))
    assert good.problems == ()
    assert good.standing == Standing()
    bad = account(change(distributed, alone), change(distributed, cautious))
    assert bad.problems == ((1, "leaves the mode distributed, but the node is trusted-only"),)
    assert bad.standing.mode is alone


def test_the_account_is_the_same_in_parts() -> None:
    payloads: list[entry.Payload] = [
        ALICE.certificate(),
        change(entry.Mode.DISTRIBUTED, entry.Mode.CAUTIOUS),
        acceptance(),
    ]
    entries = [(n, entry.decode(*entry.encode(payload))) for n, payload in enumerate(payloads)]
    so_far = NOTHING_OWED
    for one in entries:
        so_far = fold_promises([one], so_far)
    assert so_far == fold_promises(entries)
