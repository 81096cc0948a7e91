"""What a builder's log entries must say before they count. Pure: entry, proof and keys in, meaning out.

Each check opens the proof under the log's key, the envelope under the statement key, and compares what the
entry says with what was asked; a promise that does not hold is an error that names the builder.
"""

from dataclasses import dataclass

from f2fbuild.errors import LedgerError
from f2fbuild.ledger import entry as entries
from f2fbuild.ledger.checkpoint import parse_log_vkey
from f2fbuild.ledger.commitment import commitment_digest
from f2fbuild.ledger.proof import parse_proof, verify_proof
from f2fbuild.model import statement as statements
from f2fbuild.model.friend import Friend
from f2fbuild.model.outcome import ClosingReason, result_digest
from f2fbuild.model.statement import BuildStatement
from f2fbuild.model.tree import leaf_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An entry that a friend's log has: its payload and its index."""

    payload: entries.Payload
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What a builder promised: which job, and where in its log."""

    job: str
    build_key: str
    acceptance: bytes
    index: int


def check_entry(friend: Friend, entry: bytes, proof: bytes) -> Shown:
    """Return the entry that the friend's log has under a checkpoint of its own.

    Raises:
        FormatError: entry or proof is malformed, or signed by somebody else.
        LedgerError: the proof does not lead to the entry.
    """
    parsed = parse_proof(proof, where=friend.name)
    verify_proof(parsed, entry, parse_log_vkey(friend.vkey), where=friend.name)
    payload = entries.read(entry, friend.statement_key, where=friend.name).payload
    return Shown(payload=payload, index=parsed.index)


def check_acceptance(friend: Friend, entry: bytes, proof: bytes, *, job: str, build_key: str) -> Promise:
    """Return the promise that a receipt proves.

    Raises:
        LedgerError: it accepts another job. Else as `check_entry`.
    """
    shown = check_entry(friend, entry, proof)
    if not isinstance(shown.payload, entries.Acceptance) or shown.payload.job != job:
        raise LedgerError("the receipt is not one for this job", where=friend.name)
    return Promise(job=job, build_key=build_key, acceptance=entry, index=shown.index)


def check_commitment(friend: Friend, entry: bytes, proof: bytes, promise: Promise) -> entries.Commitment:
    """Return the commitment that belongs to a promise.

    Raises:
        LedgerError: it belongs to another acceptance. Else as `check_entry`.
    """
    shown = check_entry(friend, entry, proof)
    if not isinstance(shown.payload, entries.Commitment) or shown.payload.acceptance != promise.index:
        raise LedgerError("the commitment does not belong to the acceptance", where=friend.name)
    return shown.payload


def check_closing(friend: Friend, entry: bytes, proof: bytes, promise: Promise) -> ClosingReason:
    """Return why the friend closed its promise without an outcome; raises like `check_commitment`."""
    shown = check_entry(friend, entry, proof)
    if not isinstance(shown.payload, entries.Closing) or shown.payload.acceptance != promise.index:
        raise LedgerError("the closing does not belong to the acceptance", where=friend.name)
    return shown.payload.reason


def outcome_statement(friend: Friend, entry: bytes, proof: bytes) -> bytes:
    """Return the statement's payload in an outcome entry of the friend's log; raises like `check_entry`."""
    shown = check_entry(friend, entry, proof)
    if not isinstance(shown.payload, entries.Outcome):
        raise LedgerError("not an outcome", where=friend.name)
    return shown.payload.statement


def check_outcome(friend: Friend, payload: bytes, products: bytes, promise: Promise) -> BuildStatement:
    """Return the statement of an outcome that keeps the promise; `products` is its list when it is a blob.

    Raises:
        FormatError: not a statement of ours.
        LedgerError: it speaks of another job, build key, log or acceptance.
    """
    built = statements.decode(payload, products, where=friend.name)
    expected = (promise.job, promise.build_key, friend.vkey.split("+")[0], promise.index)
    if (built.job_id, built.definition.build_key, built.origin, built.acceptance) != expected:
        raise LedgerError("the outcome does not keep the promise of the acceptance", where=friend.name)
    return built


def opens(commitment: entries.Commitment, built: BuildStatement, promise: Promise) -> bool:
    """Return whether the statement is what the builder had committed to."""
    digest = commitment_digest(
        built.origin,
        built.definition.build_key,
        leaf_hash(promise.acceptance).hex(),
        result_digest(built.result),
        bytes.fromhex(built.nonce),
    )
    return commitment.digest == digest
