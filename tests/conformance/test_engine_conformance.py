"""What every engine promises the workshop: one suite, over the workbench of the scenes and the real one."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import pytest
import trio

from f2fbuild.builder.targets import Format, Target, parse_target
from f2fbuild.demo.sources import rpm_source, rpm_target
from f2fbuild.errors import F2FError, FormatError, RefusedError, UsageError
from f2fbuild.jobs.engine import BuildOrder, BuildReport, Engine, Prepared, Progress
from f2fbuild.model.digest import sha256_hex
from f2fbuild.model.job import AssignmentState, BuildDefinition
from f2fbuild.model.outcome import ExitClass, Failed, Infra, Stage, Succeeded
from f2fbuild.node import clock, config, engine
from f2fbuild.node.engine import LocalEngine, make_engine
from f2fbuild.node.identity import Identity
from f2fbuild.node.kept import Needs
from f2fbuild.node.setup import propose_targets
from f2fbuild.node.targets import Targets
from f2fbuild.trust.certificate_file import CertificateFile
from f2fbuild.trust.node_keys import draft
from tests.builder.builder_sources import GOOD_RULES, deb_source, source_rpm
from tests.scenes import scene_engine
from tests.scenes.scene_engine import Workbench
from tests.scenes.scene_town import paths_of

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "f2fbuild"
BEGUN = b"a build without an end"
ENDLESS = f"echo {BEGUN.decode()}; sleep 3600"

pytestmark = [pytest.mark.unprivileged, pytest.mark.timeout(300)]


@dataclass
class Bench:
    """An engine, a source it can build, one whose build fails, one whose build never ends, and their target.

    The log of the endless build says `BEGUN` once it is on its way.
    """

    engine: Engine
    source: Path
    broken: Path
    endless: Path
    target: str
    directory: Path
    count: int = 0

    async def prepare(self) -> Prepared:
        return await self.engine.prepare(self.target, self.source)

    def order(self, prepared: Prepared) -> BuildOrder:
        """An order in a new work directory, whose blobs come from what was prepared."""
        self.count += 1
        work = self.directory / f"work{self.count}"
        work.mkdir()
        blobs = {sha256_hex(data): data for data in prepared.metadata_blobs.values()}

        async def fetch(digest: str, size: int) -> Path:
            path = trio.Path(self.directory / f"blob-{digest}")
            assert len(blobs[digest]) <= size
            await path.write_bytes(blobs[digest])
            return Path(path)

        return BuildOrder(
            job=f"{self.count:064x}",
            target=self.target,
            definition=prepared.definition,
            sources=prepared.sources,
            lock=prepared.lock,
            metadata=prepared.metadata,
            work=work,
            fetch=fetch,
        )

    async def build(self, prepared: Prepared) -> tuple[BuildReport, "Heard"]:
        heard = Heard()
        return await self.engine.build(self.order(prepared), heard), heard


@dataclass
class Heard:
    """Fulfils `jobs.engine.Progress`."""

    states: list[AssignmentState] = field(default_factory=list)
    text: bytearray = field(default_factory=bytearray)
    begun: trio.Event = field(default_factory=trio.Event)

    def state(self, state: AssignmentState, detail: str) -> None:
        del detail
        self.states.append(state)

    def log(self, data: bytes) -> None:
        self.text += data
        if BEGUN in self.text:
            self.begun.set()


@asynccontextmanager
async def workbench(directory: Path) -> AsyncIterator[Bench]:
    source, broken, endless = (directory / name for name in ("ball.txt", "burst.txt", "top.txt"))
    await trio.Path(source).write_text("a ball")
    await trio.Path(broken).write_text("broken: a ball")
    await trio.Path(endless).write_text("a top that spins for ever")

    async def deed(order: BuildOrder, progress: Progress) -> BuildReport:
        progress.log(BEGUN)
        return await scene_engine.hanging(order, progress)

    async def choose(order: BuildOrder, progress: Progress) -> BuildReport:
        return await (deed if endless.name in order.sources else scene_engine.honestly)(order, progress)

    yield Bench(
        engine=Workbench(deed=choose),
        source=source,
        broken=broken,
        endless=endless,
        target=scene_engine.TARGET,
        directory=directory,
    )


def real_engine(directory: Path, *targets: Target) -> LocalEngine:
    """The engine of a node that has these targets; environments are kept in the cache of this user."""
    paths = replace(paths_of(directory / "node"), cache=CACHE)
    kept = Targets(paths.targets)
    for target in targets:
        kept.add(target)
    seed = b"x" * 32
    certificate = draft(seed, owner="A1" * 20, node="bench", not_before=0, not_after=1)
    needs = Needs(
        paths=paths,
        settings=config.Settings(
            node=config.NodeSettings(name="bench"), owner=config.OwnerSettings(fingerprint="A1" * 20)
        ),
        identity=Identity(
            seed=seed,
            certificate=CertificateFile(data=b"", text=b"", certificate=certificate, signature=b""),
        ),
        tell=lambda _words: None,
        clock=clock.now,
    )
    return make_engine(needs, kept)


async def small_rpm_target(directory: Path) -> Target:
    return parse_target(await trio.Path(await rpm_target(CACHE, directory)).read_text())


@asynccontextmanager
async def rpm(directory: Path) -> AsyncIterator[Bench]:
    """The real engine with the small RPM distribution and real source RPMs."""
    target = await small_rpm_target(directory)
    source = await rpm_source(directory)
    made = {}
    for name, script in (("broken", "exit 3"), ("endless", ENDLESS)):
        place = directory / f"make-{name}"
        place.mkdir()
        made[name] = await written(directory / name, await source_rpm(place, script), ".src.rpm")
    yield Bench(
        engine=real_engine(directory, target),
        source=source.path,
        broken=made["broken"],
        endless=made["endless"],
        target=source.target,
        directory=directory,
    )


@asynccontextmanager
async def deb(directory: Path) -> AsyncIterator[Bench]:
    """The real engine with this host's own Debian and real source packages."""
    found = [one.target for one in propose_targets() if one.target.format is Format.DEB]
    if not found:
        pytest.skip("this host has no Debian sources")
    yield Bench(
        engine=real_engine(directory, found[0]),
        source=await written(directory / "good", deb_source(GOOD_RULES), ".dsc"),
        broken=await written(directory / "broken", deb_source("exit 3"), ".dsc"),
        endless=await written(directory / "endless", deb_source(ENDLESS), ".dsc"),
        target=found[0].name,
        directory=directory,
    )


