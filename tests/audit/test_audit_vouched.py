"""Node certificates in logs, checked with real GnuPG, by the function and by `ledger audit`."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from f2fbuild.audit.vouched import Standing, check_certificates, open_keyrings
from f2fbuild.errors import LedgerError
from f2fbuild.ledger import entry
from f2fbuild.ledger.log import Log
from f2fbuild.model.signing import Role, SigningKey, derive_seed
from f2fbuild.model.vkey import VerifierKey, format_vkey
from tests.cli.cli_runs import Home, home
from tests.ledger.ledger_helpers import ALICE
from tests.trust.trust_people import NOW, SEED, Person, certificate, gpg, person, short_home

STATEMENTS = SigningKey.from_seed(derive_seed(SEED, Role.STATEMENTS, 0))
LOG_KEY = SigningKey.from_seed(derive_seed(SEED, Role.LOG, 0))


@pytest.fixture(scope="module")
def ann() -> Iterator[Person]:
    with person("Ann") as made:
        yield made


@pytest.fixture(scope="module")
def bob() -> Iterator[Person]:
    with person("Bob") as made:
        yield made


def write(directory: Path, *certificates: bytes) -> VerifierKey:
    """A log with these certificates, signed with the keys of the tests' seed."""
    with Log.create(directory, LOG_KEY) as log:
        payloads = [entry.NodeCertificate(text=text) for text in certificates]
        log.append([entry.write(payload, STATEMENTS) for payload in payloads])
        return log.key


def standings(directory: Path, key: VerifierKey, *homes: Path) -> list[tuple[int, Standing]]:
    found = check_certificates(directory, key, open_keyrings(homes))
    return [(one.index, one.standing) for one in found]


def test_an_owner_vouches_for_the_log_and_each_renewal(tmp_path: Path, ann: Person, bob: Person) -> None:
    first, renewed = (ann.signed(certificate(ann.fingerprint, since=NOW - days)) for days in (9, 1))
    key = write(tmp_path / "log", first.data, renewed.data)
    assert standings(tmp_path / "log", key, ann.home) == [(0, Standing.GOOD), (1, Standing.GOOD)]
    # One keyring that has the key is enough; one that has not says nothing.
    assert standings(tmp_path / "log", key, bob.home, ann.home)[0] == (0, Standing.GOOD)
    assert standings(tmp_path / "log", key, bob.home)[0] == (0, Standing.UNKNOWN)
    assert standings(tmp_path / "log", key, tmp_path / "no such home")[0] == (0, Standing.UNKNOWN)
    (one, _) = check_certificates(tmp_path / "log", key, open_keyrings([ann.home]))
    assert (one.owner, one.why) == (ann.fingerprint, "signed by its owner")


def test_somebody_else_signed_it(tmp_path: Path, ann: Person, bob: Person) -> None:
    key = write(tmp_path / "log", bob.signed(certificate(ann.fingerprint)).data)
    (found,) = check_certificates(tmp_path / "log", key, open_keyrings([bob.home]))
    assert (found.standing, found.owner) == (Standing.BAD, ann.fingerprint)
    assert bob.fingerprint in found.why


def test_a_signature_over_another_text(tmp_path: Path, ann: Person) -> None:
    one = ann.signed(certificate(ann.fingerprint))
    other = ann.signed(certificate(ann.fingerprint, node="oak"))
    mixed = one.data[: one.data.index(b"-----BEGIN")] + other.data[other.data.index(b"-----BEGIN") :]
    key = write(tmp_path / "log", mixed)
    assert standings(tmp_path / "log", key, ann.home) == [(0, Standing.BAD)]


