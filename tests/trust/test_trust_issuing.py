from collections.abc import Iterator

import pytest

from f2fbuild.errors import FormatError
from f2fbuild.trust.cards import parse_card
from f2fbuild.trust.certificate_file import parse_file
from f2fbuild.trust.gpg import GnupgError, SigningRefusedError
from f2fbuild.trust.issuing import issue, make_card
from f2fbuild.trust.signature import GoodSignature
from tests.trust.trust_people import SEED, Person, certificate, person


@pytest.fixture(scope="module")
def ann() -> Iterator[Person]:
    with person("Ann") as somebody:
        yield somebody


@pytest.fixture(scope="module")
def bob() -> Iterator[Person]:
    with person("Bob") as somebody:
        yield somebody


def test_a_node_gets_its_certificate_and_card(ann: Person) -> None:
    one = certificate(ann.fingerprint)
    file = issue(SEED, one, ann.gnupg)
    assert parse_file(file.data).certificate == one
    check = ann.gnupg.verify(file.signature, file.text)
    assert isinstance(check, GoodSignature)
    assert check.owner == ann.fingerprint
    card = parse_card(make_card(file, ["elm:443", "[::1]:8594"], ann.gnupg))
    assert card.certificate_file == file
    assert card.hints == ("elm:443", "[::1]:8594")
    assert card.owner_key == ann.key


def test_nobody_signs_for_another(ann: Person, bob: Person) -> None:
    with pytest.raises(SigningRefusedError):
        issue(SEED, certificate(bob.fingerprint), ann.gnupg)
    with pytest.raises(FormatError, match="did not sign"):
        issue(b"\x07" * 32, certificate(ann.fingerprint), ann.gnupg)


def test_a_card_that_friends_could_not_read_is_not_made(ann: Person, bob: Person) -> None:
    file = issue(SEED, certificate(ann.fingerprint), ann.gnupg)
    for hints in (["elm"], ["elm:1"] * 9, ["elm:1\ndial oak:2"]):
        with pytest.raises(FormatError):
            make_card(file, hints, ann.gnupg)
    with pytest.raises(GnupgError):
        make_card(file, [], bob.gnupg)
