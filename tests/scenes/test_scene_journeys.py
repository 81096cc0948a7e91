"""What happens to a job on its way: cancelled, asked again, its submitter away, its builder gone."""

from typing import Any

import msgspec
import trio

from f2fbuild.api import replies, requests
from f2fbuild.ledger import entry as entries
from f2fbuild.model.job import AssignmentState, JobState
from f2fbuild.model.outcome import ClosingReason
from f2fbuild.model.verdict import VerdictKind
from f2fbuild.node.handlers import NodeHandlers
from f2fbuild.node.parts import Parts
from tests.scenes import scene_engine as engine
from tests.scenes.scene_engine import Gate, Workbench
from tests.scenes.scene_node import Scene, SceneNode, until


def closings(node: SceneNode) -> list[ClosingReason]:
    return [one.payload.reason for one in node.entries() if isinstance(one.payload, entries.Closing)]


def patient(seconds: int) -> Any:
    """Let a submitter wait only so long for builders that went away."""

    def alter(parts: Parts) -> None:
        jobs = msgspec.structs.replace(parts.settings.jobs, patience_seconds=seconds)
        parts.settings = msgspec.structs.replace(parts.settings, jobs=jobs)

    return alter


async def test_a_cancelled_job_ends_on_both_sides(scene: Scene) -> None:
    gates = {name: Gate() for name in ("bob", "carol")}
    benches = {name: Workbench(deed=gate) for name, gate in gates.items()}
    alice, bob, carol = await scene.cast("alice", "bob", "carol", **benches)
    job = await alice.order()
    for gate in gates.values():
        await gate.reached.wait()
    reply = await alice.api(requests.CancelJob(job=job.id))
    assert isinstance(reply, replies.Job)
    assert (reply.state, reply.exit_code) == (JobState.CANCELLED, 5)
    view = await alice.finish(job)
    assert {one.state for one in view.assignments} == {AssignmentState.CANCELLED}
    for builder in (bob, carol):
        assert builder.bench.stopped == [job.id]
        assert closings(builder) == [ClosingReason.CANCELLED]
        assert builder.parts.fulfilment.building == 0
    promises = await scene.curtain()
    assert all(one.open == () for one in promises.values())


async def test_a_job_is_asked_for_again(scene: Scene) -> None:
    alice, bob, carol = await scene.cast("alice", "bob", "carol")
    job = await alice.order("broken kite", builders=1, agree=1)
    await alice.see(job, lambda view: any(one.outcome for one in view.assignments))
    reply = await alice.api(requests.RetryJob(job=job.id))
    assert isinstance(reply, replies.Job)
    assert reply.id != job.id
    again = alice.parts.desk.queue.get(reply.id)
    assert again is not None
    assert again.order.build_key == job.order.build_key
    assert again.order.quorum == job.order.quorum
    await until(lambda: again.id in (*bob.bench.begun, *carol.bench.begun))


async def test_who_was_away_gets_the_result_when_back(scene: Scene) -> None:
    """Both builders have committed and wait for the submitter, who restarts and then hears the rest."""
    gates = {name: Gate() for name in ("bob", "carol")}
    benches = {name: Workbench(deed=gate) for name, gate in gates.items()}
    alice, bob, carol = await scene.cast("alice", "bob", "carol", **benches)
    job = await alice.order()
    for gate in gates.values():
        await gate.reached.wait()
    await alice.stop()
    for gate in gates.values():
        gate.open.set()
    for builder in (bob, carol):
        await builder.task(job, lambda state: state == "committed")
    alice = await scene.start("alice")
    view = await alice.finish(job)
    assert (view.state, view.exit_code) == (JobState.SUCCEEDED, 0)
    assert view.verdict is not None
    assert (view.verdict.kind, view.verdict.verified) == (VerdictKind.AGREE, 2)


