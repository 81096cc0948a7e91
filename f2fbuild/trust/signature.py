"""Whether GnuPG found a detached signature good, judged strictly from its status lines (doc/DETAILS).

`gpg --verify` leaves with 0 for a revoked signer, so its exit code is never asked. Good is: exactly one
signature, GOODSIG and VALIDSIG, a binary signature with a hash of the SHA-2 or SHA-3 family, and no line
that says anything bad.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

Status: TypeAlias = tuple[str, str]
"""A status line: its keyword, and the rest of the line."""

_HASHES = frozenset({"8", "9", "10", "12", "14"})
"""SHA-256, SHA-384, SHA-512 (RFC 4880 §9.4), SHA3-256, SHA3-512 (RFC 9580 §9.5)."""

_BINARY = "00"
_MISSING_KEY = "9"
_FOREIGN = frozenset({"NODATA", "UNEXPECTED", "FAILURE", "ERROR"})


class SignatureFault(StrEnum):
    """Why a signature is not good. The value is what the user reads."""

    BAD = "the signature does not match the text"
    UNKNOWN_KEY = "made by a key that is not in the keyring"
    SIGNER_REVOKED = "the key that signed has been revoked"
    SIGNER_EXPIRED = "the key that signed has expired"
    EXPIRED = "the signature has expired"
    WEAK = "made with a hash that is no longer safe, or over text instead of bytes"
    NOT_ONE = "not exactly one signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodSignature:
    """A signature that holds: `owner` is the primary key's fingerprint, `made` unix seconds as it claims."""

    owner: str
    made: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BadSignature:
    """A signature that does not hold, and why."""

    fault: SignatureFault


SignatureCheck: TypeAlias = GoodSignature | BadSignature

_FAULTS = (
    ("BADSIG", SignatureFault.BAD),
    ("REVKEYSIG", SignatureFault.SIGNER_REVOKED),
    ("KEYREVOKED", SignatureFault.SIGNER_REVOKED),
    ("EXPKEYSIG", SignatureFault.SIGNER_EXPIRED),
    ("EXPSIG", SignatureFault.EXPIRED),
    ("SIGEXPIRED", SignatureFault.EXPIRED),
)


def judge(status: Sequence[Status]) -> SignatureCheck:
    """Return what the status lines of one `gpg --verify` say of its signature."""
    values: dict[str, list[str]] = {}
    for keyword, value in status:
        values.setdefault(keyword, []).append(value)
    fault = _fault(values)
    if fault:
        return BadSignature(fault=fault)
    fields = values["VALIDSIG"][0].split()
    if len(fields) < 10 or fields[7] not in _HASHES or fields[8] != _BINARY:
        return BadSignature(fault=SignatureFault.WEAK)
    return GoodSignature(owner=fields[9], made=int(fields[2]))


def _fault(values: dict[str, list[str]]) -> SignatureFault | None:
    for keyword, fault in _FAULTS:
        if keyword in values:
            return fault
    if "ERRSIG" in values:
        missing = values["ERRSIG"][0].split()[5:6] == [_MISSING_KEY]
        return SignatureFault.UNKNOWN_KEY if missing else SignatureFault.BAD
    if any(len(values.get(keyword, [])) != 1 for keyword in ("NEWSIG", "GOODSIG", "VALIDSIG")):
        return SignatureFault.NOT_ONE
    return SignatureFault.NOT_ONE if _FOREIGN & values.keys() else None
