"""One value, one spelling: whatever a text is changed to, it is refused or it is what would be written."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.errors import FormatError, LedgerError
from f2fbuild.ledger import checkpoint, cosignature, entry, note, proof, seen_heads, tiles
from f2fbuild.limits import ENTRY_BYTES, NOTE_BYTES
from f2fbuild.model import canonical, statement, summary, svr
from f2fbuild.model.encoding import decode_base64, encode_base64
from f2fbuild.model.envelope import pae, seal, unseal
from f2fbuild.model.job import Order
from f2fbuild.model.tree import leaf_hash
from f2fbuild.model.vkey import format_vkey, parse_vkey
from tests.ledger.ledger_helpers import (
    ALICE,
    BOB,
    ORDERED,
    acceptance,
    audit_result,
    outcome,
    product,
    verdict_summary,
)
from tests.ledger.ledger_story import EVERY_KIND, SEEN_BLOB

HEAD = ALICE.head([b"a", b"b"])
WITNESS = cosignature.witness_vkey(BOB.log.public)
LINE = cosignature.format_cosignature(cosignature.cosign("text\n", WITNESS.name, BOB.log, 1_200_000))
(ACCEPTED,) = ALICE.write(acceptance())
OUTCOME = outcome(ALICE.origin, product(b"x")).statement
PROOF = proof.format_proof(proof.Proof(index=1, hashes=(leaf_hash(b"a"),), checkpoint=HEAD, extra=b"x"))


def reseal(data: bytes) -> bytes:
    opened = unseal(data, public=ALICE.statements.public)
    return seal(opened.payload_type, opened.payload, ALICE.statements)


def rewrite(data: bytes) -> bytes:
    return entry.write(entry.read(data, ALICE.statements.public).payload, ALICE.statements)


Respell = Callable[[bytes], bytes]
FORMS: dict[str, tuple[bytes, Respell]] = {
    "base64": (b"AAECAwQFBgc=", lambda t: encode_base64(decode_base64(text(t))).encode()),
    "canonical JSON": (
        b'{"a":[1,true,"\xc3\xbc\\n"],"b":{}}',
        lambda t: canonical.encode(canonical.decode(t)),
    ),
    "checkpoint": (
        checkpoint.format_checkpoint(checkpoint.open_checkpoint(HEAD, ALICE.vkey)).encode(),
        lambda t: checkpoint.format_checkpoint(checkpoint.parse_checkpoint(text(t))).encode(),
    ),
    "cosignature": (
        LINE.encode(),
        lambda t: cosignature.format_cosignature(cosignature.parse_cosignature(text(t), WITNESS)).encode(),
    ),
    "decimal": (b"1234567", lambda t: str(checkpoint.parse_size(text(t))).encode()),
    "entry": (ACCEPTED, rewrite),
    "envelope": (ACCEPTED, reseal),
    "order": (ORDERED.encode(), lambda t: Order.decode(t).encode()),
    "outcome": (OUTCOME, lambda t: statement.encode(statement.decode(t)).payload),
    "signed note": (HEAD, lambda t: note.format_note(note.parse_note(t))),
    "tile path": (b"tile/1/x001/234.p/17", lambda t: tiles.format_path(tiles.parse_path(text(t))).encode()),
    "tlog-proof": (PROOF, lambda t: proof.format_proof(proof.parse_proof(t))),
    "verdict summary": (
        verdict_summary(ALICE.origin).statement,
        lambda t: summary.encode_summary(summary.decode_summary(t)).payload,
    ),
    "verification result": (
        audit_result(ALICE.origin).statement,
        lambda t: svr.encode_result(svr.decode_result(t)),
    ),
    "vkey": (format_vkey(ALICE.vkey).encode(), lambda t: format_vkey(parse_vkey(text(t))).encode()),
}
INTERESTING = [
    b" ",
    b"\n",
    b"\r",
    b"\t",
    b"\0",
    b"+",
    b"-",
    b"=",
    b"0",
    b"/",
    b"_",
    b'"',
    b"\\u0061",
    b",",
    b"\xc2\xa0",
]


def text(data: bytes) -> str:
    """Text as a caller would have it: what is not UTF-8 never gets as far as a text parser."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise FormatError("not UTF-8") from error


