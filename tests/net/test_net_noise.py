"""Noise against published vectors, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl import bindings

from f2fbuild.errors import LocalProtocolError, RemoteProtocolError
from f2fbuild.net.noise import IK, IKPSK1, CipherState, Handshake, Pattern, PrivateKey

_VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "noise-cacophony.json").read_text())["vectors"]
_PATTERNS = {pattern.name.decode(): pattern for pattern in (IK, IKPSK1)}
_SMALL_ORDER = [
    bytes(32),
    bytes([1]) + bytes(31),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
]


def key(text: str) -> PrivateKey:
    return PrivateKey.from_secret(bytes.fromhex(text))


def sides_of(vector: dict[str, Any]) -> tuple[Handshake, Handshake]:
    pattern = _PATTERNS[vector["protocol_name"]]
    psks = vector.get("init_psks", [])
    psk = bytes.fromhex(psks[0]) if psks else None
    responder_static = key(vector["resp_static"])
    initiator = Handshake(
        pattern,
        static=key(vector["init_static"]),
        ephemeral=key(vector["init_ephemeral"]),
        prologue=bytes.fromhex(vector["init_prologue"]),
        remote_static=bytes.fromhex(vector["init_remote_static"]),
        psk=psk,
    )
    responder = Handshake(
        pattern,
        static=responder_static,
        ephemeral=key(vector["resp_ephemeral"]),
        prologue=bytes.fromhex(vector["resp_prologue"]),
        psk=psk,
    )
    return initiator, responder


@pytest.mark.parametrize("vector", _VECTORS, ids=lambda vector: str(vector["protocol_name"]))
def test_published_vectors(vector: dict[str, Any]) -> None:
    initiator, responder = sides_of(vector)
    texts = [(bytes.fromhex(m["payload"]), bytes.fromhex(m["ciphertext"])) for m in vector["messages"]]
    assert initiator.write(texts[0][0]) == texts[0][1]
    assert responder.read(texts[0][1]) == texts[0][0]
    assert responder.remote_static == key(vector["init_static"]).public
    assert responder.write(texts[1][0]) == texts[1][1]
    assert initiator.read(texts[1][1]) == texts[1][0]
    ours, theirs = initiator.session(), responder.session()
    assert ours.handshake_hash == theirs.handshake_hash == bytes.fromhex(vector["handshake_hash"])
    for number, (payload, ciphertext) in enumerate(texts[2:]):
        sender, receiver = (ours, theirs) if number % 2 == 0 else (theirs, ours)
        assert sender.sending.encrypt(payload) == ciphertext
        assert receiver.receiving.decrypt(ciphertext) == payload


def fresh(
    pattern: Pattern = IK, *, prologue: bytes = b"p", psk: bytes | None = None
) -> tuple[Handshake, Handshake]:
    alice, bob = key("11" * 32), key("22" * 32)
    return (
        Handshake(
            pattern,
            static=alice,
            ephemeral=key("33" * 32),
            prologue=b"p",
            remote_static=bob.public,
            psk=psk,
        ),
        Handshake(pattern, static=bob, ephemeral=key("44" * 32), prologue=prologue, psk=psk),
    )


@given(st.data())
def test_one_flipped_bit_kills_a_handshake(data: st.DataObject) -> None:
    initiator, responder = fresh()
    message = bytearray(initiator.write(b"payload"))
    bit = data.draw(st.integers(min_value=0, max_value=8 * len(message) - 1))
    message[bit // 8] ^= 1 << bit % 8
    with pytest.raises(RemoteProtocolError):
        responder.read(bytes(message))
    with pytest.raises(LocalProtocolError, match="turn"):
        responder.read(bytes(message))
    with pytest.raises(LocalProtocolError, match="turn"):
        responder.write(b"")
    with pytest.raises(LocalProtocolError, match="not finished"):
        responder.session()


@given(st.binary(max_size=200))
def test_anything_else_is_no_first_message(message: bytes) -> None:
    _, responder = fresh()
    with pytest.raises(RemoteProtocolError):
        responder.read(message)


def test_both_sides_need_the_same_prologue() -> None:
    initiator, responder = fresh(prologue=b"another")
    with pytest.raises(RemoteProtocolError):
        responder.read(initiator.write(b""))


def test_turns_are_kept() -> None:
    initiator, responder = fresh()
    with pytest.raises(LocalProtocolError, match="turn"):
        responder.write(b"")
    with pytest.raises(LocalProtocolError, match="turn"):
        initiator.read(b"")


@pytest.mark.parametrize("public", _SMALL_ORDER)
def test_keys_of_small_order_are_refused_in_both_roles(public: bytes) -> None:
    initiator, responder = fresh()
    message = initiator.write(b"")
    with pytest.raises(RemoteProtocolError, match="small order"):
        responder.read(public + message[32:])
    to_nobody = Handshake(
        IK, static=key("11" * 32), ephemeral=key("33" * 32), prologue=b"", remote_static=public
    )
    with pytest.raises(RemoteProtocolError, match="small order"):
        to_nobody.write(b"")


def test_a_payload_fits_into_its_message() -> None:
    initiator, responder = fresh()
    most = 65_535 - 32 - 48 - 16
    assert responder.read(initiator.write(b"x" * most)) == b"x" * most
    initiator, _ = fresh()
    with pytest.raises(LocalProtocolError, match="too large"):
        initiator.write(b"x" * (most + 1))


@pytest.mark.parametrize("psk", [None, b"short"])
def test_a_psk_pattern_needs_its_secret(psk: bytes | None) -> None:
    initiator, _ = fresh(IKPSK1, psk=psk)
    with pytest.raises(LocalProtocolError, match="secret of 32 bytes"):
        initiator.write(b"")


def test_another_psk_is_another_handshake() -> None:
    initiator, _ = fresh(IKPSK1, psk=b"a" * 32)
    _, responder = fresh(IKPSK1, psk=b"b" * 32)
    with pytest.raises(RemoteProtocolError):
        responder.read(initiator.write(b""))


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=40), st.integers(min_value=1, max_value=7))
def test_records_survive_rekeying(texts: list[bytes], every: int) -> None:
    sending, receiving = (CipherState(b"k" * 32, rekey_every=every) for _ in range(2))
    assert [receiving.decrypt(sending.encrypt(text)) for text in texts] == texts


def test_both_ends_must_rekey_at_the_same_record() -> None:
    sending, receiving = CipherState(b"k" * 32, rekey_every=3), CipherState(b"k" * 32, rekey_every=4)
    for _ in range(3):
        receiving.decrypt(sending.encrypt(b"x"))
    with pytest.raises(RemoteProtocolError):
        receiving.decrypt(sending.encrypt(b"x"))


def test_rekeying_leaves_no_way_back() -> None:
    plain, rekeyed = CipherState(b"k" * 32), CipherState(b"k" * 32)
    rekeyed.rekey()
    # The key that Noise §4.2 prescribes, computed by another library; the number of the next record stays.
    key = bindings.crypto_aead_chacha20poly1305_ietf_encrypt(
        bytes(32), b"", b"\x00" * 4 + b"\xff" * 8, b"k" * 32
    )[:32]
    expected = bindings.crypto_aead_chacha20poly1305_ietf_encrypt(b"x", b"", bytes(12), key)
    assert rekeyed.encrypt(b"x") == expected
    assert plain.encrypt(b"x") != expected


def test_records_are_neither_repeated_nor_reordered_nor_cut() -> None:
    sending = CipherState(b"k" * 32)
    first, second = sending.encrypt(b"1"), sending.encrypt(b"2")
    for wrong in (second, first[:-1], first[:15], b""):
        with pytest.raises(RemoteProtocolError):
            CipherState(b"k" * 32).decrypt(wrong)
    receiving = CipherState(b"k" * 32)
    receiving.decrypt(first)
    with pytest.raises(RemoteProtocolError):
        receiving.decrypt(first)
    assert receiving.decrypt(second) == b"2"


def test_a_cipher_ends_before_its_nonces_do() -> None:
    cipher = CipherState(b"k" * 32)
    cipher._number = 2**64 - 1
    with pytest.raises(LocalProtocolError, match="nonces"):
        cipher.encrypt(b"")


def test_a_secret_is_not_shown() -> None:
    assert "11" * 32 not in repr(key("11" * 32))
