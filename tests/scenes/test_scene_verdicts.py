"""Scenes that end with each of the verdicts."""

import json
from pathlib import Path

from f2fbuild.jobs.queue import Job
from f2fbuild.ledger import entry as entries
from f2fbuild.ledger import evidence
from f2fbuild.ledger.commitment import salted
from f2fbuild.model import canonical
from f2fbuild.model.job import AssignmentState, JobClass, JobState, Order
from f2fbuild.model.outcome import Stage
from f2fbuild.model.summary import VERIFICATION_SUMMARY
from f2fbuild.model.verdict import VerdictKind
from tests.scenes import scene_engine as engine
from tests.scenes.scene_engine import Gate, Workbench
from tests.scenes.scene_node import Scene, SceneNode, pass_deadline, until


def verdict_of(view: object) -> tuple[VerdictKind, int, int]:
    verdict = getattr(view, "verdict", None)
    assert verdict is not None
    return verdict.kind, verdict.agree, verdict.denominator


async def results(alice: SceneNode, job: Job, number: int) -> None:
    """Wait until so many builders are done."""
    done = AssignmentState.DONE
    await alice.see(job, lambda view: sum(one.state is done for one in view.assignments) == number)


async def test_two_friends_agree(scene: Scene) -> None:
    alice, bob, carol = await scene.cast("alice", "bob", "carol")
    job = await alice.order("a ball")
    view = await alice.finish(job)
    assert (view.state, view.exit_code) == (JobState.SUCCEEDED, 0)
    assert verdict_of(view) == (VerdictKind.AGREE, 2, 2)
    assert view.verdict is not None
    assert view.verdict.verified == 2
    assert {one.peer for one in view.assignments} == {bob.id, carol.id}
    kinds = [entry.kind for entry in bob.entries()]
    assert kinds == [
        entries.Kind.NODE_CERTIFICATE,
        entries.Kind.ACCEPTANCE,
        entries.Kind.COMMITMENT,
        entries.Kind.OUTCOME,
    ]
    promises = await scene.curtain()
    assert all(one.open == () for one in promises.values())


async def test_the_verdict_entry_opens_the_order(scene: Scene) -> None:
    alice, _, _ = await scene.cast("alice", "bob", "carol")
    job = await alice.order("a ball")
    await alice.finish(job)
    _, order, summary = alice.entries()
    assert isinstance(order.payload, entries.Order)
    assert isinstance(summary.payload, entries.VerdictSummary)
    statement = canonical.decode(summary.payload.statement, where="summary")
    assert statement["predicateType"] == VERIFICATION_SUMMARY
    opened = statement["predicate"]["f2fbuild_order"]
    payload, salt = opened["payload"].encode(), bytes.fromhex(opened["salt"])
    assert opened["entry"] == 1
    assert salted(salt, payload) == order.payload.commit
    assert Order.decode(payload).job_id == job.id
    assert Order.decode(payload).quorum.agree == 2
    assert statement["predicate"]["verifiedLevels"] == ["SLSA_BUILD_REPRODUCED"]
    (product,) = statement["subject"]
    assert product["name"] == engine.PRODUCT
    assert len(statement["predicate"]["inputAttestations"]) == 2


async def test_a_liar_is_named_by_the_tie_breaker(scene: Scene) -> None:
    """Dave comes when the three have been asked and before they disagree: he can only break the tie."""
    gate = Gate(then=engine.lying())
    cast = await scene.cast("alice", "bob", "carol", "mallory", mallory=Workbench(deed=gate))
    alice, mallory = cast[0], cast[3]
    job = await alice.order("a ball", builders=3, agree=2)
    await gate.reached.wait()
    dave = await scene.start("dave")
    await alice.parts.peers.wait_connected(dave.id)
    gate.open.set()
    view = await alice.finish(job)
    assert (view.state, view.exit_code) == (JobState.SUCCEEDED, 0)
    assert verdict_of(view) == (VerdictKind.DISPUTED, 3, 4)
    assert view.verdict is not None
    assert view.verdict.accuses == (mallory.owner,)
    assert alice.asked(job, dave).tie_break
    await until(lambda: bool(alice.parts.findings.list()))
    (finding,) = alice.parts.findings.list()
    assert (finding.kind, finding.owner) == ("divergence", mallory.owner)
    proved = evidence.check(Path(finding.evidence).read_bytes())
    assert isinstance(proved, evidence.DivergenceFinding)
    assert proved.build_key == job.order.build_key
    assert mallory.parts.identity.origin in proved.origins
    ties = [entry for entry in alice.entries() if isinstance(entry.payload, entries.Order)]
    assert len(ties) == 2
    promises = await scene.curtain()
    assert all(one.open == () for one in promises.values())


