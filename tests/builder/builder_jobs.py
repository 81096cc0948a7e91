"""Jobs of either format in a locked environment that was resolved, verified and installed as nodes do it."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from f2fbuild.builder.buildroots import Buildroots
from f2fbuild.builder.exits import ProcessLimits
from f2fbuild.builder.locks import EnvironmentLock
from f2fbuild.builder.parameters import Parameters
from f2fbuild.builder.plan import plan_build
from f2fbuild.builder.runner import Build, RunReport, run_build
from f2fbuild.builder.source import SourceFacts, inspect_source
from f2fbuild.builder.targets import Format
from f2fbuild.model.job import BuildDefinition, Dependency
from f2fbuild.model.outcome import Stage, Succeeded
from tests.builder.builder_leftovers import mounts_of
from tests.builder.builder_sources import EPOCH, GOOD_RULES, LIMITS, deb_source, sha256, source_rpm
from tests.builder.builder_worlds import CACHE, World, nobody

PRODUCT = {Format.DEB: "tiny_1.0_all.deb", Format.RPM: "tiny-1.0-1.noarch.rpm"}
HOME = {Format.DEB: "/build", Format.RPM: "/builddir"}
PRODUCTS = {Format.DEB: "/build", Format.RPM: "/builddir/build/RPMS/noarch"}
"""Where a build of each format puts its products."""

_TOOLS = {Format.DEB: "dpkg", Format.RPM: "rpm"}
NEEDS = {
    Format.DEB: ("debhelper-compat (= 13), nothing-has-this <stage1>, texinfo [alpha]",),
    Format.RPM: ("gcc-c++", "/usr/bin/make"),
}


@dataclass(frozen=True)
class Environment:
    """An installed environment. Fulfils `runner.Buildroot`."""

    lock: EnvironmentLock
    lower: Sequence[Path]


async def install(world: World, lock: EnvironmentLock, layers: Path = CACHE / "layers") -> Environment:
    """Verify and install a lock; kept for the next run unless other `layers` are given."""
    roots = Buildroots(layers, world.store)
    return Environment(lock, await roots.obtain(lock, world.verified(lock), fetch_blob=nobody))


async def usual_environment(world: World) -> Environment:
    """Install what an ordinary package of the world's format needs."""
    return await install(world, await world.lock(*NEEDS[world.target.format]))


async def source_of(format_: Format, place: Path, script: str, after: str = "") -> dict[str, bytes]:
    """Return a source whose build runs the bash texts `script`, before its product is made, and `after`.

    Nothing in a script is special to make or rpm: it travels as a file of the source.
    """
    if format_ is Format.DEB:
        rules = f"bash script\n{GOOD_RULES}\nbash after"
        return deb_source(rules, {"script": f"{script}\nexit 0\n".encode(), "after": after.encode()})
    files = "%files\n/usr/share/tiny\n%check\nsed 1,/^-----$/d %{SOURCE0} > after; bash after\n"
    data = f"{script}\nexit 0\n-----\n{after}\n"
    return await source_rpm(place, "bash %{SOURCE0}", files=files, data=data)


def definition_of(
    format_: Format, lock: EnvironmentLock, sources: Mapping[str, bytes], epoch: int = EPOCH
) -> BuildDefinition:
    """Return the definition of a build of `sources` in the environment `lock`."""
    versions = {package.name: package.version for package in lock.packages}
    tool = _TOOLS[format_]
    parameters = Parameters(
        format=format_,
        arch=lock.arch,
        tools={tool: versions[tool].rsplit(":", 1)[-1].split("-", 1)[0].split("+", 1)[0]},
        vendor="Debian" if format_ is Format.DEB else "f2fbuild",
        cpus=2,
        source_date_epoch=epoch,
        compression="xz" if format_ is Format.DEB else "w19.zstdio",
        macros={},
    )
    files = tuple(Dependency(name=name, sha256=sha256(sources[name])) for name in sorted(sources))
    return BuildDefinition(parameters=parameters.to_json(), sources=files, lock="0" * 64)


@dataclass(frozen=True)
class Jobs:
    """Builds in one environment, below a directory of their own."""

    environment: Environment
    place: Path

    @property
    def format(self) -> Format:
        """What is built here."""
        return self.environment.lock.format

    async def run(
        self,
        script: str,
        *,
        after: str = "",
        limits: ProcessLimits = LIMITS,
        on_log: Callable[[bytes], None] = lambda _: None,
    ) -> RunReport:
        """Build a source made of bash texts, as `source_of` says."""
        sources = await source_of(self.format, self.place, script, after)
        return await self.build(sources, limits=limits, on_log=on_log)

    async def build(
        self,
        sources: Mapping[str, bytes],
        *,
        limits: ProcessLimits = LIMITS,
        on_log: Callable[[bytes], None] = lambda _: None,
        on_stage: Callable[[Stage], None] = lambda _: None,
        epoch: int = EPOCH,
    ) -> RunReport:
        """Build `sources`; nothing of the job but its products and log may be left when it has ended."""
        originals, work = (Path(tempfile.mkdtemp(prefix=kind, dir=self.place)) for kind in ("from-", "work-"))
        for name, content in sources.items():
            (originals / name).write_bytes(content)
        definition = definition_of(self.format, self.environment.lock, sources, epoch)
        order = Build(
            definition=definition,
            plan=plan_build(definition),
            sources={name: originals / name for name in sources},
            limits=limits,
        )
        try:
            return await run_build(order, self.environment, work, on_stage=on_stage, on_log=on_log)
        finally:
            assert not (work / "job").exists()
            assert mounts_of(work) == []

    async def inspect(self, sources: Mapping[str, bytes]) -> SourceFacts:
        """Write the files of a source somewhere and inspect it as a node does before it orders a build."""
        place = Path(tempfile.mkdtemp(prefix="looked-at-", dir=self.place))
        for name, content in sources.items():
            (place / name).write_bytes(content)
        packages = [name for name in sources if name.endswith((".dsc", ".src.rpm"))]
        return await inspect_source(place / packages[0])


def said(report: RunReport) -> str:
    """Return the log, once the build has succeeded."""
    log = report.log.read_text(errors="replace")
    assert isinstance(report.outcome, Succeeded), (report.outcome, report.detail, log)
    return log
