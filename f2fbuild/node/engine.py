"""The builder's room as one engine for the workshop of jobs: environments, sandboxed builds, digests.

A lock that comes with a job is believed only as far as this node's own targets go: its metadata must be
signed by their keys, and every package must be in it (`builder.verify`).
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import trio

from f2fbuild import limits
from f2fbuild.builder.buildroots import Buildroots
from f2fbuild.builder.exits import ProcessLimits
from f2fbuild.builder.fetch import fetch_metadata
from f2fbuild.builder.gpgv import vouch
from f2fbuild.builder.layers import Layers
from f2fbuild.builder.locks import EnvironmentLock, format_lock, lock_digest, parse_lock
from f2fbuild.builder.metadata import assemble, manifest_digests, metadata_blobs, metadata_manifest
from f2fbuild.builder.packages import PackageStore
from f2fbuild.builder.parameters import Parameters, read_parameters
from f2fbuild.builder.plan import pins_of, plan_build
from f2fbuild.builder.resolve import resolve
from f2fbuild.builder.runner import Build, digest_products, run_build
from f2fbuild.builder.source import SourceFacts, inspect_source
from f2fbuild.builder.steps import Plan
from f2fbuild.builder.targets import Format, Target
from f2fbuild.builder.verify import Unverified, Verified, verify_lock
from f2fbuild.errors import FormatError, RefusedError, UsageError
from f2fbuild.jobs.engine import BuildOrder, BuildReport, Prepared, Progress
from f2fbuild.model.job import AssignmentState, BuildDefinition, Dependency
from f2fbuild.model.outcome import Infra, Product, Stage
from f2fbuild.node.kept import Needs
from f2fbuild.node.targets import Targets

_COMPRESSION = {Format.DEB: "xz", Format.RPM: "w19.zstdio"}
_TOOLS = {Format.DEB: ("dpkg",), Format.RPM: ("rpm",)}
_VENDOR = {Format.DEB: "Debian", Format.RPM: "f2fbuild"}
_STATES = {Stage.PACKAGE: (AssignmentState.VERIFYING, "collecting products and their digests")}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Root:
    lower: Sequence[Path]


class LocalEngine:
    """Builds on this machine. Fulfils `jobs.engine.Engine`."""

    def __init__(
        self, needs: Needs, targets: Targets, *, plan: Callable[[BuildDefinition], Plan] = plan_build
    ) -> None:
        """Keep packages and layers below the cache directory, which nodes of one host may share.

        Args:
            needs: settings, directories, clock.
            targets: what can be built here.
            plan: turns a definition into the commands of a build.
        """
        cache = needs.paths.cache
        packages = PackageStore(cache / "packages")
        self._buildroots = Buildroots(cache / "layers", packages)
        self._worlds = Layers(cache / "solver")
        self._targets = targets
        self._plan = plan
        self._clock = needs.clock
        builder = needs.settings.builder
        self._limits = ProcessLimits(
            wall_seconds=builder.wall_minutes * 60,
            memory_bytes=builder.memory_mib * limits.MIB,
            disk_bytes=builder.disk_mib * limits.MIB,
            processes=builder.processes,
            output_bytes=builder.log_mib * limits.MIB,
        )

    async def prepare(self, target: str, source: Path) -> Prepared:
        """Inspect a source and lock its environment by the newest signed metadata of the target."""
        wanted = self._targets.get(target)
        facts = await inspect_source(source)
        if facts.format is not wanted.format:
            raise UsageError(f"{source.name} cannot be built for a {wanted.format} target", where=target)
        metadata = await fetch_metadata(wanted)
        vouched = await vouch(wanted, metadata)
        lock = await resolve(wanted, facts.requirements, vouched, self._worlds)
        definition = BuildDefinition(
            parameters=_parameters(wanted, lock, facts).to_json(),
            sources=tuple(Dependency(name=file.name, sha256=file.sha256) for file in facts.files),
            lock=lock_digest(lock),
        )
        return Prepared(
            title=f"{facts.name}-{facts.version}",
            arch=wanted.arch,
            definition=definition,
            sources=facts.paths,
            lock=format_lock(lock),
            metadata=metadata_manifest(metadata),
            metadata_blobs=metadata_blobs(metadata),
        )

    def target_for(self, definition: BuildDefinition) -> str | None:
        """Return the first target of the definition's format and architecture that builds in its way."""
        try:
            parameters = read_parameters(definition.parameters)
        except FormatError:
            return None
        for target in self._targets.all():
            if (target.format, target.arch) == (parameters.format, parameters.arch):
                return target.name
        return None

    async def build(self, order: BuildOrder, progress: Progress) -> BuildReport:
        """Verify the environment, make it, and build in it."""
        target = self._targets.get(order.target)
        progress.state(AssignmentState.PREPARING, "checking the environment")
        lock = parse_lock(order.lock)
        verified = await self._verify(order, target, lock)
        if isinstance(verified, Unverified):
            outcome = Infra(stage=Stage.CHROOT, reason="unverified environment")
            detail = f"the environment is not vouched for by this node's target {target.name}: {verified}"
            return BuildReport(outcome=outcome, products={}, verified=False, facts={}, detail=detail)
        progress.state(AssignmentState.PREPARING, "making the environment")
        lower = await self._buildroots.obtain(lock, verified, fetch_blob=order.fetch)

        def on_stage(stage: Stage) -> None:
            state, detail = _STATES.get(stage, (AssignmentState.BUILDING, str(stage)))
            progress.state(state, detail)

        build = Build(
            definition=order.definition,
            plan=self._plan(order.definition),
            sources=order.sources,
            limits=self._limits,
        )
        report = await run_build(
            build, _Root(lower=lower), order.work, on_stage=on_stage, on_log=progress.log
        )
        return BuildReport(
            outcome=report.outcome,
            products=report.products,
            verified=True,
            facts=host_facts(),
            detail=report.detail,
        )

    async def digest(self, files: Mapping[str, Path], definition: BuildDefinition) -> tuple[Product, ...]:
        """Recompute digests from bytes in a sandbox."""
        with tempfile.TemporaryDirectory(prefix="f2f") as directory:
            await trio.to_thread.run_sync(_lay_out, Path(directory), files)
            allowed = replace(self._limits, cpus=0)
            report = await digest_products(Path(directory), pins_of(definition), allowed)
        if report.refused:
            first = report.refused[0]
            raise FormatError(f"{first.reason}: {first.detail}", where=first.name)
        return report.products

    async def _verify(
        self, order: BuildOrder, target: Target, lock: EnvironmentLock
    ) -> Verified | Unverified:
        blobs = {}
        for digest, most in manifest_digests(order.metadata).items():
            path = await order.fetch(digest, most)
            blobs[digest] = await trio.to_thread.run_sync(path.read_bytes)
        vouched = await vouch(target, assemble(order.metadata, blobs))
        return verify_lock(target, lock, vouched, now=self._clock(), fresh=False)


