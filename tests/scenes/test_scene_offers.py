"""A link that breaks between an offer and its answer leaves nothing hanging, on either side."""

import pytest
import trio

from f2fbuild import limits
from f2fbuild.jobs.intake import Answer, Sender
from f2fbuild.jobs.queue import Assignment, Job, Queue
from f2fbuild.ledger import entry as entries
from f2fbuild.model.job import AssignmentState, JobClass, JobState
from f2fbuild.net.frames import GoAwayReason
from f2fbuild.node.parts import Parts
from f2fbuild.store.database import Database
from f2fbuild.store.schema import MIGRATIONS
from tests.scenes.scene_engine import Gate, Workbench
from tests.scenes.scene_node import Scene, SceneNode, until
from tests.scenes.scene_talk import pair, scratch

_END = (entries.Closing, entries.Outcome)


class Breaking:
    """A builder whose link breaks after it has accepted, before it can say so; `left` times."""

    def __init__(self, left: int) -> None:
        self.left = left

    def __call__(self, parts: Parts) -> None:
        honest = parts.exchanges._intake.consider

        async def consider(sender: Sender, data: bytes) -> Answer:
            answer = await honest(sender, data)
            if self.left:
                self.left -= 1
                parts.peers.close(sender.node_id, GoAwayReason.SHUTDOWN)
                while sender.node_id in parts.peers.connected():
                    await trio.sleep(0.01)
            return answer

        parts.exchanges._intake.consider = consider  # type: ignore[method-assign]


def logged(node: SceneNode, job: Job) -> bool:
    """Whether the builder's acceptance is in its log."""
    task = node.parts.bench.tasks.get(job.id)
    return task is not None and task.acceptance_index is not None


def acceptances(node: SceneNode) -> int:
    return sum(isinstance(one.payload, entries.Acceptance) for one in node.entries())


async def test_who_comes_back_is_offered_the_job_again_and_has_accepted_once(scene: Scene) -> None:
    alice, bob = await pair(scene, "bob", alter=Breaking(1))
    job = await scratch(alice)
    view = await alice.finish(job)
    assert view.state is JobState.SUCCEEDED
    assert acceptances(bob) == 1
    assert alice.asked(job, bob).state is AssignmentState.DONE


async def test_an_offer_outlives_a_restart_of_the_submitter(scene: Scene) -> None:
    breaking = Breaking(1_000)
    alice, bob = await pair(scene, "bob", alter=breaking)
    job = await scratch(alice)
    await until(lambda: logged(bob, job))
    await alice.stop()
    breaking.left = 0
    assert [one.state for one in alice_rows(scene, job.id)] == ["offered"]
    alice = await scene.start("alice")
    view = await alice.finish(job)
    assert view.state is JobState.SUCCEEDED
    assert acceptances(bob) == 1


def alice_rows(scene: Scene, job: str) -> list[Assignment]:
    """The assignments as they stand on the disk."""
    with Database.open(scene.paths["alice"].database, MIGRATIONS) as database:
        return Queue(database).assignments(job)


async def test_who_stays_away_is_given_up_and_closes_what_it_had_accepted(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody heard of the acceptance: another is asked, and the builder ends its own part by itself."""
    monkeypatch.setattr(limits, "OFFER_ANSWER_SECONDS", 0.3)
    alice, bob = await pair(scene, "bob", Workbench(deed=Gate()), alter=Breaking(1_000))
    job = await scratch(alice)
    await until(lambda: logged(bob, job))
    await bob.stop()
    view = await alice.see(job, lambda seen: [one.state for one in seen.assignments] == ["lost"])
    (one,) = view.assignments
    assert "went away and did not come back" in one.detail
    assert alice.asked(job, bob).acceptance is None
    bob = await scene.start("bob")
    await until(lambda: any(isinstance(one.payload, entries.Closing) for one in bob.entries()))
    assert acceptances(bob) == 1


async def test_what_was_accepted_gets_its_end_though_nobody_heard_of_it(
    scene: Scene,
) -> None:
    """The link breaks for good after the acceptance is logged: it is owed, so it gets its one end."""
    alice, bob = await pair(scene, "bob", alter=Breaking(1_000))
    job = await alice.order(builders=1, agree=1, job_class=JobClass.SCRATCH, seconds=20)
    await until(lambda: logged(bob, job))
    await alice.stop()
    await until(lambda: any(isinstance(one.payload, _END) for one in bob.entries()))
    assert acceptances(bob) == 1


async def test_an_offer_that_nobody_answers_ends_with_the_job(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CONDUCT_POLL_SECONDS", 0.2)
    alice, bob = await pair(scene, "bob", alter=Breaking(1_000))
    job = await scratch(alice)
    await until(lambda: logged(bob, job))
    await bob.stop()
    alice.watch.ahead = 4_000
    view = await alice.finish(job)
    assert view.state is JobState.EXPIRED
    assert alice.asked(job, bob).state in (AssignmentState.CANCELLED, AssignmentState.LOST)
    await scene.start("bob")
