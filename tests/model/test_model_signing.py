"""Keys, signatures and envelopes, against what others published."""

import base64
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl import bindings
from nacl.signing import VerifyKey

from f2fbuild.errors import FormatError, LocalProtocolError
from f2fbuild.model import canonical
from f2fbuild.model.envelope import Envelope, pae, seal, unseal
from f2fbuild.model.signing import Role, SigningKey, check_public_key, derive_seed, verify

# RFC 8032 §7.1, tests 1, 2 and 3: secret key, public key, message, signature.
RFC8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd2"
            "5bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c38"
            "7b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a"
            "7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
]

# libsodium 1.0.18, crypto_kdf_derive_from_key(subkey, 32, id, "f2fbuild", master key 00 01 … 1f).
KDF = {
    0: "2abb0c8adf10e1a50330e9fa6a4ad4df2fc55ccde75916f13e9848c0ae875ff0",
    1: "8f7d42957284ac9824f74698444db07efb846ec4d75a716495b58098192bfdca",
    2: "dfc618d0c795ba040e15365044521a603e55da7d33aa86567b31f7d776ef2732",
    3: "7c63f4e1f2873662d1098c335748f8cac85a3324dd9a1cafbca098489c7a66ea",
    4: "b0ef6a92f7a7e4eea69935627819fca59a81d72dca00a26ce06b9e26c8177a4c",
    114: "943d51e28a677a387e568dc425af0addd3d73afbb3d0010a7479a42a2534c28c",
    116: "9e73f773d269193f742ae4f08cc3ff41c371098c700b920487f189805cdd9740",
}

# All eight points of small order, then spellings of 0 and 1 that exceed the field.
UNUSABLE = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]

KEY = SigningKey.from_seed(bytes(range(32)))


@pytest.mark.parametrize(("secret", "public", "message", "signature"), RFC8032)
def test_rfc_8032(secret: str, public: str, message: str, signature: str) -> None:
    key = SigningKey.from_seed(bytes.fromhex(secret))
    assert key.public.hex() == public
    assert key.sign(bytes.fromhex(message)).hex() == signature
    assert verify(key.public, bytes.fromhex(message), bytes.fromhex(signature))
    assert not verify(key.public, bytes.fromhex(message) + b"!", bytes.fromhex(signature))


