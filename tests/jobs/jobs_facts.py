"""Rows of jobs, assignments and tasks that the tests of the workshop share."""

from f2fbuild.jobs.offer import BlobReference, Offer
from f2fbuild.jobs.queue import Assignment, Job
from f2fbuild.jobs.tasks import Task
from f2fbuild.model.job import AssignmentState, JobClass, JobState, Order, Quorum
from tests.model.model_facts import DEFINITION

PEER, OTHER = "ab" * 32, "cd" * 32


def a_job(*, created: int = 1000, nonce: str = "0a" * 16) -> Job:
    offer = Offer(
        definition=DEFINITION,
        job_class=JobClass.TESTING,
        title="hello-2.12",
        sources=tuple(BlobReference(name=one.name, sha256=one.sha256, size=7) for one in DEFINITION.sources),
        lock=BlobReference(name="environment.lock", sha256=DEFINITION.lock, size=100),
        metadata=BlobReference(name="metadata.json", sha256="0d" * 32, size=50),
        deadline=created + 600,
    )
    order = Order(
        build_key=DEFINITION.build_key,
        job_class=JobClass.TESTING,
        quorum=Quorum(builders=2, agree=2),
        created=created,
        deadline=created + 600,
        nonce=nonce,
    )
    return Job(
        id=order.job_id,
        order=order,
        offer=offer,
        target="bookworm",
        arch="amd64",
        state=JobState.QUEUED,
        reason="",
        salt=b"s" * 32,
        log_size=1,
        verdict=None,
        updated=created,
    )


def asked(job: Job, peer: str = PEER, state: AssignmentState = AssignmentState.OFFERED) -> Assignment:
    return Assignment(job=job.id, peer=peer, owner="B0" * 20, state=state, deadline=1600, updated=1000)


def a_task(job: str = "0e" * 32, state: AssignmentState = AssignmentState.ACCEPTED) -> Task:
    return Task(
        job=job,
        submitter=PEER,
        offer=b"signed",
        state=state,
        stage="",
        detail="",
        acceptance=b"entry",
        nonce=b"n" * 32,
        salts=b"s" * 64,
        deadline=2000,
        reveal_by=1800,
        log_size=3,
        result=None,
        attachments=(),
        acceptance_index=None,
        commitment_index=None,
        outcome_index=None,
        closing_index=None,
        updated=1000,
    )
