"""Whether the log of somebody who is no friend may be read here, and why not (pure).

Such a log is fetched only when this node's owner asks for it, and only when its first entry certifies a node
whose owner's key is valid in this node's web of trust: what nobody here vouches for is not worth its bytes.
The certificate's dates are those of sessions. A log stays readable when its node is gone.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from f2fbuild import limits
from f2fbuild.errors import F2FError
from f2fbuild.ledger.entry import NodeCertificate, decode
from f2fbuild.model.envelope import unseal
from f2fbuild.model.friend import Friend
from f2fbuild.model.vkey import format_vkey
from f2fbuild.trust.binding import Unbound, VerifiedCertificate
from f2fbuild.trust.certificate_file import CertificateFile, parse_file
from f2fbuild.trust.certificates import NodeCertificate as Certificate
from f2fbuild.trust.policy import Decision, Refusal
from f2fbuild.trust.refusals import RefusalReason

_SHORT = 8
"""Characters of a key's fingerprint that stand for its owner's name."""
_CURABLE = (RefusalReason.UNKNOWN_OWNER, RefusalReason.OWNER_NOT_VALID)
"""What an import and a certification by this node's owner change."""


class Why(Enum):
    """Why a log is not read here: what the user reads, and what to do next."""

    UNHEARD = ("no friend has told of such a log", "heads come three friends far; see `f2fbuild peer list`")
    SEVERAL = ("several logs are called so", "give more of the origin")
    TOO_MANY = (
        f"{limits.ON_DEMAND_LOGS} logs of nodes that are no friends are kept here already",
        "stop the node and remove those that you do not need from its directory of mirrors",
    )
    TOO_LONG = (
        f"longer than {limits.ON_DEMAND_ENTRIES} entries or {limits.ON_DEMAND_BYTES} bytes",
        "such a log is kept of friends only: f2fbuild peer add CARD",
    )
    NOBODY = (
        "no friend who is here has the entries of this log",
        "try again when more friends are connected",
    )
    SPOILED = ("what was given is not what this log signed", "ask another of its friends")
    NOT_CERTIFIED = ("its first entry is no certificate of such a log", "ask another of its friends")
    NOT_VOUCHED = ("its owner's key does not count here", "")
    NOT_SIGNED = ("its certificate is not signed by the owner whom it names", "")

    def __init__(self, text: str, advice: str) -> None:
        self.text = text
        self.advice = advice


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A log that is not read: why, what exactly was found, and what to do next."""

    why: Why
    detail: str = ""
    advice: str = ""


def called(wanted: str, origins: Collection[str]) -> str | Unread:
    """Return the one origin that is `wanted` or begins so, with or without what all origins begin with."""
    found = [one for one in origins if one.startswith(wanted) or one.rpartition("/")[2].startswith(wanted)]
    if len(found) == 1:
        return found[0]
    return Unread(why=Why.SEVERAL if found else Why.UNHEARD)


def room(origin: str, size: int, held: Collection[str]) -> Unread | None:
    """Return why a log of `size` entries has no room beside the copies `held`, None when it has."""
    if origin not in held and len(held) >= limits.ON_DEMAND_LOGS:
        return Unread(why=Why.TOO_MANY)
    if size > limits.ON_DEMAND_ENTRIES:
        return Unread(why=Why.TOO_LONG, detail=f"{size} entries")
    return None


def certified(first: bytes, origin: str) -> CertificateFile | Unread:
    """Return the certificate in the `first` entry of a log, its owner's signature yet to be verified."""
    try:
        envelope = unseal(first)
        payload = decode(envelope.payload_type, envelope.payload).payload
        file = parse_file(payload.text) if isinstance(payload, NodeCertificate) else None
    except F2FError as error:
        return Unread(why=Why.NOT_CERTIFIED, detail=error.what)
    if file is None:
        return Unread(why=Why.NOT_CERTIFIED, detail="another kind of entry")
    if (file.certificate.origin, file.certificate.statements) != (origin, envelope.public):
        return Unread(why=Why.NOT_CERTIFIED, detail="of another log or statement key")
    return file


def vouched(key: Decision, signed: VerifiedCertificate | Unbound, ring: str) -> Friend | Unread:
    """Return the author of a log if his `key` is valid here and he `signed` the certificate.

    Args:
        key: what the web of trust says of the key of the owner whom the certificate names.
        signed: what the keyring says of the certificate's signature.
        ring: the directory of the node's keyring, for the advice what to import.
    """
    if isinstance(key, Refusal):
        advice = _import(key.owner, ring) if key.reason in _CURABLE else key.reason.advice
        return Unread(why=Why.NOT_VOUCHED, detail=f"{key.reason.text} ({key.owner})", advice=advice)
    if isinstance(signed, Unbound):
        return Unread(why=Why.NOT_SIGNED, detail=f"{signed.fault}: {signed.detail}")
    return author(signed.certificate)


def author(certificate: Certificate) -> Friend:
    """Return whose a log is, in the words in which friends are spoken of; nobody here gave him a name."""
    return Friend(
        node_id=certificate.node_id,
        owner=certificate.owner,
        alias=certificate.owner[-_SHORT:].lower(),
        node=certificate.node,
        vkey=format_vkey(certificate.log),
        statement_key=certificate.statements,
    )


def _import(owner: str, ring: str) -> str:
    return (
        f"compare the fingerprint, certify the key (gpg --quick-lsign-key {owner}), then bring it in: "
        f"gpg --export-options export-local-sigs --export {owner} | "
        f"gpg --homedir {ring} --import-options import-local-sigs --import"
    )
