"""Whose log of no friend is read, by certificates that GnuPG signed and keyrings that know their owners."""

import os
import re
import subprocess  # noqa: TID251 - what the advice says is run as a person would
from collections.abc import Iterator

import pytest

from f2fbuild import limits
from f2fbuild.audit.ondemand import Unread, Why, author, called, certified, room, vouched
from f2fbuild.ledger import entry
from f2fbuild.ledger.checkpoint import origin_of
from f2fbuild.model.signing import Role, SigningKey, derive_seed
from f2fbuild.model.vkey import format_vkey
from f2fbuild.trust.admission import admit_file
from f2fbuild.trust.certificate_file import CertificateFile
from f2fbuild.trust.keyring import Keyring
from f2fbuild.trust.policy import Allowed, Decision, Gate, Grants, Known, decide
from tests.ledger.ledger_helpers import ALICE, SOME, acceptance
from tests.trust.trust_people import NOW, SEED, YEAR, Person, certificate, person, short_home

STATEMENTS = SigningKey.from_seed(derive_seed(SEED, Role.STATEMENTS, 0))
ORIGIN = origin_of(SigningKey.from_seed(derive_seed(SEED, Role.LOG, 0)).public)
OTHERS = [f"f2fbuild.invalid/log/{start}{'0' * 60}" for start in ("ab12", "ab34", "cd56")]
FULL = [f"f2fbuild.invalid/log/{number:064x}" for number in range(limits.ON_DEMAND_LOGS)]


@pytest.fixture(scope="module")
def ann() -> Iterator[Person]:
    with person("Ann") as made:
        yield made


@pytest.fixture(scope="module")
def eve() -> Iterator[Person]:
    with person("Eve") as made:
        yield made


@pytest.fixture
def ring(eve: Person) -> Iterator[Keyring]:
    """The keyring of Eve's node."""
    with short_home() as home:
        yield Keyring.open(home, eve.key)


@pytest.fixture(scope="module")
def file(ann: Person) -> CertificateFile:
    return ann.signed(certificate(ann.fingerprint))


def written(payload: entry.Payload, key: SigningKey = STATEMENTS) -> bytes:
    return entry.write(payload, key)


def key_of(owner: str, ring: Keyring) -> Decision:
    known = Known(snapshot=ring.snapshot(NOW), grants=Grants(rights={}), states={}, epochs={})
    return decide(Gate.KEY, owner, None, known, NOW)


@pytest.mark.parametrize("wanted", [OTHERS[2], "f2fbuild.invalid/log/cd", "cd56", "c", "cd56" + "0" * 60])
def test_a_log_is_called_by_any_unique_start(wanted: str) -> None:
    assert called(wanted, OTHERS) == OTHERS[2]


@pytest.mark.parametrize(
    ("wanted", "why"),
    [("ab", Why.SEVERAL), ("f2fbuild.invalid", Why.SEVERAL), ("ef", Why.UNHEARD), ("CD56", Why.UNHEARD)],
)
def test_a_start_that_names_none_or_several_is_told_so(wanted: str, why: Why) -> None:
    assert called(wanted, OTHERS) == Unread(why=why)


def test_so_many_logs_of_so_many_entries_are_kept() -> None:
    most = limits.ON_DEMAND_ENTRIES
    assert room(ORIGIN, most, FULL[1:]) is None
    assert room(FULL[7], most, FULL) is None, "one that is here already"
    assert room(ORIGIN, 1, FULL) == Unread(why=Why.TOO_MANY)
    assert room(ORIGIN, most + 1, []) == Unread(why=Why.TOO_LONG, detail=f"{most + 1} entries")
    assert room(FULL[7], 2**53 - 1, FULL) == Unread(why=Why.TOO_LONG, detail=f"{2**53 - 1} entries")


def test_the_first_entry_certifies_its_log(file: CertificateFile) -> None:
    assert certified(written(entry.NodeCertificate(text=file.data)), ORIGIN) == file