async def test_a_builder_that_restarts_gives_back_and_another_takes_over(scene: Scene) -> None:
    gate = Gate()
    alice, bob, carol = await scene.cast("alice", "bob", "carol", bob=Workbench(deed=gate))
    job = await alice.order()
    await gate.reached.wait()
    await bob.stop()
    dave = await scene.start("dave")
    bob = await scene.start("bob")
    view = await alice.finish(job)
    assert (view.state, view.exit_code) == (JobState.SUCCEEDED, 0)
    states = {one.peer: one.state for one in view.assignments}
    done = AssignmentState.DONE
    assert states == {bob.id: AssignmentState.LOST, carol.id: done, dave.id: done}
    assert alice.asked(job, bob).detail.startswith("gave-back: the node was restarted")
    assert alice.asked(job, dave).replaces == bob.owner
    assert closings(bob) == [ClosingReason.GAVE_BACK]


async def test_a_builder_that_does_not_come_back_is_replaced(scene: Scene) -> None:
    gate = Gate()
    alice = await scene.start("alice", alter=patient(1))
    bob = await scene.start("bob", Workbench(deed=gate))
    carol = await scene.start("carol")
    for builder in (bob, carol):
        await alice.parts.peers.wait_connected(builder.id)
    job = await alice.order()
    await gate.reached.wait()
    await bob.stop()
    dave = await scene.start("dave")
    view = await alice.finish(job)
    assert (view.state, view.exit_code) == (JobState.SUCCEEDED, 0)
    lost = alice.asked(job, bob)
    assert lost.state is AssignmentState.LOST
    assert "went away and did not come back" in lost.detail
    assert alice.asked(job, dave).replaces == bob.owner
    # Its promise is still owed, and closed when it starts again.
    bob = await scene.start("bob")
    assert closings(bob) == [ClosingReason.GAVE_BACK]


async def test_a_log_arrives_as_it_was_written(scene: Scene) -> None:
    text = b"".join(b"line %d of the log\n" % number for number in range(20_000))
    alice, bob = await scene.cast("alice", "bob", bob=Workbench(deed=engine.logging(text)))
    job = await alice.order(builders=1, agree=1)
    await alice.finish(job)
    kept = await trio.Path(alice.parts.desk.log_file(job.id, bob.id)).read_bytes()
    assert kept == b"making a toy\n" + text
    stored = bob.parts.bench.tasks.get(job.id)
    assert stored is not None
    assert kept == bob.parts.bench.log_file(job.id).read_bytes()
    chunks = [
        chunk.data
        async for chunk in _stream(alice, requests.ReadLog(job=job.id))
        if isinstance(chunk, replies.LogChunk)
    ]
    assert b"".join(chunks) == kept


async def test_a_log_goes_on_at_its_byte_after_the_submitter_was_away(scene: Scene) -> None:
    first, second = b"first half\n" * 1000, b"second half\n" * 1000
    gate = Gate()

    async def deed(order: Any, progress: Any) -> Any:
        progress.log(first)
        await gate(order, progress)
        progress.log(second)
        return await engine.honestly(order, progress)

    alice, bob = await scene.cast("alice", "bob", bob=Workbench(deed=deed))
    job = await alice.order(builders=1, agree=1)
    await gate.reached.wait()
    path = alice.parts.desk.log_file(job.id, bob.id)
    await until(lambda: path.exists() and path.read_bytes().endswith(first))
    await alice.stop()
    gate.open.set()
    await bob.task(job, lambda state: state == "committed")
    alice = await scene.start("alice")
    await alice.finish(job)
    assert path.read_bytes() == b"making a toy\n" + first + second


async def test_two_owners_machines_have_one_vote_and_orders_are_never_one_job(scene: Scene) -> None:
    alice, bob, carol = await scene.cast("alice", "bob", "carol")
    one, other = await alice.order("a ball"), await alice.order("a ball")
    assert one.id != other.id
    assert one.order.build_key == other.order.build_key
    for job in (one, other):
        view = await alice.finish(job)
        assert view.verdict is not None
        assert (view.verdict.agree, view.verdict.denominator) == (2, 2)
        assert {assignment.owner for assignment in view.assignments} == {bob.owner, carol.owner}
    results = {view.result for job in (one, other) for view in alice.view(job).assignments}
    assert len(results) == 1


async def _stream(node: SceneNode, request: requests.Request) -> Any:
    async for reply in NodeHandlers(node.parts).stream(request):
        yield reply
