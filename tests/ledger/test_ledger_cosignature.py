"""Cosignatures against published vectors, as properties, and what must not be taken for one."""

import base64
import string
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.errors import FormatError
from f2fbuild.ledger import cosignature as co
from f2fbuild.ledger.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint, strip_checkpoint
from f2fbuild.ledger.note import Note, Signature, format_note, parse_note
from f2fbuild.limits import NOTE_SIGNATURES
from f2fbuild.model.signing import Role, SigningKey, derive_seed
from f2fbuild.model.vkey import KeyKind, VerifierKey, format_vkey, key_id, parse_vkey
from tests.ledger.ledger_helpers import ALICE, vectors

VECTORS = vectors("cosignature-v1.json")
SIGSUM = VECTORS["valid"][0]
HEAD = Checkpoint(origin=ALICE.origin, size=7, root=b"\x07" * 32)
NOTE = sign_checkpoint(HEAD, ALICE.log)
TEXT = parse_note(NOTE).text
times = st.integers(min_value=0, max_value=2**63 - 1)
names = st.text(string.ascii_letters + string.digits + "./-é", min_size=1, max_size=20)


def _key(number: int) -> SigningKey:
    return SigningKey.from_seed(number.to_bytes(32, "big"))


def _said(number: int, time: int = 1_700_000_000) -> co.Cosignature:
    key = _key(number)
    return co.cosign(TEXT, co.witness_vkey(key.public).name, key, time)


def _sigsum_key() -> VerifierKey:
    public = SigningKey.from_seed(bytes.fromhex(SIGSUM["seed_hex"])).public
    return VerifierKey(name=SIGSUM["cosigner"], kind=KeyKind.COSIGNATURE, public=public)


def test_the_published_cosignature_is_made_again() -> None:
    key = SigningKey.from_seed(bytes.fromhex(SIGSUM["seed_hex"]))
    made = co.cosign(SIGSUM["checkpoint_body"], SIGSUM["cosigner"], key, SIGSUM["timestamp"])
    assert co.format_cosignature(made) == SIGSUM["line"]
    assert co.parse_cosignature(SIGSUM["line"], _sigsum_key()) == made


def test_the_published_cosignature_verifies_on_a_note() -> None:
    note = f"{SIGSUM['checkpoint_body']}\n{SIGSUM['line']}".encode()
    assert co.verify_cosignature(note, _sigsum_key()) == SIGSUM["timestamp"]


@pytest.mark.parametrize("vector", VECTORS["valid"][1:], ids=lambda v: v["name"])
def test_published_cosigned_checkpoints_verify(vector: dict[str, str]) -> None:
    key = parse_vkey(vector["vkey"])
    assert format_vkey(key) == vector["vkey"]
    note = vector["note"].encode()
    (line,) = (line for line in parse_note(note).signatures if line.name == key.name)
    assert co.verify_cosignature(note, key) == struct.unpack(">Q", line.signature[:8])[0]
    assert format_note(parse_note(note)) == note


@pytest.mark.parametrize("vector", VECTORS["must_not_match"], ids=lambda v: v["why"])
def test_published_lines_that_must_not_match(vector: dict[str, str]) -> None:
    with pytest.raises(FormatError):
        co.parse_cosignature(vector["line"], _sigsum_key())
    note = f"{SIGSUM['checkpoint_body']}\n{vector['line']}".encode()
    with pytest.raises(FormatError):
        co.verify_cosignature(note, _sigsum_key())


def test_the_published_time_is_read() -> None:
    (vector,) = VECTORS["timestamp_only"]
    blob = base64.b64decode(vector["blob_b64"])
    assert struct.unpack(">Q", blob[4:12])[0] == vector["timestamp"]
    assert len(blob) == 4 + 8 + 64


@pytest.mark.parametrize("vkey", VECTORS["vkeys_type4"])
def test_published_keys_of_cosigners(vkey: str) -> None:
    assert parse_vkey(vkey).kind is KeyKind.COSIGNATURE
    assert format_vkey(parse_vkey(vkey)) == vkey


def test_the_example_of_the_specification_reads_back() -> None:
    note = VECTORS["spec_example_without_key"].encode()
    assert [line.name for line in parse_note(note).signatures][1] == "witness.example.com/w1"
    assert format_note(parse_note(note)) == note


@given(number=st.integers(1, 10_000), time=times, name=names)
def test_a_line_reads_back_as_what_was_said(number: int, time: int, name: str) -> None:
    key = _key(number)
    said = co.cosign(TEXT, name, key, time)
    line = co.format_cosignature(said)
    assert co.parse_cosignature(line, said.key) == said
    assert co.format_cosignature(co.parse_cosignature(line, said.key)) == line
    assert co.verify_cosignature(co.attach(NOTE, [said]), said.key) == time