@given(st.binary(max_size=50), st.integers(min_value=0, max_value=511))
def test_no_bit_of_a_signature_can_change(message: bytes, bit: int) -> None:
    signature = bytearray(KEY.sign(message))
    signature[bit // 8] ^= 1 << bit % 8
    assert not verify(KEY.public, message, bytes(signature))


@pytest.mark.parametrize("text", UNUSABLE)
def test_small_order_and_non_canonical_keys_are_refused(text: str) -> None:
    public = bytes.fromhex(text)
    with pytest.raises(FormatError):
        check_public_key(public)
    # With a key of small order, this signature covers any message for a verifier that does not look.
    assert not verify(public, b"anything", public + bytes(32))


def _sign_for(mixed: bytes, message: bytes) -> bytes | None:
    """Sign so that plain Ed25519 takes it for a key with a part of order 8, if the challenge cancels that."""
    digest = hashlib.sha512(bytes(range(32))).digest()[:32]
    secret = bytes([digest[0] & 248, *digest[1:31], digest[31] & 63 | 64])
    nonce = bindings.crypto_core_ed25519_scalar_reduce(hashlib.sha512(message).digest())
    point = bindings.crypto_scalarmult_ed25519_base_noclamp(nonce)
    challenge = bindings.crypto_core_ed25519_scalar_reduce(hashlib.sha512(point + mixed + message).digest())
    if challenge[0] % 8:
        return None
    scalar = bindings.crypto_core_ed25519_scalar_mul(
        challenge, bindings.crypto_core_ed25519_scalar_reduce(secret + bytes(32))
    )
    return point + bindings.crypto_core_ed25519_scalar_add(nonce, scalar)


def test_a_key_with_a_part_of_small_order_is_refused() -> None:
    mixed = bindings.crypto_core_ed25519_add(KEY.public, bytes.fromhex(UNUSABLE[4]))
    with pytest.raises(FormatError):
        check_public_key(mixed)
    # Two spellings of one signer: libsodium by itself accepts this signature.
    forged = ((bytes([number]), _sign_for(mixed, bytes([number]))) for number in range(256))
    message, signature = next((text, found) for text, found in forged if found is not None)
    assert VerifyKey(mixed).verify(message, signature) == message
    assert not verify(mixed, message, signature)


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_keys_and_signatures_have_one_length(length: int) -> None:
    with pytest.raises(FormatError):
        check_public_key(bytes(length))
    assert not verify(bytes(length), b"", KEY.sign(b""))
    assert not verify(KEY.public, b"", bytes(length)[:63])


def test_a_good_key_passes() -> None:
    assert check_public_key(KEY.public) == KEY.public


@pytest.mark.parametrize(
    ("role", "epoch", "number"),
    [
        (Role.STATEMENTS, 0, 0),
        (Role.STATEMENTS, 9, 0),
        (Role.NOISE, 0, 1),
        (Role.NOISE, 9, 1),
        (Role.LOG, 0, 2),
        (Role.WITNESS, 0, 3),
        (Role.MIRROR, 0, 4),
        (Role.LOG, 7, 114),
        (Role.MIRROR, 7, 116),
    ],
)
def test_derivation_is_libsodiums(role: Role, epoch: int, number: int) -> None:
    assert derive_seed(bytes(range(32)), role, epoch).hex() == KDF[number]


@given(st.binary(min_size=32, max_size=32), st.sampled_from(Role), st.integers(min_value=0, max_value=2**40))
def test_derivation_agrees_with_a_second_implementation(seed: bytes, role: Role, epoch: int) -> None:
    number = role if role < Role.LOG else 16 * epoch + role
    salt = number.to_bytes(8, "little") + bytes(8)
    person = b"f2fbuild" + bytes(8)
    other = bindings.crypto_generichash_blake2b_salt_personal(
        b"", digest_size=32, key=seed, salt=salt, person=person
    )
    assert derive_seed(seed, role, epoch) == other


def test_every_role_has_its_own_key_in_every_epoch() -> None:
    seed = bytes(range(32))
    seeds = [derive_seed(seed, role, epoch) for role in Role for epoch in range(20)]
    assert len(set(seeds)) == 2 + 3 * 20


def test_a_seed_of_another_length_is_our_fault() -> None:
    with pytest.raises(LocalProtocolError):
        derive_seed(bytes(31), Role.LOG, 0)


def test_the_encoding_of_the_dsse_specification() -> None:
    # secure-systems-lab/dsse protocol.md, "Test Vectors" (eebf7b59).
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert pae("text/ü", b"") == b"DSSEv1 7 text/\xc3\xbc 0 "


def test_an_envelope_with_another_algorithm_is_not_ours() -> None:
    # The ECDSA envelope of the same document, in canonical JSON.
    signature = "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="
    data = canonical.encode(
        {
            "payload": "aGVsbG8gd29ybGQ=",
            "payloadType": "http://example.com/HelloWorld",
            "signatures": [{"keyid": "66301bbf", "sig": signature}],
        }
    )
    with pytest.raises(FormatError):
        unseal(data)


@given(st.text(st.characters(codec="utf-8"), max_size=30), st.binary(max_size=200))
def test_an_envelope_comes_back_verbatim(payload_type: str, payload: bytes) -> None:
    data = seal(payload_type, payload, KEY)
    expected = Envelope(payload_type=payload_type, payload=payload, public=KEY.public)
    assert unseal(data) == expected
    assert unseal(data, public=KEY.public) == expected
    assert seal(payload_type, payload, KEY) == data


def test_another_key_than_expected_is_refused() -> None:
    other = SigningKey.from_seed(bytes(32))
    with pytest.raises(FormatError, match="another key"):
        unseal(seal("t", b"p", KEY), public=other.public)


def _envelope(**changes: Any) -> bytes:
    body = json.loads(seal("t", b"payload", KEY))
    body.update(changes)
    return canonical.encode(body)


def _line(**changes: Any) -> list[dict[str, Any]]:
    line = json.loads(seal("t", b"payload", KEY))["signatures"][0]
    line.update(changes)
    return [line]


GOOD_SIGNATURE = KEY.sign(pae("t", b"payload"))
NUMBERED = base64.b64encode(KEY.sign(pae("5", b"payload"))).decode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'"text"',
        b"{}",
        seal("t", b"payload", KEY) + b"\n",
        _envelope(extra=1),
        _envelope(payload="cGF5bG9hZA"),
        _envelope(payload="cGF5bG9hZB=="),
        _envelope(payload="cGF5 bG9hZA=="),
        _envelope(payload=5),
        _envelope(payload="cGF5bG9hZQ=="),
        _envelope(payloadType="u"),
        _envelope(payloadType=5, signatures=_line(sig=NUMBERED)),
        _envelope(payloadType=["t"]),
        _envelope(signatures=[]),
        _envelope(signatures=_line() * 2),
        _envelope(signatures="s"),
        _envelope(signatures=_line(keyid=KEY.public.hex().upper())),
        _envelope(signatures=_line(keyid=KEY.public.hex()[:-2])),
        _envelope(signatures=_line(keyid="00" * 32)),
        _envelope(signatures=_line(keyid=7)),
        _envelope(signatures=_line(sig=base64.urlsafe_b64encode(GOOD_SIGNATURE).decode() + "=")),
        _envelope(signatures=_line(sig=base64.b64encode(GOOD_SIGNATURE[:-1]).decode())),
        _envelope(signatures=_line(sig=base64.b64encode(bytes(64)).decode())),
        _envelope(signatures=_line(extra=True)),
    ],
)
def test_what_is_not_the_one_spelling_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        unseal(data)


def test_the_unchanged_envelope_of_these_tests_is_good() -> None:
    assert unseal(_envelope()).payload == b"payload"
    assert unseal(_envelope(signatures=_line())).payload_type == "t"
