"""Two friends tell one another what they have: only what changed since the last time, and a checksum.

If a message was lost, or one of them was set back, their checksums differ; then everything is told once.
"""

from f2fbuild import limits
from f2fbuild.ledger.gossip.books import Book
from f2fbuild.ledger.gossip.logs import Known, Logs
from f2fbuild.ledger.gossip.talk import Vector
from f2fbuild.ledger.gossip.vectors import lacks


def tell(book: Book, logs: Logs) -> Vector:
    """Return what the friend is told that we have, and count it as told."""
    whole = book.whole
    if whole:
        book.told.clear()
        book.told_seq = 0
    have = [
        known.have
        for known in logs.since(book.told_seq)
        if book.told.get(known.have.log) != known.have and book.told.put(known.have)
    ]
    book.told_seq = logs.seq
    vector = Vector(have=tuple(have), total=book.told.total, whole=whole, again=book.again)
    book.whole = book.again = False
    return vector


def listen(book: Book, vector: Vector) -> bool:
    """Take in what the friend says that it has; return whether another swap is needed at once."""
    book.hold(vector.have, whole=vector.whole)
    book.again = vector.total != book.has.total
    book.whole = book.whole or vector.again
    return book.again or vector.again


def missing(book: Book, logs: Logs) -> list[Known]:
    """Return the logs whose heads the friend lacks, the last changed first, as many as go into one answer."""
    found = []
    for known in logs.since(0):
        passed_on = known.have.hops < limits.HEAD_HOPS and not known.frozen
        if passed_on and lacks(book.holds(known.have.log), known.have):
            found.append(known)
        if len(found) == limits.SWAP_HEADS:
            break
    return found
