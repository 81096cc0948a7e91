"""Node certificates: which keys a node of an owner has, in a text that the owner signs.

    f2fbuild node certificate v1
    owner <OpenPGP fingerprint>
    node <name>
    statements <hex>
    log <vkey>
    witness <vkey>
    mirror <vkey>
    noise <hex>
    not-before <RFC 3339>
    not-after <RFC 3339>
    epoch <n>
    previous <origin> <size> <root hex> | previous -

Every field stands once, in this order, in one spelling: `format_certificate(parse_certificate(t)) == t`.
The text is signed as it stands and is never written anew from its fields.
"""

import re
from dataclasses import dataclass

from nacl.bindings import crypto_scalarmult
from nacl.exceptions import CryptoError

from f2fbuild.errors import FormatError
from f2fbuild.limits import CERTIFICATE_BYTES
from f2fbuild.model.digest import parse_digest, sha256_hex
from f2fbuild.model.signing import check_public_key
from f2fbuild.model.times import format_time, parse_time
from f2fbuild.model.vkey import KeyKind, VerifierKey, format_vkey, own_name, parse_vkey

HEADER = "f2fbuild node certificate v1"

_FIELDS = (
    "owner",
    "node",
    "statements",
    "log",
    "witness",
    "mirror",
    "noise",
    "not-before",
    "not-after",
    "epoch",
    "previous",
)
KINDS = {"log": KeyKind.ED25519, "witness": KeyKind.COSIGNATURE, "mirror": KeyKind.COSIGNATURE}
"""The verifier keys that a certificate names, each with the type of its signatures."""

_FINGERPRINT = re.compile(r"[0-9A-F]{40}", re.ASCII)
_NODE_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?", re.ASCII)
_ORIGIN = re.compile(r"f2fbuild\.invalid/log/[0-9a-f]{64}", re.ASCII)
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_EPOCHS = 2**32
_X25519_PRIME = 2**255 - 19


@dataclass(frozen=True, slots=True, kw_only=True)
class Previous:
    """The last head of the epoch before: the log's origin, its size in entries, its root (64 hex digits)."""

    origin: str
    size: int
    root: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCertificate:
    """The fields of a certificate. Keys are 32 bytes, times are seconds since 1970 UTC."""

    owner: str
    node: str
    statements: bytes
    log: VerifierKey
    witness: VerifierKey
    mirror: VerifierKey
    noise: bytes
    not_before: int
    not_after: int
    epoch: int
    previous: Previous | None

    @property
    def node_id(self) -> str:
        """SHA-256 of the statement key: names the node, survives epochs."""
        return sha256_hex(self.statements)

    @property
    def origin(self) -> str:
        """The origin of the node's log in this epoch."""
        return self.log.name


def format_certificate(certificate: NodeCertificate) -> bytes:
    """Return the text of `certificate`: the bytes that its owner signs."""
    previous = certificate.previous
    last = f"{previous.origin} {previous.size} {previous.root}" if previous else "-"
    values = (
        certificate.owner,
        certificate.node,
        certificate.statements.hex(),
        format_vkey(certificate.log),
        format_vkey(certificate.witness),
        format_vkey(certificate.mirror),
        certificate.noise.hex(),
        format_time(certificate.not_before),
        format_time(certificate.not_after),
        str(certificate.epoch),
        last,
    )
    lines = [HEADER, *(f"{field} {value}" for field, value in zip(_FIELDS, values, strict=True))]
    return ("\n".join(lines) + "\n").encode()


def parse_certificate(text: bytes, *, where: str = "certificate") -> NodeCertificate:
    """Return the certificate in `text`, which must be its one spelling.

    Raises:
        FormatError: any field missing, misplaced, unknown, misspelt or impossible.
    """
    values = _split(text, where)
    certificate = NodeCertificate(
        owner=_match(_FINGERPRINT, values["owner"], f"{where}: owner"),
        node=_match(_NODE_NAME, values["node"], f"{where}: node"),
        statements=check_public_key(_unhex(values["statements"], where), where=f"{where}: statements"),
        log=_own_vkey("log", values["log"], where),
        witness=_own_vkey("witness", values["witness"], where),
        mirror=_own_vkey("mirror", values["mirror"], where),
        noise=_check_noise(_unhex(values["noise"], where), f"{where}: noise"),
        not_before=parse_time(values["not-before"], where=f"{where}: not-before"),
        not_after=parse_time(values["not-after"], where=f"{where}: not-after"),
        epoch=_number(values["epoch"], f"{where}: epoch"),
        previous=_parse_previous(values["previous"], f"{where}: previous"),
    )
    _check_whole(certificate, where)
    if format_certificate(certificate) != text:
        raise FormatError("not the one spelling of a certificate", where=where)
    return certificate


def _split(text: bytes, where: str) -> dict[str, str]:
    if len(text) > CERTIFICATE_BYTES:
        raise FormatError(f"larger than {CERTIFICATE_BYTES} bytes", where=where)
    if not text.isascii():
        raise FormatError("not ASCII text", where=where)
    lines = text.decode().split("\n")
    if lines[0] != HEADER or lines[-1] or len(lines) != len(_FIELDS) + 2:
        raise FormatError("not a node certificate of version 1", where=where)
    pairs = [line.partition(" ") for line in lines[1:-1]]
    if tuple(field for field, _, _ in pairs) != _FIELDS:
        raise FormatError(f"the fields are not {', '.join(_FIELDS)} in this order", where=where)
    return {field: value for field, _, value in pairs}


def _check_whole(certificate: NodeCertificate, where: str) -> None:
    if certificate.not_before >= certificate.not_after:
        raise FormatError("not-after is not later than not-before", where=where)
    if certificate.epoch >= _EPOCHS:
        raise FormatError(f"epoch of {_EPOCHS} or more", where=where)
    keys = {
        certificate.statements,
        certificate.log.public,
        certificate.witness.public,
        certificate.mirror.public,
    }
    if len(keys) != 4:
        raise FormatError("one key in two roles", where=where)


def _own_vkey(field: str, text: str, where: str) -> VerifierKey:
    key = parse_vkey(text, where=f"{where}: {field}")
    if key.kind is not KINDS[field] or key.name != own_name(field, key.public):
        raise FormatError("of another kind, or not named after itself", where=f"{where}: {field}")
    return key


def _check_noise(public: bytes, where: str) -> bytes:
    """RFC 7748 §5 takes any 32 bytes; only one spelling, and no point of small order, is taken here."""
    if len(public) != 32 or int.from_bytes(public, "little") >= _X25519_PRIME:
        raise FormatError("not a canonical X25519 public key", where=where)
    try:
        crypto_scalarmult(b"\x01" * 32, public)
    except CryptoError as error:
        raise FormatError("an X25519 key of small order", where=where) from error
    return public


def _parse_previous(text: str, where: str) -> Previous | None:
    if text == "-":
        return None
    origin, size, root = (*text.split(" "), "", "", "")[:3]
    return Previous(
        origin=_match(_ORIGIN, origin, where), size=_number(size, where), root=parse_digest(root, where=where)
    )


def _number(text: str, where: str) -> int:
    return int(_match(_NUMBER, text, where))


def _match(pattern: re.Pattern[str], text: str, where: str) -> str:
    if not pattern.fullmatch(text):
        raise FormatError("not in its one spelling", where=where)
    return text


def _unhex(text: str, where: str) -> bytes:
    return bytes.fromhex(parse_digest(text, where=where))
