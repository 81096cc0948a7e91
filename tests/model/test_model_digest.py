"""Digests and the ids that people see."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.errors import FormatError
from f2fbuild.model.digest import long_id, parse_digest, sha256_hex, short_id
from f2fbuild.model.times import LEAF_RESOLUTION, format_time, parse_time, rounded

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def test_the_digest_of_the_standard() -> None:
    # FIPS 180-4 example "abc".
    assert sha256_hex(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("text", ["", "ab" * 31, "ab" * 33, "AB" * 32, "g" * 64, "ab" * 32 + "\n", "٣" * 64])
def test_other_spellings_of_a_digest_are_refused(text: str) -> None:
    with pytest.raises(FormatError):
        parse_digest(text)


@given(st.binary(max_size=64))
def test_an_id_holds_the_whole_digest(data: bytes) -> None:
    digest = parse_digest(sha256_hex(data))
    text = long_id(digest)
    number = 0
    for character in text:
        number = number * 32 + ALPHABET.index(character)
    assert len(text) == 52
    assert (number >> 4).to_bytes(32, "big") == hashlib.sha256(data).digest()
    assert text.startswith(short_id(digest))
    assert len(short_id(digest)) == 8


@pytest.mark.parametrize(
    ("digest", "short"), [("00" * 32, "00000000"), ("ff" * 32, "zzzzzzzz"), ("0842" + "10" * 30, "1111040g")]
)
def test_short_ids_by_hand(digest: str, short: str) -> None:
    assert short_id(digest) == short


@given(st.integers(min_value=-(10**10), max_value=253_402_300_799))
def test_times_come_back(seconds: int) -> None:
    text = format_time(seconds)
    assert parse_time(text) == seconds
    assert format_time(parse_time(text)) == text


def test_a_time_by_hand() -> None:
    assert format_time(0) == "1970-01-01T00:00:00Z"
    assert parse_time("2026-01-31T12:00:00Z") == 1_769_860_800


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-01-31t12:00:00z",
        "2026-01-31T12:00:00+00:00",
        "2026-1-31T12:00:00Z",
        "2026-02-30T12:00:00Z",
        "2026-01-31T12:00:60Z",
        "2026-01-31T12:00:00.0Z",
        "٢٠٢٦-01-31T12:00:00Z",
    ],
)
def test_other_spellings_of_a_time_are_refused(text: str) -> None:
    with pytest.raises(FormatError):
        parse_time(text)


@given(st.integers(min_value=0, max_value=2**40))
def test_leaves_tell_ten_minutes(seconds: int) -> None:
    coarse = rounded(seconds)
    assert coarse % LEAF_RESOLUTION == 0
    assert 0 <= seconds - coarse < LEAF_RESOLUTION
