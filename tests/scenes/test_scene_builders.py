"""Builders that break the conversation about a job lose their part, and the submitter's node lives on."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from f2fbuild import limits
from f2fbuild.api import requests
from f2fbuild.errors import StorageError
from f2fbuild.model.job import AssignmentState, JobState
from f2fbuild.net.exchange import Exchange
from f2fbuild.net.ledger_messages import HeadSeen
from f2fbuild.net.messages import (
    CancelJob,
    Failure,
    FollowJob,
    JobCancelled,
    JobClosed,
    JobCommitted,
    JobLog,
    JobRevealed,
    NoJob,
    OfferAccepted,
    OfferJob,
    Request,
    ShowCommitments,
)
from f2fbuild.net.wire import Message
from f2fbuild.node.parts import Parts
from tests.scenes.scene_engine import Gate, Workbench
from tests.scenes.scene_node import Scene, until
from tests.scenes.scene_talk import pair, scratch

Serve = Callable[[str, Any, Exchange], Awaitable[None]]


def answering(kind: type[Request], make: Callable[[Parts, Serve], Serve]) -> Callable[[Parts], None]:
    """Let a builder answer one kind of request otherwise; `make` is given the honest way."""

    def alter(parts: Parts) -> None:
        table = parts.exchanges._table
        right, honest = table[kind]
        table[kind] = (right, make(parts, honest))

    return alter


def saying(message: Message) -> Callable[[Parts, Serve], Serve]:
    """Answer with one message."""

    def make(_parts: Parts, _honest: Serve) -> Serve:
        async def serve(_peer: str, _request: Any, exchange: Exchange) -> None:
            await exchange.send(message)

        return serve

    return make


def showing_entry_0(kind: Callable[..., Message], **more: Any) -> Callable[[Parts, Serve], Serve]:
    """Answer with the node certificate, which is in the log and says nothing about the job."""

    def make(parts: Parts, _honest: Serve) -> Serve:
        async def serve(_peer: str, _request: Any, exchange: Exchange) -> None:
            recorded = await parts.journal.recorded(0)
            proof = "receipt" if kind is OfferAccepted else "proof"
            await exchange.send(kind(entry=recorded.entry, **{proof: recorded.proof}, **more))

        return serve

    return make


def silent(_parts: Parts, _honest: Serve) -> Serve:
    async def serve(_peer: str, _request: Any, _exchange: Exchange) -> None:
        await trio.sleep_forever()

    return serve


def at_first(other: Callable[[Parts, Serve], Serve]) -> Callable[[Parts, Serve], Serve]:
    """Answer otherwise once, and honestly from then on."""

    def make(parts: Parts, honest: Serve) -> Serve:
        odd, asked = other(parts, honest), []

        async def serve(peer: str, request: Any, exchange: Exchange) -> None:
            asked.append(request)
            await (odd if len(asked) == 1 else honest)(peer, request, exchange)

        return serve

    return make


def nothing(_parts: Parts, _honest: Serve) -> Serve:
    async def serve(_peer: str, _request: Any, _exchange: Exchange) -> None:
        return

    return serve


FAILURE = Failure(code="no-time", detail="not today")
NO_JOB = NoJob(job_id="0" * 64)


@pytest.mark.parametrize(
    ("kind", "make", "words"),
    [
        (OfferJob, saying(FAILURE), "no-time: not today"),
        (OfferJob, saying(NO_JOB), "said NoJob of a job"),
        (
            OfferJob,
            saying(OfferAccepted(entry=b"{}", receipt=b"")),
            "not a head, an empty line and a checkpoint",
        ),
        (OfferJob, showing_entry_0(OfferAccepted), "the receipt is not one for this job"),
        (OfferJob, silent, "did not answer the offer"),
        (FollowJob, saying(NO_JOB), "denies the job that it accepted"),
        (FollowJob, saying(HeadSeen()), "said HeadSeen of a job"),
        (FollowJob, saying(FAILURE), "no-time: not today"),
        (FollowJob, saying(JobLog(offset=5, data=b"?")), "skipped a part of the build log"),
        (
            FollowJob,
            showing_entry_0(JobClosed, reason="infra"),
            "the closing does not belong to the acceptance",
        ),
        (FollowJob, showing_entry_0(JobCommitted), "the commitment does not belong to the acceptance"),
        (FollowJob, showing_entry_0(JobRevealed, attachments=[]), "not an outcome"),
    ],
)
async def test_who_breaks_the_conversation_loses_the_part(
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[Request],
    make: Callable[[Parts, Serve], Serve],
    words: str,
) -> None:
    if make is silent:
        monkeypatch.setattr(limits, "OFFER_ANSWER_SECONDS", 0.3)
    alice, _ = await pair(scene, "mallory", alter=answering(kind, make))
    job = await scratch(alice)
    view = await alice.finish(job)
    (one,) = view.assignments
    assert one.state is AssignmentState.LOST
    assert words in one.detail
    assert view.state in (JobState.GAVEBACK, JobState.EXPIRED)
    assert alice.parts.peers.connected() == {scene.nodes["mallory"].id}


@pytest.mark.parametrize("kind", [FollowJob, OfferJob, ShowCommitments])
async def test_an_exchange_that_broke_off_is_taken_up_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, kind: type[Request]
) -> None:
    monkeypatch.setattr(limits, "CONDUCT_POLL_SECONDS", 0.2)
    alice, _ = await pair(scene, "mallory", alter=answering(kind, at_first(nothing)))
    view = await alice.finish(await scratch(alice))
    assert view.state is JobState.SUCCEEDED


async def test_shown_commitments_that_were_denied_are_shown_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CONDUCT_POLL_SECONDS", 0.2)
    alice, _ = await pair(scene, "mallory", alter=answering(ShowCommitments, at_first(saying(NO_JOB))))
    view = await alice.finish(await scratch(alice))
    assert view.state is JobState.SUCCEEDED


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (saying(NO_JOB), "does not stop: "),
        (saying(FAILURE), "does not stop: "),
        (silent, "does not stop: no answer"),
    ],
)
async def test_who_does_not_stop_is_not_waited_for(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, make: Callable[[Parts, Serve], Serve], words: str
) -> None:
    gate = Gate()
    alice, _ = await pair(scene, "mallory", Workbench(deed=gate), answering(CancelJob, make))
    job = await scratch(alice)
    await gate.reached.wait()
    await alice.see(job, lambda view: view.assignments[0].state is AssignmentState.BUILDING)
    monkeypatch.setattr(limits, "OFFER_ANSWER_SECONDS", 0.3)
    await alice.api(requests.CancelJob(job=job.id))
    view = await alice.finish(job)
    assert (view.state, view.assignments[0].state) == (JobState.CANCELLED, AssignmentState.LOST)
    assert view.assignments[0].detail.startswith(words)
    gate.open.set()


async def test_who_says_it_stops_and_never_closes_is_given_up(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    job_cancelled: list[str] = []

    def lie(_parts: Parts, _honest: Serve) -> Serve:
        async def serve(_peer: str, request: CancelJob, exchange: Exchange) -> None:
            job_cancelled.append(request.job_id)
            await exchange.send(JobCancelled(job_id=request.job_id))

        return serve

    monkeypatch.setattr(limits, "CONDUCT_POLL_SECONDS", 0.2)
    alice, _ = await pair(scene, "mallory", Workbench(deed=gate), answering(CancelJob, lie))
    job = await scratch(alice)
    await gate.reached.wait()
    await alice.see(job, lambda view: view.assignments[0].state is AssignmentState.BUILDING)
    await alice.api(requests.CancelJob(job=job.id))
    await until(lambda: bool(job_cancelled))
    alice.watch.ahead = 3600 + alice.parts.desk.patience + 10
    view = await alice.finish(job)
    assert view.assignments[0].detail == "did not end before its deadline"
    assert job_cancelled == [job.id], "it is told once"
    gate.open.set()


async def test_a_cancel_that_meets_an_offer_under_way_stops_the_builder(scene: Scene) -> None:
    asked, answer, gate = trio.Event(), trio.Event(), Gate()

    def later(_parts: Parts, honest: Serve) -> Serve:
        async def serve(peer: str, request: Any, exchange: Exchange) -> None:
            asked.set()
            await answer.wait()
            await honest(peer, request, exchange)

        return serve

    alice, _ = await pair(scene, "mallory", Workbench(deed=gate), answering(OfferJob, later))
    job = await scratch(alice)
    await asked.wait()
    await alice.api(requests.CancelJob(job=job.id))
    answer.set()
    view = await alice.finish(job)
    assert view.assignments[0].state is AssignmentState.CANCELLED
    mallory = scene.nodes["mallory"]
    await mallory.task(job, lambda state: state == "cancelled")
    promises = await scene.curtain()
    assert promises["mallory"].open == ()


async def test_a_job_is_cancelled_before_it_was_offered_to_anybody_who_is_there(scene: Scene) -> None:
    """The builder is gone when it would be offered: nobody is waited for."""
    alice, _ = await pair(scene, "mallory")
    mallory = scene.nodes["mallory"]

    async def never(peer: str) -> None:
        await trio.sleep_forever()

    alice.parts.reach.wait_connected = never  # type: ignore[method-assign]
    job = await scratch(alice)
    await alice.see(job, lambda view: bool(view.assignments))
    await alice.api(requests.CancelJob(job=job.id))
    view = await alice.finish(job)
    assert (view.assignments[0].state, view.assignments[0].detail) == (AssignmentState.CANCELLED, "cancelled")
    assert mallory.bench.begun == []


async def test_a_builder_that_is_no_longer_a_friend(scene: Scene) -> None:
    gate = Gate()
    alice, _ = await pair(scene, "mallory", Workbench(deed=gate))
    job = await scratch(alice)
    await gate.reached.wait()
    friend = alice.parts.friendships.resolve("mallory")
    await alice.parts.friendships.remove(friend)
    view = await alice.finish(job)
    assert view.assignments[0].detail == "no longer a friend"


async def test_a_full_disk_here_strikes_nobody_there(scene: Scene) -> None:
    alice, _ = await pair(scene, "mallory")

    async def full(peer: str, digest: str, size: int) -> Path:
        raise StorageError("no room", where="blobs")

    alice.parts.reach.fetch = full  # type: ignore[method-assign]
    job = await scratch(alice)
    view = await alice.finish(job)
    one = alice.asked(job, scene.nodes["mallory"])
    assert (one.state, one.strikes, one.detail) == (AssignmentState.LOST, (), "blobs: no room")
    assert view.exit_code == 9


async def test_details_that_are_kept_back_leave_the_vote(scene: Scene) -> None:
    def keep_details(parts: Parts) -> None:
        allow = parts.access.allow

        def allow_all_but_details(peer: str, digests: Any, until: int) -> None:
            allow(peer, list(digests)[:-1], until)

        parts.access.allow = allow_all_but_details  # type: ignore[method-assign]

    alice, _ = await pair(scene, "mallory", alter=keep_details)
    job = await scratch(alice)
    view = await alice.finish(job)
    assert view.state is JobState.SUCCEEDED
    assert alice.asked(job, scene.nodes["mallory"]).facts == "{}"
