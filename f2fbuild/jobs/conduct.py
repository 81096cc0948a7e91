"""The submitter's story from the first offer to the verdict: every open job is conducted by one task.

A round reads the rows, has the judge look at them, asks how many builders are missing and who they are, and
does it; then it waits for a change. Nothing but the rows is remembered between rounds, so a restarted node
just begins with the next one. A job ends once; results that come later are still judged and shown.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TypeAlias

import trio

from f2fbuild import limits
from f2fbuild.errors import F2FError, first_words
from f2fbuild.jobs import ballots
from f2fbuild.jobs.asking import Asking
from f2fbuild.jobs.desk import Desk
from f2fbuild.jobs.lifecycle import JOB, OPEN, AssignmentEvent, JobEvent, ending, final, next_job_state
from f2fbuild.jobs.queue import Assignment, Job
from f2fbuild.jobs.replicas import Asked, AskMore, Enough, GiveUp, Need, need
from f2fbuild.jobs.schedule import Candidate, Choice, Plan, Waiting, objection, obtainable, plan
from f2fbuild.jobs.submit import Submission
from f2fbuild.jobs.summing import Summing
from f2fbuild.jobs.telling import Telling
from f2fbuild.model.digest import short_id
from f2fbuild.model.job import AssignmentState, JobState
from f2fbuild.model.verdict import FINAL_STATE, Verdict, VerdictKind
from f2fbuild.model.vote import Ballot

Judge: TypeAlias = Callable[[Ballot, bool], Verdict]
"""The only judge: (ballot, whether nobody else will be asked) -> verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a conductor is given: the judge, who could build, and a secret that decides among equals.

    `judged` is told of every verdict of an ended job, with the assignments that it rests on.
    """

    judge: Judge
    candidates: Callable[[], Sequence[Candidate]]
    salt: bytes
    judged: Callable[[Job, Verdict, list[Assignment]], None]


class Conductor:
    """Conducts all open jobs of this node."""

    def __init__(self, desk: Desk, submission: Submission, surroundings: Surroundings) -> None:
        """Work with the desk's rows, among the given surroundings."""
        self._desk = desk
        self._submission = submission
        self._surroundings = surroundings
        self._asking = Asking(desk)
        self._telling = Telling(desk)
        self._summing = Summing(desk)
        self._wanted = trio.Event()
        self._conducted: set[str] = set()

    def wake(self) -> None:
        """Say that a job was ordered, or that friends came, went or changed: every open job looks again."""
        self._wanted.set()
        self._wanted = trio.Event()
        for job in self._conducted:
            self._desk.changes.notify(job)

    async def run(self) -> None:
        """Conduct every open job until cancelled. A job that met trouble is taken up again after a while."""
        # A crash may have come between a verdict and those who are told of it: they take nothing twice.
        for job in self._desk.queue.accusing():
            verdict = stored_verdict(job)
            self._surroundings.judged(job, verdict, self._desk.queue.assignments(job.id))
        async with trio.open_nursery() as nursery:
            while True:
                wanted = self._wanted
                for job in self._desk.queue.unfinished():
                    if job.id not in self._conducted:
                        self._conducted.add(job.id)
                        nursery.start_soon(self._conduct, job)
                with trio.move_on_after(limits.CONDUCT_POLL_SECONDS):
                    await wanted.wait()

    def cancel(self, job: Job) -> Job:
        """End a job by its owner's wish; its builders are told as they are reached."""
        job = self._move(job, JobEvent.CANCEL, "cancelled by its owner")
        self._desk.changes.notify(job.id)
        return job

    async def judge_again(self, job_id: str) -> None:
        """Judge an ended job anew after something was found out about a builder's part in it."""
        job, assignments = self._read(job_id)
        if job.state in final(JOB) and job.state is not JobState.CANCELLED:
            verdict = self._judge(job, assignments, ended=True)
            if _stored(verdict) != job.verdict:
                await self._record(job, assignments, verdict)
        self._desk.changes.notify(job_id)

    def explain(self, job: Job) -> tuple[Need, Plan]:
        """Return what a job needs, and for every friend why it is not asked."""
        assignments = self._desk.queue.assignments(job.id)
        verdict = self._surroundings.judge(ballots.ballot(job, assignments, self._desk.blobs), False)
        return self._needed(job, assignments, verdict)

    async def _conduct(self, job: Job) -> None:
        """Conduct one job to its end. Containment: what goes wrong with it is told and marked on it."""
        try:
            await self._submission.log_order(job)
            async with trio.open_nursery() as nursery:
                tasks = _Tasks(nursery)
                while await self._round(job.id, tasks):
                    pass
                nursery.cancel_scope.cancel()
        except* F2FError as errors:
            words = first_words(errors)
            self._desk.tell(f"job {short_id(job.id)} met trouble: {words}")
            self._desk.queue.change(job.id, self._desk.clock(), reason=words)
            self._desk.changes.notify(job.id)
        finally:
            self._telling.forget(job.id)
            self._conducted.discard(job.id)

    async def _round(self, job_id: str, tasks: "_Tasks") -> bool:
        """Do what a job needs now and wait for a change; return whether there will be another round."""
        changed = self._desk.changes.next(job_id)
        job, assignments = self._read(job_id)
        if job.state is JobState.QUEUED and any(one.acceptance is not None for one in assignments):
            job = self._move(job, JobEvent.START, "")
        if job.state in final(JOB):
            await self._after_the_end(job, assignments, tasks)
        else:
            await self._before_the_end(job, assignments)
        job, assignments = self._read(job_id)
        still_open = [one for one in assignments if one.state in OPEN]
        for one in still_open:
            tasks.start(f"follow {one.peer}", partial(self._asking.run, job, one.peer))
        embargoed = self._desk.clock() < job.order.reveal_by
        for one in [] if embargoed else ballots.to_show(assignments):
            tasks.start(f"show {one.peer}", partial(self._telling.show, job, one.peer, assignments))
        # What came in during the round is still to be judged.
        if job.state in final(JOB) and not still_open and not changed.is_set():
            return False
        with trio.move_on_after(self._patience(job)):
            await changed.wait()
        return True

    async def _before_the_end(self, job: Job, assignments: list[Assignment]) -> None:
        verdict = self._judge(job, assignments, ended=False)
        needed, planned = self._needed(job, assignments, verdict)
        match needed:
            case Enough():
                # Results come out together; who has committed to one is heard before the job ends.
                if not any(self._is_heard(one) for one in assignments):
                    await self._finish(job, assignments, verdict, "")
            case GiveUp(reason=reason):
                last = self._judge(job, assignments, ended=True)
                await self._finish(job, assignments, last, reason.value)
            case AskMore(tie_break=tie_break, replacing=replacing):
                if tie_break and not replacing and planned.choices:
                    await self._summing.log_tie_break(job, len(assignments))
                for choice in planned.choices:
                    self._assign(job, choice, assignments)

    def _is_heard(self, one: Assignment) -> bool:
        """Return whether a builder's commitment is so fresh that its result is waited for."""
        until = min(one.updated + self._desk.patience, one.deadline)
        return one.state is AssignmentState.COMMITTED and self._desk.clock() < until

    async def _after_the_end(self, job: Job, assignments: list[Assignment], tasks: "_Tasks") -> None:
        """Let the builders of an ended job end too; judge again what came in after the end."""
        for one in (one for one in assignments if one.state in OPEN):
            if self._desk.clock() > one.deadline + self._desk.patience:
                self._desk.lose(job.id, one.peer, "did not end before its deadline")
            elif one.acceptance is None and not self._asking.offering(job.id, one.peer):
                self._desk.advance(job.id, one.peer, AssignmentEvent.CANCEL, detail=str(job.state))
            elif one.acceptance is not None and job.state in (JobState.CANCELLED, JobState.EXPIRED):
                tasks.start(f"stop {one.peer}", partial(self._telling.stop, job, one.peer))
        if job.state is not JobState.CANCELLED:
            verdict = self._judge(job, assignments, ended=True)
            if _stored(verdict) != job.verdict:
                await self._record(job, assignments, verdict)

    async def _finish(self, job: Job, assignments: list[Assignment], verdict: Verdict, why: str) -> None:
        await self._record(job, assignments, verdict)
        job = self._read(job.id)[0]
        # Its owner may have cancelled it while the verdict was written.
        if job.state not in final(JOB):
            self._move(job, ending(FINAL_STATE[verdict.kind]), why)

    async def _record(self, job: Job, assignments: list[Assignment], verdict: Verdict) -> None:
        """Log the verdict, then store it: a crash between them finds the entry and does not double it."""
        await self._summing.log_verdict(job, assignments, verdict)
        self._desk.queue.change(job.id, self._desk.clock(), verdict=_stored(verdict))
        self._surroundings.judged(job, verdict, assignments)
        self._desk.changes.notify(job.id)

    def _needed(self, job: Job, assignments: list[Assignment], verdict: Verdict) -> tuple[Need, Plan]:
        now, candidates = self._desk.clock(), self._surroundings.candidates()
        asked = ballots.asked(assignments)
        waiting = _waiting(job, asked=tuple(asked), ask=None)
        needed = need(
            asked,
            job.order.quorum,
            verdict,
            now=now,
            deadline=job.order.deadline,
            obtainable=obtainable(waiting, candidates, now=now),
            at_once=any(objection(waiting, one, busy=one.busy, now=now) is None for one in candidates),
        )
        ask = needed if isinstance(needed, AskMore) else None
        waiting = _waiting(job, asked=tuple(asked), ask=ask)
        return needed, plan([waiting], candidates, now=now, salt=self._surroundings.salt)

    def _assign(self, job: Job, choice: Choice, assignments: list[Assignment]) -> None:
        open_book = any(one.out for one in assignments)
        if any(one.peer == choice.node for one in assignments):
            # It had refused for the moment; what it is asked for may be another seat now.
            seat = {"tie_break": choice.tie_break, "replaces": choice.replaces, "open_book": open_book}
            self._desk.advance(job.id, choice.node, AssignmentEvent.OFFER, detail="", **seat)
            return
        self._desk.queue.assign(
            Assignment(
                job=job.id,
                peer=choice.node,
                owner=choice.owner,
                state=AssignmentState.OFFERED,
                tie_break=choice.tie_break,
                replaces=choice.replaces,
                open_book=open_book,
                deadline=job.order.deadline,
                updated=self._desk.clock(),
            )
        )
        self._desk.changes.notify(job.id)

    def _judge(self, job: Job, assignments: list[Assignment], *, ended: bool) -> Verdict:
        return self._surroundings.judge(ballots.ballot(job, assignments, self._desk.blobs), ended)

    def _move(self, job: Job, event: JobEvent, reason: str) -> Job:
        state = next_job_state(job.state, event)
        job = self._desk.queue.change(job.id, self._desk.clock(), state=state, reason=reason)
        self._desk.changes.notify(job.id)
        return job

    def _read(self, job_id: str) -> tuple[Job, list[Assignment]]:
        job = self._desk.queue.get(job_id)
        if job is None:
            raise F2FError("the job's row is gone", where=job_id)
        return job, self._desk.queue.assignments(job_id)

    def _patience(self, job: Job) -> float:
        """Return how long to wait for a change: to the next moment of the job, or until refusals may pass."""
        now = self._desk.clock()
        left = [moment - now for moment in (job.order.deadline, job.order.reveal_by) if moment > now]
        return min(*left, limits.CONDUCT_POLL_SECONDS) if left else limits.CONDUCT_POLL_SECONDS


class _Tasks:
    """What is being done with a job's builders: each thing once, however often it is asked for."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._under_way: set[str] = set()

    def start(self, what: str, task: Callable[[], Awaitable[None]]) -> None:
        if what not in self._under_way:
            self._under_way.add(what)
            self._nursery.start_soon(self._run, what, task)

    async def _run(self, what: str, task: Callable[[], Awaitable[None]]) -> None:
        await task()
        self._under_way.discard(what)


def _waiting(job: Job, *, asked: tuple[Asked, ...], ask: AskMore | None) -> Waiting:
    return Waiting(
        job=job.id,
        created=job.order.created,
        job_class=job.order.job_class,
        format=job.offer.definition.format,
        arch=job.arch,
        asked=asked,
        ask=ask,
    )


def stored_verdict(job: Job) -> Verdict:
    """Return the verdict that a judged job's row holds."""
    fields = json.loads(job.verdict or "{}")
    lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
    return Verdict(**{**fields, **lists, "kind": VerdictKind(fields["kind"])})


def _stored(verdict: Verdict) -> str:
    return json.dumps(asdict(verdict))
