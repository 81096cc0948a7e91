"""What an in-toto statement in a log must be true to: the log it stands in, and the entry that it opens.

A statement names as its author the log in which it stands. A verdict summary opens the order that it names by
index: an entry before it, whose salted hash is that of the order shown. That is what makes a quorum one that
was fixed before the results were known. An outcome opens its builder's commitment: nonce, build key and
result give the digest that was committed to, or the builder shows something else than it had found.
"""

from collections.abc import Callable
from typing import Any

from f2fbuild.ledger.commitment import commitment_digest, opening_of, salted
from f2fbuild.ledger.entry import AuditResult, Entry, Order, Outcome, VerdictSummary, read
from f2fbuild.model import canonical
from f2fbuild.model.outcome import result_digest
from f2fbuild.model.statement import shown_result
from f2fbuild.model.summary import Summary, decode_summary
from f2fbuild.model.svr import decode_result


def check_statement(
    entry: Entry, index: int, origin: str, earlier: Callable[[int], bytes], statement_key: bytes
) -> str:
    """Return what is wrong with the statement at `index` of the log `origin`; nothing of other entries.

    Args:
        entry: the entry at `index`, read.
        index: where it stands.
        origin: the log's name.
        earlier: returns the bytes of an entry before `index`.
        statement_key: 32 bytes; signs the log's entries.
    """
    match entry.payload:
        case Outcome(statement=statement):
            author = _builder(statement)
        case AuditResult(statement=statement):
            author = decode_result(statement).verifier
        case VerdictSummary(statement=statement):
            summary = decode_summary(statement)
            if not opens(summary, index, earlier, statement_key):
                return f"opens no order of this log ({summary.order_index})"
            author = summary.verifier
        case _:
            return ""
    return "" if author == origin else "speaks for another log"


def opens(summary: Summary, index: int, earlier: Callable[[int], bytes], statement_key: bytes) -> bool:
    """Return whether a summary at `index` opens an order entry before it; arguments as above."""
    if summary.order_index >= index:
        return False
    order = read(earlier(summary.order_index), statement_key).payload
    return order == Order(commit=salted(summary.salt, summary.order.encode()))


def opened(entry: Entry, index: int, origin: str, leaf: Callable[[int], bytes]) -> str:
    """Return the digest of the commitment that an outcome opens, nothing for other entries.

    Nothing too where the log alone cannot tell: the list of products is a blob, or nobody could read it.

    Args:
        entry: the entry at `index`, read.
        index: where it stands.
        origin: the log's name.
        leaf: returns the leaf hash of an entry before `index`.

    Raises:
        FormatError: it names no acceptance.
    """
    if not isinstance(entry.payload, Outcome):
        return ""
    opening, shown = opening_of(entry.payload), shown_result(entry.payload.statement)
    if shown is None or opening.acceptance >= index:
        return ""
    build_key, result = shown
    accepted = leaf(opening.acceptance).hex()
    return commitment_digest(origin, build_key, accepted, result_digest(result), opening.nonce)


def _builder(statement: bytes) -> object:
    """Return whom an outcome names as builder; a statement of a stranger may hold anything in its place."""
    fields: Any = canonical.decode_shared(statement)
    match fields:
        case {"predicate": {"runDetails": {"builder": {"id": builder}}}}:
            return builder
        case {"predicate": {"f2fbuild_builder": builder}}:
            return builder
        case _:
            return None
