from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.errors import FormatError
from f2fbuild.limits import OWNER_KEY_BYTES, OWNER_KEY_PACKETS
from f2fbuild.trust.packets import check_signature, read_key
from tests.trust.trust_people import Person, gpg, person

KEY = b"\x04" + b"k" * 50


@pytest.fixture(scope="module")
def ann() -> Iterator[Person]:
    with person("Ann") as somebody:
        yield somebody


def packet(tag: int, body: bytes) -> bytes:
    return bytes([0xC0 | tag, 255]) + len(body).to_bytes(4, "big") + body


def test_fingerprint_is_what_gnupg_says(ann: Person) -> None:
    assert read_key(ann.key) == ann.fingerprint


def test_secret_key_is_refused(ann: Person) -> None:
    with pytest.raises(FormatError, match="plain OpenPGP"):
        read_key(gpg(ann.home, "--pinentry-mode", "loopback", "--passphrase", "", "--export-secret-keys"))


@pytest.mark.parametrize("length", [0, 191, 192, 8383, 8384, 70_000])
def test_every_way_to_write_a_length_is_read(length: int) -> None:
    body = bytes(length)
    new = packet(13, body)
    if length < 192:
        new = bytes([0xC0 | 13, length]) + body
    elif length < 8384:
        new = bytes([0xC0 | 13, ((length - 192) >> 8) + 192, (length - 192) & 255]) + body
    old = bytes([0x80 | 13 << 2 | 2]) + length.to_bytes(4, "big") + body
    fingerprint = read_key(packet(6, KEY))
    assert read_key(packet(6, KEY) + new) == fingerprint
    assert read_key(packet(6, KEY) + old) == fingerprint


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "begin with a public key"),
        (packet(13, b"Ann"), "begin with a public key"),
        (packet(6, KEY) + packet(6, KEY), "more than one key"),
        (packet(6, KEY) + packet(5, KEY), "plain OpenPGP"),
        (packet(6, KEY) + packet(17, b"photo"), "plain OpenPGP"),
        (packet(6, KEY) + packet(8, b"compressed"), "plain OpenPGP"),
        (packet(6, KEY)[:-1], "cut short"),
        (packet(6, KEY) + b"\x99", "cut short"),
        (packet(6, KEY) + b"\xcd", "plain OpenPGP"),
        (packet(6, KEY) + b"text", "no packet header"),
        (packet(6, KEY) + b"\xb7Ann", "indeterminate"),
        (packet(6, KEY) + b"\xcd\xe1Ann", "in parts"),
        (packet(6, b"\x06" + KEY), "version 4"),
        (packet(6, KEY) + packet(13, bytes(OWNER_KEY_BYTES)), "minimal export"),
        (packet(6, KEY) + packet(2, b"") * OWNER_KEY_PACKETS, "more than"),
    ],
)
def test_anything_but_one_public_key_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(FormatError, match=why):
        read_key(data)


def test_one_signature_is_one(ann: Person) -> None:
    signature = ann.gnupg.sign(ann.fingerprint, b"text")
    assert check_signature(signature) == signature
    with pytest.raises(FormatError, match="exactly one"):
        check_signature(signature + signature)


@given(st.binary(max_size=200))
def test_random_bytes_end_in_an_error_of_ours(data: bytes) -> None:
    with pytest.raises(FormatError):
        check_signature(data + b"\x00")
