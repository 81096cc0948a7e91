"""The submitter's durable rows: jobs that were ordered, and the builders that were asked."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from f2fbuild.errors import LocalProtocolError, UsageError
from f2fbuild.jobs.offer import Offer, from_body, to_body
from f2fbuild.model import canonical
from f2fbuild.model.digest import long_id
from f2fbuild.model.job import AssignmentState, JobState, Order
from f2fbuild.model.vote import ChallengeState, Strike
from f2fbuild.store.database import Database, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One order of this node. `salt` hides the order in the log; `verdict` is JSON once there is one."""

    id: str
    order: Order
    offer: Offer
    target: str
    arch: str
    state: JobState
    reason: str
    salt: bytes
    log_size: int
    verdict: str | None
    updated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One builder asked for one job. Entries and proofs are verbatim, None until they came.

    `ending` is the outcome or closing entry, `attachments` the blobs that came with it; `result` the digest
    of its result, empty for a closing; `verified` tells whether this node recomputed the result from bytes,
    `strikes` why it is no vote. `facts` is JSON. `replaces` and `tie_break` say why the builder was asked, as
    in a `Seat`.

    `out` is set before the builder's result may be read by others. `open_book` tells that it was asked when a
    result of the job was out already, `behind` that it was not, but committed only after one was. `challenge`
    is how far the last challenge is, with its 32-byte `nonce` and the builder's `answer`.
    """

    job: str
    peer: str
    owner: str
    state: AssignmentState
    stage: str = ""
    detail: str = ""
    acceptance: bytes | None = None
    receipt: bytes | None = None
    commitment: bytes | None = None
    commitment_proof: bytes | None = None
    ending: bytes | None = None
    ending_proof: bytes | None = None
    attachments: tuple[str, ...] = ()
    result: str = ""
    verified: bool = False
    facts: str = "{}"
    tie_break: bool = False
    replaces: str = ""
    strikes: tuple[Strike, ...] = ()
    out: bool = False
    open_book: bool = False
    behind: bool = False
    challenge: ChallengeState = ChallengeState.NONE
    nonce: bytes | None = None
    answer: str = ""
    deadline: int
    updated: int


class Queue:
    """The tables of jobs and assignments."""

    def __init__(self, database: Database) -> None:
        """Keep the queue in `database`."""
        self._database = database

    def add(self, job: Job) -> None:
        """Store a new job."""
        self._database.execute(
            'INSERT INTO job (id, created, state, "order", build_key, title, target, arch, format, class, '
            "offer, salt, log_size, reason, verdict, updated) VALUES "
            "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                job.id,
                job.order.created,
                str(job.state),
                job.order.encode(),
                job.order.build_key,
                job.offer.title,
                job.target,
                job.arch,
                job.offer.definition.format,
                str(job.order.job_class),
                canonical.encode(to_body(job.offer)).decode(),
                job.salt,
                job.log_size,
                job.reason,
                job.verdict,
                job.updated,
            ),
        )

    def get(self, job: str) -> Job | None:
        """Return the job of this id."""
        row = self._database.row("SELECT * FROM job WHERE id = ?", (job,))
        return _job(row) if row else None

    def resolve(self, prefix: str) -> Job:
        """Return the one job whose id on screen, or whole id, begins with `prefix`.

        Raises:
            UsageError: no job or several jobs begin so.
        """
        rows = self._database.rows("SELECT id FROM job ORDER BY created DESC")
        wanted = prefix.lower()
        found = [r["id"] for r in rows if long_id(r["id"]).startswith(wanted) or r["id"] == wanted]
        # Nothing is the beginning of everything: a script's unset variable must not mean the only job.
        found = found if wanted else []
        if len(found) != 1:
            what = "no job begins with this id" if not found else f"{len(found)} jobs begin with this id"
            raise UsageError(what, where=prefix, hint="see `f2fbuild job list`")
        return self._existing(found[0])

    def newest(self, limit: int) -> list[Job]:
        """Return the newest jobs, newest first."""
        rows = self._database.rows("SELECT * FROM job ORDER BY created DESC, id LIMIT ?", (limit,))
        return [_job(row) for row in rows]

    def has_ordered(self, build_key: str) -> bool:
        """Return whether a job with this build key was ordered here."""
        return self._database.row("SELECT 1 AS one FROM job WHERE build_key = ?", (build_key,)) is not None

    def accusing(self) -> list[Job]:
        """Return the jobs whose stored verdict accuses somebody."""
        rows = self._database.rows(
            "SELECT * FROM job WHERE json_array_length(verdict, '$.accuses') > 0 ORDER BY created, id"
        )
        return [_job(row) for row in rows]

    def unfinished(self) -> list[Job]:
        """Return, oldest first, the jobs that have not ended or whose builders have not."""
        rows = self._database.rows(
            "SELECT * FROM job WHERE state IN ('queued', 'blocked', 'running') OR id IN (SELECT job FROM "
            "assignment WHERE state NOT IN ('refused', 'done', 'lost', 'cancelled')) ORDER BY created, id"
        )
        return [_job(row) for row in rows]

    def change(self, job: str, now: int, **columns: Any) -> Job:
        """Set some columns of a job and return it as it is then."""
        self._update("job", "id = :job", {"job": job}, {**columns, "updated": now})
        return self._existing(job)

    def assign(self, assignment: Assignment) -> None:
        """Store that a builder is asked."""
        names = list(Assignment.__dataclass_fields__)
        values = {name: _stored(getattr(assignment, name)) for name in names}
        marks = ", ".join(f":{name}" for name in names)
        sql = f"INSERT INTO assignment ({', '.join(names)}) VALUES ({marks})"  # noqa: S608  own names
        self._database.execute(sql, values)

    def assignments(self, job: str) -> list[Assignment]:
        """Return the builders asked for a job, in the order in which they were asked."""
        rows = self._database.rows("SELECT * FROM assignment WHERE job = ? ORDER BY rowid", (job,))
        return [_assignment(row) for row in rows]

    def assignment(self, job: str, peer: str) -> Assignment:
        """Return one builder's part in a job."""
        row = self._database.row("SELECT * FROM assignment WHERE job = ? AND peer = ?", (job, peer))
        if row is None:
            raise LocalProtocolError("no such assignment", where=f"{job} {peer}")
        return _assignment(row)

    def advance(self, job: str, peer: str, now: int, **columns: Any) -> Assignment:
        """Set some columns of an assignment and return it as it is then."""
        self._update(
            "assignment",
            "job = :job AND peer = :peer",
            {"job": job, "peer": peer},
            {**columns, "updated": now},
        )
        return self.assignment(job, peer)

    def proofs(self, peer: str, number: int) -> list[bytes]:
        """Return the proofs of what a builder showed of its log for its last `number` assignments."""
        rows = self._database.rows(
            "SELECT receipt, commitment_proof, ending_proof FROM assignment WHERE peer = ? "
            "ORDER BY rowid DESC LIMIT ?",
            (peer, number),
        )
        return [proof for row in reversed(rows) for proof in row.values() if proof]

    def working_for(self, peers: Iterable[str]) -> dict[str, int]:
        """Return how many open assignments each of these peers has."""
        rows = self._database.rows(
            "SELECT peer, count(*) AS number FROM assignment WHERE state IN ('offered', 'accepted', "
            "'preparing', 'building', 'verifying') GROUP BY peer"
        )
        counts = {row["peer"]: row["number"] for row in rows}
        return {peer: counts.get(peer, 0) for peer in peers}

    def _update(self, table: str, where: str, key: dict[str, str], columns: dict[str, Any]) -> None:
        sets = ", ".join(f'"{name}" = :{name}' for name in columns)
        values = {name: _stored(value) for name, value in columns.items()}
        self._database.execute(f"UPDATE {table} SET {sets} WHERE {where}", {**values, **key})  # noqa: S608

    def _existing(self, job: str) -> Job:
        found = self.get(job)
        if found is None:
            raise LocalProtocolError("no such job", where=job)
        return found


def _stored(value: Any) -> Any:
    if isinstance(value, AssignmentState | JobState | ChallengeState):
        return str(value)
    if isinstance(value, tuple):
        return json.dumps(value)
    return int(value) if isinstance(value, bool) else value


def _job(row: Row) -> Job:
    return Job(
        id=row["id"],
        order=Order.decode(row["order"]),
        offer=from_body(canonical.decode(row["offer"].encode(), where="stored offer")),
        target=row["target"],
        arch=row["arch"],
        state=JobState(row["state"]),
        reason=row["reason"],
        salt=row["salt"],
        log_size=row["log_size"],
        verdict=row["verdict"],
        updated=row["updated"],
    )


def _assignment(row: Row) -> Assignment:
    flags = {name: bool(row[name]) for name in ("tie_break", "verified", "out", "open_book", "behind")}
    lists = {
        "attachments": tuple(json.loads(row["attachments"])),
        "strikes": tuple(Strike(word) for word in json.loads(row["strikes"])),
    }
    words = {
        "state": AssignmentState(row["state"]),
        "challenge": ChallengeState(row["challenge"]),
    }
    return Assignment(**{**row, **flags, **lists, **words})
