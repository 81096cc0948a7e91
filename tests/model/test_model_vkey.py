import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.errors import FormatError
from f2fbuild.model.signing import SigningKey
from f2fbuild.model.vkey import KeyKind, VerifierKey, format_vkey, key_id, own_name, parse_vkey

# golang.org/x/mod/sumdb/note, package documentation: "PeterNeumann" example key.
PUBLISHED = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


def test_published_key_is_read() -> None:
    key = parse_vkey(PUBLISHED)
    assert key.name == "PeterNeumann"
    assert key.kind is KeyKind.ED25519
    assert key_id(key).hex() == "c74f20a3"
    assert format_vkey(key) == PUBLISHED


@given(st.binary(min_size=32, max_size=32), st.sampled_from(KeyKind))
def test_round_trip(seed: bytes, kind: KeyKind) -> None:
    public = SigningKey.from_seed(seed).public
    key = VerifierKey(name=own_name("log", public), kind=kind, public=public)
    assert parse_vkey(format_vkey(key)) == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        "PeterNeumann+c74f20a3+",
        "PeterNeumann+c74f20a3+!!",
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "Peter\x1b+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        PUBLISHED.replace("c74f20a3", "C74F20A3"),
        PUBLISHED.replace("c74f20a3", "c74f20a4"),
        PUBLISHED.replace("+ARpc", "+AhpC"),
        PUBLISHED + "\n",
        PUBLISHED[:-4],
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        parse_vkey(text)


def test_small_order_key_is_refused() -> None:
    weak = VerifierKey(name="weak", kind=KeyKind.ED25519, public=b"\x01" + bytes(31))
    assert base64.b64encode(b"\x01" + weak.public).decode() in format_vkey(weak)
    with pytest.raises(FormatError, match="full order"):
        parse_vkey(format_vkey(weak))