def test_another_first_entry_certifies_nothing(file: CertificateFile) -> None:
    good = written(entry.NodeCertificate(text=file.data))
    text = entry.NodeCertificate(text=file.data)
    forged = entry.NodeCertificate(text=file.data.replace(b"node elm", b"node oak"))
    for first, origin, words in (
        (written(acceptance()), ORIGIN, "another kind of entry"),
        (written(entry.Order(commit=SOME)), ORIGIN, "another kind of entry"),
        (good, ALICE.origin, "of another log"),
        (written(text, ALICE.statements), ORIGIN, "of another log or statement key"),
        (written(forged), ORIGIN, "did not sign"),
        (good[:-1], ORIGIN, ""),
        (b"", ORIGIN, ""),
    ):
        found = certified(first, origin)
        assert isinstance(found, Unread)
        assert found.why is Why.NOT_CERTIFIED
        assert words in found.detail
        assert found.detail


def test_whom_the_web_of_trust_knows_may_be_read(
    file: CertificateFile, ring: Keyring, ann: Person, eve: Person
) -> None:
    def asked() -> object:
        return vouched(key_of(ann.fingerprint, ring), admit_file(file, ring), "/ring")

    unknown = asked()
    assert isinstance(unknown, Unread)
    assert unknown.why is Why.NOT_VOUCHED
    assert unknown.detail == f"this owner's key is not known here ({ann.fingerprint})"
    assert f"--quick-lsign-key {ann.fingerprint}" in unknown.advice
    assert f"--export {ann.fingerprint} | gpg --homedir /ring " in unknown.advice
    ring.add(ann.key)
    doubtful = asked()
    assert isinstance(doubtful, Unread)
    assert (doubtful.why, doubtful.advice) == (Why.NOT_VOUCHED, unknown.advice)
    ring.certify(ann.fingerprint, eve.gnupg)
    found = asked()
    assert found == author(file.certificate)
    assert (author(file.certificate).owner, author(file.certificate).node) == (ann.fingerprint, "elm")
    assert author(file.certificate).vkey == format_vkey(file.certificate.log)
    ring.add(ann.revocation())
    revoked = asked()
    assert isinstance(revoked, Unread)
    assert (revoked.why, revoked.advice) == (Why.NOT_VOUCHED, "ask the owner for the new key")


def test_a_certificate_that_its_owner_did_not_sign(ring: Keyring, ann: Person, eve: Person) -> None:
    # Eve's own key counts on her own node; Ann names her as the owner of what Ann signed.
    ring.add(ann.key)
    file = ann.signed(certificate(eve.fingerprint))
    found = vouched(key_of(eve.fingerprint, ring), admit_file(file, ring), "/ring")
    assert isinstance(found, Unread)
    assert found.why is Why.NOT_SIGNED
    assert ann.fingerprint in found.detail


def test_a_log_outlives_the_dates_of_its_first_certificate(ring: Keyring, eve: Person) -> None:
    file = eve.signed(certificate(eve.fingerprint, since=NOW - 2 * YEAR, until=NOW - YEAR))
    assert vouched(key_of(eve.fingerprint, ring), admit_file(file, ring), "/ring") == author(file.certificate)


def test_every_reason_says_what_to_do_or_leaves_it_to_what_was_found() -> None:
    assert [why for why in Why if not why.advice] == [Why.NOT_VOUCHED, Why.NOT_SIGNED]
    assert len({why.text for why in Why}) == len(Why)


def test_the_advice_is_one_that_gnupg_follows(ring: Keyring, ann: Person) -> None:
    with person("Guy") as guy:
        (guy.home / "gpg.conf").write_text("batch\nyes\n")
        own = Keyring.open(ring._gnupg.home, guy.key)
        guy.gnupg.add(ann.key)
        refused = vouched(key_of(ann.fingerprint, own), admit_file(ann.signed(certificate()), own), "RING")
        assert isinstance(refused, Unread)
        certify, bring = re.findall(r"gpg (?:--quick-lsign-key|--export-options).*?(?=\)|$)", refused.advice)
        for command in (certify, bring.replace("RING", str(ring._gnupg.home))):
            environment = os.environ | {"GNUPGHOME": str(guy.home)}
            subprocess.run(["/bin/sh", "-c", command], env=environment, capture_output=True, check=True)
        assert isinstance(key_of(ann.fingerprint, own), Allowed)
