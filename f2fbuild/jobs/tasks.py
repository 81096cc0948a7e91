"""The builder's durable rows: one task for each job that was accepted."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from f2fbuild.errors import LocalProtocolError
from f2fbuild.model.job import AssignmentState
from f2fbuild.store.database import Database, Row

OPEN_STATES = (
    AssignmentState.ACCEPTED,
    AssignmentState.PREPARING,
    AssignmentState.BUILDING,
    AssignmentState.VERIFYING,
    AssignmentState.COMMITTED,
)
"""States in which an acceptance still owes its one end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One accepted job as it stands in the database.

    `offer` is the signed message verbatim. `acceptance` is an entry and `result` a statement that were
    decided before they were logged; `salts` hides submitter and build key in the acceptance (32 bytes each);
    `log_size` is the size of the log before the last of them was decided. Indices are None until the entry
    is durable.
    """

    job: str
    submitter: str
    offer: bytes
    state: AssignmentState
    stage: str
    detail: str
    acceptance: bytes
    nonce: bytes
    salts: bytes
    deadline: int
    reveal_by: int
    log_size: int
    result: bytes | None
    attachments: tuple[str, ...]
    acceptance_index: int | None
    commitment_index: int | None
    outcome_index: int | None
    closing_index: int | None
    updated: int

    @property
    def ended(self) -> bool:
        """Whether the acceptance has its one end."""
        return self.outcome_index is not None or self.closing_index is not None


class Tasks:
    """The table of tasks."""

    def __init__(self, database: Database) -> None:
        """Keep the tasks in `database`."""
        self._database = database

    def add(self, task: Task) -> None:
        """Store a new task."""
        row = {**_columns(task), "job": task.job}
        names = ", ".join(row)
        marks = ", ".join(f":{name}" for name in row)
        self._database.execute(f"INSERT INTO task ({names}) VALUES ({marks})", row)  # noqa: S608  own names

    def get(self, job: str) -> Task | None:
        """Return the task of a job."""
        row = self._database.row("SELECT * FROM task WHERE job = ?", (job,))
        return _task(row) if row else None

    def change(self, job: str, now: int, **columns: Any) -> Task:
        """Set some columns of a task and return it as it is then."""
        values = {**{name: _stored(value) for name, value in columns.items()}, "updated": now}
        sets = ", ".join(f"{name} = :{name}" for name in values)
        self._database.execute(f"UPDATE task SET {sets} WHERE job = :job", {**values, "job": job})  # noqa: S608
        task = self.get(job)
        if task is None:
            raise LocalProtocolError("no such task", where=job)
        return task

    def remove(self, job: str) -> None:
        """Forget a task whose acceptance was never logged."""
        self._database.execute("DELETE FROM task WHERE job = ?", (job,))

    def in_states(self, states: Iterable[AssignmentState]) -> list[Task]:
        """Return the tasks in any of `states`, oldest first."""
        wanted = json.dumps([str(state) for state in states])
        rows = self._database.rows(
            "SELECT * FROM task WHERE state IN (SELECT value FROM json_each(?)) ORDER BY updated, job",
            (wanted,),
        )
        return [_task(row) for row in rows]


def _stored(value: Any) -> Any:
    if isinstance(value, tuple):
        return json.dumps(value)
    return str(value) if isinstance(value, AssignmentState) else value


def _columns(task: Task) -> dict[str, Any]:
    fields = (name for name in Task.__dataclass_fields__ if name != "job")
    return {name: _stored(getattr(task, name)) for name in fields}


def _task(row: Row) -> Task:
    attachments = tuple(json.loads(row.pop("attachments")))
    return Task(**{**row, "state": AssignmentState(row["state"]), "attachments": attachments})
