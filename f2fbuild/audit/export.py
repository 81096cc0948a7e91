"""Logs as files for people and their programs: JSON lines, in-toto envelopes, a table.

Every entry is read and its signature verified on the way; one that cannot be read is told, never left out in
silence. The same logs make the same bytes: logs in the order of their origins, entries in that of their log.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from f2fbuild.audit.outcomes import outcome_row
from f2fbuild.errors import F2FError
from f2fbuild.ledger import reading
from f2fbuild.ledger.entry import Entry, Kind, Outcome, decode
from f2fbuild.ledger.facts import certificate_fields
from f2fbuild.model import canonical
from f2fbuild.model.encoding import encode_base64
from f2fbuild.model.envelope import unseal
from f2fbuild.model.statement import PAYLOAD_TYPE as IN_TOTO
from f2fbuild.model.tree import leaf_hash
from f2fbuild.model.vkey import VerifierKey

COLUMNS = (
    "origin",
    "owner",
    "node",
    "index",
    "job",
    "build_key",
    "format",
    "arch",
    "result",
    "stage",
    "exit_class",
    "started",
    "finished",
    "package",
    "name",
    "size",
    "sha256",
    "canonical",
)
"""The columns of the table of outcomes."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)

Unreadable = Callable[[str, int, str], None]
"""Is told origin and index of an entry that cannot be read, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The log of `key`, not empty, in `directory`, as entry 0 describes itself."""

    directory: Path
    key: VerifierKey
    statement_key: bytes
    owner: str
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """An entry whose envelope is whole and signed by its node."""

    index: int
    data: bytes
    payload_type: str
    payload: bytes
    entry: Entry


def sources_of(logs: Sequence[tuple[Path, VerifierKey]]) -> list[Source]:
    """Return what can be exported of `logs`, in the order of their origins; empty logs are left out.

    Raises:
        LedgerError: a log that is not bound by its entry 0.
        StorageError: a file is missing or damaged.
    """
    found = []
    for directory, key in sorted(logs, key=lambda one: one[1].name):
        if reading.read_head(directory, key).checkpoint.size:
            statement_key = reading.bound_statement_key(directory, key)
            entry, _ = reading.read_proved(directory, key, 0)
            fields = certificate_fields(unseal(entry).payload)
            found.append(
                Source(
                    directory=directory,
                    key=key,
                    statement_key=statement_key,
                    owner=fields.get("owner", ""),
                    node=fields.get("node", ""),
                )
            )
    return found


def entries_of(source: Source, unreadable: Unreadable) -> Iterator[Exported]:
    """Yield the entries of a log, each verified; the others are told to `unreadable`."""
    for index, data in reading.read_all(source.directory, source.key):
        try:
            envelope = unseal(data, public=source.statement_key)
            entry = decode(envelope.payload_type, envelope.payload)
        except F2FError as error:
            unreadable(source.key.name, index, error.what)
            continue
        yield Exported(
            index=index,
            data=data,
            payload_type=envelope.payload_type,
            payload=envelope.payload,
            entry=entry,
        )


def json_lines(sources: Sequence[Source], unreadable: Unreadable) -> Iterator[bytes]:
    """Yield one JSON object a line, keys sorted, for every entry, its payload decoded."""
    for source in sources:
        for one in entries_of(source, unreadable):
            line: dict[str, Any] = {
                "schema": "f2fbuild.entry/1",
                "origin": source.key.name,
                "owner": source.owner,
                "node": source.node,
                "index": one.index,
                "kind": str(one.entry.kind),
                "leafHash": leaf_hash(one.data).hex(),
                "payloadType": one.payload_type,
                "statementKey": source.statement_key.hex(),
            }
            yield _ENCODER.encode(line | _payload(one)).encode() + b"\n"


def in_toto(sources: Sequence[Source], unreadable: Unreadable) -> Iterator[bytes]:
    """Yield an in-toto bundle: every envelope around a Statement, verbatim, one a line."""
    for source in sources:
        for one in entries_of(source, unreadable):
            if one.payload_type == IN_TOTO:
                yield one.data + b"\n"


def table(sources: Sequence[Source], unreadable: Unreadable) -> Iterator[bytes]:
    """Yield the table of outcomes as CSV (RFC 4180): one line for each product, or source of a failed build.

    A cell that a spreadsheet would take for a formula gets an apostrophe: names are builders' words.
    """
    yield _csv_line(COLUMNS)
    for source in sources:
        for one in entries_of(source, unreadable):
            if not isinstance(one.entry.payload, Outcome):
                continue
            row = outcome_row(one.entry.payload.statement)
            start = (source.key.name, source.owner, source.node, one.index, row.job, row.build_key)
            middle = (row.format, row.arch, row.result, row.stage, row.exit_class, row.started, row.finished)
            for subject in row.subjects:
                size = "" if subject.size is None else subject.size
                end = (subject.package, subject.name, size, subject.sha256, subject.canonical)
                yield _csv_line((*start, *middle, *end))


def _payload(one: Exported) -> dict[str, Any]:
    """Return a payload as the JSON that it is, else as text, else as base64."""
    try:
        known = one.entry.kind is not Kind.UNKNOWN
        # What a known kind consists of was compared with its one spelling when it was read.
        return {"payload": json.loads(one.payload) if known else canonical.decode(one.payload)}
    except (ValueError, F2FError):
        pass
    try:
        text = one.payload.decode()
        canonical.encode(text)
    except (UnicodeDecodeError, F2FError):
        return {"payloadBase64": encode_base64(one.payload)}
    return {"payloadText": text}


def _csv_line(cells: Sequence[str | int]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow([_defused(cell) if isinstance(cell, str) else cell for cell in cells])
    return line.getvalue().encode()


def _defused(cell: str) -> str:
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
