"""Nodes that are killed with SIGKILL at each step, restarted, and go on: nothing lost, doubled or forked."""

from itertools import product

import pytest
import trio

from f2fbuild.api import replies
from f2fbuild.jobs.queue import Job
from f2fbuild.ledger.directory import COMMIT_POINTS
from f2fbuild.ledger.log import TAIL_POINTS
from f2fbuild.model.job import AssignmentState, JobState
from f2fbuild.model.outcome import ClosingReason
from f2fbuild.node.identity import load_identity
from f2fbuild.store.database import Database
from f2fbuild.store.schema import MIGRATIONS
from tests.scenes.scene_crash import (
    Crash,
    Following,
    child,
    closings,
    goes_on,
    head_of,
    owes_an_undecided_build,
    undecided_at,
)
from tests.scenes.scene_engine import Gate, Workbench
from tests.scenes.scene_node import PATIENCE, Scene, SceneNode, until


def crashes(points: tuple[str, ...], last: int) -> list[Crash]:
    return [Crash(point, number) for point in points for number in range(1, last + 1)]


AT_ENTRIES = ("before-entry", "after-entry")
APPENDING = TAIL_POINTS[:2]
"""Passed by every entry."""
PUBLISHING = (*COMMIT_POINTS, TAIL_POINTS[2])
"""Passed when the log's files are brought up to date: soon after an entry, and never by more than a few."""
BUILDER_ENTRIES, BUILDER_ROWS = 3, 9
"""Acceptance, commitment and outcome; the rows between them."""
BUILDER_CRASHES = [
    Crash("building"),
    *crashes(AT_ENTRIES, BUILDER_ENTRIES),
    *crashes(("before-remembered", "remembered"), BUILDER_ENTRIES),
    *crashes(APPENDING, BUILDER_ENTRIES),
    *crashes(PUBLISHING, 1),
    *crashes(("after-row",), BUILDER_ROWS),
]


class Killed:
    """Alice and carol run; bob, who was asked by alice, was killed. What was on his disk then."""

    def __init__(self, scene: Scene, alice: SceneNode, job: Job, heads: Following) -> None:
        self._scene = scene
        self._paths = scene.paths_of("bob")
        self.alice, self.job = alice, job
        self._heads = heads
        heads.deaths += 1
        self._before = head_of(self._paths)
        self.undecided = owes_an_undecided_build(self._paths)

    async def check_bob(self) -> None:
        """Once bob has ended his part and alice has followed him: his log is as he promised."""
        bob = self._scene.nodes["bob"]
        work = list((bob.paths.state / "work").iterdir())
        await until(lambda: bob.parts.guard.telling)
        # A head that alice held before bob was killed is no news to her: she asks again what he tells now.
        self.alice.parts.follower.want(bob.id)
        await until(lambda: self._heads.since_death()[-1:] == [bob.parts.log.size])
        told = self._heads.since_death()
        assert self.alice.parts.findings.list() == []
        promises = await self._scene.curtain()
        assert all(one.open == () for one in promises.values())
        assert goes_on(self._paths, self._before)
        assert work == [], "a broken build was left behind"
        assert all(size >= self._before[0] for size in told)
        owed_at_death = undecided_at(self._paths, self._before[0])
        assert not any(owed_at_death & undecided_at(self._paths, size) for size in told)
        assert closings(self._paths) == [ClosingReason.GAVE_BACK] * self.undecided


async def kill_bob(scene: Scene, crash: Crash, *, builders: int = 2, agree: int = 2) -> Killed:
    bob = load_identity(scene.paths_of("bob")).node_id
    heads = Following(bob)
    alice = await scene.start("alice", alter=heads.note)
    async with child(scene, "bob", crash) as first:
        assert await first.until("ready")
        await alice.parts.peers.wait_connected(bob)
        if builders == 2:
            carol = await scene.start("carol")
            await alice.parts.peers.wait_connected(carol.id)
        job = await alice.order(builders=builders, agree=agree)
        await first.die()
    return Killed(scene, alice, job, heads)