async def test_a_dispute_without_a_tie_breaker_accuses_nobody(scene: Scene) -> None:
    cast = await scene.cast("alice", "bob", "carol", "mallory", mallory=Workbench(deed=engine.lying()))
    alice = cast[0]
    job = await alice.order("a ball", builders=3, agree=2)
    view = await alice.finish(job)
    assert verdict_of(view) == (VerdictKind.DISPUTED, 2, 3)
    assert view.verdict is not None
    assert view.verdict.accuses == ()
    assert alice.parts.findings.list() == []


async def test_friends_agree_that_it_cannot_be_built(scene: Scene) -> None:
    cast = await scene.cast("alice", "bob", "carol", "dave")
    job = await cast[0].order("broken kite", builders=3, agree=2)
    view = await cast[0].finish(job)
    assert (view.state, view.exit_code) == (JobState.FAILED, 4)
    assert verdict_of(view) == (VerdictKind.FAILED, 3, 3)
    assert all(one.outcome == f"failed in {Stage.BUILD} (nonzero)" for one in view.assignments)


async def test_same_contents_with_other_metadata(scene: Scene) -> None:
    benches = {"carol": Workbench(deed=engine.with_metadata(b"another day"))}
    cast = await scene.cast("alice", "bob", "carol", **benches)
    job = await cast[0].order()
    view = await cast[0].finish(job)
    assert (view.state, view.exit_code) == (JobState.FAILED, 10)
    assert verdict_of(view) == (VerdictKind.EQUIVALENT, 1, 2)


async def test_two_stories_and_nobody_else_to_ask(scene: Scene) -> None:
    cast = await scene.cast("alice", "bob", "mallory", mallory=Workbench(deed=engine.lying()))
    alice = cast[0]
    job = await alice.order()
    await results(alice, job, 2)
    pass_deadline(job, alice)
    view = await alice.finish(job)
    assert (view.state, view.exit_code) == (JobState.FAILED, 10)
    assert verdict_of(view) == (VerdictKind.DIVERGED, 1, 2)
    assert view.verdict is not None
    assert view.verdict.accuses == ()
    assert view.reason == "the deadline is over"


async def test_tie_breakers_are_used_up(scene: Scene) -> None:
    benches = {
        name: Workbench(deed=engine.lying(name.encode())) for name in ("bob", "carol", "dave", "mallory")
    }
    cast = await scene.cast("alice", "bob", "carol", "dave", "mallory", **benches)
    job = await cast[0].order()
    view = await cast[0].finish(job)
    assert (view.state, view.exit_code) == (JobState.FAILED, 10)
    assert verdict_of(view) == (VerdictKind.DIVERGED, 1, 4)
    assert view.reason == "the builders disagree and the tie-breakers are used up"


async def test_nothing_but_trouble_of_the_infrastructure(scene: Scene) -> None:
    troubles = (engine.no_infrastructure, engine.raising, engine.out_of_order, engine.too_slow)
    names = ("bob", "carol", "dave", "mallory")
    benches = {name: Workbench(deed=deed) for name, deed in zip(names, troubles, strict=True)}
    cast = await scene.cast("alice", *names, **benches)
    alice = cast[0]
    job = await alice.order()
    view = await alice.finish(job)
    assert (view.state, view.exit_code) == (JobState.GAVEBACK, 9)
    assert verdict_of(view)[0] is VerdictKind.INFRA
    details = {scene_name(scene, one.peer): one.detail for one in view.assignments}
    assert details["bob"] == "infra: the mirror is down"
    assert "collapsed" in details["carol"]
    assert "No space left" in details["dave"]
    assert details["mallory"] == "timed-out: took longer than this node allows"
    assert view.reason == "no further owner can build it"
    promises = await scene.curtain()
    assert all(one.open == () for one in promises.values())


async def test_too_little_at_the_deadline(scene: Scene) -> None:
    cast = await scene.cast("alice", "bob", "carol", carol=Workbench(deed=engine.hanging))
    alice, bob, carol = cast
    job = await alice.order()
    await alice.see(
        job, lambda view: {str(one.state) for one in view.assignments} == {"committed", "building"}
    )
    # Bob has waited for all commitments long enough.
    bob.parts.fulfilment.show(job.id)
    await results(alice, job, 1)
    pass_deadline(job, alice, carol)
    view = await alice.finish(job)
    assert (view.state, view.exit_code) == (JobState.EXPIRED, 10)
    assert verdict_of(view)[0] is VerdictKind.INCONCLUSIVE
    assert view.reason == "the deadline is over"
    assert carol.bench.stopped == [job.id]
    promises = await scene.curtain()
    assert all(one.open == () for one in promises.values())


