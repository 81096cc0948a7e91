"""The builder tells a submitter how a job is getting on: from durable rows, so that he may come back later.

A submitter that was away, or a node that was restarted, asks again from the byte and the state it knows, and
gets the rest. Everybody else is told that there is no such job.
"""

from pathlib import Path

import trio

from f2fbuild import limits
from f2fbuild.jobs.bench import Bench
from f2fbuild.jobs.tasks import Task
from f2fbuild.model.job import AssignmentState
from f2fbuild.net.exchange import Exchange
from f2fbuild.net.messages import FollowJob, JobClosed, JobCommitted, JobLog, JobRevealed, JobState, NoJob

_ORDER = tuple(AssignmentState)
_BLOCK = 64 * limits.KIB


class Report:
    """Serves `FollowJob`."""

    def __init__(self, bench: Bench) -> None:
        """Report from the bench's rows and logs."""
        self._bench = bench

    async def serve(self, exchange: Exchange, request: FollowJob) -> None:
        """Send states, log, commitment and end of a job to its submitter; returns when all was sent."""
        task = self._bench.tasks.get(request.job_id)
        if task is None or task.submitter != exchange.peer or task.acceptance_index is None:
            await exchange.send(NoJob(job_id=request.job_id))
            return
        offset, position, committed = request.log_offset, request.position, False
        told: JobState | None = None
        while True:
            changed = self._bench.changes.next(task.job)
            task = self._bench.tasks.get(task.job) or task
            offset = await self._send_log(exchange, task.job, offset)
            state = _state(task)
            if state.position >= position and state != told:
                await exchange.send(state)
                told = state
            if task.commitment_index is not None and not committed:
                recorded = await self._bench.journal.recorded(task.commitment_index)
                await exchange.send(JobCommitted(entry=recorded.entry, proof=recorded.proof))
                committed = True
            if task.ended:
                await self._send_end(exchange, task)
                return
            await changed.wait()

    async def _send_log(self, exchange: Exchange, job: str, offset: int) -> int:
        path = self._bench.log_file(job)
        while True:
            data = await trio.to_thread.run_sync(_read, path, offset)
            if not data:
                return offset
            await exchange.send(JobLog(offset=offset, data=data))
            offset += len(data)

    async def _send_end(self, exchange: Exchange, task: Task) -> None:
        if task.outcome_index is not None:
            recorded = await self._bench.journal.recorded(task.outcome_index)
            await exchange.send(
                JobRevealed(entry=recorded.entry, proof=recorded.proof, attachments=list(task.attachments))
            )
            return
        recorded = await self._bench.journal.recorded(task.closing_index or 0)
        reason = str(task.state)
        await exchange.send(JobClosed(entry=recorded.entry, proof=recorded.proof, reason=reason))


def _state(task: Task) -> JobState:
    position = _ORDER.index(task.state)
    return JobState(position=position, state=str(task.state), stage=task.stage, detail=task.detail)


def _read(path: Path, offset: int) -> bytes:
    """Return up to a block of a growing log from `offset` on; nothing when it is not there yet."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(_BLOCK)
    except FileNotFoundError:
        return b""
