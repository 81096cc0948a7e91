"""A node in a process of its own, which kills itself at a named point: see `test_scene_crashes`.

python -m tests.scenes.crash_child DIRECTORY NAME PORTS POINT NUMBER

POINT is `none`, `before-entry`, `after-entry` (the NUMBER-th entry that the workshops log) or `after-row`
(the NUMBER-th change of a job's, assignment's or task's row). The submitter orders one job unless it has one.
Lines on stdout: `ready`, and `over STATE EXIT_CODE` when the submitter's job has ended.
"""

import json
import os
import re
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import trio

from f2fbuild import limits
from f2fbuild.jobs.journal import Journal
from f2fbuild.jobs.submit import Wanted
from f2fbuild.model.job import JobClass
from f2fbuild.node.parts import Parts
from f2fbuild.node.views import job_view
from f2fbuild.store.database import Database
from tests.scenes.scene_engine import TARGET, Workbench
from tests.scenes.scene_node import SceneNode, Watch, listen, live, needs_of, set_hints
from tests.scenes.scene_town import SUBMITTER, paths_of

_ROWS = re.compile(r"\s*(INSERT INTO|UPDATE) (job|assignment|task)\b")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Bomb:
    """Kills this process at its point, when it comes by for the last time."""

    def __init__(self, point: str, number: int) -> None:
        self._point = point
        self._left = number
        self._ensure: Callable[..., Any] = Journal._ensure
        self._execute: Callable[..., Any] = Database.execute

    def arm(self) -> None:
        """Put the crash into the program; a function, unlike a bound method, is given the object."""
        if self._point.endswith("entry"):
            setattr(Journal, "_ensure", lambda *arguments: self.entry(*arguments))  # noqa: B010, PLW0108
        elif self._point == "after-row":
            setattr(Database, "execute", lambda *arguments: self.row(*arguments))  # noqa: B010, PLW0108

    def entry(self, *arguments: Any) -> Any:
        last = self._last()
        if last and self._point == "before-entry":
            die()
        recorded = self._ensure(*arguments)
        if last:
            die()
        return recorded

    def row(self, database: Database, sql: str, *arguments: Any) -> Any:
        changed = self._execute(database, sql, *arguments)
        if _ROWS.match(sql) and self._last():
            die()
        return changed

    def _last(self) -> bool:
        self._left -= 1
        return self._left == 0


async def order_once(parts: Parts, source: Path) -> None:
    """Order a job unless there is one, and say when it is over."""
    queue = parts.desk.queue
    if not queue.newest(1):
        # Both builders are there, so that both are asked.
        while len(parts.peers.connected()) < 2:
            await trio.sleep(0.05)
        wanted = Wanted(
            target=TARGET,
            source=source,
            job_class=JobClass.TESTING,
            builders=2,
            agree=2,
            deadline=parts.desk.clock() + 600,
        )
        await parts.submission.submit(wanted)
        parts.conductor.wake()
    (job,) = queue.newest(1)
    while True:
        changed = parts.changes.next(job.id)
        view = job_view(parts.desk, queue.resolve(job.id))
        if view.exit_code is not None:
            say(f"over {view.state} {view.exit_code}")
            return
        await changed.wait()


async def main(directory: Path, name: str, ports: dict[str, int], source: Path) -> None:
    paths = paths_of(directory)
    with ExitStack() as stack:
        bench = Workbench()
        parts = Parts(needs_of(paths, Watch(), say), lambda _needs, _targets: bench, stack)
        set_hints(parts, ports)
        listeners, _ = await listen(ports[name])
        node = SceneNode(name=name, paths=paths, bench=bench, watch=Watch(), parts=parts, told=[])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_stop_on_signal, nursery.cancel_scope)

            def started() -> None:
                say("ready")
                if name == SUBMITTER:
                    nursery.start_soon(order_once, parts, source)

            await live(node, listeners, watch_trust=False, started=started)


async def _stop_on_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
            return


if __name__ == "__main__":
    _, home, who, ports_text, where, nth = sys.argv
    limits.EXCHANGE_RETRY_SECONDS = limits.PEERS_POLL_SECONDS = limits.REDIAL_FIRST_SECONDS = 0.1  # type: ignore[assignment]
    Bomb(where, int(nth)).arm()
    trio.run(main, Path(home), who, json.loads(ports_text), Path(home).parent / "source.txt")
