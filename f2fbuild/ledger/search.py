"""Looking for entries in a log by what they say: a scan, one bundle at a time, beside the node that writes.

Most entries are put aside after a glance at their bytes, so that 100,000 entries take a second or two and no
index has to be kept true. Signatures are the caller's to verify, of what is found.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

from f2fbuild.ledger import reading
from f2fbuild.ledger.certificate import NODE_CERTIFICATE
from f2fbuild.ledger.facts import Facts, Query, facts_of, matches, may_match
from f2fbuild.ledger.payloads import Kind
from f2fbuild.model.statement import PAYLOAD_TYPE as IN_TOTO
from f2fbuild.model.vkey import VerifierKey


def search(directory: Path, key: VerifierKey, query: Query, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield index and bytes of the entries of a log that `query` looks for, from `start` on.

    An entry that names no time counts as made at the newest time named before it.

    Raises:
        LedgerError: no log of this key.
        StorageError: a file is missing or damaged.
    """
    time = 0
    first = 0 if query.since else start
    for index, data in reading.read_all(directory, key, first):
        payload_type, payload = _open(data)
        facts: Facts | None = None
        if query.since:
            facts = facts_of(payload)
            time = max(time, facts.time)
        if index < start or time < query.since:
            continue
        if query.payload_type not in ("", payload_type) or not may_match(payload, query):
            continue
        if matches(facts or facts_of(payload), query):
            yield index, data


def payload_type_of(kind: Kind) -> str:
    """Return the payload type of all entries of a kind, empty when they have several."""
    match kind:
        case Kind.NODE_CERTIFICATE:
            return NODE_CERTIFICATE
        case Kind.OUTCOME | Kind.VSA | Kind.SVR:
            return IN_TOTO
        case Kind.UNKNOWN:
            return ""
        case _:
            return f"application/vnd.f2fbuild.{kind}+json"


def _open(entry: bytes) -> tuple[str, bytes]:
    """Return payload type and payload of what should be an envelope, empty when it is none."""
    try:
        fields = json.loads(entry)
        return fields["payloadType"], base64.b64decode(fields["payload"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return "", b""
