"""The build told once.

    sources checked -> unpacked -> built -> products collected -> their digests taken -> report

Each arrow is a sandbox of its own over the same job directory and a clean layer over the same buildroot, and
begins when the last process of the one before is dead. What is said about the end comes from exits, limits
and files, never from the log: a step that ends by itself, or a product that cannot be taken, is a result of
the package; what the host ran out of is not.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol, assert_never

import trio

from f2fbuild.builder import process
from f2fbuild.builder.collect import CollectRefusal, collect
from f2fbuild.builder.digests import report as reports
from f2fbuild.builder.digests.rpm_pins import RpmPins
from f2fbuild.builder.exits import Exit, ExitCause, ProcessLimits
from f2fbuild.builder.hosttools import host_programs, host_python, python_module
from f2fbuild.builder.plan import pins_of
from f2fbuild.builder.running import SandboxError
from f2fbuild.builder.sandbox import Bind, Mount, Overlay, Sandbox, Tmpfs
from f2fbuild.builder.steps import SOURCES, Plan, Step
from f2fbuild.builder.workdir import WorkDirectory, make_work_directory, place_sources, remove_tree
from f2fbuild.errors import FormatError
from f2fbuild.limits import PRODUCT_REPORT_BYTES, ROOT_LAYER_BYTES, SANDBOX_SHM_BYTES, SANDBOX_TMP_BYTES
from f2fbuild.model import canonical
from f2fbuild.model.job import BuildDefinition
from f2fbuild.model.outcome import ExitClass, Failed, Infra, Outcome, Stage, Succeeded, TimedOut

_TEMPORARY: Final = ("/tmp", "/var/tmp")  # noqa: S108  (in the sandbox)
_FIXED_PARTS: Final = ("/usr", "/etc")
"""Parts of the buildroot that a build cannot write, as it could not anywhere else."""


class Buildroot(Protocol):
    """An installed environment: its directories, topmost first, which nobody writes."""

    @property
    def lower(self) -> Sequence[Path]:
        """The directories."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What to build by which plan, from which files by name, and what it may take."""

    definition: BuildDefinition
    plan: Plan
    sources: Mapping[str, Path]
    limits: ProcessLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """How a build ended: its outcome, a sentence for people, every step's exit, and its files.

    `products` are the files by name: those of the outcome, and .changes and .buildinfo as evidence.
    """

    outcome: Outcome
    detail: str
    exits: tuple[Exit, ...]
    products: Mapping[str, Path]
    log: Path


OnStage = Callable[[Stage], None]
OnLog = Callable[[bytes], None]


async def run_build(
    build: Build, buildroot: Buildroot, work: Path, *, on_stage: OnStage, on_log: OnLog
) -> RunReport:
    """Build in the empty directory `work` and report; what `on_log` gets is also in its build.log.

    Cancelling kills what runs, waits for its end, removes what the job wrote, and reports nothing.

    Raises:
        FormatError: a definition that this node does not build.
        SourceDigestError: a source file is not the one that was ordered.
    """
    pins = pins_of(build.definition)
    places = await trio.to_thread.run_sync(make_work_directory, work)
    try:
        digests = {source.name: source.sha256 for source in build.definition.sources}
        await trio.to_thread.run_sync(place_sources, places, build.sources, digests)
        run = _Run(build.plan, build.limits, buildroot, places)
        outcome, detail = await run.steps(on_stage, on_log)
        if outcome is None:
            on_stage(Stage.PACKAGE)
            outcome, detail = await run.products(pins)
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(remove_tree, places.job)
    files = sorted(places.products.iterdir()) if isinstance(outcome, Succeeded) else []
    products = {file.name: file for file in files}
    return RunReport(
        outcome=outcome, detail=detail, exits=tuple(run.exits), products=products, log=places.log
    )


