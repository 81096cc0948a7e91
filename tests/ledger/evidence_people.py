"""Owners with nodes, whole certificates and logs, for evidence that names them."""

from collections.abc import Sequence
from typing import TypeAlias

from f2fbuild.ledger import entry, evidence
from f2fbuild.ledger.cosignature import attach, cosign
from f2fbuild.ledger.note import parse_note
from f2fbuild.ledger.proof import Proof, format_proof, parse_proof
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

    def __init__(self, owner: str, number: int, *, epoch: int = 0, signature: bytes = SIGNED) -> None:
        super().__init__(number)
        self.owner = owner * 40
        self.seed = bytes([number]) * 32
        self.epoch = epoch
        self.signature = signature
        self.log = role_key(self.seed, Role.LOG, epoch)
        self.cosigner = role_key(self.seed, Role.WITNESS, epoch)

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

    def cosign(self, note: bytes, time: int) -> bytes:
        """The note with this node's word that it is the newest head at `time`."""
        text = parse_note(note).text
        key = evidence.read_node(self.file()).witness
        return attach(note, [cosign(text, key.name, self.cosigner, time)])

    def side(self, entries: Sequence[bytes], index: int = 3) -> evidence.Side:
        """The outcome at `index` as one side of a contradiction."""
        return evidence.Side(
            log=format_vkey(self.vkey),
            certificate=entries[0],
            certificate_proof=self.proof(0, entries),
            outcome=entries[index],
            outcome_proof=self.proof(index, entries),
        )

    def cosigned(self, index: int, entries: Sequence[bytes], seen: "Seen") -> bytes:
        """The tlog-proof of an entry under a head that others cosigned at these times."""
        note = self.head(entries)
        for witness, time in seen:
            note = witness.cosign(note, time)
        nodes = [evidence.read_node(witness.file()) for witness, _ in seen]
        return evidence.cosigned_proof(parse_proof(self.proof(index, entries, note)), self.vkey, nodes)

    def hidden(self, index: int, entries: Sequence[bytes], seen: "Seen") -> bytes:
        """Evidence that this node never closed what it accepted at `index`."""
        return evidence.format_hidden(
            format_vkey(self.vkey),
            (entries[0], self.proof(0, entries)),
            self.cosigned(index, entries, seen),
            entries[index:],
            [witness.file() for witness, _ in seen],
        )

    def dated(self, index: int, entries: Sequence[bytes], before: int, seen: "Seen") -> bytes:
        """Evidence that an entry is older than `before`."""
        return evidence.format_dated(
            format_vkey(self.vkey),
            (entries[0], self.proof(0, entries)),
            (entries[index], self.cosigned(index, entries, seen)),
            before,
            [witness.file() for witness, _ in seen],
        )


Seen: TypeAlias = Sequence[tuple[Node, int]]
"""Who cosigned a head, and when."""
