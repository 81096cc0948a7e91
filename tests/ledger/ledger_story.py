"""A log in which every kind of entry stands, each with what it seals or opens for real."""

from f2fbuild.ledger import entry
from f2fbuild.ledger.checkpoint import Checkpoint
from f2fbuild.ledger.seen_heads import seal_heads, seen
from f2fbuild.model.outcome import ClosingReason
from tests.ledger.ledger_helpers import (
    ALICE,
    BOB,
    ORDER_SALT,
    SOME,
    acceptance,
    audit_result,
    commitment,
    failure,
    order_entry,
    outcome,
    product,
    verdict_summary,
)

SEEN = seen([Checkpoint(origin=BOB.origin, size=3, root=bytes(32))], 1_200_000)
SEEN_HEADS, SEEN_BLOB = seal_heads(SEEN, ORDER_SALT)


def revocation(certificate: int) -> entry.Revocation:
    return entry.Revocation(certificate=certificate, reason=entry.RevocationReason.SUPERSEDED)


def mode(old: entry.Mode, new: entry.Mode) -> entry.ModeChange:
    return entry.ModeChange(old=old, new=new, forced=True, reason=SOME)


def built(index: int, success: bytes) -> list[entry.Payload]:
    """An acceptance at `index`, the commitment, and the outcome: a failure when there is no product."""
    result = product(success) if success else failure()
    return [
        acceptance(),
        commitment(ALICE, acceptance(), index, result),
        outcome(ALICE.origin, result, index),
    ]


EVERY_KIND: list[entry.Payload] = [
    ALICE.certificate(),
    *built(1, b"rpm"),
    *built(4, b""),
    acceptance(),
    entry.Closing(acceptance=7, reason=ClosingReason.GAVE_BACK),
    order_entry(),
    verdict_summary(ALICE.origin, 9),
    SEEN_HEADS,
    audit_result(ALICE.origin),
    mode(entry.Mode.DISTRIBUTED, entry.Mode.CAUTIOUS),
    entry.Unknown(payload_type="application/vnd.example+json", payload=b"{}"),
    ALICE.certificate(),
    revocation(0),
]
