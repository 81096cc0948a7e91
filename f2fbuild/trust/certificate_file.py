"""Certificate files: a certificate's text, the proofs of its keys, and its owner's OpenPGP signature.

    <text>
                                    (an empty line)
    proof statements <base64>
    proof log <base64>
    proof witness <base64>
    proof mirror <base64>
                                    (an empty line)
    -----BEGIN PGP SIGNATURE-----  …

A proof is the key's Ed25519 signature over SHA-256("f2fbuild node key/1" LF ‖ text): nobody can name
another node's key in a certificate of his own. A file is kept and sent as it came; it is entry 0's payload.
"""

import hashlib
from dataclasses import dataclass

from f2fbuild.errors import FormatError
from f2fbuild.limits import CERTIFICATE_BYTES
from f2fbuild.model.digest import sha256_hex
from f2fbuild.model.encoding import decode_base64, encode_base64
from f2fbuild.model.signing import verify
from f2fbuild.trust.armor import Block, armor, dearmor
from f2fbuild.trust.certificates import NodeCertificate, parse_certificate
from f2fbuild.trust.node_keys import ROLES, role_key
from f2fbuild.trust.packets import check_signature


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFile:
    """A certificate file whose proofs hold; its OpenPGP `signature` (binary) is yet to be verified.

    `data` is the file verbatim, `text` the part of it that `signature` covers.
    """

    data: bytes
    text: bytes
    certificate: NodeCertificate
    signature: bytes

    @property
    def digest(self) -> str:
        """SHA-256 of the file: what a session's first message names."""
        return sha256_hex(self.data)


def proof_message(text: bytes) -> bytes:
    """Return what the keys named in the certificate `text` sign."""
    return hashlib.sha256(b"f2fbuild node key/1\n" + text).digest()


def assemble(seed: bytes, text: bytes, signature: bytes) -> CertificateFile:
    """Return the file of the certificate `text`, its proofs made from the node's `seed`.

    Args:
        seed: the node's 32-byte seed.
        text: the certificate's text, as the owner signed it.
        signature: the owner's detached OpenPGP signature over `text`, binary.

    Raises:
        FormatError: the text is of another node, or the signature is not one signature.
    """
    epoch = parse_certificate(text).epoch
    message = proof_message(text)
    proofs = [role_key(seed, ROLES[role], epoch).sign(message) for role in ROLES]
    lines = "".join(
        f"proof {role} {encode_base64(proof)}\n" for role, proof in zip(ROLES, proofs, strict=True)
    )
    armored = armor(Block.SIGNATURE, signature)
    return parse_file(b"\n".join([text, lines.encode(), armored.encode()]))


def parse_file(data: bytes, *, where: str = "certificate file") -> CertificateFile:
    """Return the certificate file in `data`, its proofs verified.

    Raises:
        FormatError: another layout or a second spelling, or a proof that does not hold.
    """
    if len(data) > CERTIFICATE_BYTES:
        raise FormatError(f"larger than {CERTIFICATE_BYTES} bytes", where=where)
    parts = data.split(b"\n\n", 2)
    if len(parts) != 3 or not parts[2].isascii():
        raise FormatError("not certificate, proofs and signature", where=where)
    text = parts[0] + b"\n"
    certificate = parse_certificate(text, where=where)
    _check_proofs(certificate, text, parts[1], where)
    signature = dearmor(Block.SIGNATURE, parts[2].decode(), where=f"{where}: signature")
    return CertificateFile(
        data=data,
        text=text,
        certificate=certificate,
        signature=check_signature(signature, where=f"{where}: signature"),
    )


def _check_proofs(certificate: NodeCertificate, text: bytes, lines: bytes, where: str) -> None:
    keys = (
        certificate.statements,
        certificate.log.public,
        certificate.witness.public,
        certificate.mirror.public,
    )
    proofs = lines.split(b"\n")
    if len(proofs) != len(ROLES):
        raise FormatError("not four proofs", where=where)
    message = proof_message(text)
    for role, key, line in zip(ROLES, keys, proofs, strict=True):
        if not verify(key, message, _parse_proof(role, line, where)):
            raise FormatError(f"the {role} key did not sign this certificate", where=where)


def _parse_proof(role: str, line: bytes, where: str) -> bytes:
    prefix = f"proof {role} ".encode()
    if not line.startswith(prefix) or not line.isascii():
        raise FormatError(f"no proof of the {role} key", where=where)
    return decode_base64(line.removeprefix(prefix).decode(), where=f"{where}: proof of the {role} key")
