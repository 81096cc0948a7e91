"""The worked examples of docs/reference/ledger-format.md, computed by the package and by hand."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from f2fbuild.ledger import entry, evidence
from f2fbuild.ledger.checkpoint import Checkpoint, origin_of, parse_log_vkey, sign_checkpoint
from f2fbuild.ledger.commitment import commitment_digest, salted
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.proof import format_proof, parse_proof, verify_proof
from f2fbuild.ledger.review import Reviewed, review
from f2fbuild.ledger.seen_heads import open_heads
from f2fbuild.model.outcome import ClosingReason
from f2fbuild.model.tree import leaf_hash
from f2fbuild.model.vkey import format_vkey
from tests.ledger.ledger_helpers import ALICE, SOME, acceptance, naive_root
from tests.ledger.ledger_story import EVERY_KIND, SEEN

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
VECTORS: dict[str, Any] = json.loads((REFERENCE / "ledger-vectors.json").read_text())


def test_keys() -> None:
    node = VECTORS["node"]
    assert node["seed"] == "01" * 32
    assert node["log_public"] == ALICE.log.public.hex()
    assert node["statements_public"] == ALICE.statements.public.hex()
    assert node["vkey"] == format_vkey(ALICE.vkey)
    assert parse_log_vkey(node["vkey"]).public.hex() == node["log_public"]
    assert node["origin"] == origin_of(ALICE.log.public)
    assert node["origin"].endswith(hashlib.sha256(bytes.fromhex(node["log_public"])).hexdigest())


def test_entries_checkpoint_and_proof(tmp_path: Path) -> None:
    payloads: list[entry.Payload] = [
        ALICE.certificate(),
        acceptance(),
        entry.Commitment(acceptance=1, digest=SOME),
        entry.Closing(acceptance=1, reason=ClosingReason.GAVE_BACK),
        entry.Order(commit=SOME),
    ]
    entries = [text.encode() for text in VECTORS["entries"]]
    assert ALICE.write(*payloads) == entries
    head = Checkpoint(origin=ALICE.origin, size=5, root=naive_root(entries))
    assert sign_checkpoint(head, ALICE.log) == VECTORS["checkpoint"].encode()
    proof = parse_proof(VECTORS["proof"]["text"].encode())
    assert verify_proof(proof, entries[VECTORS["proof"]["index"]], ALICE.vkey) == head
    with Log.create(tmp_path / "log", ALICE.log) as log:
        log.append(entries)
        assert log.checkpoint() == VECTORS["checkpoint"].encode()
        assert format_proof(log.inclusion(1)) == VECTORS["proof"]["text"].encode()


def test_hidden_hashes() -> None:
    one, two = VECTORS["salted"], VECTORS["commitment"]
    assert salted(bytes.fromhex(one["salt"]), one["data"].encode()) == one["digest"]
    assert two["acceptance_leaf"] == leaf_hash(VECTORS["entries"][1].encode()).hex()
    fields = two["origin"], two["build_key"], two["acceptance_leaf"], two["result_digest"]
    assert commitment_digest(*fields, bytes.fromhex(two["nonce"])) == two["digest"]
    text = "".join(f"{line}\n" for line in ("f2fbuild commit/1", *fields)).encode()
    assert hashlib.sha256(text + bytes.fromhex(two["nonce"])).hexdigest() == two["digest"]


def test_evidence() -> None:
    finding = evidence.check(VECTORS["equivocation"].encode())
    assert isinstance(finding, evidence.EquivocationFinding)
    assert (finding.origin, finding.sizes) == (ALICE.origin, (4, 5))


def test_a_log_of_every_kind(tmp_path: Path) -> None:
    story = VECTORS["every_kind"]
    entries = [text.encode() for text in story["entries"]]
    assert ALICE.write(*EVERY_KIND) == entries
    kinds = [entry.read(one, ALICE.statements.public).kind for one in entries]
    assert kinds == story["kinds"]
    assert set(kinds) == set(entry.Kind)
    assert ALICE.head(entries) == story["checkpoint"].encode()
    end = review(
        Reviewed(key=ALICE.vkey, statement_key=ALICE.statements.public), entries, entries.__getitem__
    )
    assert isinstance(end, Reviewed)
    assert end.promises.standing.certificates == (15,)


def test_what_the_entries_open() -> None:
    story = VECTORS["every_kind"]
    order, heads = story["order"], story["seen_heads"]
    sealed = entry.read(story["entries"][order["entry"]].encode(), ALICE.statements.public).payload
    salt, text = bytes.fromhex(order["salt"]), order["payload"].encode()
    assert sealed == entry.Order(commit=hashlib.sha256(salt + text).hexdigest())
    assert order["job"] == hashlib.sha256(text).hexdigest()
    blob = heads["blob"].encode()
    listed = entry.read(story["entries"][heads["entry"]].encode(), ALICE.statements.public).payload
    assert listed == entry.SeenHeads(heads=hashlib.sha256(bytes.fromhex(heads["salt"]) + blob).hexdigest())
    assert open_heads(listed, blob) == SEEN


@pytest.mark.parametrize("kind", [kind for kind in entry.Kind if kind is not entry.Kind.UNKNOWN])
def test_every_kind_is_documented(kind: entry.Kind) -> None:
    text = (REFERENCE / "ledger-format.md").read_text()
    assert re.search(rf"^\| {kind} \| `[a-z0-9./+-]+` \|", text, re.MULTILINE)


def test_every_closing_reason_and_evidence_kind_is_documented() -> None:
    text = (REFERENCE / "ledger-format.md").read_text()
    for word in (*ClosingReason, *evidence.KINDS):
        assert f"`{word}`" in text