async def written(directory: Path, files: Mapping[str, bytes], ending: str) -> Path:
    """Write a source package's files; return the one that names the others."""
    await trio.Path(directory).mkdir()
    for name, data in files.items():
        await trio.Path(directory / name).write_bytes(data)
    return directory / next(name for name in files if name.endswith(ending))


@pytest.fixture(params=[workbench, rpm, deb], ids=["workbench", "rpm", "deb"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with request.param(tmp_path) as made:
        yield made


async def test_what_is_prepared_has_a_file_behind_every_digest(bench: Bench) -> None:
    prepared = await bench.prepare()
    definition = prepared.definition
    assert {source.name for source in definition.sources} == set(prepared.sources)
    for source in definition.sources:
        assert sha256_hex(await trio.Path(prepared.sources[source.name]).read_bytes()) == source.sha256
    assert sha256_hex(prepared.lock) == definition.lock
    assert all(digest == sha256_hex(data) for digest, data in prepared.metadata_blobs.items())
    assert BuildDefinition.from_json(definition.to_json()) == definition
    assert (await bench.prepare()).definition.build_key == definition.build_key


async def test_its_own_definition_has_a_target_and_another_has_none(bench: Bench) -> None:
    prepared = await bench.prepare()
    assert bench.engine.target_for(prepared.definition) == bench.target
    for strange in (
        {"format": "flatpak", "arch": "all"},
        {**prepared.definition.parameters, "arch": "vax"},
        {**prepared.definition.parameters, "umask": "0000"},
    ):
        definition = replace(prepared.definition, parameters=strange)
        assert bench.engine.target_for(definition) is None


async def test_two_builds_of_one_definition_give_one_result(bench: Bench) -> None:
    prepared = await bench.prepare()
    results = []
    for _ in range(2):
        report, heard = await bench.build(prepared)
        assert isinstance(report.outcome, Succeeded), (report, bytes(heard.text[-2000:]))
        assert report.verified
        assert heard.states[0] is AssignmentState.PREPARING
        assert AssignmentState.BUILDING in heard.states
        assert heard.text
        results.append(report.outcome)
        found = await bench.engine.digest(_products(report), prepared.definition)
        assert sorted(found, key=lambda one: one.name) == sorted(
            report.outcome.products, key=lambda one: one.name
        )
    assert results[0] == results[1]


def _products(report: BuildReport) -> Mapping[str, Path]:
    """The files that the outcome names: an engine may hand over evidence besides."""
    assert isinstance(report.outcome, Succeeded), report
    return {product.name: report.products[product.name] for product in report.outcome.products}


async def test_altered_bytes_have_other_digests_or_are_refused(bench: Bench) -> None:
    prepared = await bench.prepare()
    report, heard = await bench.build(prepared)
    assert isinstance(report.outcome, Succeeded), (report, bytes(heard.text[-2000:]))
    product = report.outcome.products[0]
    data = bytearray(await trio.Path(report.products[product.name]).read_bytes())
    data[-1] ^= 1
    altered = bench.directory / "altered"
    await trio.Path(altered).write_bytes(data)
    try:
        found = await bench.engine.digest({product.name: altered}, prepared.definition)
    except F2FError:
        return
    assert found[0].canonical != product.canonical


async def test_a_build_that_is_cancelled_ends_and_leaves_no_process(bench: Bench) -> None:
    bench.source = bench.endless
    prepared = await bench.prepare()
    heard, order = Heard(), bench.order(prepared)
    before = _descendants()
    during: dict[int, str] = {}
    ended = False
    async with trio.open_nursery() as nursery:

        async def build() -> None:
            nonlocal ended
            await bench.engine.build(order, heard)
            ended = True

        nursery.start_soon(build)
        await heard.begun.wait()
        during = {pid: born for pid, born in _descendants().items() if pid not in before}
        nursery.cancel_scope.cancel()
    assert not ended
    if isinstance(bench.engine, Workbench):
        assert bench.engine.stopped == [order.job]
    else:
        assert during, "the real engine builds in processes"
    assert not {pid for pid, born in during.items() if born and _born(pid) == born}


def _descendants() -> dict[int, str]:
    """Return the living processes below this one, by number, with the clock tick at which each was born."""
    found: dict[int, str] = {}
    waiting = [os.getpid()]
    while waiting:
        for task in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
            try:
                children = [int(pid) for pid in task.read_text().split()]
            except OSError:
                continue
            waiting += children
            found |= {pid: _born(pid) for pid in children}
    return found


def _born(pid: int) -> str:
    """Return when a living process was born; nothing when it is dead, even a zombie."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state == "Z" else rest[18]


async def test_a_source_that_cannot_be_built_fails_with_an_outcome(bench: Bench) -> None:
    bench.source = bench.broken
    prepared = await bench.prepare()
    report, heard = await bench.build(prepared)
    assert report.outcome == Failed(stage=Stage.BUILD, exit_class=ExitClass.NONZERO)
    assert report.verified
    assert not report.products
    assert report.facts["kernel"]
    assert heard.text


async def test_an_unknown_target_is_a_mistake_of_who_asks(bench: Bench) -> None:
    with pytest.raises(UsageError, match="no such target"):
        await bench.engine.prepare("nowhere", bench.source)


async def test_the_real_engine_builds_in_no_environment_that_its_target_does_not_vouch_for(
    tmp_path: Path,
) -> None:
    async with rpm(tmp_path) as bench:
        prepared = await bench.prepare()
        lock = prepared.lock.replace(b'"sha256":"', b'"sha256":"0000', 1)
        forged = lock[: lock.index(b'"0000') + 65] + lock[lock.index(b'"0000') + 69 :]
        definition = replace(prepared.definition, lock=sha256_hex(forged))
        report, _ = await bench.build(replace(prepared, lock=forged, definition=definition))
        assert isinstance(report.outcome, Infra)
        assert not report.verified
        assert "not vouched for by this node's target" in report.detail


async def test_the_real_engine_refuses_a_source_of_another_format(tmp_path: Path) -> None:
    real = real_engine(tmp_path, await small_rpm_target(tmp_path))
    source = await written(tmp_path / "good", deb_source(GOOD_RULES), ".dsc")
    with pytest.raises(UsageError, match="cannot be built for a rpm target"):
        await real.prepare("demo-rpm", source)


async def test_the_real_engine_wants_the_tool_whose_version_counts(tmp_path: Path) -> None:
    target = await small_rpm_target(tmp_path)
    real = real_engine(tmp_path, msgspec.structs.replace(target, base=("coreutils",)))
    source = await rpm_source(tmp_path)
    with pytest.raises(RefusedError, match="rpm is not in the environment"):
        await real.prepare("demo-rpm", source.path)


async def test_the_real_engine_counts_nothing_that_is_no_package(tmp_path: Path) -> None:
    async with rpm(tmp_path) as bench:
        prepared = await bench.prepare()
        report, _ = await bench.build(prepared)
        for name in _products(report):
            with pytest.raises(FormatError, match=name):
                await bench.engine.digest({name: bench.source}, prepared.definition)
            fake = tmp_path / "fake"
            await trio.Path(fake).write_bytes(b"no package at all")
            with pytest.raises(FormatError, match=name):
                await bench.engine.digest({name: fake}, prepared.definition)


def test_what_is_not_known_of_the_host_is_left_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(*_: object, **__: object) -> str:
        raise OSError(13, "Permission denied")

    known = engine.host_facts()
    monkeypatch.setattr(Path, "read_text", unreadable)
    unknown = engine.host_facts()
    assert known.keys() == unknown.keys()
    assert known["kernel"] == unknown["kernel"]
    assert (unknown["cpu_model"], unknown["distribution"]) == ("", "")
