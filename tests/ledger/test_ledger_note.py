"""Signed notes, vkeys, checkpoints and tlog-proofs against published vectors and their own properties."""

import base64
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.errors import FormatError, LedgerError
from f2fbuild.ledger import checkpoint as cp
from f2fbuild.ledger import note as notes
from f2fbuild.ledger import proof as proofs
from f2fbuild.model.signing import SigningKey
from f2fbuild.model.tree import EMPTY_ROOT, leaf_hash, node_hash
from f2fbuild.model.vkey import KeyKind, VerifierKey, format_vkey, parse_vkey
from tests.ledger.ledger_helpers import ALICE, BOB, vectors

VECTORS = vectors("signed-note.json")
SYNTAX = vectors("tlog-proof-syntax.json")
names = st.text(string.ascii_letters + string.digits + "./-é", min_size=1, max_size=20)
lines = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=30)
texts = st.lists(lines, min_size=1, max_size=4).map(lambda parts: "".join(f"{part}\n" for part in parts))
seeds = st.binary(min_size=32, max_size=32)
hashes = st.binary(min_size=32, max_size=32)


@pytest.mark.parametrize("vector", VECTORS["valid"], ids=lambda v: v["name"])
def test_published_notes_open(vector: dict[str, Any]) -> None:
    data = vector["note"].encode()
    if "seed_hex" in vector:
        public = SigningKey.from_seed(bytes.fromhex(vector["seed_hex"])).public
        keys = [VerifierKey(kind=KeyKind.ED25519, name=vector["origin"], public=public)]
    else:
        keys = [parse_vkey(vkey) for vkey in vector["vkeys"]]
        assert [format_vkey(key) for key in keys] == vector["vkeys"]
    opened = notes.open_note(data, keys)
    assert len(opened.signatures) == len(keys)
    assert notes.format_note(notes.parse_note(data)) == data


@pytest.mark.parametrize("vector", [v for v in VECTORS["valid"] if v.get("deterministic")])
def test_published_notes_are_made_again(vector: dict[str, Any]) -> None:
    if "seed_hex" in vector:
        name, seed = vector["origin"], bytes.fromhex(vector["seed_hex"])
    else:
        _, _, name, _, secret = vector["skey"].split("+", 4)
        seed = base64.b64decode(secret)[1:]
    text = vector["note"].rpartition("\n\n")[0] + "\n"
    made = notes.format_note(notes.sign(text, name, SigningKey.from_seed(seed)))
    assert made == vector["note"].encode()


@pytest.mark.parametrize("vector", VECTORS["malformed_notes"], ids=lambda v: v["why"])
def test_published_malformed_notes(vector: dict[str, str]) -> None:
    keys = [parse_vkey(VECTORS["valid"][0]["vkeys"][0])]
    with pytest.raises(FormatError):
        notes.open_note(bytes.fromhex(vector["hex"]), keys)


def test_published_invalid_signature_refuses_the_note() -> None:
    (vector,) = VECTORS["invalid_signature"]
    with pytest.raises(FormatError, match="PeterNeumann"):
        notes.open_note(vector["note"].encode(), [parse_vkey(vector["vkey"])])


@pytest.mark.parametrize("vkey", VECTORS["bad_vkeys"])
def test_published_bad_vkeys(vkey: str) -> None:
    with pytest.raises(FormatError):
        parse_vkey(vkey)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda vkey: vkey.upper(),
        lambda vkey: vkey + "=",
        lambda vkey: "x" + vkey,
        lambda vkey: vkey.replace("+", " ", 1),
        lambda vkey: vkey.rsplit("+", 1)[0],
        lambda vkey: vkey + "é",
        lambda vkey: "weak+00000000+" + base64.b64encode(b"\x01" + bytes(32)).decode(),
    ],
)
def test_second_spellings_of_vkeys_are_refused(spoil: Any) -> None:
    with pytest.raises(FormatError):
        parse_vkey(spoil(format_vkey(ALICE.vkey)))


@given(texts, names, seeds)
def test_notes_round_trip(text: str, name: str, seed: bytes) -> None:
    key = SigningKey.from_seed(seed)
    verifier = VerifierKey(kind=KeyKind.ED25519, name=name, public=key.public)
    note = notes.sign(text, name, key)
    data = notes.format_note(note)
    assert notes.parse_note(data) == note == notes.open_note(data, [verifier])
    assert parse_vkey(format_vkey(verifier)) == verifier
    with pytest.raises(FormatError, match="known key"):
        notes.open_note(data, [VerifierKey(kind=KeyKind.ED25519, name=name + "x", public=key.public)])
    with pytest.raises(FormatError, match="does not verify"):
        notes.open_note(data.replace(text.encode(), b"!" + text.encode(), 1), [verifier])


def test_unknown_signatures_are_ignored_and_stripped() -> None:
    mine = ALICE.head([b"a"])
    extra = "— somebody " + base64.b64encode(bytes(72)).decode() + "\n"
    assert cp.open_checkpoint(mine + extra.encode(), ALICE.vkey).size == 1
    assert cp.strip_checkpoint(mine + extra.encode(), ALICE.vkey) == mine
    with pytest.raises(FormatError, match="more than 100"):
        notes.parse_note(mine + extra.encode() * 100)


def test_notes_are_bounded() -> None:
    with pytest.raises(FormatError, match="larger"):
        notes.parse_note(b"x" * 1_000_001)