class _Run:
    """One execution of a plan."""

    def __init__(
        self, plan: Plan, limits: ProcessLimits, buildroot: Buildroot, places: WorkDirectory
    ) -> None:
        self._plan = plan
        self._limits = replace(limits, cpus=plan.cpus)
        self._places = places
        self._root = Overlay(lower=tuple(buildroot.lower), size=ROOT_LAYER_BYTES)
        self.exits: list[Exit] = []

    async def steps(self, on_stage: OnStage, on_log: OnLog) -> tuple[Outcome | None, str]:
        """Run the plan's steps; return why it ends here, or None when the products can be looked for."""
        with self._places.log.open("wb") as log:

            def on_output(data: bytes) -> None:
                log.write(data)
                log.flush()
                on_log(data)

            for step in self._plan.steps:
                on_stage(step.stage)
                try:
                    ended = await process.run(
                        self._sandbox(), step.command, limits=self._rest(), on_output=on_output
                    )
                except SandboxError as error:
                    return Infra(stage=Stage.CHROOT, reason="sandbox"), str(error)
                self.exits.append(ended)
                if not ended.ok:
                    return failure(step, ended)
        return None, ""

    async def products(self, pins: RpmPins | None) -> tuple[Outcome, str]:
        """Collect the products and take their digests in a sandbox that nothing of the build has seen."""
        place, into = self._plan.products, self._places.products
        taken = await trio.to_thread.run_sync(
            lambda: collect(self._places.job, place, into, most_bytes=self._limits.disk_bytes)
        )
        if isinstance(taken, CollectRefusal):
            refused = Failed(stage=Stage.PACKAGE, exit_class=ExitClass.REFUSED_PRODUCT)
            return refused, f"{taken.reason}: {taken.name}"
        try:
            report = await digest_products(into, pins, self._limits)
        except (SandboxError, FormatError) as error:
            return Infra(stage=Stage.PACKAGE, reason="digests"), str(error)
        if report.refused:
            first = report.refused[0]
            refused = Failed(stage=Stage.PACKAGE, exit_class=ExitClass.REFUSED_PRODUCT)
            return refused, f"{first.name}: {first.detail}"
        if not report.products:
            return Failed(stage=Stage.PACKAGE, exit_class=ExitClass.NO_PRODUCT), "nothing was built"
        return Succeeded(products=report.products), ""

    def _sandbox(self) -> Sandbox:
        mounts: list[Mount] = [Tmpfs(target=path, size=SANDBOX_TMP_BYTES) for path in _TEMPORARY]
        mounts += [
            Tmpfs(target="/run", size=SANDBOX_SHM_BYTES),
            Bind(source=self._places.sources, target=SOURCES),
            Bind(source=self._places.job, target=self._plan.home, writable=True),
        ]
        return Sandbox(root=self._root, read_only=_FIXED_PARTS, mounts=tuple(mounts))

    def _rest(self) -> ProcessLimits:
        """Return what of time and log the steps so far have left."""
        return replace(
            self._limits,
            wall_seconds=self._limits.wall_seconds - sum(ended.wall_seconds for ended in self.exits),
            output_bytes=self._limits.output_bytes - sum(ended.output_bytes for ended in self.exits),
        )


def failure(step: Step, ended: Exit) -> tuple[Outcome, str]:
    """Return what it means that `step` ended so, and a sentence that says it."""
    stage = step.exit_stages.get(ended.code, step.stage)
    match ended.cause:
        case ExitCause.EXITED:
            return Failed(stage=stage, exit_class=ExitClass.NONZERO), f"{stage} ended with code {ended.code}"
        case ExitCause.SIGNALLED:
            by = f"{stage} was ended by signal {ended.signal}"
            return Failed(stage=stage, exit_class=ExitClass.SIGNALLED), by
        case ExitCause.LOG_CAPPED:
            capped = Failed(stage=stage, exit_class=ExitClass.LOG_CAPPED)
            return capped, f"the log of {stage} grew beyond its limit"
        case ExitCause.TIMED_OUT | ExitCause.SILENT:
            return TimedOut(stage=stage), f"{stage} took {ended.wall_seconds:.0f} s: {ended.cause}"
        case ExitCause.MEMORY | ExitCause.DISK | ExitCause.PROCESSES:
            return Infra(stage=stage, reason=str(ended.cause)), f"{stage} was given too little: {ended.cause}"
        case unknown:
            assert_never(unknown)


async def digest_products(directory: Path, pins: RpmPins | None, limits: ProcessLimits) -> reports.Report:
    """Return the digests of the products in the flat `directory`, taken by a process in a sandbox.

    Raises:
        FormatError: the process did not give a report.
        SandboxError: there could be no sandbox.
    """
    seen = "/products"
    mounts = (*host_programs(), *host_python(), Bind(source=directory, target=seen))
    spelled = canonical.encode(pins.to_json() if pins else {}).decode()
    command = python_module("f2fbuild.builder.digests.worker", seen, spelled)
    allowed = replace(limits, output_bytes=PRODUCT_REPORT_BYTES, cpus=0)
    ended, output, errors = await process.capture(Sandbox(mounts=mounts), command, limits=allowed)
    if not ended.ok:
        words = errors[-500:].decode(errors="replace").strip()
        raise FormatError(f"no report of products: {ended.cause} {ended.code}: {words}", where=str(directory))
    return reports.decode(output)
