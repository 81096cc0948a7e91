"""A node of a scene: the product's own parts over real sockets, with a workbench as its engine."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import trio

from f2fbuild.api import replies, requests
from f2fbuild.jobs.queue import Assignment, Job
from f2fbuild.jobs.submit import Wanted
from f2fbuild.ledger import entry as entries
from f2fbuild.ledger.check import verify
from f2fbuild.ledger.checkpoint import parse_log_vkey
from f2fbuild.ledger.promises import Promises, fold_promises
from f2fbuild.model.job import JobClass
from f2fbuild.model.vkey import format_vkey
from f2fbuild.node import clock, config
from f2fbuild.node.handlers import NodeHandlers
from f2fbuild.node.identity import load_identity
from f2fbuild.node.kept import Needs
from f2fbuild.node.parts import Parts
from f2fbuild.node.services import open_parts, services
from f2fbuild.node.views import job_view
from f2fbuild.store.paths import Paths
from tests import checker
from tests.scenes.scene_engine import TARGET, Workbench
from tests.scenes.scene_town import NAMES, Town, open_log

PATIENCE = 120
"""Seconds after which a scene that waits for something has failed."""


@dataclass
class Watch:
    """A clock that can be put forward."""

    ahead: int = 0

    def __call__(self) -> int:
        return clock.now() + self.ahead


@dataclass
class SceneNode:
    """A node that runs, or ran. `told` is what it told its owner."""

    name: str
    paths: Paths
    bench: Workbench
    watch: Watch
    parts: Parts
    told: list[str]
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    ended: trio.Event = field(default_factory=trio.Event)

    @property
    def id(self) -> str:
        return self.parts.identity.node_id

    @property
    def owner(self) -> str:
        return self.parts.identity.certificate.certificate.owner

    async def stop(self) -> None:
        """Shut the node down, as at SIGTERM."""
        self.scope.cancel()
        await self.ended.wait()

    async def order(
        self,
        text: str = "a ball",
        *,
        builders: int = 2,
        agree: int | None = None,
        job_class: JobClass = JobClass.TESTING,
        seconds: int = 3600,
        embargo: int = 0,
    ) -> Job:
        """Order a toy; `embargo` is in seconds from now."""
        source = self.paths.state / f"{text.rsplit(maxsplit=1)[-1]}.toy"
        source.write_text(text)
        wanted = Wanted(
            target=TARGET,
            source=source,
            job_class=job_class,
            builders=builders,
            agree=agree,
            deadline=self.watch() + seconds,
            embargo_until=self.watch() + embargo if embargo else 0,
        )
        job = await self.parts.submission.submit(wanted)
        self.parts.conductor.wake()
        return job

    def job(self, job: Job) -> Job:
        found = self.parts.desk.queue.get(job.id)
        assert found is not None
        return found

    def view(self, job: Job) -> replies.Job:
        return job_view(self.parts.desk, self.job(job))

    def asked(self, job: Job, builder: "SceneNode | str") -> Assignment:
        peer = builder if isinstance(builder, str) else builder.id
        return self.parts.desk.queue.assignment(job.id, peer)

    async def see(self, job: Job, seen: Callable[[replies.Job], bool]) -> replies.Job:
        """Wait until the job looks so, as `watch` does."""
        with trio.fail_after(PATIENCE):
            while True:
                changed = self.parts.changes.next(job.id)
                view = self.view(job)
                if seen(view):
                    return view
                await changed.wait()

    async def finish(self, job: Job) -> replies.Job:
        """Wait until the job and all its builders have ended."""
        return await self.see(job, _over)

    async def end(self, job: Job) -> replies.Job:
        """Wait until the job has ended."""
        return await self.see(job, lambda view: view.exit_code is not None)

    async def task(self, job: Job, seen: Callable[[str], bool]) -> None:
        """Wait until this builder's own row for the job looks so."""
        with trio.fail_after(PATIENCE):
            while True:
                changed = self.parts.changes.next(job.id)
                task = self.parts.bench.tasks.get(job.id)
                if task is not None and seen(str(task.state)):
                    return
                await changed.wait()

    async def api(self, request: requests.Request) -> replies.Reply:
        return await NodeHandlers(self.parts).call(request)

    def entries(self) -> list[entries.Entry]:
        """Every entry of this node's log."""
        key = self.parts.identity.statement_key.public
        log = self.parts.log
        return [entries.read(data, key) for data in log.entries(0, log.size)]


def _over(view: replies.Job) -> bool:
    waiting = ("offered", "accepted", "preparing", "building", "verifying", "committed")
    return view.exit_code is not None and not any(one.state in waiting for one in view.assignments)


def pass_deadline(job: Job, *nodes: SceneNode) -> None:
    """Put the nodes' clocks behind the deadline of a job, once what must come before it has come."""
    for node in nodes:
        node.watch.ahead += job.order.deadline - node.watch() + 1
        node.parts.conductor.wake()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what rings no bell."""
    with trio.fail_after(PATIENCE):
        while not condition():
            await trio.sleep(0.02)


async def live(
    node: SceneNode,
    listeners: Sequence[trio.SocketListener],
    *,
    watch_trust: bool,
    started: Callable[[], None],
) -> None:
    """Run the parts as `node.main` does, without the API's socket and what looks at the clock by itself."""
    parts = node.parts
    await open_parts(parts)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(parts.peers.run, list(listeners))
        for service in services(parts, lambda _words: None):
            nursery.start_soon(service)
        if watch_trust:
            nursery.start_soon(parts.friendships.watch)
        started()


