"""The schema: its values are those of the model, and its checks hold."""

import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import pytest

from f2fbuild.model.job import AssignmentState, JobClass, JobState
from f2fbuild.model.outcome import Stage
from f2fbuild.store.database import ConflictError, Database, SqlValue
from f2fbuild.store.schema import MIGRATIONS

KEY, PEER, OTHER = "a" * 64, "b" * 64, "c" * 64

JOB: dict[str, SqlValue] = {
    "id": KEY,
    "created": 1,
    "state": "queued",
    "order": b"{}",
    "build_key": OTHER,
    "title": "hello-2.10-1",
    "target": "debian-12",
    "format": "deb",
    "class": "testing",
    "offer": "{}",
    "salt": bytes(32),
    "log_size": 0,
    "arch": "amd64",
    "updated": 1,
}
ASSIGNMENT: dict[str, SqlValue] = {
    "job": KEY,
    "peer": PEER,
    "owner": "f" * 40,
    "state": "offered",
    "updated": 1,
    "deadline": 9,
}
TASK: dict[str, SqlValue] = {
    "job": KEY,
    "submitter": PEER,
    "offer": b"{}",
    "state": "accepted",
    "acceptance_index": 4,
    "acceptance": b"{}",
    "nonce": bytes(32),
    "salts": bytes(64),
    "log_size": 4,
    "deadline": 9,
    "reveal_by": 8,
    "updated": 1,
}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database.open(tmp_path / "node.db", MIGRATIONS) as opened:
        yield opened


def insert(database: Database, table: str, row: dict[str, SqlValue], **changed: SqlValue) -> None:
    row = {**row, **changed}
    columns = ", ".join(f'"{name}"' for name in row)
    values = ", ".join("?" for _ in row)
    database.execute(f"INSERT INTO {table} ({columns}) VALUES ({values})", tuple(row.values()))


def allowed(database: Database, table: str, column: str) -> set[str]:
    row = database.row("SELECT sql FROM sqlite_schema WHERE name = ?", (table,))
    assert row is not None
    found = re.search(rf"\b{column} IN \(([^)]*)\)", str(row["sql"]))
    assert found
    return set(re.findall(r"'([^']*)'", found[1]))


@pytest.mark.parametrize(
    ("table", "column", "words", "besides"),
    [
        ("job", "state", JobState, set()),
        ("job", "class", JobClass, set()),
        ("assignment", "state", AssignmentState, set()),
        ("assignment", "stage", Stage, {""}),
        ("task", "stage", Stage, {""}),
    ],
)
def test_the_checks_allow_what_the_model_knows(
    database: Database, table: str, column: str, words: type[StrEnum], besides: set[str]
) -> None:
    assert allowed(database, table, column) == {str(word) for word in words} | besides


def test_a_task_starts_where_an_offer_was_accepted(database: Database) -> None:
    asked_only = {str(AssignmentState.OFFERED), str(AssignmentState.REFUSED)}
    assert allowed(database, "task", "state") == {str(state) for state in AssignmentState} - asked_only


def test_every_table_is_strict(database: Database) -> None:
    tables = database.rows("PRAGMA table_list")
    ours = [table for table in tables if not table["name"].startswith("sqlite_")]
    assert ours
    assert [table["name"] for table in ours if not table["strict"]] == []


def test_rows_of_a_job_go_with_it(database: Database) -> None:
    insert(database, "job", JOB)
    insert(database, "assignment", ASSIGNMENT)
    database.execute("DELETE FROM job WHERE id = ?", (KEY,))
    assert database.rows("SELECT * FROM assignment") == []


@pytest.mark.parametrize(
    ("table", "row", "changed"),
    [
        ("job", JOB, {"state": "excluded"}),
        ("job", JOB, {"class": "production"}),
        ("job", JOB, {"offer": "{"}),
        ("job", JOB, {"salt": b"short"}),
        ("job", JOB, {"id": "short"}),
        ("job", JOB, {"created": "yesterday"}),
        ("job", JOB, {"verdict": "agree"}),
        ("assignment", ASSIGNMENT, {}),
        ("task", TASK, {"state": "offered"}),
        ("task", TASK, {"commitment_index": 4}),
        ("task", TASK, {"outcome_index": 5, "closing_index": 6}),
        ("task", TASK, {"nonce": b"short"}),
    ],
)
def test_what_cannot_be_is_refused(
    database: Database, table: str, row: dict[str, SqlValue], changed: dict[str, SqlValue]
) -> None:
    with pytest.raises(ConflictError):
        insert(database, table, row, **changed)


def test_what_can_be_is_stored(database: Database) -> None:
    insert(database, "job", JOB, verdict="{}")
    insert(database, "assignment", ASSIGNMENT, stage="build")
    insert(database, "task", TASK, commitment_index=5, closing_index=6)
    for table, column, value in (
        ("job", "verdict", "{}"),
        ("assignment", "stage", "build"),
        ("task", "closing_index", 6),
    ):
        assert [row[column] for row in database.rows(f"SELECT {column} FROM {table}")] == [value]


def test_a_task_has_one_end(database: Database) -> None:
    insert(database, "task", TASK, commitment_index=5)
    database.execute("UPDATE task SET outcome_index = 6")
    with pytest.raises(ConflictError):
        database.execute("UPDATE task SET closing_index = 7")


def test_event_numbers_never_come_back(database: Database) -> None:
    event: dict[str, SqlValue] = {"job": KEY, "at": 1, "kind": "state", "data": "{}"}
    insert(database, "event", event)
    database.execute("DELETE FROM event")
    insert(database, "event", event)
    assert database.rows("SELECT seq FROM event") == [{"seq": 2}]


@pytest.mark.parametrize(
    ("question", "index"),
    [
        ("SELECT * FROM job WHERE state = 'queued' ORDER BY created", "job_by_state"),
        ("SELECT * FROM job WHERE build_key = ''", "job_by_build_key"),
        ("SELECT * FROM assignment WHERE peer = '' AND state = 'building'", "assignment_by_peer"),
        ("SELECT * FROM assignment WHERE state = 'offered' AND deadline < 5", "assignment_by_deadline"),
        ("SELECT * FROM task WHERE submitter = '' AND state = 'building'", "task_by_submitter"),
        ("SELECT * FROM product WHERE sha256 = ''", "product_by_sha256"),
        ("DELETE FROM replay WHERE not_after < 5", "replay_by_age"),
        ("SELECT * FROM event WHERE job = '' AND seq > 5 ORDER BY seq", "event_by_job"),
        ("SELECT * FROM friend WHERE owner = ''", "friend_by_owner"),
    ],
)
def test_lookups_have_their_index(database: Database, question: str, index: str) -> None:
    plan = database.rows(f"EXPLAIN QUERY PLAN {question}")
    assert any(f"INDEX {index} " in f"{step['detail']} " for step in plan), plan
    assert not any("TEMP B-TREE" in step["detail"] for step in plan)