async def test_nobody_can_do_it(scene: Scene) -> None:
    (alice,) = await scene.cast("alice")
    job = await alice.order(seconds=2)
    view = await alice.finish(job)
    assert (view.state, view.exit_code, view.assignments) == (JobState.EXPIRED, 8, ())


async def test_nobody_may_do_it(scene: Scene) -> None:
    """Everybody refuses for good: there is nothing to wait for."""
    benches = {name: Workbench(has_target=False) for name in ("bob", "carol", "dave", "mallory")}
    cast = await scene.cast("alice", *benches, **benches)
    alice = cast[0]
    job = await alice.order()
    view = await alice.finish(job)
    assert (view.state, view.exit_code) == (JobState.EXPIRED, 8)
    assert view.reason == "no further owner can build it"
    assert {one.state for one in view.assignments} == {AssignmentState.REFUSED}
    assert all(one.detail.startswith("no-target: no target here builds deb") for one in view.assignments)


async def test_a_release_needs_different_hosts(scene: Scene) -> None:
    benches = {"dave": Workbench(distribution="elsewhere")}
    cast = await scene.cast("alice", "bob", "carol", "dave", **benches)
    alice = cast[0]
    job = await alice.order(job_class=JobClass.RELEASE, builders=3)
    view = await alice.finish(job)
    assert verdict_of(view) == (VerdictKind.AGREE, 3, 3)
    facts = {json.loads(one.facts)["distribution"] for one in alice.parts.desk.queue.assignments(job.id)}
    assert facts == {"toyland", "elsewhere"}


async def test_a_release_from_hosts_of_one_kind_is_not_enough(scene: Scene) -> None:
    cast = await scene.cast("alice", "bob", "carol", "dave")
    job = await cast[0].order(job_class=JobClass.RELEASE, builders=3)
    await results(cast[0], job, 3)
    pass_deadline(job, cast[0])
    view = await cast[0].finish(job)
    assert (view.state, verdict_of(view)[0]) == (JobState.EXPIRED, VerdictKind.INCONCLUSIVE)


async def test_more_products_than_an_entry_holds(scene: Scene) -> None:
    benches = {
        "bob": Workbench(deed=engine.many_products),
        "carol": Workbench(deed=engine.many_products),
    }
    cast = await scene.cast("alice", "bob", "carol", **benches)
    job = await cast[0].order()
    view = await cast[0].finish(job)
    assert verdict_of(view) == (VerdictKind.AGREE, 2, 2)
    assert [len(one.products) for one in view.assignments] == [300, 300]


async def test_two_jobs_at_once(scene: Scene) -> None:
    gates = {name: Gate() for name in ("bob", "carol")}
    benches = {name: Workbench(deed=gate) for name, gate in gates.items()}
    cast = await scene.cast("alice", "bob", "carol", **benches)
    alice, bob, carol = cast
    one, other = await alice.order("a ball"), await alice.order("a doll")
    await until(lambda: len(bob.bench.begun) == len(carol.bench.begun) == 2)
    assert bob.parts.fulfilment.building == 2
    for gate in gates.values():
        gate.open.set()
    for job in (one, other):
        assert verdict_of(await alice.finish(job)) == (VerdictKind.AGREE, 2, 2)
    assert bob.parts.fulfilment.building == 0


async def test_a_late_result_is_compared_all_the_same(scene: Scene) -> None:
    """Two of three agree and the job has ended; the third, whose commitment is late, contradicts."""
    gate = Gate(then=engine.lying())
    cast = await scene.cast("alice", "bob", "carol", "mallory", mallory=Workbench(deed=gate))
    alice = cast[0]
    job = await alice.order(builders=3, agree=2)
    await gate.reached.wait()
    committed = AssignmentState.COMMITTED
    # A commitment that reaches alice behind another's outcome would not count.
    await alice.see(job, lambda view: sum(one.state is committed for one in view.assignments) == 2)
    for builder in cast[1:3]:
        # They have waited for all commitments long enough.
        builder.parts.fulfilment.show(job.id)
    view = await alice.end(job)
    assert verdict_of(view) == (VerdictKind.AGREE, 2, 3)
    gate.open.set()
    view = await alice.see(job, lambda view: verdict_of(view)[0] is VerdictKind.DISPUTED)
    assert (view.state, verdict_of(view)) == (JobState.SUCCEEDED, (VerdictKind.DISPUTED, 2, 3))
    verdicts = [entry for entry in alice.entries() if isinstance(entry.payload, entries.VerdictSummary)]
    assert len(verdicts) == 2


def scene_name(scene: Scene, peer: str) -> str:
    return next(name for name, node in scene.nodes.items() if node.id == peer)