def needs_of(paths: Paths, watch: Callable[[], int], tell: Callable[[str], None]) -> Needs:
    return Needs(
        paths=paths,
        settings=config.load(paths.config_file),
        identity=load_identity(paths),
        tell=tell,
        clock=watch,
    )


def set_hints(parts: Parts, ports: dict[str, int]) -> None:
    """Let the node know where its friends listen in this scene."""
    for name, port in ports.items():
        parts.database.execute("UPDATE friend SET hints = ? WHERE alias = ?", (f'["127.0.0.1:{port}"]', name))


async def listen(port: int = 0) -> tuple[list[trio.SocketListener], int]:
    listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
    return listeners, listeners[0].socket.getsockname()[1]


class Scene:
    """A few nodes of the town, each started when the scene wants it."""

    def __init__(self, nursery: trio.Nursery, town: Town, directory: Path) -> None:
        self._nursery = nursery
        self.town = town
        self.directory = directory
        self.ports: dict[str, int] = {}
        self._reserved: dict[str, list[trio.SocketListener]] = {}
        self.nodes: dict[str, SceneNode] = {}
        self.paths: dict[str, Paths] = {}
        self.breakers: set[str] = set()
        """Who broke the rules of the log in this scene, and was found out: theirs are in no order."""

    async def prepare(self) -> None:
        """Give everybody a port."""
        for name in NAMES:
            self._reserved[name], self.ports[name] = await listen()

    async def close(self) -> None:
        for listeners in self._reserved.values():
            for listener in listeners:
                await listener.aclose()

    def paths_of(self, name: str) -> Paths:
        """The directories of a node in this scene, copied from the town's at the first time."""
        if name not in self.paths:
            self.paths[name] = self.town.copy(name, self.directory)
        return self.paths[name]

    async def take_port(self, name: str) -> list[trio.SocketListener]:
        """The listeners of a node, opened anew when it had them before."""
        reserved = self._reserved.pop(name, None)
        return reserved if reserved is not None else (await listen(self.ports[name]))[0]

    async def start(
        self,
        name: str,
        bench: Workbench | None = None,
        *,
        watch_trust: bool = False,
        make_parts: Callable[..., Parts] = Parts,
        alter: Callable[[Parts], None] = lambda _parts: None,
        signing: bool = True,
    ) -> SceneNode:
        """Start a node, or start it again, and wait until it is `signing`."""
        before = self.nodes.get(name)
        watch = before.watch if before else Watch()
        bench = bench or (before.bench if before else Workbench())
        told: list[str] = []
        stack = ExitStack()
        parts = make_parts(
            needs_of(self.paths_of(name), watch, told.append), lambda _needs, _targets: bench, stack
        )
        node = SceneNode(
            name=name, paths=self.paths_of(name), bench=bench, watch=watch, parts=parts, told=told
        )
        set_hints(parts, self.ports)
        alter(parts)
        self.nodes[name] = node
        listeners = await self.take_port(name)
        started = trio.Event()

        async def run() -> None:
            try:
                with stack, node.scope:
                    await live(node, listeners, watch_trust=watch_trust, started=started.set)
            finally:
                for listener in listeners:
                    with trio.CancelScope(shield=True):
                        await listener.aclose()
                node.ended.set()

        self._nursery.start_soon(run)
        with trio.fail_after(PATIENCE):
            await started.wait()
        if signing:
            await until(lambda: not parts.guard.held)
        return node

    async def cast(self, *names: str, **benches: Workbench) -> list[SceneNode]:
        """Start several nodes and wait until the first is connected with all others."""
        nodes = [await self.start(name, benches.get(name)) for name in names]
        with trio.fail_after(PATIENCE):
            for other in nodes[1:]:
                await nodes[0].parts.peers.wait_connected(other.id)
                await other.parts.peers.wait_connected(nodes[0].id)
        return nodes

    async def curtain(self) -> dict[str, Promises]:
        """Stop everybody and check every log: nothing forged, forked, doubled or left out of order."""
        for node in self.nodes.values():
            await node.stop()
        return {name: check_log(paths) for name, paths in self.paths.items() if name not in self.breakers}


def check_log(paths: Paths) -> Promises:
    """Check a log with the product's checker and with the one that shares no code with it."""
    identity = load_identity(paths)
    certificate = identity.certificate.certificate
    directory = paths.log_of(certificate.epoch)
    report = verify(directory, parse_log_vkey(format_vkey(certificate.log)))
    assert report.problems == ()
    read = checker.check_log(directory, format_vkey(certificate.log), certificate.statements.hex())
    with open_log(paths) as log:
        assert log.size == len(read)
        data = list(log.entries(0, log.size))
    assert len(set(data)) == len(data), "an entry is there twice"
    promises = fold_promises(
        (index, entries.read(one, certificate.statements)) for index, one in enumerate(data)
    )
    assert promises.problems == ()
    return promises
