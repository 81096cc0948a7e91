"""Builders that sign what others built: a copy comes too late, however it is made."""

from dataclasses import dataclass, field

import trio

from f2fbuild.cli.tree import summary
from f2fbuild.jobs.engine import BuildOrder, BuildReport, Progress
from f2fbuild.ledger import entry as entries
from f2fbuild.model import statement as statements
from f2fbuild.model.job import AssignmentState
from f2fbuild.model.outcome import Succeeded
from f2fbuild.model.verdict import VerdictKind
from f2fbuild.model.vote import Strike
from tests.scenes.scene_engine import Workbench
from tests.scenes.scene_node import Scene, SceneNode
from tests.scenes.scene_talk import only


@dataclass
class Copier:
    """A deed that builds nothing: it waits until a victim's log shows a result, and reports the same."""

    victim: list[SceneNode] = field(default_factory=list)
    began: trio.Event = field(default_factory=trio.Event)
    may_read: trio.Event = field(default_factory=trio.Event)

    async def __call__(self, order: BuildOrder, progress: Progress) -> BuildReport:
        self.began.set()
        await self.may_read.wait()
        (shown,) = [one.payload for one in self.victim[0].entries() if one.kind is entries.Kind.OUTCOME]
        assert isinstance(shown, entries.Outcome)
        result = statements.decode(shown.statement, b"").result
        assert isinstance(result, Succeeded)
        nothing = order.work / result.products[0].name
        nothing.write_bytes(b"no time to build this")
        return Workbench().report(result, {nothing.name: nothing})


async def test_a_lazy_builder_that_waits_for_anothers_result_has_no_vote(scene: Scene) -> None:
    """It stalls until the honest builder's reveal-by has passed, reads its log, and signs the same."""
    lazy = Copier()
    bob = await scene.start("bob")
    mallory = await scene.start("mallory", Workbench(deed=lazy))
    alice = await scene.start("alice", alter=only("bob", "mallory", "carol"))
    lazy.victim.append(bob)
    for builder in (bob, mallory):
        await alice.parts.peers.wait_connected(builder.id)
    job = await alice.order()
    await lazy.began.wait()
    await bob.task(job, lambda state: state == "committed")
    bob.watch.ahead = 3601
    await alice.see(job, lambda view: any(one.outcome for one in view.assignments))
    lazy.may_read.set()
    await alice.see(job, lambda view: sum(bool(one.outcome) for one in view.assignments) == 2)
    await scene.start("carol")
    view = await alice.finish(job)
    copied = alice.asked(job, mallory)
    assert copied.state is AssignmentState.DONE
    assert copied.result == alice.asked(job, bob).result
    # It has no bytes of its own either, though those of the honest builder are here.
    assert copied.strikes == (Strike.BEHIND, Strike.WITHHELD)
    assert view.verdict is not None
    assert (view.verdict.kind, view.verdict.agree) == (VerdictKind.AGREE, 2)
    assert view.verdict.struck == (mallory.owner,)
    assert any("no vote: behind, withheld" in line for line in summary(view))