@pytest.mark.parametrize("form", FORMS)
def test_what_is_written_is_read_and_written_alike(form: str) -> None:
    good, respell = FORMS[form]
    assert respell(good) == good


@pytest.mark.parametrize("form", FORMS)
@given(data=st.data())
def test_a_changed_text_is_refused_or_is_the_one_spelling_of_something(form: str, data: Any) -> None:
    good, respell = FORMS[form]
    start = data.draw(st.integers(0, len(good)))
    gone = data.draw(st.integers(0, 3))
    put = data.draw(st.sampled_from(INTERESTING) | st.binary(max_size=3) | st.just(good[start : start + 5]))
    changed = good[:start] + put + good[start + gone :]
    try:
        spelled = respell(changed)
    except FormatError:
        return
    assert spelled == changed


@given(st.integers(0, len(SEEN_BLOB)), st.integers(0, 3), st.sampled_from(INTERESTING))
def test_a_changed_list_of_heads_opens_nothing(start: int, gone: int, put: bytes) -> None:
    changed = SEEN_BLOB[:start] + put + SEEN_BLOB[start + gone :]
    (sealed,) = (one for one in EVERY_KIND if isinstance(one, entry.SeenHeads))
    if changed != SEEN_BLOB:
        with pytest.raises((FormatError, LedgerError)):
            seen_heads.open_heads(sealed, changed)


# --- envelopes that others would take ----------------------------------------------------------------


def enveloped(**changes: Any) -> bytes:
    return canonical.encode({**json.loads(ACCEPTED), **changes})


SIGNATURE = json.loads(ACCEPTED)["signatures"][0]
RAW = base64.b64decode(SIGNATURE["sig"])
ORDER_OF_THE_GROUP = 2**252 + 27742317777372353535851937790883648493


def other_scalar() -> str:
    """The same signature with S + L: RFC 8032 §5.1.7 refuses it, older verifiers do not."""
    scalar = int.from_bytes(RAW[32:], "little") + ORDER_OF_THE_GROUP
    return base64.b64encode(RAW[:32] + scalar.to_bytes(32, "little")).decode()


def weak(key: str) -> bytes:
    """An envelope by a key of small order, whose signature (the key itself, S = 0) fits every message."""
    blob = bytes.fromhex(key) + bytes(32)
    return enveloped(signatures=[{"keyid": key, "sig": base64.b64encode(blob).decode()}])


@pytest.mark.parametrize(
    "data",
    [
        enveloped(signatures=[]),
        enveloped(signatures=[SIGNATURE, SIGNATURE]),
        enveloped(signatures=SIGNATURE),
        enveloped(signatures=[{**SIGNATURE, "cert": "x"}]),
        enveloped(signatures=[{"sig": SIGNATURE["sig"]}]),
        enveloped(signatures=[{**SIGNATURE, "keyid": SIGNATURE["keyid"][:8]}]),
        enveloped(signatures=[{**SIGNATURE, "keyid": SIGNATURE["keyid"].upper()}]),
        enveloped(signatures=[{**SIGNATURE, "keyid": BOB.statements.public.hex()}]),
        enveloped(signatures=[{**SIGNATURE, "sig": SIGNATURE["sig"].rstrip("=")}]),
        enveloped(signatures=[{**SIGNATURE, "sig": base64.urlsafe_b64encode(b"\xfb\xff" * 32).decode()}]),
        enveloped(signatures=[{**SIGNATURE, "sig": other_scalar()}]),
        enveloped(signatures=[{**SIGNATURE, "sig": base64.b64encode(RAW + b"\0").decode()}]),
        enveloped(payloadType=5),
        enveloped(payloadType="application/vnd.f2fbuild.order+json"),
        enveloped(payload=json.loads(ACCEPTED)["payload"] + "\n"),
        enveloped(more=1),
        json.dumps(json.loads(ACCEPTED)).encode(),
        ACCEPTED + b"\n",
        ACCEPTED[:-1] + b',"signatures":[]}',
        weak("01" + "00" * 31),
        weak("ec" + "ff" * 30 + "7f"),
        weak("ee" + "ff" * 30 + "7f"),
    ],
)
def test_envelopes_in_another_spelling_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        entry.read(data, ALICE.statements.public)


