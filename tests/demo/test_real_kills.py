"""Real builds in real sandboxes, and nodes killed with SIGKILL in the middle of them: one of each side."""

import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from f2fbuild.api import ledger_replies, replies, requests
from f2fbuild.demo.actor import Actor, free_ports
from f2fbuild.demo.sources import rpm_source, rpm_target
from f2fbuild.ledger.check import verify
from f2fbuild.ledger.checkpoint import parse_log_vkey
from f2fbuild.model.job import AssignmentState, JobState

pytestmark = [pytest.mark.timeout(600)]

NAMES = ("alice", "bob", "carol", "dave")
BUSY = (AssignmentState.PREPARING, AssignmentState.BUILDING, AssignmentState.VERIFYING)
PATIENCE = 240


class Village:
    """Four people with real nodes; alice may ask the others."""

    def __init__(self, directory: Path, short: Path) -> None:
        ports = free_ports(len(NAMES))
        self.directory = directory
        self.people = {
            name: Actor(
                name=name,
                home=directory / name,
                short=short / name,
                cache=Path.home() / ".cache",
                port=port,
            )
            for name, port in zip(NAMES, ports, strict=True)
        }
        self.nodes: dict[str, trio.Process] = {}

    async def start(self, name: str) -> None:
        actor = self.people[name]
        path = actor.home / "node.log"
        before = path.read_text().count("ready") if path.exists() else 0
        with path.open("ab") as log:
            command = [sys.executable, "-m", "f2fbuild", "node", "run"]
            self.nodes[name] = await trio.lowlevel.open_process(
                command, env=actor.environment, stdout=log, stderr=log, start_new_session=True
            )
        with trio.fail_after(PATIENCE):
            while path.read_text().count("ready") == before:
                await trio.sleep(0.05)

    async def kill(self, name: str, how: signal.Signals = signal.SIGKILL) -> None:
        process = self.nodes.pop(name)
        process.send_signal(how)
        await process.wait()

    async def befriend(self) -> None:
        cards = self.directory / "cards"
        cards.mkdir()
        for name, actor in self.people.items():
            await actor.run("identity", "card", "--output", str(cards / name))
        for name in NAMES[1:]:
            rights = ("--alias", name, "--allow", "build,ledger", "--yes")
            await self.people["alice"].run("peer", "add", str(cards / name), *rights)
            rights = ("--alias", "alice", "--allow", "submit,ledger", "--yes")
            await self.people[name].run("peer", "add", str(cards / "alice"), *rights)

    async def order(self) -> str:
        source = await rpm_source(self.directory)
        job = await self.people["alice"].run(
            "build", source.target, str(source.path), "--builders", "2", "--agree", "2", "--nowait"
        )
        return str(job.id)

    async def show(self, job: str) -> replies.Job:
        with self.people["alice"].client() as client:
            return await trio.to_thread.run_sync(client.call, requests.GetJob(job=job), replies.Job)

    async def busy(self, job: str) -> str:
        """Wait until somebody builds, and return who."""
        with trio.fail_after(PATIENCE):
            while True:
                for one in (await self.show(job)).assignments:
                    if one.state in BUSY:
                        return one.alias
                await trio.sleep(0.02)

    async def over(self, job: str) -> replies.Job:
        with trio.fail_after(PATIENCE):
            while (view := await self.show(job)).exit_code is None:
                await trio.sleep(0.1)
        return view

    async def check_logs(self) -> None:
        """Stop everybody; every log is in order, and every acceptance has its one end."""
        logs = {}
        for name in NAMES:
            with self.people[name].client() as client:
                found = await trio.to_thread.run_sync(client.call, requests.ListLogs(), ledger_replies.Logs)
            assert found.findings == ()
            logs[name] = found.logs[0]
        for name in list(self.nodes):
            await self.kill(name, signal.SIGTERM)
        for log in logs.values():
            report = verify(Path(log.path), parse_log_vkey(log.vkey))
            assert report.problems == ()
            assert report.open == ()


@asynccontextmanager
async def village(directory: Path) -> AsyncIterator[Village]:
    with tempfile.TemporaryDirectory(prefix="f2fkill") as short:
        made = Village(directory, Path(short))
        try:
            for actor in made.people.values():
                await actor.set_up()
            for name in NAMES:
                await made.start(name)
            await made.befriend()
            target = await rpm_target(Path.home() / ".cache" / "f2fbuild", directory)
            for actor in made.people.values():
                await actor.run("target", "add", str(target), "--yes")
            yield made
        finally:
            with trio.CancelScope(shield=True):
                for process in made.nodes.values():
                    process.kill()
                    await process.wait()
                for actor in made.people.values():
                    await actor.stop_agent()


async def test_a_builder_killed_in_the_middle_of_a_real_build(tmp_path: Path) -> None:
    async with village(tmp_path) as town:
        job = await town.order()
        victim = await town.busy(job)
        await town.kill(victim)
        await town.start(victim)
        view = await town.over(job)
        assert (view.state, view.exit_code) == (JobState.SUCCEEDED, 0)
        lost = [one for one in view.assignments if one.state is AssignmentState.LOST]
        assert [one.alias for one in lost] in ([victim], [])
        assert all(one.detail.startswith("gave-back") for one in lost)
        await town.check_logs()


async def test_a_submitter_killed_while_friends_build_for_real(tmp_path: Path) -> None:
    async with village(tmp_path) as town:
        job = await town.order()
        await town.busy(job)
        await town.kill("alice")
        await town.start("alice")
        view = await town.over(job)
        assert (view.state, view.exit_code) == (JobState.SUCCEEDED, 0)
        assert view.verdict is not None
        assert (view.verdict.agree, view.verdict.verified) == (2, 2)
        await town.check_logs()
