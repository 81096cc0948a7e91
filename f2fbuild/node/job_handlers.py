"""The node's answers to its API about jobs, their logs, their products and their divergences."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import trio

from f2fbuild import limits
from f2fbuild.api import replies, requests
from f2fbuild.api.replies import Reply
from f2fbuild.api.requests import Request
from f2fbuild.errors import DivergenceError, F2FError, FormatError, StorageError, UsageError
from f2fbuild.jobs.lifecycle import JOB, OPEN, final
from f2fbuild.jobs.queue import Assignment, Job
from f2fbuild.jobs.replicas import AskMore, Enough, GiveUp, Wait
from f2fbuild.jobs.submit import Wanted
from f2fbuild.model.digest import long_id
from f2fbuild.model.job import AssignmentState
from f2fbuild.model.outcome import Product, Succeeded
from f2fbuild.model.times import format_time
from f2fbuild.node.divergences import divergence_view, has_diverged
from f2fbuild.node.parts import Parts
from f2fbuild.node.views import job_view, statement_of
from f2fbuild.store.blobs import BlobDamagedError


class JobHandlers:
    """Answers about jobs."""

    def __init__(self, parts: Parts) -> None:
        """Answer from the node's parts."""
        self._parts = parts
        self._desk = parts.desk
        self.table: dict[type[Request], Callable[[Any], Awaitable[Reply]]] = {
            requests.Submit: self._submit,
            requests.GetJob: self._show,
            requests.CancelJob: self._cancel,
            requests.ChallengeJob: self._challenge,
            requests.RetryJob: self._retry,
            requests.ExplainJob: self._explain,
            requests.ListJobs: self._list,
            requests.Download: self._download,
            requests.ListDivergences: self._divergences,
            requests.GetDivergence: self._divergence,
        }

    def stream(self, request: Request) -> AsyncIterator[Reply]:
        """Return the replies to a request that is answered by a stream."""
        match request:
            case requests.WatchJob():
                return self._watch(request)
            case requests.ReadLog():
                return self._read_log(request)
            case _:
                raise UsageError(f"{type(request).__name__} is not answered by a stream")

    def _view(self, job: Job) -> replies.Job:
        return self._parts.convictions.job(job_view(self._desk, job))

    async def _submit(self, request: requests.Submit) -> replies.Job:
        wanted = Wanted(
            target=request.target,
            source=Path(request.source),
            job_class=request.job_class,
            builders=request.builders,
            agree=request.agree,
            deadline=self._desk.clock() + request.deadline_minutes * 60,
            embargo_until=request.embargo_until,
        )
        job = await self._parts.submission.submit(wanted)
        self._parts.conductor.wake()
        return self._view(job)

    async def _show(self, request: requests.GetJob) -> replies.Job:
        return self._view(self._desk.queue.resolve(request.job))

    async def _cancel(self, request: requests.CancelJob) -> replies.Job:
        job = self._desk.queue.resolve(request.job)
        if job.state in final(JOB):
            raise UsageError(f"the job has ended: {job.state}", where=request.job)
        return self._view(self._parts.conductor.cancel(job))

    async def _challenge(self, request: requests.ChallengeJob) -> replies.Job:
        job = self._desk.queue.resolve(request.job)
        assignments = self._desk.queue.assignments(job.id)
        meant = [one for one in assignments if request.peer and self._is_meant(one, request.peer)]
        ready = [one for one in assignments if one.state in (AssignmentState.COMMITTED, AssignmentState.DONE)]
        chosen = meant if request.peer else ready
        if not chosen:
            raise UsageError("no builder of this job has a result to be challenged", where=request.job)
        for one in chosen:
            await self._parts.challenging.challenge(job, one.peer)
        await self._parts.conductor.judge_again(job.id)
        return job_view(self._desk, self._desk.queue.resolve(job.id))

    async def _retry(self, request: requests.RetryJob) -> replies.Job:
        job = await self._parts.submission.again(self._desk.queue.resolve(request.job))
        self._parts.conductor.wake()
        return self._view(job)

    async def _list(self, request: requests.ListJobs) -> replies.Jobs:
        jobs = self._desk.queue.newest(request.limit)
        return replies.Jobs(jobs=tuple(self._view(job) for job in jobs))

    async def _explain(self, request: requests.ExplainJob) -> replies.Explanation:
        job = self._desk.queue.resolve(request.job)
        needed, planned = self._parts.conductor.explain(job)
        match needed:
            case Enough():
                waiting_for = "nothing: the verdict stands"
            case Wait(open=number):
                waiting_for = f"the answers of {number} builders"
            case AskMore(number=number, tie_break=tie_break):
                waiting_for = f"{number} more builders{', to break a tie' if tie_break else ''}"
            case GiveUp(reason=reason):
                waiting_for = f"nothing: {reason.value}"
        if self._desk.clock() < job.order.reveal_by:
            waiting_for += f"; results come out at {format_time(job.order.reveal_by)}"
        if held := self._desk.journal.held:
            waiting_for = held
        if job.state in final(JOB):
            waiting_for = f"nothing: the job has {job.state}"
        reasons = tuple(
            replies.Reason(peer=one.node, who=one.name, reason=one.why.word, detail=str(one))
            for one in planned.explain(job.id)
        )
        return replies.Explanation(job=job.id, waiting_for=waiting_for, reasons=reasons)

    async def _watch(self, request: requests.WatchJob) -> AsyncIterator[replies.Job]:
        job = self._desk.queue.resolve(request.job)
        last = None
        while True:
            changed = self._desk.changes.next(job.id)
            view = self._view(self._desk.queue.resolve(job.id))
            if view != last:
                yield view
            last = view
            if view.exit_code is not None:
                return
            await changed.wait()

    async def _read_log(self, request: requests.ReadLog) -> AsyncIterator[replies.LogChunk]:
        job = self._desk.queue.resolve(request.job)
        asked = self._desk.queue.assignments(job.id)
        if request.peer and not any(self._is_meant(one, request.peer) for one in asked):
            # A friend may be asked later; a name that nobody has would be followed in vain.
            self._parts.friendships.resolve(request.peer)
        offsets: dict[str, int] = {}
        while True:
            changed = self._desk.changes.next(job.id)
            assignments = self._desk.queue.assignments(job.id)
            wanted = [one for one in assignments if self._is_meant(one, request.peer)]
            for assignment in wanted:
                async for chunk in self._chunks(job, assignment, offsets):
                    yield chunk
            ended = self._view(self._desk.queue.resolve(job.id)).exit_code is not None
            if not request.follow or (ended and not any(one.state in OPEN for one in wanted)):
                return
            await changed.wait()

    async def _chunks(
        self, job: Job, assignment: Assignment, offsets: dict[str, int]
    ) -> AsyncIterator[replies.LogChunk]:
        """Yield what a builder's log has grown by since `offsets`, which move on."""
        path = trio.Path(self._desk.log_file(job.id, assignment.peer))
        friend = self._desk.friends.find(assignment.peer)
        while await path.exists():
            offset = offsets.setdefault(assignment.peer, 0)
            async with await path.open("rb") as log:
                await log.seek(offset)
                data = await log.read(64 * limits.KIB)
            if not data:
                return
            offsets[assignment.peer] = offset + len(data)
            who = friend.name if friend else assignment.owner[-8:]
            yield replies.LogChunk(job=job.id, who=who, arch=job.arch, offset=offset, data=data)

    def _is_meant(self, assignment: Assignment, who: str) -> bool:
        friend = self._desk.friends.find(assignment.peer)
        names = (friend.alias, friend.name) if friend else ()
        begins = len(who) >= limits.SHORT_ID_CHARACTERS and assignment.peer.startswith(who)
        return not who or who in (*names, assignment.owner) or begins

    async def _download(self, request: requests.Download) -> replies.Downloaded:
        job = self._desk.queue.resolve(request.job)
        chosen = self._chosen(job, request.peer)
        built = statement_of(self._desk, chosen)
        if built is None or not isinstance(built.result, Succeeded):
            raise UsageError("there are no products", where=request.job, hint="see `f2fbuild job show`")
        directory = Path(request.directory)
        paths = {}
        for product in built.result.products:
            paths[product.name] = await self._sound(chosen.peer, product)
        # No bytes are trusted because they were good yesterday.
        found = await self._desk.engine.digest(paths, built.definition)
        if sorted(found, key=lambda p: p.name) != list(built.result.products):
            raise FormatError("the stored products are not what was agreed on", where=request.job)
        files = [await trio.to_thread.run_sync(_copy, paths[name], directory / name) for name in paths]
        if request.logs:
            log = self._desk.log_file(job.id, chosen.peer)
            files.append(await trio.to_thread.run_sync(_copy, log, directory / "build.log"))
        return replies.Downloaded(job=job.id, files=tuple(files))

    async def _sound(self, peer: str, product: Product) -> Path:
        """Return a product's file; one that the disk has damaged is fetched from its builder again."""
        fetch, blobs = self._desk.friends.fetch, self._desk.blobs
        path = await fetch(peer, product.sha256, product.size)
        try:
            await trio.to_thread.run_sync(blobs.verify, product.sha256)
        except BlobDamagedError:
            blobs.remove(product.sha256)
            try:
                return await fetch(peer, product.sha256, product.size)
            except F2FError as error:
                what = f"the disk has damaged it, and its builder does not give it now: {error}"
                raise StorageError(
                    what, where=product.name, hint="try again when that friend is here"
                ) from error
        return path

    def _chosen(self, job: Job, who: str) -> Assignment:
        """Return the builder whose products are meant: the named one, or one of those that agreed."""
        assignments = self._desk.queue.assignments(job.id)
        done = [one for one in assignments if one.state is AssignmentState.DONE]
        if who:
            named = [one for one in done if self._is_meant(one, who)]
            if not named:
                raise UsageError("this builder delivered nothing for the job", where=who)
            return named[0]
        view = self._view(job)
        if view.verdict is None or view.exit_code != 0:
            hint = "take one builder's with --builder"
            raise DivergenceError("no products were agreed on", where=job.id, hint=hint)
        agreed = [one for one in done if one.verified and one.result == view.verdict.result]
        if not agreed:
            raise StorageError("no agreed products were verified here", where=job.id)
        return agreed[0]

    async def _divergences(self, _request: requests.ListDivergences) -> replies.Divergences:
        jobs = self._desk.queue.newest(1000)
        found = [self._diverged(job) for job in jobs if has_diverged(self._desk, job)]
        return replies.Divergences(divergences=(*found, *reversed(self._parts.disputes.list())))

    async def _divergence(self, request: requests.GetDivergence) -> replies.Divergence:
        told = [one for one in self._parts.disputes.list() if self._is_short_for(request.job, one.job)]
        if told:
            return told[-1]
        job = self._desk.queue.resolve(request.job)
        if not has_diverged(self._desk, job):
            raise UsageError("nobody disagreed on this job", where=request.job)
        return self._diverged(job)

    @staticmethod
    def _is_short_for(short: str, job: str) -> bool:
        return bool(short) and (long_id(job).startswith(short.lower()) or job == short)

    def _diverged(self, job: Job) -> replies.Divergence:
        return divergence_view(self._desk, job, self._parts.findings.list())


def _copy(source: Path, target: Path) -> str:
    """Copy a file so that it is whole or not there, never over another one; return its path."""
    part = target.with_name(f".{target.name}.part")
    try:
        with source.open("rb") as reader, part.open("xb") as writer:
            while block := reader.read(limits.MIB):
                writer.write(block)
            writer.flush()
            os.fsync(writer.fileno())
        os.link(part, target)
    except FileExistsError as error:
        raise UsageError("there is a file of this name", where=str(target)) from error
    except OSError as error:
        raise F2FError(error.strerror or str(error), where=str(target)) from error
    finally:
        part.unlink(missing_ok=True)
    return str(target)