def make_engine(needs: Needs, targets: Targets) -> LocalEngine:
    """Return the engine of an ordinary node."""
    return LocalEngine(needs, targets)


def host_facts() -> dict[str, str]:
    """Return what a builder declares of its host: a hint for divergences, never a proof."""
    system = os.uname()
    release = dict(line.partition("=")[::2] for line in _lines("/etc/os-release"))
    cpu = dict(line.partition(":")[::2] for line in _lines("/proc/cpuinfo"))
    return {
        "cpu_model": cpu.get("model name\t", "").strip(),
        "cpu_vendor": cpu.get("vendor_id\t", "").strip(),
        "distribution": release.get("PRETTY_NAME", "").strip('"'),
        "kernel": f"{system.release} {system.version}",
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(errors="replace").splitlines()
    except OSError:
        return []


def _parameters(target: Target, lock: EnvironmentLock, facts: SourceFacts) -> Parameters:
    versions = {package.name: package.version for package in lock.packages}
    tools = {}
    for tool in _TOOLS[target.format]:
        if tool not in versions:
            raise RefusedError(
                f"{tool} is not in the environment", where=target.name, hint="add it to `base`"
            )
        tools[tool] = _upstream(versions[tool])
    return Parameters(
        format=target.format,
        arch=target.arch,
        tools=tools,
        vendor=_VENDOR[target.format],
        cpus=limits.BUILD_CPUS_SHOWN,
        source_date_epoch=facts.source_date_epoch,
        compression=_COMPRESSION[target.format],
        build_profiles=target.build_profiles,
        macros=target.macros,
    )


def _upstream(version: str) -> str:
    """Return the upstream part of a package version: what the tool itself says it is."""
    without_epoch = version.rsplit(":", 1)[-1]
    return without_epoch.split("-", 1)[0].split("+", 1)[0]


def _lay_out(directory: Path, files: Mapping[str, Path]) -> None:
    """Copy the files under their names, readable for the user of the sandbox."""
    directory.chmod(0o755)
    for name, path in files.items():
        shutil.copyfile(path, directory / name)
        (directory / name).chmod(0o644)
