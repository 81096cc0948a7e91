"""Nodes that are killed with SIGKILL at each step, restarted, and go on: nothing lost, doubled or forked."""

import json
import subprocess  # noqa: TID251  (killed processes are the subject)
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from f2fbuild.ledger import entry as entries
from f2fbuild.ledger.checkpoint import open_checkpoint, parse_log_vkey
from f2fbuild.model.job import JobState
from f2fbuild.model.outcome import ClosingReason
from f2fbuild.model.tree import frontier_of, leaf_hash
from f2fbuild.model.vkey import format_vkey
from f2fbuild.node.identity import load_identity
from f2fbuild.store.database import Database
from f2fbuild.store.paths import Paths
from f2fbuild.store.schema import MIGRATIONS
from tests.scenes.scene_node import PATIENCE, Scene, check_log
from tests.scenes.scene_town import open_log

ROOT = Path(__file__).resolve().parents[2]


class Child:
    """A node in a process of its own."""

    def __init__(self, process: trio.Process) -> None:
        self.process = process
        self._read = bytearray()

    async def line(self) -> str:
        """Return its next line, or nothing when it has ended."""
        assert self.process.stdout is not None
        while b"\n" not in self._read:
            data = await self.process.stdout.receive_some()
            if not data:
                return ""
            self._read += data
        line, _, rest = bytes(self._read).partition(b"\n")
        self._read = bytearray(rest)
        return line.decode()

    async def until(self, beginning: str) -> str:
        """Return the first line that begins so, or nothing when it has ended before."""
        with trio.fail_after(PATIENCE):
            while True:
                line = await self.line()
                if not line or line.startswith(beginning):
                    return line

    async def end(self) -> int:
        """Terminate it, if it lives, and return how it ended."""
        if self.process.poll() is None:
            self.process.terminate()
        with trio.fail_after(PATIENCE):
            return await self.process.wait()


@asynccontextmanager
async def child(scene: Scene, name: str, point: str = "none", number: int = 0) -> AsyncIterator[Child]:
    paths = scene.paths_of(name)
    for listener in scene._reserved.pop(name, []):
        await listener.aclose()
    (paths.config.parent.parent / "source.txt").write_text("a ball")
    command = [sys.executable, "-m", "tests.scenes.crash_child", str(paths.config.parent), name]
    command += [json.dumps(scene.ports), point, str(number)]
    process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE, cwd=ROOT)
    try:
        yield Child(process)
    finally:
        if process.poll() is None:
            process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


def head_of(paths: Paths) -> tuple[int, bytes]:
    """Return size and root of the head that the node would tell: the checkpoint as it lies on the disk."""
    key = parse_log_vkey(format_vkey(load_identity(paths).certificate.certificate.log))
    head = open_checkpoint((paths.log / "checkpoint").read_bytes(), key)
    return head.size, head.root


def goes_on(paths: Paths, before: tuple[int, bytes]) -> bool:
    """Return whether the log still begins with what its old head said."""
    size, root = before
    with open_log(paths) as log:
        return frontier_of(map(leaf_hash, log.entries(0, size))).root == root


def owes_an_undecided_build(paths: Paths) -> bool:
    """Return whether the log has an acceptance whose build had no result when its node was killed."""
    with Database.open(paths.database, MIGRATIONS) as database:
        decided = [row["result"] is not None for row in database.rows("SELECT result FROM task")]
    return head_of(paths)[0] > 1 and decided == [False]


def closings(paths: Paths) -> list[ClosingReason]:
    """Return the reasons of the closing entries in a log."""
    key = load_identity(paths).certificate.certificate.statements
    with open_log(paths) as log:
        payloads = [entries.read(one, key).payload for one in log.entries(0, log.size)]
    return [one.reason for one in payloads if isinstance(one, entries.Closing)]


BUILDER_POINTS = [
    *((where, number) for where in ("before-entry", "after-entry") for number in (1, 2, 3)),
    *(("after-row", number) for number in range(1, 9)),
]


@pytest.mark.parametrize(("point", "number"), BUILDER_POINTS)
async def test_a_killed_builder_gives_back_or_goes_on(scene: Scene, point: str, number: int) -> None:
    alice = await scene.start("alice")
    carol = await scene.start("carol")
    paths = scene.paths_of("bob")
    bob = load_identity(paths).node_id
    async with child(scene, "bob", point, number) as first:
        assert await first.until("ready")
        await alice.parts.peers.wait_connected(bob)
        await alice.parts.peers.wait_connected(carol.id)
        job = await alice.order(builders=2, agree=2)
        with trio.fail_after(PATIENCE):
            assert await first.process.wait() == -9, "the point was not reached"
    before = head_of(paths)
    undecided = owes_an_undecided_build(paths)
    await scene.start("dave")
    async with child(scene, "bob") as second:
        assert await second.until("ready")
        view = await alice.finish(job)
        assert (view.state, view.exit_code) == (JobState.SUCCEEDED, 0)
        assert view.verdict is not None
        assert view.verdict.agree == 2
        assert await second.end() == 0
    assert goes_on(paths, before)
    assert (closings(paths) == [ClosingReason.GAVE_BACK]) is undecided
    assert check_log(paths).open == ()
    assert alice.parts.findings.list() == []
    promises = await scene.curtain()
    assert all(one.open == () for one in promises.values())


SUBMITTER_POINTS = [
    *((where, number) for where in ("before-entry", "after-entry") for number in (1, 2)),
    *(("after-row", number) for number in range(1, 13)),
]


@pytest.mark.parametrize(("point", "number"), SUBMITTER_POINTS)
async def test_a_killed_submitter_gets_its_result(scene: Scene, point: str, number: int) -> None:
    bob, carol = await scene.start("bob"), await scene.start("carol")
    paths = scene.paths_of("alice")
    async with child(scene, "alice", point, number) as first:
        with trio.fail_after(PATIENCE):
            assert await first.process.wait() == -9, "the point was not reached"
    before = head_of(paths)
    async with child(scene, "alice") as second:
        assert await second.until("over") == "over succeeded 0"
        assert await second.end() == 0
    assert goes_on(paths, before)
    assert check_log(paths).open == ()
    for builder in (bob, carol):
        tasks = builder.parts.database.rows("SELECT state FROM task")
        assert [task["state"] for task in tasks] == ["done"]
    promises = await scene.curtain()
    assert all(one.open == () for one in promises.values())
