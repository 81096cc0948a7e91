"""A builder whose log holds what it is told to, with proofs made by the naive tree."""

from f2fbuild.jobs.receipts import Promise, check_acceptance
from f2fbuild.ledger import entry as entries
from f2fbuild.ledger.checkpoint import Checkpoint, log_vkey, sign_checkpoint
from f2fbuild.ledger.proof import Proof, format_proof
from f2fbuild.model.friend import Friend
from f2fbuild.model.signing import SigningKey
from f2fbuild.model.vkey import format_vkey
from tests.ledger.ledger_helpers import naive_path, naive_root
from tests.model.model_facts import DEFINITION

JOB = "f1" * 32


class Builder:
    """A friend whose log holds what it is told to."""

    def __init__(self, letter: bytes) -> None:
        self.statements = SigningKey.from_seed(letter * 32)
        self.log = SigningKey.from_seed(letter.upper() * 32)
        self.entries: list[bytes] = [b"entry 0", b"another"]

    @property
    def friend(self) -> Friend:
        key = log_vkey(self.log.public)
        return Friend(
            node_id="ab" * 32,
            owner="B0" * 20,
            alias="bob",
            node="elm",
            vkey=format_vkey(key),
            statement_key=self.statements.public,
        )

    @property
    def origin(self) -> str:
        return log_vkey(self.log.public).name

    def write(self, payload: entries.Payload) -> bytes:
        entry = entries.write(payload, self.statements)
        self.entries.append(entry)
        return entry

    def prove(self, entry: bytes, *, index: int | None = None, key: SigningKey | None = None) -> bytes:
        where = self.entries.index(entry) if index is None else index
        head = Checkpoint(origin=self.origin, size=len(self.entries), root=naive_root(self.entries))
        proof = Proof(
            index=where,
            hashes=tuple(naive_path(self.entries.index(entry), self.entries)),
            checkpoint=sign_checkpoint(head, key or self.log),
        )
        return format_proof(proof)

    def accept(self, job: str = JOB) -> bytes:
        return self.write(
            entries.Acceptance(job=job, deadline=600, reveal_by=600, submitter="aa" * 32, build_key="bb" * 32)
        )

    def promise(self) -> Promise:
        entry = self.accept()
        return check_acceptance(
            self.friend, entry, self.prove(entry), job=JOB, build_key=DEFINITION.build_key
        )
