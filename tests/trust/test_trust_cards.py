from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.errors import FormatError
from f2fbuild.limits import CARD_BYTES
from f2fbuild.trust.cards import FriendCard, check_hint, format_card, parse_card
from tests.trust.trust_people import Person, person


@pytest.fixture(scope="module")
def ann() -> Iterator[Person]:
    with person("Ann") as somebody:
        yield somebody


@pytest.fixture(scope="module")
def bob() -> Iterator[Person]:
    with person("Bob") as somebody:
        yield somebody


@pytest.fixture(scope="module")
def card(ann: Person) -> FriendCard:
    return parse_card(ann.card())


@pytest.mark.parametrize("hints", [(), ("elm.example.org:443", "[2001:db8::1]:8594"), ("a:1",) * 8])
def test_round_trip(card: FriendCard, hints: tuple[str, ...]) -> None:
    one = replace(card, hints=hints)
    assert parse_card(format_card(one)) == one
    assert format_card(parse_card(format_card(one))) == format_card(one)


def test_a_card_reads_as_the_format_says(card: FriendCard) -> None:
    data = format_card(card)
    assert data.startswith(
        b"f2fbuild friend card v1\ndial elm.example.org:8594\n\nf2fbuild node certificate v1\n"
    )
    assert data.endswith(b"-----END PGP PUBLIC KEY BLOCK-----\n")


def test_somebody_elses_key_is_refused(ann: Person, bob: Person) -> None:
    with pytest.raises(FormatError, match="not the owner's"):
        parse_card(ann.card(key=bob.key))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"card v1", b"card v2"),
        (b"\n", b"\r\n"),
        (b"dial elm", b"dial  elm"),
        (b"dial elm", b"call elm"),
        (b"dial elm", b"dial Elm"),
        (b"dial elm", "dial ülm".encode()),
        (b"dial elm.example.org:8594\n", b"dial a:1\n" * 9),
        (b"dial elm.example.org:8594\n", b"dial a:1\x0b\n"),
        (b"dial elm.example.org:8594\n\n", b"dial elm.example.org:8594\n"),
        (b"-----BEGIN PGP PUBLIC", b"-----BEGIN PGP PRIVATE"),
        (b"-----END PGP PUBLIC", b"\xff-----END PGP PUBLIC"),
        (b"KEY BLOCK-----\n\n", b"KEY BLOCK-----\nComment: x\n\n"),
    ],
)
def test_second_spellings_are_refused(card: FriendCard, old: bytes, new: bytes) -> None:
    data = format_card(card)
    assert old in data
    with pytest.raises(FormatError):
        parse_card(data.replace(old, new))


def test_size_and_trailing_bytes_are_refused(card: FriendCard) -> None:
    for data in (b"", b"f2fbuild friend card v1\n\n", format_card(card) + b"\n", bytes(CARD_BYTES + 1)):
        with pytest.raises(FormatError):
            parse_card(data)


@pytest.mark.parametrize(
    "hint", ["", "elm", "elm:", "elm:0", "elm:080", "elm:65536", "elm:1:2", "::1:80", "-elm:80", "e\x1b:80"]
)
def test_hints_have_one_spelling(hint: str) -> None:
    with pytest.raises(FormatError):
        check_hint(hint)


@given(st.integers(1, 65535))
def test_every_port_can_be_named(port: int) -> None:
    assert check_hint(f"elm:{port}") == f"elm:{port}"
