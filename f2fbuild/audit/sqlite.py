"""Logs as one SQLite file, made for datasette and for whoever asks with SQL.

    log        one row a log; `vkey` and `checkpoint` let anybody check it
    entry      one row an entry: kind, payload as JSON or text, leaf hash
    outcome    one row a build's end that was signed; `format`, `arch`, `result`, `stage`
    subject    the products of an outcome (of a failed build its sources)
    source     what went into it: sources and the environment lock
    acceptance a builder's promises, and `ended_by`, the entry that kept it

Views: `vote` (one line an owner and build key: its result digest, or `self-contradicting`), `agreement` (how
many owners stand behind each result of a build key), `contradicted` (build keys with more than one result),
`owed` (promises that nothing has kept). The tables are a reading of the logs, not the logs: what counts is
verified in them.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from f2fbuild.audit.export import Exported, Source, Unreadable, entries_of
from f2fbuild.audit.outcomes import Subject, outcome_row
from f2fbuild.errors import F2FError
from f2fbuild.ledger import reading
from f2fbuild.ledger.commitment import opening_of
from f2fbuild.ledger.entry import Acceptance, Closing, Outcome
from f2fbuild.model.digest import sha256_hex
from f2fbuild.model.times import format_time
from f2fbuild.model.tree import leaf_hash
from f2fbuild.model.vkey import format_vkey
from f2fbuild.store.database import SqlValue, write_tables

SCHEMA = (
    """CREATE TABLE log (
    origin TEXT PRIMARY KEY, owner TEXT NOT NULL, node TEXT NOT NULL, vkey TEXT NOT NULL,
    statement_key TEXT NOT NULL, size INTEGER NOT NULL, root TEXT NOT NULL, checkpoint TEXT NOT NULL
) STRICT""",
    """CREATE TABLE entry (
    origin TEXT NOT NULL REFERENCES log (origin), idx INTEGER NOT NULL, kind TEXT NOT NULL,
    payload_type TEXT NOT NULL, payload ANY NOT NULL, leaf_hash TEXT NOT NULL,
    PRIMARY KEY (origin, idx)
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE outcome (
    origin TEXT NOT NULL, idx INTEGER NOT NULL, job TEXT NOT NULL, acceptance INTEGER,
    build_key TEXT NOT NULL, format TEXT NOT NULL, arch TEXT NOT NULL, result TEXT NOT NULL,
    stage TEXT NOT NULL, exit_class TEXT NOT NULL, started TEXT NOT NULL, finished TEXT NOT NULL,
    build_log TEXT NOT NULL, digest TEXT NOT NULL,
    PRIMARY KEY (origin, idx), FOREIGN KEY (origin, idx) REFERENCES entry (origin, idx)
) STRICT, WITHOUT ROWID""",
    *(
        f"""CREATE TABLE {name} (
    origin TEXT NOT NULL, idx INTEGER NOT NULL, name TEXT NOT NULL, package TEXT NOT NULL, size INTEGER,
    sha256 TEXT NOT NULL, canonical TEXT NOT NULL,
    FOREIGN KEY (origin, idx) REFERENCES outcome (origin, idx)
) STRICT"""
        for name in ("subject", "source")
    ),
    """CREATE TABLE acceptance (
    origin TEXT NOT NULL, idx INTEGER NOT NULL, job TEXT NOT NULL, deadline TEXT NOT NULL,
    reveal_by TEXT NOT NULL, ended_by INTEGER, ended TEXT,
    PRIMARY KEY (origin, idx), FOREIGN KEY (origin, idx) REFERENCES entry (origin, idx)
) STRICT, WITHOUT ROWID""",
)
INDEXES = (
    "CREATE INDEX entry_by_kind ON entry (kind)",
    "CREATE INDEX outcome_by_build_key ON outcome (build_key)",
    "CREATE INDEX outcome_by_job ON outcome (job)",
    "CREATE INDEX subject_by_sha256 ON subject (sha256)",
    "CREATE INDEX subject_by_package ON subject (package)",
    "CREATE INDEX source_by_sha256 ON source (sha256)",
    "CREATE INDEX acceptance_by_job ON acceptance (job)",
    """CREATE VIEW vote AS
    SELECT o.build_key, l.owner, CASE WHEN COUNT(DISTINCT o.digest) = 1 THEN MIN(o.digest)
        ELSE 'self-contradicting' END AS digest, MIN(o.result) AS result, MAX(o.finished) AS finished
    FROM outcome o JOIN log l USING (origin) GROUP BY o.build_key, l.owner""",
    """CREATE VIEW agreement AS
    SELECT build_key, digest, result, COUNT(*) AS owners, GROUP_CONCAT(owner, ' ') AS who
    FROM vote WHERE digest <> 'self-contradicting' GROUP BY build_key, digest""",
    """CREATE VIEW contradicted AS
    SELECT build_key, COUNT(DISTINCT digest) AS results, COUNT(*) AS owners
    FROM vote GROUP BY build_key HAVING COUNT(DISTINCT digest) > 1""",
    """CREATE VIEW owed AS
    SELECT l.owner, l.node, a.origin, a.idx, a.job, a.deadline
    FROM acceptance a JOIN log l USING (origin) WHERE a.ended_by IS NULL""",
)
"""Made after the rows, which is faster."""

Line = tuple[str, tuple[SqlValue, ...]]


def write_sqlite(path: Path, sources: Sequence[Source], unreadable: Unreadable) -> None:
    """Make `path`, a new or empty file, a database of the logs.

    Raises:
        F2FError: a log cannot be read.
        StorageError: the disk does not take it.
    """
    lines = (line for source in sources for line in _lines(source, unreadable))
    write_tables(path, SCHEMA, lines, INDEXES)


def _lines(source: Source, unreadable: Unreadable) -> Iterator[Line]:
    origin = source.key.name
    head = reading.read_head(source.directory, source.key)
    yield _insert(
        "log",
        origin,
        source.owner,
        source.node,
        format_vkey(source.key),
        source.statement_key.hex(),
        head.checkpoint.size,
        head.checkpoint.root.hex(),
        head.note.decode(),
    )
    for one in entries_of(source, unreadable):
        yield _insert(
            "entry",
            origin,
            one.index,
            str(one.entry.kind),
            one.payload_type,
            _shown(one.payload),
            leaf_hash(one.data).hex(),
        )
        yield from _told(origin, one)


def _told(origin: str, one: Exported) -> Iterator[Line]:
    """Yield the rows that one entry adds to the tables besides `entry`."""
    match one.entry.payload:
        case Acceptance() as promise:
            times = format_time(promise.deadline), format_time(promise.reveal_by)
            yield _insert("acceptance", origin, one.index, promise.job, *times, None, None)
        case Closing(acceptance=index, reason=reason):
            yield _ended(origin, index, one.index, str(reason))
        case Outcome() as outcome:
            yield from _outcome(origin, one.index, outcome)
        case _:
            return


def _outcome(origin: str, index: int, outcome: Outcome) -> Iterator[Line]:
    row = outcome_row(outcome.statement)
    yield _insert(
        "outcome",
        origin,
        index,
        row.job,
        row.acceptance,
        row.build_key,
        row.format,
        row.arch,
        row.result,
        row.stage,
        row.exit_class,
        row.started,
        row.finished,
        row.log,
        _digest(row.result, row.stage, row.exit_class, row.subjects),
    )
    for name, subjects in (("subject", row.subjects), ("source", row.sources)):
        for one in subjects:
            yield _insert(name, origin, index, one.name, one.package, one.size, one.sha256, one.canonical)
    try:
        yield _ended(origin, opening_of(outcome).acceptance, index, row.result)
    except F2FError:
        # A statement that names no acceptance keeps no promise; `ledger verify` says so.
        return


def _digest(result: str, stage: str, exit_class: str, subjects: Sequence[Subject]) -> str:
    """Return what two outcomes must share to agree: canonical products, or where and how it failed."""
    said = sorted(f"{one.name} {one.canonical}" for one in subjects) if result == "succeeded" else []
    return sha256_hex("\n".join([result, stage, exit_class, *said]).encode())


def _shown(payload: bytes) -> str | bytes:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return payload


def _insert(name: str, *values: SqlValue) -> Line:
    # The name is one of this page's tables.
    return f"INSERT INTO {name} VALUES ({', '.join('?' * len(values))})", values  # noqa: S608


def _ended(origin: str, acceptance: int, index: int, how: str) -> Line:
    sql = "UPDATE acceptance SET ended_by = ?, ended = ? WHERE origin = ? AND idx = ? AND ended_by IS NULL"
    return sql, (index, how, origin, acceptance)