def check_success(view: replies.Job, agree: int) -> None:
    assert (view.state, view.exit_code) == (JobState.SUCCEEDED, 0)
    assert view.verdict is not None
    assert view.verdict.agree >= agree


@pytest.mark.parametrize("crash", BUILDER_CRASHES, ids=str)
async def test_a_killed_builder_gives_back_or_goes_on(scene: Scene, crash: Crash) -> None:
    killed = await kill_bob(scene, crash)
    await scene.start("dave")
    await scene.start("bob")
    check_success(await killed.alice.finish(killed.job), agree=2)
    await killed.check_bob()


@pytest.mark.parametrize("crash", [Crash("building"), *crashes(AT_ENTRIES, BUILDER_ENTRIES)], ids=str)
async def test_a_killed_builder_that_was_the_only_one_asked(scene: Scene, crash: Crash) -> None:
    killed = await kill_bob(scene, crash, builders=1, agree=1)
    await scene.start("carol")
    await scene.start("bob")
    check_success(await killed.alice.finish(killed.job), agree=1)
    await killed.check_bob()


SECOND_CRASHES = [
    *product([Crash("building")], [*crashes(AT_ENTRIES, 1), Crash("after-row"), Crash("checkpoint-renamed")]),
    *product([Crash("after-entry")], [Crash("after-row"), Crash("after-row", 2), Crash("before-entry")]),
    *product([Crash("before-entry", 2)], [*crashes(AT_ENTRIES, 2), *crashes(("after-row",), 2)]),
]


@pytest.mark.parametrize(("first", "second"), SECOND_CRASHES, ids=str)
async def test_a_builder_that_is_killed_again_while_it_recovers(
    scene: Scene, first: Crash, second: Crash
) -> None:
    killed = await kill_bob(scene, first)
    await scene.start("dave")
    async with child(scene, "bob", second) as again:
        await again.die()
    await scene.start("bob")
    check_success(await killed.alice.finish(killed.job), agree=2)
    await killed.check_bob()


async def test_the_only_builder_was_killed_and_the_job_says_why_it_ended(scene: Scene) -> None:
    killed = await kill_bob(scene, Crash("building"), builders=1, agree=1)
    alice = killed.alice
    bob = await scene.start("bob")
    await alice.see(killed.job, lambda view: view.assignments[0].state is AssignmentState.LOST)
    alice.watch.ahead += 2 * 3600
    alice.parts.conductor.wake()
    view = await alice.finish(killed.job)
    assert view.state is JobState.GAVEBACK
    assert view.exit_code not in (None, 0)
    assert view.reason == "the deadline is over"
    (asked,) = view.assignments
    assert (asked.alias, asked.detail) == ("bob", "gave-back: the node was restarted")
    assert bob.bench.begun == []
    await killed.check_bob()


SUBMITTER_ENTRIES, SUBMITTER_COMMITS = 4, 2
"""The order, asked for by who orders, by who conducts and by who sums up, and the verdict."""
SUBMITTER_ROWS = {
    "after-job-new": 1,
    "after-assignment-offered": 2,
    "after-assignment-accepted": 2,
    "after-job-running": 1,
    "after-assignment-committed": 2,
    "after-assignment-out": 2,
    "after-assignment-ending": 2,
    "after-assignment-done": 2,
    "after-job-verdict": 1,
    "after-job-succeeded": 1,
}
"""What is written in any case; builders' claims may be passed over."""
CLAIMS = {f"after-assignment-{what}" for what in ("preparing", "building", "verifying", "detail")}
SUBMITTER_CRASHES = [
    *crashes(AT_ENTRIES, SUBMITTER_ENTRIES),
    *crashes(APPENDING, SUBMITTER_COMMITS),
    *crashes(PUBLISHING, 1),
    *(Crash(point, number + 1) for point, last in SUBMITTER_ROWS.items() for number in range(last)),
]


