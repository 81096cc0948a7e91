"""Whose a session is: from a Noise key and a certificate's digest to a peer.

A certificate enters the table only after the keyring verified its owner's signature (`admit`); its proofs
were verified when it was read. A Noise key cannot sign, so anybody can write another's into a certificate of
his own: where two owners claim one, only a session that names its certificate by digest is bound.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from f2fbuild.trust.certificate_file import CertificateFile
from f2fbuild.trust.certificates import NodeCertificate
from f2fbuild.trust.policy import Decision, Gate, Known, decide
from f2fbuild.trust.signature import BadSignature, SignatureCheck, SignatureFault


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedCertificate:
    """A certificate whose proofs and whose owner's signature were verified; `digest` is its file's."""

    certificate: NodeCertificate
    digest: str


class BindingFault(StrEnum):
    """Why a certificate or a session is not bound to anybody. The value is what the user reads."""

    SIGNED_BY_ANOTHER = "the certificate is signed by another key than its owner's"
    UNKNOWN_NOISE_KEY = "no known certificate has this session key"
    CLAIMED_TWICE = "two owners claim this session key, and the session does not say which it is"
    EPOCH_REPEATED = "the node has two different logs under one epoch number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbound:
    """No peer: the fault, and what exactly was found."""

    fault: BindingFault | SignatureFault
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerId:
    """Who is at the other end: owner, node, and the certificate that says so."""

    owner: str
    node: str
    node_id: str
    epoch: int
    origin: str
    certificate: VerifiedCertificate


Binding: TypeAlias = PeerId | Unbound


def admit(file: CertificateFile, check: SignatureCheck) -> VerifiedCertificate | Unbound:
    """Return the certificate as verified if `check` says that its owner signed its text.

    Args:
        file: a certificate file as `parse_file` gave it, proofs verified.
        check: what the keyring says of `file.signature` over `file.text`.
    """
    owner = file.certificate.owner
    if isinstance(check, BadSignature):
        return Unbound(fault=check.fault, detail=f"owner {owner}")
    if check.owner != owner:
        detail = f"owner {owner}, signed by {check.owner}"
        return Unbound(fault=BindingFault.SIGNED_BY_ANOTHER, detail=detail)
    return VerifiedCertificate(certificate=file.certificate, digest=file.digest)


class CertificateTable:
    """The verified certificates that a node knows, as a value: it is built anew for every change."""

    def __init__(self, known: Iterable[VerifiedCertificate]) -> None:
        """Take every verified certificate that is kept, superseded ones too."""
        self._known = tuple(known)
        self._newest: dict[str, VerifiedCertificate] = {}
        for one in self._known:
            before = self._newest.setdefault(one.certificate.node_id, one)
            self._newest[one.certificate.node_id] = max(before, one, key=_age)
        self._authors = {one.certificate.origin: node for node, one in self._newest.items()}

    def epochs(self) -> dict[str, int]:
        """Return the highest known epoch by node id."""
        newest: dict[str, int] = {}
        for one in self._known:
            node = one.certificate.node_id
            newest[node] = max(newest.get(node, 0), one.certificate.epoch)
        return newest

    def newest(self, node_id: str) -> VerifiedCertificate | None:
        """Return the node's certificate of the highest epoch, the latest within it."""
        return self._newest.get(node_id)

    def author(self, origin: str) -> str | None:
        """Return the node (node id) whose newest certificate names the log with this origin."""
        return self._authors.get(origin)

    def bind(self, noise: bytes, digest: str | None = None) -> Binding:
        """Return whose session it is.

        Args:
            noise: the remote static key of the session, 32 bytes.
            digest: the certificate file that the session named; None for a session that this node opened to
                a key it knew. An unknown digest is a certificate renewed meanwhile: the key then decides.
        """
        claims = [one for one in self._known if one.certificate.noise == noise]
        named = [one for one in claims if one.digest == digest] or claims
        nodes = {one.certificate.node_id for one in named}
        if not nodes:
            return Unbound(fault=BindingFault.UNKNOWN_NOISE_KEY, detail=f"key {noise.hex()}")
        if len(nodes) > 1:
            return Unbound(fault=BindingFault.CLAIMED_TWICE, detail=f"nodes {', '.join(sorted(nodes))}")
        return self._peer(nodes.pop(), noise)

    def _peer(self, node_id: str, noise: bytes) -> Binding:
        mine = [one for one in self._known if one.certificate.node_id == node_id]
        newest = self._newest[node_id]
        rivals = {one.certificate.origin for one in mine if one.certificate.epoch == newest.certificate.epoch}
        if len(rivals) > 1:
            return Unbound(fault=BindingFault.EPOCH_REPEATED, detail=f"logs {', '.join(sorted(rivals))}")
        if newest.certificate.noise != noise:
            detail = f"key {noise.hex()} was replaced by a newer certificate"
            return Unbound(fault=BindingFault.UNKNOWN_NOISE_KEY, detail=detail)
        certificate = newest.certificate
        return PeerId(
            owner=certificate.owner,
            node=certificate.node,
            node_id=node_id,
            epoch=certificate.epoch,
            origin=certificate.origin,
            certificate=newest,
        )


def may_connect(peer: PeerId, known: Known, now: int) -> Decision:
    """Return whether the peer may have a session: asked at the handshake and again after every change."""
    return decide(Gate.CONNECT, peer.owner, peer.certificate.certificate, known, now)


def _age(one: VerifiedCertificate) -> tuple[int, int, str]:
    return one.certificate.epoch, one.certificate.not_before, one.digest
