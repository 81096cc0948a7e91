"""The builder's story: an accepted job from its first blob to the one end that its acceptance owes.

    accepted -> preparing -> building -> verifying -> committed -> done    a result, revealed in an outcome
    from any of the first four -> lost | cancelled                         no result, ended by a closing

Every step is recorded before the next begins. What is decided (a result, its nonce) is in the task's row
before it is logged, so the step can be done again after a crash with the same bytes: see `Journal.ensure`.
A build does not survive a crash of the node; its acceptance is then closed as given back.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import trio

from f2fbuild import limits
from f2fbuild.builder.workdir import remove_tree
from f2fbuild.errors import F2FError, first_words
from f2fbuild.jobs.bench import Bench
from f2fbuild.jobs.endings import Endings
from f2fbuild.jobs.engine import BuildOrder, BuildReport
from f2fbuild.jobs.finished import Finished, statement
from f2fbuild.jobs.friends import BROKEN
from f2fbuild.jobs.offer import Offer, stored_offer
from f2fbuild.jobs.tasks import OPEN_STATES, Task
from f2fbuild.model.digest import short_id
from f2fbuild.model.job import AssignmentState
from f2fbuild.model.outcome import (
    Cancelled,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Built:
    """An ended execution: its report, and the digests under which products and log were stored."""

    report: BuildReport
    stored: tuple[str, ...] = ()


@dataclass(slots=True)
class _Stop:
    """How a build is ended from outside, and why it was."""

    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    why: str = ""


class Fulfilment:
    """The builder's side of the jobs that friends gave to this node."""

    def __init__(self, bench: Bench, *, fetch: Fetch, slots: int) -> None:
        """Wire the workshop; `fetch` gets blobs from peers, `slots` is how many builds run at once."""
        self._bench = bench
        self._endings = Endings(bench)
        self._fetch = fetch
        self._slots = trio.CapacityLimiter(slots)
        self._wanted = trio.Event()
        self._under_way: set[str] = set()
        self._stops: dict[str, _Stop] = {}
        self._shown: dict[str, trio.Event] = {}

    @property
    def building(self) -> int:
        """How many builds run now."""
        return self._slots.borrowed_tokens

    def wake(self) -> None:
        """Say that a job was accepted."""
        self._wanted.set()
        self._wanted = trio.Event()

    def cancel(self, job: str, why: str) -> None:
        """End a job's build, also one that is about to begin; its closing entry follows.

        A build that has its result is past that: its outcome follows.
        """
        task = self._bench.tasks.get(job)
        if task is not None and not task.ended and task.result is None:
            stop = self._stops.setdefault(job, _Stop())
            stop.why = stop.why or why
            stop.scope.cancel()

    def show(self, job: str) -> None:
        """Say that all commitments for the job were shown: its outcome may come out."""
        task = self._bench.tasks.get(job)
        if task is not None and not task.ended:
            self._shown.setdefault(job, trio.Event()).set()

    async def recover(self) -> None:
        """Bring to their end what a crash left open; must return before this node accepts anything new.

        Acceptances that were never logged are forgotten, for nobody heard of them. Builds that ran are given
        back. Results that were decided are committed to; they wait for their reveal in `run`.
        """
        open_tasks = self._bench.tasks.in_states(OPEN_STATES)
        for left in self._bench.work.iterdir():
            await self._clear(left.name)
        for task in open_tasks:
            if task.acceptance_index is None:
                await self._recover_acceptance(task)
            elif task.result is not None:
                await self._endings.commit(task)
            else:
                await self._endings.give_back(task)

    async def run(self) -> None:
        """Build accepted jobs, some at once, oldest first; reveal committed ones. Runs until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                wanted = self._wanted
                for task in self._bench.tasks.in_states(OPEN_STATES):
                    if task.job not in self._under_way and task.acceptance_index is not None:
                        self._under_way.add(task.job)
                        nursery.start_soon(self._fulfil, task)
                await wanted.wait()

    async def _fulfil(self, task: Task) -> None:
        """Bring one task to its end. Containment: a job's own failure ends in its closing entry.

        If this node cannot even write that, its owner is told, and the next start brings the task to its end.
        """
        try:
            await self._bring_to_end(task)
        except F2FError as error:
            self._bench.tell(f"job {short_id(task.job)} cannot be ended: {error}")
            return
        finally:
            self._stops.pop(task.job, None)
            self._shown.pop(task.job, None)
        self._under_way.discard(task.job)

    async def _bring_to_end(self, task: Task) -> None:
        if task.result is None:
            try:
                built = await self._execute(task)
            finally:
                await self._clear(task.job)
            match built.report.outcome:
                case Succeeded() | Failed() as result:
                    task = await self._endings.commit(self._decide(task, result, built))
                case Infra() | TimedOut() | Cancelled() as outcome:
                    await self._endings.close(task, closing_reason(outcome), built.report.detail)
                    return
        await self._may_reveal(task)
        await self._endings.reveal(task)

    async def _may_reveal(self, task: Task) -> None:
        """Return when all commitments were shown, or at the time from which nobody's leave is needed.

        The clock is looked at now and then: it goes on while a machine sleeps, and a timer does not.
        """
        shown = self._shown.setdefault(task.job, trio.Event())
        while not shown.is_set() and (left := task.reveal_by - self._bench.clock()) > 0:
            with trio.move_on_after(min(left, limits.REVEAL_POLL_SECONDS)):
                await shown.wait()

    async def _execute(self, task: Task) -> _Built:
        """Fetch, build and digest; whatever goes wrong becomes the outcome of a report.

        A node that is shut down is no reason: the task stays open, and the next start gives it back.
        """
        stop = self._stops.setdefault(task.job, _Stop())
        built = None
        try:
            with stop.scope, trio.move_on_after(max(0, task.deadline - self._bench.clock())):
                async with self._slots:
                    built = await self._build(task)
        except* (F2FError, OSError) as errors:
            words = first_words(errors)
            built = _no_result(Infra(stage=Stage.CHROOT, reason=words), words)
        if built is not None:
            return built
        if stop.scope.cancelled_caught:
            return _no_result(Cancelled(), stop.why)
        return _no_result(TimedOut(stage=Stage.BUILD), "the deadline passed")

    async def _build(self, task: Task) -> _Built:
        offer = stored_offer(task.offer)
        self._state(task.job, AssignmentState.PREPARING, "fetching sources")

        async def fetch(digest: str, size: int) -> Path:
            return await self._obtain(task.submitter, digest, size)

        files = {blob.sha256: await fetch(blob.sha256, blob.size) for blob in offer.blobs}
        work = self._bench.work / task.job
        work.mkdir()
        order = BuildOrder(
            job=task.job,
            work=work,
            target=self._target(offer),
            definition=offer.definition,
            sources={source.name: files[source.sha256] for source in offer.sources},
            lock=files[offer.lock.sha256].read_bytes(),
            metadata=files[offer.metadata.sha256].read_bytes(),
            fetch=fetch,
        )
        path = self._bench.log_file(task.job)
        with path.open("wb", buffering=0) as log:
            report = await self._bench.engine.build(order, _Progress(self, task.job, log.write))
        if not isinstance(report.outcome, Succeeded | Failed):
            return _Built(report=report)
        put, paths = self._bench.blobs.put_file, [*report.products.values(), path]
        return _Built(report=report, stored=tuple([await trio.to_thread.run_sync(put, one) for one in paths]))

    async def _obtain(self, peer: str, digest: str, size: int) -> Path:
        """Fetch a blob from the submitter; one that went away is waited for until the job's deadline."""
        while True:
            try:
                return await self._fetch(peer, digest, size)
            except BROKEN:
                await trio.sleep(limits.EXCHANGE_RETRY_SECONDS)

    def _target(self, offer: Offer) -> str:
        name = self._bench.engine.target_for(offer.definition)
        if name is None:
            raise F2FError("the target of this job was removed", hint="see `f2fbuild target list`")
        return name

    def _decide(self, task: Task, result: Succeeded | Failed, built: _Built) -> Task:
        """Fix the outcome's payload before anything is logged. Nobody may fetch what belongs to it yet."""
        finished = Finished(
            origin=self._bench.origin,
            offer=stored_offer(task.offer),
            result=result,
            report=built.report,
            log=built.stored[-1],
            now=self._bench.clock(),
        )
        encoded, details = statement(task, finished)
        blobs = [self._bench.blobs.put_bytes(blob) for blob in (details, encoded.products) if blob]
        attachments = (*built.stored, *blobs)
        return self._bench.tasks.change(
            task.job,
            self._bench.clock(),
            result=encoded.payload,
            attachments=attachments,
            log_size=self._bench.journal.size,
            detail=built.report.detail,
        )

    async def _recover_acceptance(self, task: Task) -> None:
        index = await self._bench.journal.find(task.acceptance, since=task.log_size)
        if index is None:
            self._bench.tasks.remove(task.job)
            return
        task = self._bench.tasks.change(task.job, self._bench.clock(), acceptance_index=index)
        await self._endings.give_back(task)

    async def _clear(self, job: str) -> None:
        """Remove what is left of an execution; a build's own files may be unreadable, but are ours."""
        work = self._bench.work / job
        with trio.CancelScope(shield=True):
            if work.exists():
                await trio.to_thread.run_sync(remove_tree, work)

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


def _no_result(outcome: Outcome, detail: str) -> _Built:
    return _Built(report=BuildReport(outcome=outcome, products={}, verified=False, facts={}, detail=detail))