async def restart_alice(scene: Scene, before: tuple[int, bytes], agree: int = 2) -> None:
    """The one job that alice had ordered before she was killed comes to its end; all logs are in order."""
    alice = await scene.start("alice")
    (job,) = alice.parts.desk.queue.newest(2)
    check_success(await alice.finish(job), agree)
    for builder in (scene.nodes["bob"], scene.nodes["carol"]):
        await builder.task(job, lambda state: state == "done")
        assert builder.bench.begun == [job.id]
        mirrored = builder.parts.mirrored
        friend = builder.parts.friendships.find(alice.id)
        assert friend is not None
        await until(lambda: getattr(mirrored(friend), "size", 0) == alice.parts.log.size)  # noqa: B023  awaited
        assert builder.parts.findings.list() == []
    promises = await scene.curtain()
    assert all(one.open == () for one in promises.values())
    assert goes_on(scene.paths_of("alice"), before)


@pytest.mark.parametrize("crash", SUBMITTER_CRASHES, ids=str)
async def test_a_killed_submitter_gets_its_result(scene: Scene, crash: Crash) -> None:
    await scene.start("bob")
    await scene.start("carol")
    async with child(scene, "alice", crash) as first:
        await first.die()
    await restart_alice(scene, head_of(scene.paths_of("alice")))


@pytest.mark.parametrize("agree", [1, 2])
async def test_a_submitter_that_is_killed_while_friends_build_gets_their_results(
    scene: Scene, agree: int
) -> None:
    gates = {"bob": Gate(), "carol": Gate()}
    for name, gate in gates.items():
        await scene.start(name, Workbench(deed=gate))
    async with child(scene, "alice", agree=agree) as first:
        with trio.fail_after(PATIENCE):
            for gate in gates.values():
                await gate.reached.wait()
        first.process.kill()
        await first.die()
    before = head_of(scene.paths_of("alice"))
    for gate in gates.values():
        gate.open.set()
    await restart_alice(scene, before, agree)


async def test_every_step_of_a_builder_is_among_those_at_which_nodes_are_killed(scene: Scene) -> None:
    """A node that is not killed passes no more steps than the crashes above know of."""
    bob = load_identity(scene.paths_of("bob")).node_id
    alice = await scene.start("alice")
    async with child(scene, "bob") as unharmed:
        assert await unharmed.until("ready")
        await alice.parts.peers.wait_connected(bob)
        await alice.finish(await alice.order(builders=1, agree=1))
        passed = await unharmed.end()
    assert passed["before-entry"] == passed["after-entry"] == BUILDER_ENTRIES
    assert {passed[point] for point in APPENDING} == {BUILDER_ENTRIES}
    assert {passed[point] for point in PUBLISHING} <= set(range(1, BUILDER_ENTRIES + 1))
    assert passed["after-row"] == BUILDER_ROWS
    assert passed["building"] == 1


async def test_every_step_of_a_submitter_is_among_those_at_which_it_is_killed(scene: Scene) -> None:
    await scene.start("bob")
    await scene.start("carol")
    paths = scene.paths_of("alice")
    async with child(scene, "alice") as unharmed:
        assert await unharmed.until("ready")
        with Database.open(paths.database, MIGRATIONS) as rows:
            await until(lambda: rows.row("SELECT id FROM job WHERE state = 'succeeded'") is not None)
        passed = await unharmed.end()
    assert passed["before-entry"] == passed["after-entry"] == SUBMITTER_ENTRIES
    assert {passed[point] for point in APPENDING} == {SUBMITTER_COMMITS}
    assert {passed[point] for point in PUBLISHING} <= set(range(1, SUBMITTER_COMMITS + 1))
    rows_passed = {point: times for point, times in passed.items() if point.startswith("after-")}
    known = {"after-entry", "after-row", *CLAIMS}
    assert {point: times for point, times in rows_passed.items() if point not in known} == SUBMITTER_ROWS
