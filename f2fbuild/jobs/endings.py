"""The entries that an acceptance owes: a commitment and its outcome, or a closing; each written once.

What is going to be written stands in the task's row before it is written, and the row says so afterwards. So
each step can be done again after a crash with the same bytes; see `Journal.ensure`.
"""

from f2fbuild import limits
from f2fbuild.jobs.bench import Bench
from f2fbuild.jobs.finished import commitment
from f2fbuild.jobs.tasks import Task
from f2fbuild.ledger.entry import Closing, Outcome
from f2fbuild.model import statement as statements
from f2fbuild.model.job import AssignmentState
from f2fbuild.model.outcome import ClosingReason
from f2fbuild.model.statement import BuildStatement
from f2fbuild.store.blobs import BlobStore


def statement_of(task: Task, blobs: BlobStore) -> BuildStatement:
    """Return the statement that a task has decided."""
    return statements.decode(task.result or b"", products_list(task, blobs))


def products_list(task: Task, blobs: BlobStore) -> bytes:
    """Return the list of a task's products, when it is a blob."""
    digest = statements.products_blob(task.result or b"")
    return blobs.read(digest, limits.PRODUCTS_LIST_BYTES) if digest else b""


class Endings:
    """Writes how tasks end."""

    def __init__(self, bench: Bench) -> None:
        """Write to the bench's log and rows."""
        self._bench = bench

    async def commit(self, task: Task) -> Task:
        """Commit to the result that a task has decided."""
        sealed = self._bench.journal.seal(commitment(task, products_list(task, self._bench.blobs)))
        recorded = await self._bench.journal.ensure(sealed, since=task.log_size)
        task = self._bench.tasks.change(
            task.job, self._bench.clock(), commitment_index=recorded.index, state=AssignmentState.COMMITTED
        )
        self._bench.changes.notify(task.job)
        return task

    async def reveal(self, task: Task) -> None:
        """Write the outcome that was committed to; then the submitter may fetch what belongs to it."""
        entry = self._bench.journal.seal(Outcome(statement=task.result or b""))
        recorded = await self._bench.journal.ensure(entry, since=task.log_size)
        until = self._bench.clock() + limits.ARTIFACT_DAYS * 86_400
        self._bench.access.allow(task.submitter, task.attachments, until)
        self._bench.tasks.change(
            task.job, self._bench.clock(), outcome_index=recorded.index, state=AssignmentState.DONE
        )
        self._bench.changes.notify(task.job)

    async def close(self, task: Task, reason: ClosingReason, detail: str) -> None:
        """End an acceptance without a result."""
        recorded = await self._bench.journal.ensure(self._closing(task, reason), since=task.log_size)
        cancelled = reason is ClosingReason.CANCELLED
        state = AssignmentState.CANCELLED if cancelled else AssignmentState.LOST
        self._bench.tasks.change(
            task.job,
            self._bench.clock(),
            closing_index=recorded.index,
            state=state,
            detail=detail[: limits.MESSAGE_TEXT],
        )
        self._bench.changes.notify(task.job)

    async def give_back(self, task: Task) -> None:
        """Close what a crash left open; if the closing was written already, the row learns of it."""
        for reason in ClosingReason:
            written = await self._bench.journal.find(self._closing(task, reason), since=task.log_size)
            if written is not None:
                await self.close(task, reason, task.detail)
                return
        await self.close(task, ClosingReason.GAVE_BACK, "the node was restarted")

    def _closing(self, task: Task, reason: ClosingReason) -> bytes:
        closing = Closing(acceptance=task.acceptance_index or 0, reason=reason)
        return self._bench.journal.seal(closing)
