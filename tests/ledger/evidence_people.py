"""Owners with nodes, whole certificates and logs, for evidence that names them."""

from collections.abc import Sequence

from f2fbuild.ledger import entry, evidence
from f2fbuild.ledger.proof import Proof, format_proof
from f2fbuild.model.encoding import encode_base64
from f2fbuild.model.outcome import Result
from f2fbuild.model.signing import Role
from f2fbuild.model.vkey import format_vkey
from f2fbuild.trust.certificate_file import proof_message
from f2fbuild.trust.certificates import format_certificate
from f2fbuild.trust.node_keys import ROLES, draft, role_key
from tests.ledger.ledger_helpers import NodeKeys, acceptance, naive_path, outcome

SIGNED = b"-----BEGIN PGP SIGNATURE-----\n\nby its owner\n-----END PGP SIGNATURE-----\n"


class Node(NodeKeys):
    """A node of an owner, in one epoch. `signature` stands where the owner's OpenPGP signature stands."""

    def __init__(
        self, owner: str, number: int, *, epoch: int = 0, signature: bytes = SIGNED, witness: int = 0
    ) -> None:
        super().__init__(number)
        self.owner = owner * 40
        self.seed = bytes([number]) * 32
        self.epoch = epoch
        self.signature = signature
        self.log = role_key(self.seed, Role.LOG, epoch)
        self.cosigner = role_key(bytes([witness or number]) * 32, Role.WITNESS, epoch)

    def file(self) -> bytes:
        """The certificate file, proved by all keys."""
        certificate = draft(
            self.seed, owner=self.owner, node="elm", not_before=0, not_after=10**9, epoch=self.epoch
        )
        text = format_certificate(certificate)
        message = proof_message(text)
        proofs = (
            f"proof {role} {encode_base64(role_key(self.seed, ROLES[role], self.epoch).sign(message))}\n"
            for role in ROLES
        )
        return b"\n".join([text, "".join(proofs).encode(), self.signature])

    def certificate(self) -> entry.NodeCertificate:
        return entry.NodeCertificate(text=self.file())

    def built(self, *results: Result) -> list[bytes]:
        """A log with these results of one build key, each accepted and committed to before."""
        payloads: list[entry.Payload] = [self.certificate()]
        for result in results:
            index = len(payloads)
            payloads += [
                acceptance(),
                entry.Commitment(acceptance=index, digest="00" * 32),
                outcome(self.origin, result, index=index),
            ]
        return self.write(*payloads)

    def proof(self, index: int, entries: Sequence[bytes], checkpoint: bytes = b"") -> bytes:
        path = tuple(naive_path(index, entries))
        return format_proof(Proof(index=index, hashes=path, checkpoint=checkpoint or self.head(entries)))

    def side(self, entries: Sequence[bytes], index: int = 3) -> evidence.Side:
        """The outcome at `index` as one side of a contradiction."""
        return evidence.Side(
            log=format_vkey(self.vkey),
            certificate=entries[0],
            certificate_proof=self.proof(0, entries),
            outcome=entries[index],
            outcome_proof=self.proof(index, entries),
        )
