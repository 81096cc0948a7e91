"""Hashes that hide now and open later: salted ones, and the commitment to a result."""

import hashlib
from dataclasses import dataclass
from typing import Any

from f2fbuild.errors import FormatError
from f2fbuild.ledger.entry import Outcome
from f2fbuild.limits import TREE_SIZE_BOUND
from f2fbuild.model import canonical
from f2fbuild.model.digest import parse_digest
from f2fbuild.model.statement import PROVENANCE

SALT_BYTES = 32
_CONTEXT = "f2fbuild commit/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What an outcome says of its past: the index of its acceptance, the 32-byte nonce of its commitment."""

    acceptance: int
    nonce: bytes


def salted(salt: bytes, data: bytes) -> str:
    """Return SHA-256(salt ‖ data) in hexadecimal: without the 32-byte salt nobody can test a guess at `data`.

    Raises:
        FormatError: a salt of another length.
    """
    return hashlib.sha256(_secret(salt, "salt") + data).hexdigest()


def commitment_digest(
    origin: str, build_key: str, acceptance_leaf: str, result_digest: str, nonce: bytes
) -> str:
    """Return the digest by which a builder commits to a result before it shows it.

    SHA-256 over the lines `f2fbuild commit/1`, `origin`, and, each as 64 lower-case hexadecimal digits, build
    key, leaf hash of the acceptance and result digest, every line with its LF; then the 32 raw bytes of the
    nonce.

    Raises:
        FormatError: a digest or nonce of another shape.
    """
    digests = (parse_digest(d) for d in (build_key, acceptance_leaf, result_digest))
    lines = "".join(f"{line}\n" for line in (_CONTEXT, origin, *digests))
    return hashlib.sha256(lines.encode() + _secret(nonce, "nonce")).hexdigest()


def opening_of(outcome: Outcome, *, where: str = "outcome") -> Opening:
    """Return which acceptance an outcome closes and how it opens the commitment.

    The fields `f2fbuild_acceptance` (integer) and `f2fbuild_nonce` (64 hexadecimal digits) stand in the
    predicate's `runDetails.metadata` for SLSA provenance, and in the predicate itself for a test result.

    Raises:
        FormatError: they are missing or malformed.
    """
    statement: Any = canonical.decode_shared(outcome.statement, where=where)
    try:
        holder = statement["predicate"]
        if statement["predicateType"] == PROVENANCE:
            holder = holder["runDetails"]["metadata"]
        index, nonce = holder["f2fbuild_acceptance"], parse_digest(holder["f2fbuild_nonce"], where=where)
    except (KeyError, TypeError) as error:
        raise FormatError("names no acceptance or no nonce", where=where) from error
    if type(index) is not int or not 0 <= index < TREE_SIZE_BOUND:
        raise FormatError("not the index of an acceptance", where=where)
    return Opening(acceptance=index, nonce=bytes.fromhex(nonce))


def _secret(value: bytes, where: str) -> bytes:
    if len(value) != SALT_BYTES:
        raise FormatError(f"has {SALT_BYTES} bytes, not {len(value)}", where=where)
    return value
