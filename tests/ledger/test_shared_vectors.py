"""Published vectors as they lie beside the checkout, in `../shared/vectors`; skipped where they do not.

What is transcribed into `tests/vectors` runs always, in the tests of each format. Here the transcription is
compared with the source, and the probes of transparency-dev/merkle are run whole.
"""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from f2fbuild.errors import FormatError
from f2fbuild.model import canonical, tree
from f2fbuild.model.envelope import pae, unseal

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "vectors"
OURS = ROOT / "tests" / "vectors" / "ledger"
VERBATIM = (
    "cosignature-v1.json",
    "rfc6962-reference-tree.json",
    "signed-note.json",
    "tile-paths.json",
    "tlog-proof-syntax.json",
)
"""Files that stand in `tests/vectors` part by part as they were published; others were rearranged."""
PROBES = SHARED / "transparency-dev-merkle" / "testdata"

pytestmark = pytest.mark.skipif(
    not SHARED.is_dir(), reason=f"no published vectors in {SHARED}; the transcribed ones run all the same"
)


def probes(kind: str) -> list[Path]:
    return sorted((PROBES / kind).rglob("*.json"))


def load(path: Path) -> Any:
    return json.loads(path.read_text())


def hashes(texts: list[str] | None) -> list[bytes]:
    return [base64.b64decode(text) for text in texts or []]


@pytest.mark.parametrize("name", VERBATIM)
def test_what_was_transcribed_is_what_was_published(name: str) -> None:
    published, transcribed = load(SHARED / name), load(OURS / name)
    for part, value in transcribed.items():
        if part != "source":
            assert value == published[part], part


def test_all_inclusion_probes() -> None:
    files = probes("inclusion")
    assert len(files) >= 90
    for file in files:
        probe = load(file)
        leaf, root = hashes([probe["leafHash"] or "", probe["root"] or ""])
        proof = hashes(probe["proof"])
        verified = tree.verify_inclusion(probe["leafIdx"], probe["treeSize"], leaf, proof, root)
        assert verified is not probe["wantErr"], file


def test_all_consistency_probes() -> None:
    files = probes("consistency")
    assert len(files) >= 90
    for file in files:
        probe = load(file)
        old, new = hashes([probe["root1"] or "", probe["root2"] or ""])
        proof = hashes(probe["proof"])
        verified = tree.verify_consistency(probe["size1"], probe["size2"], old, new, proof)
        assert verified is not probe["wantErr"], file


def test_the_envelope_of_the_dsse_specification_is_encoded_alike_and_yet_no_entry() -> None:
    """Same bytes to sign; but ECDSA, and a keyid that names no key, are not our one spelling."""
    published = load(SHARED / "dsse.json")
    signed = pae(published["payloadType"], published["payload"].encode())
    assert signed == published["PAE"].encode()
    with pytest.raises(FormatError):
        unseal(canonical.encode(published["envelope"]))