@pytest.mark.parametrize("key", ["01" + "00" * 31, "ec" + "ff" * 30 + "7f", "ee" + "ff" * 30 + "7f"])
def test_whoever_owns_no_key_signs_nothing(key: str) -> None:
    """Even for a reader that takes the key from the envelope itself."""
    with pytest.raises(FormatError, match="full order"):
        unseal(weak(key))


def test_an_entry_is_at_most_what_a_bundle_holds() -> None:
    """DSSE bounds nothing; 65,536 bytes would not fit the length of the bundle that carries it."""
    payload = bytes(range(256)) * 190
    whole = seal("text/plain", payload, ALICE.statements)
    fill = "x" * (ENTRY_BYTES - len(whole))
    at_most = seal("text/plain" + fill, payload, ALICE.statements)
    assert len(at_most) == ENTRY_BYTES
    assert entry.read(at_most, ALICE.statements.public).kind is entry.Kind.UNKNOWN
    with pytest.raises(FormatError, match="65535"):
        entry.read(seal("text/plain" + fill + "x", payload, ALICE.statements), ALICE.statements.public)


def test_the_signed_bytes_are_those_of_the_dsse_specification() -> None:
    # secure-systems-lab/dsse protocol.md eebf7b59, "Test Vectors".
    signed = pae("http://example.com/HelloWorld", b"hello world")
    assert signed == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


# --- notes and checkpoints ---------------------------------------------------------------------------


SIGNED = HEAD.decode().rpartition("\n\n")[2]


@pytest.mark.parametrize(
    "data",
    [
        HEAD + SIGNED.encode() * 9_999,
        b"x" * NOTE_BYTES + HEAD,
        HEAD.replace(b"\n", b"\r\n"),
        HEAD.replace("—".encode(), b"-"),
        HEAD.replace("— ".encode(), "—  ".encode()),
        HEAD.replace("— ".encode(), "—\u00a0".encode()),
        HEAD.replace(b"\n2\n", b"\n2\t\n"),
        HEAD.replace(b"\n2\n", b"\n2\x00\n"),
        HEAD.replace(b"\n2\n", b"\n2\xff\n"),
        HEAD[:-1],
        HEAD + b"\n",
        HEAD + b"and more\n",
        HEAD.partition(b"\n\n")[0] + b"\n\n",
        HEAD.partition(b"\n\n")[0] + b"\n",
        HEAD[:-3] + b"B=\n",
        b"\xef\xbb\xbf" + HEAD,
        *(
            HEAD + f"— {name} {base64.b64encode(bytes(68)).decode()}\n".encode()
            for name in ("", "a+b", "a b", "a\u00a0b", "a\u2003b", "a\u2028b", "a\u3000b")
        ),
        HEAD + "— short AAAAAA==\n".encode(),
    ],
)
def test_notes_in_another_spelling_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        checkpoint.open_checkpoint(data, ALICE.vkey)


def extended(line: str) -> bytes:
    """A head with an extension line, signed for real by the log."""
    body = HEAD.decode().partition("\n\n")[0] + "\n" + line
    return note.format_note(note.sign(body, ALICE.origin, ALICE.log))


@pytest.mark.parametrize("line", ["extension\n", "\n", " \n", "a\nb\n", "2\n"])
def test_no_extension_line_ever(line: str) -> None:
    with pytest.raises(FormatError, match="not exactly"):
        checkpoint.open_checkpoint(extended(line), ALICE.vkey)


@pytest.mark.parametrize(
    "spelled", ["02", "+2", "2.0", "2e0", "0x2", "\uff12", "2\u00a0", "", "-2", str(2**53)]
)
def test_no_second_decimal(spelled: str) -> None:
    body = HEAD.decode().partition("\n\n")[0].replace("\n2\n", f"\n{spelled}\n") + "\n"
    signed = note.format_note(note.sign(body, ALICE.origin, ALICE.log))
    with pytest.raises(FormatError):
        checkpoint.open_checkpoint(signed, ALICE.vkey)
