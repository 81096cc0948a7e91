"""Trouble at home: what a node does when its own disk, judge, targets or trust stand in the way."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from f2fbuild import limits
from f2fbuild.api import replies, requests
from f2fbuild.errors import ConfigurationError, F2FError, StorageError
from f2fbuild.jobs.telling import signed
from f2fbuild.ledger import entry as entries
from f2fbuild.model.job import AssignmentState, JobState
from f2fbuild.model.outcome import ClosingReason
from f2fbuild.net.ledger_messages import GetHead, GetLogResource, NoHead, NoLogResource
from f2fbuild.net.messages import (
    CancelJob,
    Failure,
    FollowJob,
    HaveBlobs,
    JobCancelled,
    NoJob,
    OfferAccepted,
    OfferRefused,
)
from f2fbuild.net.signed import Kind
from f2fbuild.node.parts import Parts
from tests.scenes import scene_engine as engine
from tests.scenes.scene_engine import Gate, Workbench
from tests.scenes.scene_node import Scene, until
from tests.scenes.scene_talk import ask, offer, pair, scratch, submitted


def failing(times: int, honest: Callable[..., Any], error: Exception) -> Callable[..., Any]:
    """Fail a few times, then do what was asked for."""
    left = [error] * times

    def call(*arguments: Any, **named: Any) -> Any:
        if left:
            raise left.pop()
        return honest(*arguments, **named)

    return call


async def test_trouble_with_one_job_is_told_and_the_job_goes_on_later(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CONDUCT_POLL_SECONDS", 0.2)

    def puzzle(parts: Parts) -> None:
        surroundings = parts.conductor._surroundings
        judge = failing(1, surroundings.judge, F2FError("the judge has a cold"))
        parts.conductor._surroundings = replace(surroundings, judge=judge)

    alice = await scene.start("alice", alter=puzzle)
    bob = await scene.start("bob")
    job = await scratch(alice)
    await until(lambda: bool(alice.told))
    assert "met trouble: the judge has a cold" in alice.told[0]
    view = await alice.finish(job)
    assert (view.state, view.reason) == (JobState.SUCCEEDED, "")
    assert bob.bench.begun == [job.id]


async def test_trouble_in_a_task_of_a_job_is_told_by_its_first_cause(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CONDUCT_POLL_SECONDS", 0.2)

    def puzzle(parts: Parts) -> None:
        asking = parts.conductor._asking
        trouble = failing(1, asking.run, StorageError("the database is full"))
        asking.run = trouble  # type: ignore[method-assign]

    alice = await scene.start("alice", alter=puzzle)
    await scene.start("bob")
    job = await scratch(alice)
    view = await alice.finish(job)
    assert view.state is JobState.SUCCEEDED
    assert any("the database is full" in words for words in alice.told)


async def test_an_end_that_cannot_be_noted_is_found_at_the_next_start(scene: Scene) -> None:
    """The closing is in the log, the row does not know: the next start writes no second one."""

    def forget(parts: Parts) -> None:
        change = parts.bench.tasks.change

        def not_the_end(job: str, now: int, **columns: Any) -> Any:
            if "closing_index" in columns:
                raise StorageError("no room for the row")
            return change(job, now, **columns)

        parts.bench.tasks.change = not_the_end  # type: ignore[method-assign]

    alice, bob = await pair(scene, "bob", Workbench(deed=engine.no_infrastructure), forget)
    job = await scratch(alice)
    await until(lambda: any("cannot be ended" in words for words in bob.told))
    await bob.stop()
    bob = await scene.start("bob")
    view = await alice.finish(job)
    assert view.assignments[0].detail.startswith("infra")
    reasons = [one.payload.reason for one in bob.entries() if isinstance(one.payload, entries.Closing)]
    assert reasons == [ClosingReason.INFRA]
    promises = await scene.curtain()
    assert promises["bob"].open == ()


async def test_a_job_is_cancelled_before_its_build_begins(scene: Scene) -> None:
    gate = Gate()
    alice, bob = await pair(scene, "bob", Workbench(deed=gate))
    running = [await scratch(alice, f"a toy{number}") for number in range(2)]
    await until(lambda: len(bob.bench.begun) == 2)
    waiting = await scratch(alice, "a third")
    await alice.see(waiting, lambda view: any(one.state == "accepted" for one in view.assignments))
    assert bob.parts.fulfilment.building == 2
    await alice.api(requests.CancelJob(job=waiting.id))
    view = await alice.finish(waiting)
    assert view.assignments[0].detail == "cancelled: cancelled by the submitter"
    assert waiting.id not in bob.bench.begun
    gate.open.set()
    for job in running:
        assert (await alice.finish(job)).state is JobState.SUCCEEDED


async def test_a_cancel_that_comes_before_the_build_is_taken_up(scene: Scene, tmp_path: Path) -> None:
    wakes: list[Callable[[], None]] = []

    def asleep(parts: Parts) -> None:
        wakes.append(parts.fulfilment.wake)
        parts.fulfilment.wake = lambda: None  # type: ignore[method-assign]

    alice, bob = await pair(scene, "bob", alter=asleep)
    job = await submitted(alice, tmp_path)
    assert isinstance(await ask(alice, bob, offer(alice, bob, job)), OfferAccepted)
    request = signed(alice.parts.desk, Kind.CANCEL, job.id, bob.id, {})
    assert isinstance(await ask(alice, bob, CancelJob(job_id=job.id, request=request)), JobCancelled)
    wakes[0]()
    await bob.task(job, lambda state: state == "cancelled")
    assert bob.bench.begun == []


async def test_a_deadline_passes_while_the_job_waits_for_a_slot(scene: Scene, tmp_path: Path) -> None:
    gate = Gate()
    alice, bob = await pair(scene, "bob", Workbench(deed=gate))
    for number in range(2):
        await scratch(alice, f"a toy{number}")
    await until(lambda: len(bob.bench.begun) == 2)
    # On a slow machine a short deadline passes before the job is even accepted. Nobody conducts the job, so
    # nobody stops its builder, whose own clock has to.
    for seconds in (2, 8, 32):
        waiting = await submitted(alice, tmp_path, seconds=seconds)
        answer = await ask(alice, bob, offer(alice, bob, waiting))
        if isinstance(answer, OfferAccepted):
            break
    await bob.task(waiting, lambda state: state == "lost")
    reasons = [one.payload.reason for one in bob.entries() if isinstance(one.payload, entries.Closing)]
    assert reasons == [ClosingReason.TIMED_OUT]
    assert waiting.id not in bob.bench.begun
    gate.open.set()


async def test_a_builder_without_room_is_asked_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CONDUCT_POLL_SECONDS", 0.2)
    monkeypatch.setattr(limits, "REFUSED_AGAIN_SECONDS", 0)
    room = [0]

    def fill(parts: Parts) -> None:
        intake = parts.exchanges._intake
        intake._capacity = replace(intake._capacity, free_disk=lambda: room[0])

    alice, _ = await pair(scene, "bob", alter=fill)
    job = await scratch(alice)
    await alice.see(job, lambda view: any(one.detail.startswith("disk-full") for one in view.assignments))
    room[0] = 1 << 40
    assert (await alice.finish(job)).state is JobState.SUCCEEDED


async def test_targets_that_cannot_be_read_take_no_job(scene: Scene) -> None:
    def spoil(parts: Parts) -> None:
        error = ConfigurationError("unknown key", where="toy.toml:1")
        parts.bench.engine.target_for = failing(9, None, error)  # type: ignore[arg-type, method-assign]

    alice, bob = await pair(scene, "bob", alter=spoil)
    job = await scratch(alice)
    view = await alice.finish(job)
    assert view.assignments[0].detail.startswith("no-target")
    assert "toy.toml" not in view.assignments[0].detail
    assert any("toy.toml:1" in words for words in bob.told)


async def test_the_right_to_submit_ends_in_the_middle_of_a_build(scene: Scene) -> None:
    gate = Gate()
    alice, bob = await pair(scene, "bob", Workbench(deed=gate))
    job = await scratch(alice)
    await gate.reached.wait()
    bob.parts.database.execute("UPDATE friend SET rights = '[\"ledger\"]' WHERE alias = 'alice'")
    await bob.parts.friendships.refresh()
    view = await alice.finish(job)
    assert view.assignments[0].state is AssignmentState.CANCELLED
    assert "the submitter's right ended" in view.assignments[0].detail
    assert bob.bench.stopped == [job.id]
    promises = await scene.curtain()
    assert promises["bob"].open == ()


async def test_a_request_that_needs_a_right_says_which_is_missing(scene: Scene) -> None:
    alice, bob = await pair(scene, "bob")
    bob.parts.database.execute("UPDATE friend SET rights = '[]' WHERE alias = 'alice'")
    await bob.parts.friendships.refresh()
    for request in (
        FollowJob(job_id="0" * 64, log_offset=0, position=0),
        GetHead(origin=bob.parts.identity.origin),
    ):
        answer = await ask(alice, bob, request)
        assert isinstance(answer, Failure)
        assert answer.code == "right-missing"


async def test_other_logs_than_ones_own_are_not_served(scene: Scene) -> None:
    alice, bob = await pair(scene, "bob")
    other = alice.parts.identity.origin
    assert isinstance(await ask(alice, bob, GetHead(origin=other)), NoHead)
    answer = await ask(alice, bob, GetLogResource(origin=other, path="tile/0/000.p/1"))
    assert isinstance(answer, NoLogResource)
    answer = await ask(alice, bob, GetLogResource(origin=bob.parts.identity.origin, path="tile/7/000"))
    assert isinstance(answer, NoLogResource)


async def test_only_a_good_cancel_by_the_submitter_cancels(scene: Scene, tmp_path: Path) -> None:
    gate = Gate()
    alice, bob = await pair(scene, "bob", Workbench(deed=gate))
    job = await submitted(alice, tmp_path)
    assert isinstance(await ask(alice, bob, offer(alice, bob, job)), OfferAccepted)
    await gate.reached.wait()
    answer = await ask(alice, bob, CancelJob(job_id=job.id, request=b"please"))
    assert isinstance(answer, Failure)
    assert answer.code == "malformed"
    assert isinstance(await ask(alice, bob, CancelJob(job_id="0" * 64, request=b"")), NoJob)
    held = await ask(alice, bob, HaveBlobs(digests=[job.offer.lock.sha256]))
    assert getattr(held, "digests", None) == []
    gate.open.set()
    await bob.task(job, lambda state: state == "committed")


async def test_an_offer_whose_answer_broke_off_before_it_was_logged(scene: Scene, tmp_path: Path) -> None:
    alice, bob = await pair(scene, "bob", Workbench(deed=Gate()))
    job = await submitted(alice, tmp_path)
    first = await ask(alice, bob, offer(alice, bob, job))
    # As if the crash of an exchange had come between the row and the answer.
    bob.parts.database.execute("UPDATE task SET acceptance_index = NULL WHERE job = ?", (job.id,))
    again = await ask(alice, bob, offer(alice, bob, job))
    assert isinstance(first, OfferAccepted)
    assert isinstance(again, OfferAccepted)
    assert again.entry == first.entry
    bob.parts.database.execute("UPDATE task SET submitter = ? WHERE job = ?", ("0" * 64, job.id))
    taken = await ask(alice, bob, offer(alice, bob, job))
    assert isinstance(taken, OfferRefused)
    assert taken.reason == "job-of-another"
    assert sum(isinstance(one.payload, entries.Acceptance) for one in bob.entries()) == 1


async def test_who_was_removed_while_connected_can_offer_nothing(scene: Scene, tmp_path: Path) -> None:
    alice, bob = await pair(scene, "bob")
    job = await submitted(alice, tmp_path)
    bob.parts.database.execute("UPDATE friend SET state = 'removed' WHERE alias = 'alice'")
    answer = await ask(alice, bob, offer(alice, bob, job))
    assert isinstance(answer, Failure)
    assert answer.code == "not-a-friend"


async def test_an_offer_that_was_refused_is_shown_where_it_was_refused(scene: Scene) -> None:
    alice, bob = await pair(scene, "bob", Workbench(has_target=False))
    view = await alice.finish(await scratch(alice))
    assert view.assignments[0].detail.startswith("no-target")
    peer = await bob.api(requests.GetPeer(peer="alice"))
    assert isinstance(peer, replies.Peer)
    assert any("an offer was refused: no-target" in words for words in peer.refusals)
