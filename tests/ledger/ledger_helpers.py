"""A naive Merkle tree as oracle, keys, and entries as a node would write them."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from f2fbuild.ledger import entry
from f2fbuild.ledger.checkpoint import Checkpoint, log_vkey, origin_of, sign_checkpoint
from f2fbuild.ledger.commitment import commitment_digest, salted
from f2fbuild.model import statement, svr
from f2fbuild.model.job import BuildDefinition, Dependency, JobClass, Quorum
from f2fbuild.model.job import Order as OrderText
from f2fbuild.model.outcome import ExitClass, Failed, Product, Result, Stage, Succeeded, result_digest
from f2fbuild.model.signing import Role, SigningKey, derive_seed
from f2fbuild.model.subject import Subject
from f2fbuild.model.summary import Figures, Summary, encode_summary
from f2fbuild.model.tree import leaf_hash
from f2fbuild.model.verdict import VerdictKind
from f2fbuild.model.vkey import VerifierKey, format_vkey

_VECTORS = Path(__file__).parent.parent / "vectors" / "ledger"


def vectors(name: str) -> Any:
    return json.loads((_VECTORS / name).read_text())


# --- RFC 6962 §2.1, read aloud -----------------------------------------------------------------------


def naive_root(entries: Sequence[bytes]) -> bytes:
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = naive_split(len(entries))
    return hashlib.sha256(b"\x01" + naive_root(entries[:k]) + naive_root(entries[k:])).digest()


def naive_path(m: int, entries: Sequence[bytes]) -> list[bytes]:
    if len(entries) == 1:
        return []
    k = naive_split(len(entries))
    if m < k:
        return [*naive_path(m, entries[:k]), naive_root(entries[k:])]
    return [*naive_path(m - k, entries[k:]), naive_root(entries[:k])]


def naive_consistency(m: int, entries: Sequence[bytes], whole: bool = True) -> list[bytes]:
    if m == len(entries):
        return [] if whole else [naive_root(entries)]
    k = naive_split(len(entries))
    if m <= k:
        return [*naive_consistency(m, entries[:k], whole), naive_root(entries[k:])]
    return [*naive_consistency(m - k, entries[k:], False), naive_root(entries[:k])]


def naive_split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


# --- a node's keys and entries -----------------------------------------------------------------------


class NodeKeys:
    """The log and statement key of one test node, and what it signs."""

    def __init__(self, number: int) -> None:
        seed = bytes([number]) * 32
        self.log = SigningKey.from_seed(derive_seed(seed, Role.LOG, 0))
        self.statements = SigningKey.from_seed(derive_seed(seed, Role.STATEMENTS, 0))

    @property
    def vkey(self) -> VerifierKey:
        return log_vkey(self.log.public)

    @property
    def origin(self) -> str:
        return origin_of(self.log.public)

    def head(self, entries: Sequence[bytes]) -> bytes:
        tree = Checkpoint(origin=self.origin, size=len(entries), root=naive_root(entries))
        return sign_checkpoint(tree, self.log)

    def certificate(self) -> entry.NodeCertificate:
        lines = [
            "f2fbuild node certificate v1",
            "owner " + "A" * 40,
            "node büro",
            f"statements {self.statements.public.hex()}",
            f"log {format_vkey(self.vkey)}",
            "epoch 0",
        ]
        return entry.NodeCertificate(text="\n".join([*lines, "", "proof …", ""]).encode())

    def write(self, *payloads: entry.Payload) -> list[bytes]:
        return [entry.write(payload, self.statements) for payload in payloads]


ALICE, BOB = NodeKeys(1), NodeKeys(2)
SOME = "0123456789abcdef" * 4
DEFINITION = BuildDefinition(
    parameters={"format": "rpm", "arch": "x86_64"},
    sources=(Dependency(name="hello.src.rpm", sha256=SOME),),
    lock=SOME,
)


def acceptance() -> entry.Acceptance:
    return entry.Acceptance(job=SOME, deadline=1_200_000, reveal_by=600_000, submitter=SOME, build_key=SOME)


def product(content: bytes) -> Succeeded:
    digest = hashlib.sha256(content).hexdigest()
    rpm = Product(kind="rpm", name="hello.rpm", size=len(content), sha256=digest, canonical=digest)
    return Succeeded(products=(rpm,))


def failure() -> Failed:
    return Failed(stage=Stage.BUILD, exit_class=ExitClass.NONZERO)


def outcome(origin: str, result: Result, index: int = 1) -> entry.Outcome:
    build = statement.BuildStatement(
        definition=DEFINITION,
        result=result,
        origin=origin,
        job_id=SOME,
        acceptance=index,
        nonce="ab" * 32,
        started=600,
        finished=1200,
        log=SOME,
        details=SOME,
    )
    return entry.Outcome(statement=statement.encode(build).payload)


ORDERED = OrderText(
    build_key=DEFINITION.build_key,
    job_class=JobClass.TESTING,
    quorum=Quorum(builders=2, agree=2),
    created=1_200_000,
    deadline=1_800_000,
    nonce="0f" * 16,
)
ORDER_SALT = bytes(range(32))


def order_entry() -> entry.Order:
    return entry.Order(commit=salted(ORDER_SALT, ORDERED.encode()))


def verdict_summary(
    origin: str, order_index: int = 1, *, kind: VerdictKind = VerdictKind.AGREE, salt: bytes = ORDER_SALT
) -> entry.VerdictSummary:
    summary = Summary(
        verifier=origin,
        order_index=order_index,
        order=ORDERED,
        salt=salt,
        figures=Figures(kind=kind, agree=2, denominator=2, needed=2, verified=2),
        subjects=(Subject(name="hello.rpm", sha256=SOME, canonical=SOME),),
        outcomes=(SOME,),
        at=1_200_600,
    )
    return entry.VerdictSummary(statement=encode_summary(summary).payload)


def audit_result(origin: str) -> entry.AuditResult:
    result = svr.evidence_result(origin, "equivocation", SOME, 1_200_600)
    return entry.AuditResult(statement=svr.encode_result(result))


def commitment(node: NodeKeys, accepted: entry.Acceptance, index: int, result: Result) -> entry.Commitment:
    """Commit to what `outcome` will show of the acceptance at `index`."""
    (written,) = node.write(accepted)
    digest = commitment_digest(
        node.origin,
        DEFINITION.build_key,
        leaf_hash(written).hex(),
        result_digest(result),
        bytes.fromhex("ab" * 32),
    )
    return entry.Commitment(acceptance=index, digest=digest)
