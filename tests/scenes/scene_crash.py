"""What a scene with killed nodes needs: nodes in processes of their own, and what their logs said before."""

import json
import shutil
import subprocess  # noqa: TID251  (killed processes are the subject)
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

from f2fbuild.ledger import entry as entries
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.promises import fold_promises
from f2fbuild.model.friend import Friend
from f2fbuild.model.outcome import ClosingReason
from f2fbuild.model.tree import frontier_of, leaf_hash
from f2fbuild.node.identity import load_identity
from f2fbuild.node.parts import Parts
from f2fbuild.store.database import Database
from f2fbuild.store.paths import Paths
from f2fbuild.store.schema import MIGRATIONS
from tests.scenes.scene_node import PATIENCE, Scene
from tests.scenes.scene_town import open_log

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Crash:
    """When a node kills itself: see `crash_child`."""

    point: str
    number: int = 1

    def __str__(self) -> str:
        return f"{self.point}-{self.number}"


NEVER = Crash("none")


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

    async def die(self) -> None:
        """Wait until it has killed itself."""
        with trio.fail_after(PATIENCE):
            assert await self.process.wait() == -9, "the point was not reached"

    async def end(self) -> dict[str, int]:
        """Terminate it, and return how often it came by each point."""
        self.process.terminate()
        passed: dict[str, int] = json.loads((await self.until("passed")).removeprefix("passed "))
        with trio.fail_after(PATIENCE):
            assert await self.process.wait() == 0
        return passed


@asynccontextmanager
async def child(scene: Scene, name: str, crash: Crash = NEVER, *, agree: int = 2) -> AsyncIterator[Child]:
    """Start a node in a process of its own."""
    directory = scene.paths_of(name).config.parent
    for listener in await scene.take_port(name):
        await listener.aclose()
    command = [sys.executable, "-m", "tests.scenes.crash_child", str(directory), name]
    command += [json.dumps(scene.ports), crash.point, str(crash.number), str(agree)]
    process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE, cwd=ROOT)
    try:
        yield Child(process)
    finally:
        if process.poll() is None:
            process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


@dataclass
class Following:
    """What one node learnt of a friend's log: the sizes it saw, each with the deaths before it asked."""

    whose: str
    deaths: int = 0
    seen: list[tuple[int, int]] = field(default_factory=list)

    def note(self, parts: Parts) -> None:
        """Note them from now on."""
        follow = parts.follower.follow

        async def follow_and_note(friend: Friend) -> bool:
            # What was asked before the friend was killed may come to its end afterwards.
            deaths = self.deaths
            told = await follow(friend)
            if told and friend.node_id == self.whose:
                self.seen.append((deaths, parts.follower.mirror(friend).size))
            return told

        setattr(parts.follower, "follow", follow_and_note)  # noqa: B010  a method of one object

    def since_death(self) -> list[int]:
        """Return the sizes that were told by a friend who had been killed."""
        return [size for deaths, size in self.seen if deaths == self.deaths]


def head_of(paths: Paths) -> tuple[int, bytes]:
    """Return size and root of the head that the killed node would tell when started; it stays as it is."""
    with TemporaryDirectory() as place:
        copy = shutil.copytree(paths.log, Path(place, "log"))
        with Log.open(copy, load_identity(paths).log_key) as log:
            return log.head.size, log.head.root


def goes_on(paths: Paths, before: tuple[int, bytes]) -> bool:
    """Return whether the log of a node that does not run still begins with what its old head said."""
    size, root = before
    with open_log(paths) as log:
        return frontier_of(map(leaf_hash, log.entries(0, size))).root == root


def owes_an_undecided_build(paths: Paths) -> bool:
    """Return whether the log has an acceptance whose build had no result when its node was killed."""
    with Database.open(paths.database, MIGRATIONS) as database:
        decided = [row["result"] is not None for row in database.rows("SELECT result FROM task")]
    return head_of(paths)[0] > 1 and decided == [False]


def closings(paths: Paths) -> list[ClosingReason]:
    """Return the reasons of the closing entries in the log of a node that does not run."""
    payloads = [one.payload for one in _entries(paths)]
    return [one.reason for one in payloads if isinstance(one, entries.Closing)]


def undecided_at(paths: Paths, size: int) -> set[int]:
    """Return the acceptances that had neither commitment nor end when the log had this size."""
    promises = fold_promises(enumerate(_entries(paths)[:size]))
    return set(promises.open) - promises.committed.keys()


def _entries(paths: Paths) -> list[entries.Entry]:
    key = load_identity(paths).certificate.certificate.statements
    with open_log(paths) as log:
        return [entries.read(one, key) for one in log.entries(0, log.size)]