def test_a_key_that_did_not_agree(tmp_path: Path, ann: Person) -> None:
    one = ann.signed(certificate(ann.fingerprint)).data
    line = next(line for line in one.split(b"\n") if line.startswith(b"proof witness "))
    other = next(line for line in one.split(b"\n") if line.startswith(b"proof mirror "))
    key = write(tmp_path / "log", one.replace(line, b"proof witness " + other.split()[2]))
    (found,) = check_certificates(tmp_path / "log", key, open_keyrings([ann.home]))
    assert (found.standing, found.owner) == (Standing.BAD, "")
    assert "witness key did not sign" in found.why


def test_a_certificate_of_another_log(tmp_path: Path, ann: Person) -> None:
    mine = ann.signed(certificate(ann.fingerprint))
    theirs = ann.signed(certificate(ann.fingerprint, seed=bytes(32)), seed=bytes(32))
    key = write(tmp_path / "log", mine.data, theirs.data)
    assert standings(tmp_path / "log", key, ann.home) == [(0, Standing.GOOD), (1, Standing.BAD)]


def test_an_owner_whose_key_was_revoked_since(tmp_path: Path, ann: Person) -> None:
    key = write(tmp_path / "log", ann.signed(certificate(ann.fingerprint)).data)
    with short_home() as elsewhere:
        gpg(elsewhere, "--import", stdin=ann.revocation())
        assert standings(tmp_path / "log", key, elsewhere) == [(0, Standing.LAPSED)]
        # A keyring that has not heard of it does not hide it from who asks both: it did sign.
        assert standings(tmp_path / "log", key, elsewhere, ann.home) == [(0, Standing.GOOD)]


def test_an_empty_mirror_has_no_certificate(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").touch()
    assert check_certificates(tmp_path, ALICE.vkey, []) == []
    with pytest.raises(LedgerError):
        check_certificates(tmp_path / "nothing", ALICE.vkey, [])


@pytest.fixture
def place() -> Iterator[Home]:
    with home() as found:
        yield found


def audit(place: Home, directory: Path, *arguments: str) -> tuple[int, str]:
    key = format_vkey(VerifierKey(name=_origin(), kind=ALICE.vkey.kind, public=LOG_KEY.public))
    said = place.run("ledger", "audit", str(directory), "--vkey", key, *arguments)
    return said.exit_code, said.stdout


def _origin() -> str:
    return certificate().origin


def test_the_command_says_who_vouches(place: Home, ann: Person, bob: Person) -> None:
    directory = place.directory / "log"
    write(directory, ann.signed(certificate(ann.fingerprint)).data)
    code, said = audit(place, directory, "--gnupghome", str(ann.home))
    assert code == 0
    assert f"certificate 0  good  {ann.fingerprint}  signed by its owner" in said
    assert said.endswith("1 logs, 1 entries, 1 owners vouch; nothing wrong found\n")
    code, said = audit(place, directory, "--gnupghome", str(bob.home))
    assert code == 0
    assert "certificate 0  unknown" in said
    assert said.endswith("1 logs, 1 entries, 0 owners vouch; nothing wrong found\n")
    code, said = audit(place, directory, "--gnupghome", str(ann.home), "--json")
    record = json.loads(said)
    assert (record["schema"], record["entries"], record["wrong"]) == ("f2fbuild.ledger-audit/1", 1, 0)
    assert record["logs"][0]["certificates"][0]["standing"] == "good"


def test_the_command_ends_with_11_when_anything_is_wrong(place: Home, ann: Person, bob: Person) -> None:
    forged = place.directory / "forged"
    write(forged, bob.signed(certificate(ann.fingerprint)).data)
    code, said = audit(place, forged, "--gnupghome", str(bob.home))
    assert code == 11
    assert "certificate 0  bad" in said
    assert "1 of them with problems" in said
    damaged = place.directory / "damaged"
    write(damaged, ann.signed(certificate(ann.fingerprint)).data)
    (damaged / "tile/0/000.p/1").write_bytes(bytes(32))
    code, said = audit(place, damaged, "--gnupghome", str(ann.home))
    assert code == 11
    assert "VIOLATED" in said
    code, _ = audit(place, place.directory / "nothing")
    assert code == 11
