"""Accusations survive a crash between the verdict and the evidence."""

import signal
import subprocess  # noqa: TID251 - the process is to be killed
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from f2fbuild.audit.accusations import Accusations
from f2fbuild.jobs.conduct import Surroundings
from f2fbuild.store.database import Database
from f2fbuild.store.schema import MIGRATIONS
from tests.audit.audit_child import ACCUSATION
from tests.scenes.scene_engine import Workbench, lying
from tests.scenes.scene_node import Scene, SceneNode, until


def test_an_accusation_outlives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "rows" / "db"
    child = [sys.executable, "-m", "tests.audit.audit_child", str(path)]
    done = subprocess.run(child, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == -signal.SIGKILL
    with Database.open(path, MIGRATIONS) as database:
        kept = Accusations(database)
        assert kept.open() == [ACCUSATION]
        # The verdict is read again after the restart: nobody is accused twice, now or once it is settled.
        kept.add(replace(ACCUSATION, title="said again"))
        assert kept.open() == [ACCUSATION]
        kept.settle(ACCUSATION)
        kept.add(ACCUSATION)
        assert kept.open() == []
        other = replace(ACCUSATION, job="0d" * 32)
        kept.add(other)
        assert kept.open() == [other]


def accusations(node: SceneNode) -> list[str]:
    return [one.node for one in node.parts.findings.list() if one.kind == "divergence"]


async def contradicted(scene: Scene) -> tuple[SceneNode, SceneNode]:
    """A job whose verdict accuses mallory."""
    alice, _bob, mallory = await scene.cast("alice", "bob", "mallory", mallory=Workbench(deed=lying()))
    job = await alice.order("a ball", builders=2)
    await alice.see(job, lambda view: [one.state for one in view.assignments] == ["done", "done"])
    await scene.start("carol")
    await alice.finish(job)
    return alice, mallory


async def test_a_crash_between_the_verdict_and_the_accusation(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forget(job: object, verdict: object, assignments: object) -> None:
        """As if the node had died here."""

    with monkeypatch.context() as patched:
        made = Surroundings.__init__

        def deaf(self: Surroundings, **fields: object) -> None:
            made(self, **{**fields, "judged": forget})  # type: ignore[arg-type]  # a test double

        patched.setattr(Surroundings, "__init__", deaf)
        alice, mallory = await contradicted(scene)
        assert accusations(alice) == []
        await alice.stop()
    alice = await scene.start("alice")
    await until(lambda: accusations(alice) == [mallory.id])


async def test_a_crash_between_the_accusation_and_the_evidence(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def die(_self: object, _accusation: object) -> None:
        """As if the node had died here, each time."""

    with monkeypatch.context() as patched:
        patched.setattr("f2fbuild.audit.follow.Follower._prove", die)
        alice, mallory = await contradicted(scene)
        await until(lambda: bool(alice.parts.follower._accusations.open()))
        assert accusations(alice) == []
        await alice.stop()
    # Both logs are here already; the accused need not be there any more.
    await mallory.stop()
    alice = await scene.start("alice")
    await until(lambda: accusations(alice) == [mallory.id])
    assert alice.parts.follower._accusations.open() == []
    await alice.stop()
    alice = await scene.start("alice")
    await until(lambda: alice.parts.peers.connected() != set())
    assert accusations(alice) == [mallory.id]
