"""Whose a node is: what evidence reads of a node certificate, and what it cannot verify itself.

The keys that a certificate names prove themselves (`proof` lines). That its owner signed it is an OpenPGP
signature, which only GnuPG with the owner's key can verify: who checks evidence says whom he believes by a
`Vouch`, and a finding names every certificate that it rests on.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from f2fbuild.errors import FormatError, LedgerError
from f2fbuild.ledger.checkpoint import parse_log_vkey
from f2fbuild.limits import CERTIFICATE_BYTES
from f2fbuild.model.encoding import decode_base64
from f2fbuild.model.signing import verify
from f2fbuild.model.vkey import KeyKind, VerifierKey, own_name, parse_vkey

_TEXT = re.compile(
    r"f2fbuild node certificate v1\n"
    r"owner ([0-9A-F]{40})\n"
    r"node ([a-z0-9-]{1,32})\n"
    r"statements ([0-9a-f]{64})\n"
    r"log (\S+)\n"
    r"witness (\S+)\n"
    r"mirror (\S+)\n"
    r"noise [0-9a-f]{64}\n"
    r"not-before \S+\n"
    r"not-after \S+\n"
    r"epoch (0|[1-9][0-9]{0,9})\n"
    r"previous [^\n]+\n",
    re.ASCII,
)
_PROVED = ("statements", "log", "witness", "mirror")
"""The keys that sign a certificate's text, in the order of its proofs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedNode:
    """A node as its certificate names it.

    `file` is the certificate file verbatim, `text` what its owner signed and `signature` the armored OpenPGP
    signature, not verified here. `statements` has 32 bytes.
    """

    file: bytes
    text: bytes
    signature: bytes
    owner: str
    node: str
    statements: bytes
    log: VerifierKey
    witness: VerifierKey
    epoch: int


Vouch: TypeAlias = Callable[[OwnedNode], bool]
"""Whether the reader knows that this certificate is signed by the owner whom it names."""


def unvouched(_node: OwnedNode) -> bool:
    """Take every certificate, for a reader who lets GnuPG look at those that a finding names."""
    return True


def read_node(file: bytes, *, where: str = "node certificate") -> OwnedNode:
    """Return the node of a certificate file; its keys' proofs hold, its owner's signature is not verified.

    Raises:
        FormatError: not a certificate in its one spelling, or a proof does not hold.
    """
    parts = file.split(b"\n\n", 2)
    if len(file) > CERTIFICATE_BYTES or len(parts) != 3 or not file.isascii():
        raise FormatError("not certificate, proofs and signature", where=where)
    text = parts[0] + b"\n"
    match = _TEXT.fullmatch(text.decode())
    if match is None:
        raise FormatError("not the text of a node certificate", where=where)
    witness, mirror = (_cosigner(role, match[at], where) for role, at in (("witness", 5), ("mirror", 6)))
    node = OwnedNode(
        file=file,
        text=text,
        signature=parts[2],
        owner=match[1],
        node=match[2],
        statements=bytes.fromhex(match[3]),
        log=parse_log_vkey(match[4], where=where),
        witness=witness,
        epoch=int(match[7]),
    )
    _check_proofs(node, mirror, parts[1].decode(), where)
    return node


def _cosigner(role: str, vkey: str, where: str) -> VerifierKey:
    key = parse_vkey(vkey, where=where)
    if key.kind is not KeyKind.COSIGNATURE or key.name != own_name(role, key.public):
        raise FormatError(f"the {role} key is of another kind, or not named after itself", where=where)
    return key


def vouched_node(file: bytes, vouch: Vouch, *, where: str = "node certificate") -> OwnedNode:
    """Return the node of a certificate file whose owner the reader knows.

    Raises:
        FormatError: as `read_node`.
        LedgerError: the reader does not know that its owner signed it.
    """
    node = read_node(file, where=where)
    if not vouch(node):
        raise LedgerError(f"nobody here vouches that {node.owner} signed this certificate", where=where)
    return node


def _check_proofs(node: OwnedNode, mirror: VerifierKey, text: str, where: str) -> None:
    message = hashlib.sha256(b"f2fbuild node key/1\n" + node.text).digest()
    keys = (node.statements, node.log.public, node.witness.public, mirror.public)
    lines = text.split("\n")
    if len(lines) != len(_PROVED):
        raise FormatError("not four proofs", where=where)
    for role, key, line in zip(_PROVED, keys, lines, strict=True):
        prefix = f"proof {role} "
        proof = decode_base64(line.removeprefix(prefix), where=f"{where}: proof of the {role} key")
        if not line.startswith(prefix) or not verify(key, message, proof):
            raise FormatError(f"the {role} key did not sign this certificate", where=where)