@pytest.mark.parametrize(
    ("text", "name"),
    [("no newline", "a"), ("a\n", "a b"), ("a\tb\n", "a"), ("a\n", ""), ("a\n\n— x AAAAAAA=", "a")],
)
def test_what_cannot_stand_in_a_note_is_not_signed(text: str, name: str) -> None:
    with pytest.raises(FormatError):
        notes.sign(text, name, ALICE.log)


@given(st.integers(1, 2**53 - 1), hashes)
def test_checkpoints_round_trip(size: int, root: bytes) -> None:
    head = cp.Checkpoint(origin=ALICE.origin, size=size, root=root)
    text = cp.format_checkpoint(head)
    assert cp.parse_checkpoint(text) == head
    assert cp.format_checkpoint(cp.parse_checkpoint(text)) == text
    note = cp.sign_checkpoint(head, ALICE.log)
    assert cp.open_checkpoint(note, ALICE.vkey) == head
    with pytest.raises(FormatError):
        cp.open_checkpoint(note, BOB.vkey)


ROOT = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "text",
    [
        f"o\n1\n{ROOT}",
        f"o\n1\n{ROOT}\nextension\n",
        f"\n1\n{ROOT}\n",
        f"o\n01\n{ROOT}\n",
        f"o\n+1\n{ROOT}\n",
        f"o\n-1\n{ROOT}\n",
        f"o\n1 \n{ROOT}\n",
        f"o\n\u0661\n{ROOT}\n",
        f"o\n{2**53}\n{ROOT}\n",
        f"o\n1\n{ROOT[:-1]}\n",
        f"o\n1\n{ROOT[:-2]}B=\n",
        f"o\n1\n{base64.b64encode(bytes(31)).decode()}\n",
        f"o\n0\n{ROOT}\n",
    ],
)
def test_second_spellings_of_checkpoints_are_refused(text: str) -> None:
    with pytest.raises(FormatError):
        cp.parse_checkpoint(text)


def test_an_origin_belongs_to_its_key() -> None:
    assert ALICE.origin.startswith("f2fbuild.invalid/log/")
    assert cp.parse_log_vkey(format_vkey(ALICE.vkey)) == ALICE.vkey
    other = VerifierKey(kind=KeyKind.ED25519, name=BOB.origin, public=ALICE.log.public)
    with pytest.raises(FormatError, match="origin"):
        cp.parse_log_vkey(format_vkey(other))
    # A note whose signature is good but whose text names another log.
    text = cp.format_checkpoint(cp.Checkpoint(origin=BOB.origin, size=0, root=EMPTY_ROOT))
    with pytest.raises(FormatError, match="another origin"):
        cp.open_checkpoint(notes.format_note(notes.sign(text, ALICE.origin, ALICE.log)), ALICE.vkey)


@pytest.mark.parametrize("vector", SYNTAX["marshal"])
def test_published_proofs(vector: dict[str, Any]) -> None:
    proof = proofs.Proof(
        index=vector["index"],
        hashes=tuple(base64.b64decode(text) for text in vector["hashes_b64"]),
        checkpoint=vector["checkpoint"].encode(),
        extra=base64.b64decode(vector.get("extra_b64", "")),
    )
    assert proofs.format_proof(proof) == vector["want"].encode()
    assert proofs.parse_proof(vector["want"].encode()) == proof


@pytest.mark.parametrize("text", SYNTAX["malformed"])
def test_published_malformed_proofs(text: str) -> None:
    with pytest.raises(FormatError):
        proofs.parse_proof(text.encode())


@pytest.mark.parametrize(
    "data",
    [
        b"c2sp.org/tlog-proof@v1\nindex 0\n",
        b"c2sp.org/tlog-proof@v1\nindex 00\n\ncheckpoint\n",
        b"c2sp.org/tlog-proof@v1\nextra \nindex 0\n\ncheckpoint\n",
        b"c2sp.org/tlog-proof@v1\nindex 0\nextra eA==\n\ncheckpoint\n",
        b"c2sp.org/tlog-proof@v1\n\xffindex 0\n\ncheckpoint\n",
        b"c2sp.org/tlog-proof@v1\nindex 0\n" + (ROOT.encode() + b"\n") * 64 + b"\ncheckpoint\n",
        b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + bytes(1024 * 1024),
    ],
)
def test_bad_proofs_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        proofs.parse_proof(data)


@given(
    st.integers(0, 2**53 - 1), st.lists(hashes, max_size=63), st.binary(max_size=9), st.binary(max_size=99)
)
def test_proofs_round_trip(index: int, path: list[bytes], extra: bytes, checkpoint: bytes) -> None:
    proof = proofs.Proof(index=index, hashes=tuple(path), checkpoint=checkpoint, extra=extra)
    data = proofs.format_proof(proof)
    assert proofs.parse_proof(data) == proof
    assert proofs.format_proof(proofs.parse_proof(data)) == data


def test_a_proof_is_verified_with_entry_and_key() -> None:
    note = ALICE.head([b"a", b"b"])
    proof = proofs.Proof(index=1, hashes=(leaf_hash(b"a"),), checkpoint=note)
    head = proofs.verify_proof(proof, b"b", ALICE.vkey)
    assert head.root == node_hash(leaf_hash(b"a"), leaf_hash(b"b"))
    with pytest.raises(LedgerError):
        proofs.verify_proof(proof, b"a", ALICE.vkey)
    with pytest.raises(FormatError):
        proofs.verify_proof(proof, b"b", BOB.vkey)
