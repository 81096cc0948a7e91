"""Entries as programs read them that are not ours: the in-toto project's libraries, openssl and sha256sum."""

import base64
import hashlib
import json
import subprocess  # noqa: TID251 - the programs are run as an auditor runs them
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.predicates.test_result.v0 import test_result_pb2
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from f2fbuild.ledger import entry
from f2fbuild.ledger.checkpoint import open_checkpoint
from f2fbuild.model.statement import PAYLOAD_TYPE, PROVENANCE, TEST_RESULT
from f2fbuild.model.tree import leaf_hash
from tests.ledger.ledger_helpers import ALICE, BOB, NodeKeys, failure, outcome
from tests.ledger.ledger_story import EVERY_KIND

STORY = ALICE.write(*EVERY_KIND, outcome(ALICE.origin, failure()))
MESSAGES = {
    PROVENANCE: provenance_pb2.Provenance,
    TEST_RESULT: test_result_pb2.TestResult,
}
"""A verdict summary is not among them: in 0.9.3 its `verifiedLevels` is a string, in SLSA's text a list."""
DER = bytes.fromhex("302a300506032b6570032100")
"""What stands before the 32 bytes of an Ed25519 public key in DER (RFC 8410)."""


def dsse_key(node: NodeKeys) -> SSlibKey:
    public = node.statements.public.hex()
    return SSlibKey(public, "ed25519", "ed25519", {"public": public})


def opened(data: bytes) -> Envelope:
    return Envelope.from_dict(json.loads(data))


@pytest.mark.parametrize("number", range(len(STORY)))
def test_every_entry_is_an_envelope_that_securesystemslib_verifies(number: int) -> None:
    envelope = opened(STORY[number])
    assert set(envelope.verify([dsse_key(ALICE)], 1)) == {ALICE.statements.public.hex()}
    assert entry.read(STORY[number], ALICE.statements.public).kind is not entry.Kind.UNKNOWN or number
    with pytest.raises(VerificationError):
        envelope.verify([dsse_key(BOB)], 1)
    envelope.payload += b" "
    with pytest.raises(VerificationError):
        envelope.verify([dsse_key(ALICE)], 1)


def statements() -> list[dict[str, Any]]:
    envelopes = [opened(data) for data in STORY]
    return [json.loads(one.payload) for one in envelopes if one.payload_type == PAYLOAD_TYPE]


@pytest.mark.parametrize("value", statements(), ids=lambda value: str(value["predicateType"]))
def test_every_statement_is_one_that_in_toto_takes(value: dict[str, Any]) -> None:
    """Its Statement takes it whole, no field of it unknown, and finds it valid."""
    message = json_format.ParseDict(value, StatementMessage())
    Statement.copy_from_pb(message).validate()
    assert json_format.MessageToDict(message) == value


def test_predicates_have_the_fields_of_their_schemas() -> None:
    """Only what carries our prefix is unknown there: SLSA's rule for what others add."""
    checked = set()
    for value in statements():
        kind, predicate = value["predicateType"], value["predicate"]
        if kind in MESSAGES:
            json_format.ParseDict(without_ours(predicate), MESSAGES[kind]())
            with pytest.raises(json_format.ParseError):
                json_format.ParseDict({**without_ours(predicate), "another": 1}, MESSAGES[kind]())
            checked.add(kind)
    assert checked == set(MESSAGES)


def without_ours(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: part for name, part in value.items() if not name.startswith("f2fbuild_")}
        return {name: without_ours(part) for name, part in kept.items()}
    return value


def openssl_verifies(place: Path, public: bytes, message: bytes, signature: bytes) -> bool:
    for name, data in (("key.der", DER + public), ("message", message), ("signature", signature)):
        (place / name).write_bytes(data)
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key.der", "-rawin"]
    run = subprocess.run(
        [*command, "-in", "message", "-sigfile", "signature"], cwd=place, capture_output=True, check=False
    )
    return run.returncode == 0


def test_openssl_verifies_entries_and_heads(tmp_path: Path) -> None:
    envelope = opened(STORY[1])
    (signature,) = (bytes.fromhex(one.signature) for one in envelope.signatures.values())
    assert openssl_verifies(tmp_path, ALICE.statements.public, envelope.pae(), signature)
    assert not openssl_verifies(tmp_path, ALICE.statements.public, envelope.pae() + b"x", signature)
    text, _, line = ALICE.head(STORY).decode().rpartition("\n\n")
    blob = base64.b64decode(line.split(" ")[2])
    assert openssl_verifies(tmp_path, ALICE.log.public, f"{text}\n".encode(), blob[4:])
    assert not openssl_verifies(tmp_path, BOB.log.public, f"{text}\n".encode(), blob[4:])


def test_sha256sum_makes_leaves_and_the_root() -> None:
    def sha256sum(data: bytes) -> bytes:
        run = subprocess.run(["sha256sum"], input=data, capture_output=True, check=True)
        return bytes.fromhex(run.stdout.split()[0].decode())

    leaves = [sha256sum(b"\0" + data) for data in STORY[:2]]
    assert leaves == [leaf_hash(data) for data in STORY[:2]]
    head = open_checkpoint(ALICE.head(STORY[:2]), ALICE.vkey)
    assert sha256sum(b"\1" + b"".join(leaves)) == head.root
    assert hashlib.sha256(b"\1" + b"".join(leaves)).digest() == head.root
