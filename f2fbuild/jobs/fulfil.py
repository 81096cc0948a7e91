"""The builder's story: an accepted job from its first blob to the one end that its acceptance owes.

    accepted -> preparing -> building -> verifying -> committed -> done    a result, revealed in an outcome
    from any of the first four -> lost | cancelled                         no result, ended by a closing

Every step is recorded before the next begins. What is decided (a result, its nonce) is in the task's row
before it is logged, so the step can be done again after a crash with the same bytes: see `Journal.ensure`.
A build does not survive a crash of the node; its acceptance is then closed as given back.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path

import trio

from f2fbuild import limits
from f2fbuild.builder.workdir import remove_tree
from f2fbuild.errors import F2FError
from f2fbuild.jobs.bench import Bench
from f2fbuild.jobs.engine import BuildOrder, BuildReport
from f2fbuild.jobs.finished import Finished, commitment, statement
from f2fbuild.jobs.offer import Offer, stored_offer
from f2fbuild.jobs.tasks import OPEN_STATES, Task
from f2fbuild.ledger.entry import Closing
from f2fbuild.ledger.entry import Outcome as OutcomeEntry
from f2fbuild.model import statement as statements
from f2fbuild.model.job import AssignmentState
from f2fbuild.model.outcome import (
    Cancelled,
    ClosingReason,
    Failed,
    Infra,
    Outcome,
    Stage,
    Succeeded,
    TimedOut,
    closing_reason,
)

Fetch = Callable[[str, str, int], Awaitable[Path]]
"""Fetches a blob: (peer, digest, greatest size in bytes) -> its file."""


class Fulfilment:
    """The builder's side of the jobs that friends gave to this node."""

    def __init__(self, bench: Bench, *, fetch: Fetch, slots: int) -> None:
        """Wire the workshop; `fetch` gets blobs from peers, `slots` is how many builds run at once."""
        self._bench = bench
        self._fetch = fetch
        self._slots = slots
        self._wanted = trio.Event()
        self._scopes: dict[str, trio.CancelScope] = {}
        self._shown: dict[str, trio.Event] = {}

    @property
    def building(self) -> int:
        """How many builds run now."""
        return len(self._scopes)

    def wake(self) -> None:
        """Say that a job was accepted."""
        self._wanted.set()
        self._wanted = trio.Event()

    def cancel(self, job: str) -> None:
        """End a job's build, if it runs here; its closing entry follows."""
        scope = self._scopes.get(job)
        if scope is not None:
            scope.cancel()

    def show(self, job: str) -> None:
        """Say that all commitments for the job were shown: its outcome may come out."""
        self._shown.setdefault(job, trio.Event()).set()

    async def recover(self) -> None:
        """Bring to their end what a crash left open; must return before this node tells its log's head.

        Acceptances that were never logged are forgotten, for nobody heard of them. Builds that ran are given
        back. Results that were decided are committed to; they wait for their reveal in `run`.
        """
        for left in self._bench.work.iterdir():
            await self._clear(left.name)
        for task in self._bench.tasks.in_states(OPEN_STATES):
            if task.acceptance_index is None:
                await self._recover_acceptance(task)
            elif task.result is not None:
                await self._commit(task)
            else:
                await self._close(task, ClosingReason.GAVE_BACK, "the node was restarted")

    async def run(self) -> None:
        """Build accepted jobs, `slots` at once, oldest first; reveal committed ones. Runs until cancelled."""
        limiter = trio.CapacityLimiter(self._slots)
        started: set[str] = set()
        async with trio.open_nursery() as nursery:
            while True:
                wanted = self._wanted
                for task in self._bench.tasks.in_states(OPEN_STATES):
                    if task.job not in started and task.acceptance_index is not None:
                        started.add(task.job)
                        nursery.start_soon(self._fulfil, task, limiter)
                await wanted.wait()

    async def _fulfil(self, task: Task, limiter: trio.CapacityLimiter) -> None:
        """Bring one task to its end. Containment: a job's own failure ends in its closing entry."""
        if task.result is None:
            try:
                report = await self._execute(task, limiter)
                match report.outcome:
                    case Succeeded() | Failed() as result:
                        task = await self._decide(task, result, report)
                        task = await self._commit(task)
                    case Infra() | TimedOut() | Cancelled() as outcome:
                        await self._close(task, closing_reason(outcome), report.detail)
                        return
            finally:
                await self._clear(task.job)
        await self._wait_for_reveal(task)
        await self._reveal(task)

    async def _execute(self, task: Task, limiter: trio.CapacityLimiter) -> BuildReport:
        """Fetch, build and digest; whatever goes wrong becomes the outcome of a report."""
        with trio.CancelScope() as scope:
            self._scopes[task.job] = scope
            try:
                with trio.move_on_after(max(0, task.deadline - self._bench.clock())):
                    async with limiter:
                        return await self._build(task)
            except F2FError as error:
                return _no_report(Infra(stage=Stage.CHROOT, reason=error.what), str(error))
            finally:
                del self._scopes[task.job]
            return _no_report(TimedOut(stage=Stage.BUILD), "the deadline passed")
        return _no_report(Cancelled(), "cancelled by the submitter")

    async def _build(self, task: Task) -> BuildReport:
        offer = stored_offer(task.offer)
        self._state(task.job, AssignmentState.PREPARING, "fetching sources")
        files = {blob.name: await self._fetch(task.submitter, blob.sha256, blob.size) for blob in offer.blobs}

        async def fetch(digest: str, size: int) -> Path:
            return await self._fetch(task.submitter, digest, size)

        work = self._bench.work / task.job
        work.mkdir()
        order = BuildOrder(
            job=task.job,
            work=work,
            target=self._target(offer),
            definition=offer.definition,
            sources={source.name: files[source.name] for source in offer.sources},
            lock=files[offer.lock.name].read_bytes(),
            metadata=files[offer.metadata.name].read_bytes(),
            fetch=fetch,
        )
        with self._bench.log_file(task.job).open("wb", buffering=0) as log:
            return await self._bench.engine.build(order, _Progress(self, task.job, log.write))

    def _target(self, offer: Offer) -> str:
        name = self._bench.engine.target_for(offer.definition)
        if name is None:
            raise F2FError("the target of this job was removed", hint="see `f2fbuild target list`")
        return name

    async def _decide(self, task: Task, result: Succeeded | Failed, report: BuildReport) -> Task:
        """Store products, log and details, and fix the outcome's payload before anything is logged."""
        paths = [*report.products.values(), self._bench.log_file(task.job)]
        digests = [await trio.to_thread.run_sync(self._bench.blobs.put_file, path) for path in paths]
        finished = Finished(
            origin=self._bench.origin,
            offer=stored_offer(task.offer),
            result=result,
            report=report,
            log=digests[-1],
            now=self._bench.clock(),
        )
        encoded, details = statement(task, finished)
        digests += [self._bench.blobs.put_bytes(blob) for blob in (details, encoded.products) if blob]
        until = self._bench.clock() + limits.ARTIFACT_DAYS * 86_400
        self._bench.access.allow(task.submitter, digests, until)
        return self._bench.tasks.change(
            task.job,
            self._bench.clock(),
            result=encoded.payload,
            attachments=tuple(digests),
            log_size=self._bench.journal.size,
            detail=report.detail,
        )

    async def _commit(self, task: Task) -> Task:
        sealed = commitment(task, self._products(task))
        recorded = await self._bench.journal.ensure(self._bench.journal.seal(sealed), since=task.log_size)
        task = self._bench.tasks.change(
            task.job, self._bench.clock(), commitment_index=recorded.index, state=AssignmentState.COMMITTED
        )
        self._bench.changes.notify(task.job)
        return task

    async def _wait_for_reveal(self, task: Task) -> None:
        shown = self._shown.setdefault(task.job, trio.Event())
        with trio.move_on_after(max(0, task.reveal_by - self._bench.clock())):
            await shown.wait()
        self._shown.pop(task.job, None)

    async def _reveal(self, task: Task) -> None:
        entry = self._bench.journal.seal(OutcomeEntry(statement=task.result or b""))
        recorded = await self._bench.journal.ensure(entry, since=task.log_size)
        self._bench.tasks.change(
            task.job, self._bench.clock(), outcome_index=recorded.index, state=AssignmentState.DONE
        )
        self._bench.changes.notify(task.job)

    async def _close(self, task: Task, reason: ClosingReason, detail: str) -> None:
        closing = Closing(acceptance=task.acceptance_index or 0, reason=reason)
        recorded = await self._bench.journal.ensure(self._bench.journal.seal(closing), since=task.log_size)
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

    async def _recover_acceptance(self, task: Task) -> None:
        index = await self._bench.journal.find(task.acceptance, since=task.log_size)
        if index is None:
            self._bench.tasks.remove(task.job)
            return
        task = self._bench.tasks.change(task.job, self._bench.clock(), acceptance_index=index)
        await self._close(task, ClosingReason.GAVE_BACK, "the node was restarted")

    async def _clear(self, job: str) -> None:
        """Remove what is left of an execution; a build's own files may be unreadable, but are ours."""
        work = self._bench.work / job
        with trio.CancelScope(shield=True):
            if work.exists():
                await trio.to_thread.run_sync(remove_tree, work)

    def _products(self, task: Task) -> bytes:
        digest = statements.products_blob(task.result or b"")
        return self._bench.blobs.read(digest, limits.PRODUCTS_LIST_BYTES) if digest else b""

    def _state(self, job: str, state: AssignmentState, detail: str) -> None:
        self._bench.tasks.change(job, self._bench.clock(), state=state, detail=detail[: limits.MESSAGE_TEXT])
        self._bench.changes.notify(job)


class _Progress:
    """Where the engine tells how it is getting on: into the task's row and its growing log."""

    def __init__(self, fulfilment: Fulfilment, job: str, write: Callable[[bytes], object]) -> None:
        self._fulfilment = fulfilment
        self._job = job
        self._write = write

    def state(self, state: AssignmentState, detail: str) -> None:
        self._fulfilment._state(self._job, state, detail)  # noqa: SLF001  one concept in two classes

    def log(self, data: bytes) -> None:
        self._write(data)
        self._fulfilment._bench.changes.notify(self._job)  # noqa: SLF001


def _no_report(outcome: Outcome, detail: str) -> BuildReport:
    return BuildReport(outcome=outcome, products={}, verified=False, facts={}, detail=detail)
