"""What a builder forgets of jobs that ended long ago: their products, their logs, their details.

An acceptance that has its end owes the bytes for `limits.ARTIFACT_DAYS` more. Entries stay in the log for
ever; the details that they name by a salted hash go with the rest, and nobody can test a guess at them then.
Blobs that somebody may still fetch, that another task needs, or that came to this node as the result of a
job of its own are kept: what one has ordered, one keeps.
"""

import trio

from f2fbuild import limits
from f2fbuild.jobs.bench import Bench
from f2fbuild.jobs.tasks import Task
from f2fbuild.model.job import AssignmentState
from f2fbuild.store.database import Database

_ENDED = (AssignmentState.DONE, AssignmentState.LOST, AssignmentState.CANCELLED)


class Forgetting:
    """Removes what is owed to nobody any more, some tasks at a time."""

    def __init__(self, bench: Bench, database: Database) -> None:
        """Remove from the bench's rows, logs and blobs; `database` says what else needs a blob."""
        self._bench = bench
        self._database = database

    async def round(self) -> int:
        """Forget what ended long enough ago, of at most `limits.TIDY_TASKS` tasks; return of how many."""
        now = self._bench.clock()
        self._bench.access.expire(now)
        old = now - limits.ARTIFACT_DAYS * 86_400
        stale = [
            task for task in self._bench.tasks.in_states(_ENDED) if task.updated < old and self._has(task)
        ]
        for task in stale[: limits.TIDY_TASKS]:
            await self._forget(task)
        return len(stale[: limits.TIDY_TASKS])

    def _has(self, task: Task) -> bool:
        return bool(task.attachments) or self._bench.log_file(task.job).exists()

    async def _forget(self, task: Task) -> None:
        for digest in task.attachments:
            if not self._is_needed(digest, task.job):
                await trio.to_thread.run_sync(self._bench.blobs.remove, digest)
        self._bench.log_file(task.job).unlink(missing_ok=True)
        # If we crash before this, the same blobs are removed again.
        self._bench.tasks.change(task.job, task.updated, attachments=())

    def _is_needed(self, digest: str, job: str) -> bool:
        """Return whether anything but this task speaks of the blob: a grant, another task, an own job."""
        sql = (
            "SELECT 1 FROM blob_reader WHERE digest = :digest UNION ALL "
            "SELECT 1 FROM task, json_each(task.attachments) WHERE value = :digest AND job <> :job UNION ALL "
            "SELECT 1 FROM assignment WHERE instr(attachments, :digest) OR instr(ending, :digest) UNION ALL "
            "SELECT 1 FROM job WHERE instr(offer, :digest) LIMIT 1"
        )
        return bool(self._database.rows(sql, {"digest": digest, "job": job}))
