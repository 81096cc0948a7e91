"""How much a job over friends costs: two node processes against the same sandboxed build made directly.

`python -m benchmarks.job [--smoke]`. A real, small Debian source is built in a locked environment, which is
in the cache before anything is measured. Directly: the engine of a node prepares the source and builds it in
this process. As a job: a node is given the order over its API, and a friend's node builds it; that includes
offer and acceptance, transfer, live log, commitment and statement in the log, and digests by the submitter.
Each run does both, one after the other. Besides: what a node costs while it has nothing to do.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import trio

from benchmarks.report import at_most, emit
from f2fbuild.api import replies, requests
from f2fbuild.builder.targets import parse_target
from f2fbuild.demo.actor import Actor, free_ports
from f2fbuild.demo.sources import Source, debian_source, only_debian
from f2fbuild.errors import F2FError
from f2fbuild.jobs.engine import BuildOrder, Engine
from f2fbuild.model.job import AssignmentState
from f2fbuild.model.outcome import Succeeded
from f2fbuild.node import clock, config
from f2fbuild.node.engine import make_engine
from f2fbuild.node.identity import load_identity
from f2fbuild.node.kept import Needs
from f2fbuild.node.targets import Targets
from f2fbuild.store.paths import Paths

_RUNS: Final = 3
_OVERHEAD: Final = 0.10
_FIXED_SECONDS: Final = 0.5
_IDLE_MB: Final = 90.0
_START_SECONDS: Final = 1.5
_SETTLE_SECONDS: Final = 3.0


class _Quiet:
    """A `Progress` that nobody reads."""

    def state(self, state: AssignmentState, detail: str) -> None:
        """Take no notice."""

    def log(self, data: bytes) -> None:
        """Take no notice."""


def _engine(actor: Actor) -> Engine:
    """The engine of this person's node, in this process."""
    paths = actor.paths
    needs = Needs(
        paths=paths,
        settings=config.load(paths.config_file),
        identity=load_identity(paths),
        tell=lambda _words: None,
        clock=clock.now,
    )
    return make_engine(needs, Targets(paths.targets))


async def _directly(engine: Engine, source: Source, place: Path) -> None:
    """Prepare and build without any node."""
    with tempfile.TemporaryDirectory(prefix="direct", dir=place) as name:
        work, blobs = Path(name, "work"), Path(name, "blobs")
        await trio.Path(work).mkdir(mode=0o700)
        await trio.Path(blobs).mkdir()
        prepared = await engine.prepare(source.target, source.path)

        async def fetch(digest: str, _most: int) -> Path:
            path = blobs / digest
            await trio.Path(path).write_bytes(prepared.metadata_blobs[digest])
            return path

        order = BuildOrder(
            job="0" * 64,
            target=source.target,
            definition=prepared.definition,
            sources=prepared.sources,
            lock=prepared.lock,
            metadata=prepared.metadata,
            work=work,
            fetch=fetch,
        )
        report = await engine.build(order, _Quiet())
    if not isinstance(report.outcome, Succeeded):
        raise F2FError(f"the build ended as {report.outcome}: {report.detail}")


async def _as_job(submitter: Actor, source: Source) -> None:
    """Order the build from one friend and wait until it has ended, its products checked here."""

    def order() -> replies.Job:
        request = requests.Submit(target=source.target, source=str(source.path), builders=1, agree=1)
        with submitter.client() as client:
            job = client.call(request, replies.Job)
            for seen in client.stream(requests.WatchJob(job=job.id), replies.Job):
                job = seen
        return job

    job = await trio.to_thread.run_sync(order)
    if job.exit_code != 0:
        raise F2FError(f"the job ended as {job.state}: {[one.detail for one in job.assignments]}")


async def _timed(work: Callable[[], Awaitable[None]]) -> float:
    begun = time.perf_counter()
    await work()
    return time.perf_counter() - begun


