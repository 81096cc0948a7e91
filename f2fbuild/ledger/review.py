"""What a follower reads of a log: its node's certificate first, every entry signed, every promise kept.

That the entries are those of the signed tree is known before; here is asked what they say. A log never loses
an entry, so one that breaks the rules breaks the log for ever.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from f2fbuild.errors import F2FError, FormatError, LedgerError
from f2fbuild.ledger.entry import NodeCertificate, certificate_keys, decode, read
from f2fbuild.ledger.evidence.owners import read_node
from f2fbuild.ledger.openings import check_statement, opened
from f2fbuild.ledger.promises import NOTHING_OWED, Account, Promises
from f2fbuild.model.envelope import unseal
from f2fbuild.model.tree import leaf_hash
from f2fbuild.model.vkey import VerifierKey, format_vkey


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """The first `size` entries of the log of `key` are in order; `promises` is what they still owe.

    `statement_key` has 32 bytes: the one that the node is known by. `owner` is the fingerprint of its owner,
    empty when nobody is known to answer for the log.
    """

    key: VerifierKey
    statement_key: bytes
    owner: str = ""
    size: int = 0
    promises: Promises = NOTHING_OWED


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """The entry at `index` breaks the rules of the log; `why` is for people."""

    index: int
    why: str


def review(since: Reviewed, entries: Iterable[bytes], earlier: Callable[[int], bytes]) -> Reviewed | Broken:
    """Return where the review stands after the next `entries` of the log, or the first one out of order.

    Args:
        since: where it stood before.
        entries: the next ones, in order.
        earlier: returns any entry of the log that comes before the last of `entries`.
    """
    index, account = since.size, Account(since.promises)
    for data in entries:
        try:
            if index == 0:
                _check_first(data, since)
            entry = read(data, since.statement_key)
            opens = opened(entry, index, since.key.name, lambda at: leaf_hash(earlier(at)))
            problem = account.take(index, entry, opens) or check_statement(
                entry, index, since.key.name, earlier, since.statement_key
            )
        except F2FError as error:
            return Broken(index=index, why=error.what)
        if problem:
            return Broken(index=index, why=problem)
        index += 1
    return replace(since, size=index, promises=account.promises)


def _check_first(entry: bytes, since: Reviewed) -> None:
    """Require entry 0 to be the certificate of this node, and one by which evidence can name its owner.

    Raises:
        F2FError: it is not.
    """
    if bound_key(entry, since.key) != since.statement_key:
        raise LedgerError("certifies another statement key than this node is known by", where="entry 0")
    if since.owner and read_node(unseal(entry).payload).owner != since.owner:
        raise LedgerError("names another owner than this node is known by", where="entry 0")


def bound_key(entry: bytes, key: VerifierKey, *, where: str = "entry 0") -> bytes:
    """Return the 32-byte statement key that the log of `key` binds itself to by its first entry.

    Raises:
        LedgerError: the entry is not the certificate of this log, signed by the key that it names.
    """
    try:
        envelope = unseal(entry)
        certificate = decode(envelope.payload_type, envelope.payload).payload
    except FormatError as error:
        raise LedgerError(error.what, where=where) from error
    if not isinstance(certificate, NodeCertificate):
        raise LedgerError("is no node certificate", where=where)
    keys = certificate_keys(certificate)
    if (keys.log, keys.statements) != (format_vkey(key), envelope.public):
        raise LedgerError("is the certificate of another log or statement key", where=where)
    return keys.statements