@given(number=st.integers(1, 10_000), time=times, bit=st.integers(0, 72 * 8 - 1))
def test_no_bit_of_time_or_signature_can_be_flipped(number: int, time: int, bit: int) -> None:
    said = _said(number, time)
    blob = bytearray(struct.pack(">Q", time) + said.signature)
    blob[bit // 8] ^= 1 << bit % 8
    line = Signature(name=said.key.name, key_id=key_id(said.key), signature=bytes(blob))
    opened = parse_note(NOTE)
    note = format_note(Note(text=opened.text, signatures=(*opened.signatures, line)))
    with pytest.raises(FormatError):
        co.cosignatures(note, [said.key])


def test_a_cosignature_is_of_one_head_only() -> None:
    said = _said(1)
    other = sign_checkpoint(Checkpoint(origin=ALICE.origin, size=8, root=HEAD.root), ALICE.log)
    with pytest.raises(FormatError, match="does not verify"):
        co.verify_cosignature(co.attach(other, [said]), said.key)


def test_a_signature_over_the_plain_text_is_no_cosignature() -> None:
    key = _key(1)
    vkey = co.witness_vkey(key.public)
    plain = co.Cosignature(key=vkey, time=0, signature=key.sign(TEXT.encode()))
    with pytest.raises(FormatError, match="does not verify"):
        co.cosignatures(co.attach(NOTE, [plain]), [vkey])


def test_lines_of_unknown_keys_are_passed_over() -> None:
    known, unknown = _said(1), _said(2)
    note = co.attach(NOTE, [unknown, known])
    assert co.cosignatures(note, [known.key]) == (known,)
    assert co.cosignatures(note, [ALICE.vkey]) == ()
    with pytest.raises(FormatError, match="not cosigned by"):
        co.verify_cosignature(note, _said(3).key)


def test_one_bad_line_of_a_known_key_refuses_the_whole_note() -> None:
    good, bad = _said(1), _said(2)
    spoilt = co.Cosignature(key=bad.key, time=bad.time + 1, signature=bad.signature)
    note = co.attach(NOTE, [good, spoilt])
    assert co.cosignatures(note, [good.key]) == (good,)
    with pytest.raises(FormatError, match="does not verify"):
        co.cosignatures(note, [good.key, bad.key])


def test_of_several_lines_by_one_key_the_latest_counts() -> None:
    old, new = _said(1, 10), _said(1, 20)
    opened = parse_note(NOTE)
    for order in ((old, new), (new, old)):
        lines = [parse_note(co.attach(NOTE, [one])).signatures[-1] for one in order]
        note = format_note(Note(text=opened.text, signatures=(*opened.signatures, *lines)))
        assert co.cosignatures(note, [old.key]) == (new,)


@pytest.mark.parametrize(
    "line",
    [
        co.format_cosignature(_said(1))[:-1],
        co.format_cosignature(_said(1)) + "\n",
        co.format_cosignature(_said(1)).replace("— ", "- "),
        co.format_cosignature(_said(1)).replace("=\n", "\n"),
        "",
        "\n",
    ],
)
def test_what_is_no_line_is_refused(line: str) -> None:
    with pytest.raises(FormatError):
        co.parse_cosignature(line, _said(1).key)


def test_a_time_that_needs_a_sign_bit_is_refused() -> None:
    key = _key(1)
    vkey = co.witness_vkey(key.public)
    signature = key.sign(f"cosignature/v1\ntime {2**63}\n{TEXT}".encode())
    line = co.format_cosignature(co.Cosignature(key=vkey, time=2**63, signature=signature))
    with pytest.raises(FormatError, match="beyond all times"):
        co.parse_cosignature(line, vkey)


def test_a_newer_cosignature_takes_the_place_of_the_older() -> None:
    old, new, other = _said(1, 10), _said(1, 20), _said(2, 5)
    note = co.attach(co.attach(NOTE, [old, other]), [new])
    assert set(co.cosignatures(note, [new.key, other.key])) == {new, other}
    assert len(parse_note(note).signatures) == 3


def test_the_logs_own_signature_stays_readable_under_cosignatures() -> None:
    note = co.attach(NOTE, [_said(1), _said(2)])
    assert open_checkpoint(note, ALICE.vkey) == HEAD
    assert strip_checkpoint(note, ALICE.vkey) == NOTE


def test_lines_that_show_who_knows_whom_are_stripped() -> None:
    kept, gone = _said(1), _said(2)
    note = co.strip(co.attach(NOTE, [gone, kept]), [ALICE.vkey, kept.key])
    assert note == co.attach(NOTE, [kept])
    assert co.strip(note, [ALICE.vkey]) == NOTE
    with pytest.raises(FormatError, match="no signature"):
        co.strip(note, [gone.key])


def test_a_note_never_gets_more_signatures_than_a_note_may_have() -> None:
    many = [_said(number) for number in range(1, NOTE_SIGNATURES + 20)]
    note = co.attach(NOTE, many)
    assert len(parse_note(note).signatures) == NOTE_SIGNATURES
    assert open_checkpoint(note, ALICE.vkey) == HEAD


def test_a_note_never_gets_longer_than_a_note_may_be() -> None:
    key = _key(1)
    long = [co.cosign(TEXT, f"{number}/" + "x" * 60_000, key, 1) for number in range(30)]
    note = co.attach(NOTE, long)
    assert 900_000 < len(note) <= 1_000_000
    assert co.cosignatures(note, [long[0].key]) == (long[0],)


def test_witness_and_mirror_keys_of_a_node_are_two_and_named_apart() -> None:
    witness, mirror = (
        SigningKey.from_seed(derive_seed(bytes(32), role, 0)) for role in (Role.WITNESS, Role.MIRROR)
    )
    keys: list[Any] = [co.witness_vkey(witness.public), co.mirror_vkey(mirror.public)]
    assert keys[0].public != keys[1].public
    assert [key.name.split("/")[1] for key in keys] == ["witness", "mirror"]
    assert co.witness_vkey(mirror.public) != keys[1]