async def _measure_node(actor: Actor) -> dict[str, float]:
    """Start a node, and return seconds until it answered and, once it is at rest, its memory in MB."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "f2fbuild", "node", "run"]
    run = partial(trio.run_process, command, env=actor.environment, capture_stderr=True, check=False)
    async with trio.open_nursery() as nursery:
        process = await nursery.start(run)
        while not await trio.to_thread.run_sync(_answers, actor):
            if process.poll() is not None:
                raise F2FError("the node did not start", where=actor.name)
            await trio.sleep(0.01)
        started = time.perf_counter() - begun
        await trio.sleep(_SETTLE_SECONDS)
        lines = (await trio.Path(f"/proc/{process.pid}/status").read_text()).splitlines()
        resident = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
        process.terminate()
    return {"start_s": started, "idle_mb": resident * 1024 / 1e6}


def _answers(actor: Actor) -> bool:
    if not actor.paths.socket.exists():
        return False
    try:
        with actor.client() as client:
            client.call(requests.GetStatus(), replies.Status)
    except F2FError:
        return False
    return True


@asynccontextmanager
async def _friends() -> AsyncIterator[tuple[Actor, Actor, Path]]:
    """A submitter and a builder whose nodes do not run yet; environments stay in the user's cache."""
    short = Path(tempfile.mkdtemp(prefix="f2fbench-", dir="/tmp"))
    cache = Paths.from_environment(os.environ).cache.parent
    names = ("alice", "bob")
    actors = [
        Actor(name=name, home=short / f"home-{name}", short=short / name, cache=cache, port=port)
        for name, port in zip(names, free_ports(2), strict=True)
    ]
    try:
        for actor in actors:
            await actor.set_up()
        yield actors[0], actors[1], short
    finally:
        with trio.CancelScope(shield=True):
            for actor in actors:
                await actor.stop_agent()
            await trio.to_thread.run_sync(shutil.rmtree, short)


async def _befriend(one: Actor, other: Actor, rights: str, place: Path) -> None:
    card = place / f"{other.name}.f2fcard"
    await other.run("identity", "card", "--output", str(card))
    await one.run("peer", "add", str(card), "--alias", other.name, "--allow", rights, "--yes")


async def _measure(runs: int) -> dict[str, float]:
    async with _friends() as (alice, bob, place):
        node = [await _measure_node(alice) for _ in range(runs)]
        async with trio.open_nursery() as nursery:
            await nursery.start(alice.live)
            await nursery.start(bob.live)
            await _befriend(alice, bob, "build,ledger", place)
            await _befriend(bob, alice, "submit,ledger", place)
            found = await alice.run("target", "list")
            targets = [parse_target(target.text) for target in found.targets]
            source = await debian_source(only_debian(targets), place)
            engine = _engine(alice)
            await _directly(engine, source, place)
            taken = [
                {
                    "direct_s": await _timed(lambda: _directly(engine, source, place)),
                    "job_s": await _timed(lambda: _as_job(alice, source)),
                }
                for _ in range(runs)
            ]
            nursery.cancel_scope.cancel()
    return {**_medians(node), **_medians(taken)}


def _medians(taken: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(run[name] for run in taken) for name in taken[0]}


def main() -> None:
    """Measure, print, and say whether the bars hold."""
    parser = argparse.ArgumentParser(description="what a job over friends costs")
    parser.add_argument("--smoke", action="store_true", help="one run, to see that it works")
    figures = trio.run(_measure, 1 if parser.parse_args().smoke else _RUNS)
    allowed = figures["direct_s"] * (1 + _OVERHEAD) + _FIXED_SECONDS
    emit(
        "job",
        {**figures, "job_to_direct": figures["job_s"] / figures["direct_s"]},
        [
            at_most("a job against the same build made directly", figures["job_s"], allowed, "s"),
            at_most("an idle node", figures["idle_mb"], _IDLE_MB, "MB"),
            at_most("a node started and answering", figures["start_s"], _START_SECONDS, "s"),
        ],
    )


if __name__ == "__main__":
    main()
