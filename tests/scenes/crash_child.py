"""A node in a process of its own, which kills itself at a named point: see `test_scene_crashes`.

python -m tests.scenes.crash_child DIRECTORY NAME PORTS POINT NUMBER AGREE

POINT is `before-entry` or `after-entry` (the NUMBER-th entry that the workshops log), `after-row` (the
NUMBER-th change of a job's, assignment's or task's row), `after-TABLE-WHAT` (the NUMBER-th change of such a
row to the state WHAT, or of the column WHAT), `building` (the middle of the NUMBER-th build), the name of a
commit point of the log (in its NUMBER-th commit), `before-remembered` or `remembered` (the NUMBER-th head
that is about to be signed), or `none`. The submitter orders one job, of which
AGREE of two builders must agree. Lines on stdout: `ready`; when terminated, `passed` and how often each point
was come by, as JSON.
"""

import json
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

import trio

from f2fbuild import limits
from f2fbuild.jobs.engine import BuildOrder, BuildReport, Progress
from f2fbuild.jobs.journal import Journal
from f2fbuild.jobs.submit import Wanted
from f2fbuild.ledger.checkpoint import Checkpoint
from f2fbuild.ledger.log import Log
from f2fbuild.model.job import JobClass
from f2fbuild.node.kept import Needs
from f2fbuild.node.parts import Parts
from f2fbuild.store.database import Database
from tests.scenes.scene_engine import TARGET, Workbench, honestly, make
from tests.scenes.scene_node import SceneNode, Watch, listen, live, needs_of, set_hints
from tests.scenes.scene_town import SUBMITTER, paths_of

_ROWS = re.compile(r"\s*(INSERT INTO|UPDATE|DELETE FROM) (job|assignment|task)\b")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Bomb:
    """Counts how often each point is come by, and kills this process at its own."""

    def __init__(self, point: str, number: int) -> None:
        self._point = point
        self._number = number
        self.passed: Counter[str] = Counter()
        self._ensure: Callable[..., Any] = Journal._ensure
        self._execute: Callable[..., Any] = Database.execute

    def arm(self) -> None:
        """Put the crash into the program; a function, unlike a bound method, is given the object."""
        setattr(Journal, "_ensure", lambda *arguments: self.entry(*arguments))  # noqa: B010, PLW0108
        setattr(Database, "execute", lambda *arguments: self.row(*arguments))  # noqa: B010, PLW0108

    def at(self, point: str) -> None:
        self.passed[point] += 1
        if point == self._point and self.passed[point] == self._number:
            os.kill(os.getpid(), signal.SIGKILL)

    def entry(self, *arguments: Any) -> Any:
        self.at("before-entry")
        recorded = self._ensure(*arguments)
        self.at("after-entry")
        return recorded

    def row(self, database: Database, sql: str, *arguments: Any) -> Any:
        changed = self._execute(database, sql, *arguments)
        if row := _ROWS.match(sql):
            self.at("after-row")
            self.at(f"after-{row[2]}-{_what(*arguments)}")
        return changed

    async def build(self, order: BuildOrder, progress: Progress) -> BuildReport:
        """Leave a product behind when killed."""
        make(order, twist=b"half of it")
        self.at("building")
        return await honestly(order, progress)


def _what(bindings: Any) -> str:
    """Return what a statement does to a row: its state, else the first column that it sets."""
    values = bindings if isinstance(bindings, dict) else {"new": None}
    return str(values.get("state") or next(iter(values)))


class BombedParts(Parts):
    """The parts of a node whose log tells the bomb how far each commit is."""

    def __init__(self, bomb: Bomb, needs: Needs, stack: ExitStack) -> None:
        super().__init__(needs, lambda _needs, _targets: Workbench(deed=bomb.build), stack)
        self._bomb = bomb

    def _remember(self, before: Checkpoint, following: Checkpoint) -> None:
        self._bomb.at("before-remembered")
        self.guard.remember(before, following)
        self._bomb.at("remembered")

    @cached_property
    def log(self) -> Log:
        opened = Log.open(
            self.log_directory,
            self.identity.log_key,
            on_commit_point=self._bomb.at,
            remember=self._remember,
        )
        return self._stack.enter_context(opened)


async def order(parts: Parts, source: Path, agree: int) -> None:
    """Order a job from two builders once both are there."""
    while len(parts.peers.connected()) < 2:
        await trio.sleep(0.05)
    wanted = Wanted(
        target=TARGET,
        source=source,
        job_class=JobClass.TESTING,
        builders=2,
        agree=agree,
        deadline=parts.desk.clock() + 600,
    )
    await parts.submission.submit(wanted)
    parts.conductor.wake()


async def main(directory: Path, name: str, ports: dict[str, int], bomb: Bomb, agree: int) -> None:
    paths = paths_of(directory)
    with ExitStack() as stack:
        parts = BombedParts(bomb, needs_of(paths, Watch(), say), stack)
        set_hints(parts, ports)
        listeners, _ = await listen(ports[name])
        bench = Workbench()
        node = SceneNode(name=name, paths=paths, bench=bench, watch=Watch(), parts=parts, told=[])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_stop_on_signal, nursery.cancel_scope)

            def started() -> None:
                say("ready")
                if name == SUBMITTER:
                    nursery.start_soon(order, parts, source_in(directory), agree)

            await live(node, listeners, watch_trust=False, started=started)
    say(f"passed {json.dumps(bomb.passed)}")


def source_in(directory: Path) -> Path:
    path = directory / "ball.toy"
    path.write_text("a ball")
    return path


async def _stop_on_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
            return


if __name__ == "__main__":
    _, home, who, ports_text, where, nth, agreeing = sys.argv
    limits.GUARD_SECONDS = 0.2  # type: ignore[assignment]
    limits.EXCHANGE_RETRY_SECONDS = limits.PEERS_POLL_SECONDS = limits.REDIAL_FIRST_SECONDS = 0.1  # type: ignore[assignment]
    armed = Bomb(where, int(nth))
    armed.arm()
    trio.run(main, Path(home), who, json.loads(ports_text), armed, int(agreeing))
