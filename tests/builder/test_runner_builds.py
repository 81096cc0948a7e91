"""Real packages, built from source by the runner, with this host's system as the buildroot."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import trio

from f2fbuild.builder.exits import Exit, ExitCause, ProcessLimits
from f2fbuild.builder.parameters import Parameters
from f2fbuild.builder.plan import plan_build
from f2fbuild.builder.runner import Build, Buildroot, RunReport, digest_products, failure, run_build
from f2fbuild.builder.sandbox import Command
from f2fbuild.builder.steps import Step
from f2fbuild.builder.targets import Format
from f2fbuild.builder.workdir import SourceDigestError
from f2fbuild.errors import FormatError
from f2fbuild.limits import MIB
from f2fbuild.model.job import BuildDefinition, Dependency
from f2fbuild.model.outcome import ExitClass, Failed, Infra, Outcome, Stage, Succeeded, TimedOut
from tests.builder.builder_sources import EPOCH, GOOD_RULES, LIMITS, deb_source, sha256, source_rpm

pytestmark = [
    pytest.mark.unprivileged,
    pytest.mark.skipif(not Path("/usr").is_dir() or not Path("/bin").is_symlink(), reason="no merged /usr"),
]
needs_dpkg = pytest.mark.skipif(not shutil.which("dpkg-buildpackage"), reason="no dpkg-dev here")
needs_rpm = pytest.mark.skipif(not shutil.which("rpmbuild"), reason="no rpmbuild here")


@dataclass(frozen=True)
class Root:
    lower: Sequence[Path]


@pytest.fixture
def place() -> Iterator[Path]:
    with TemporaryDirectory(prefix="f2f-build-") as directory:
        yield Path(directory)


def definition(format_: Format, sources: Mapping[str, bytes], **changed: Any) -> BuildDefinition:
    rpm = format_ is Format.RPM
    parameters = Parameters(
        format=format_,
        arch="x86_64" if rpm else "amd64",
        tools={"rpm": "4.18.0"} if rpm else {"dpkg": "1.21.22"},
        vendor="debian",
        cpus=1,
        source_date_epoch=EPOCH,
        compression="w9.gzdio" if rpm else "xz",
        macros={},
    )
    dependencies = tuple(Dependency(name=name, sha256=sha256(sources[name])) for name in sorted(sources))
    value = {**parameters.to_json(), **changed}
    return BuildDefinition(parameters=value, sources=dependencies, lock="0" * 64)


def put(place: Path, sources: Mapping[str, bytes]) -> tuple[Path, Path]:
    """Write the source files as only this user may read them; return their directory and one to work in."""
    number = len(list(place.iterdir()))
    originals, work = place / f"originals{number}", place / f"work{number}"
    originals.mkdir()
    work.mkdir()
    for name, content in sources.items():
        (originals / name).write_bytes(content)
        (originals / name).chmod(0o600)
    return originals, work


def jobs_below(place: Path) -> list[Path]:
    return list(place.rglob("job"))


async def build(
    root: Buildroot,
    place: Path,
    format_: Format,
    sources: Mapping[str, bytes],
    limits: ProcessLimits = LIMITS,
    on_log: Callable[[bytes], None] = lambda _: None,
) -> tuple[RunReport, list[Stage]]:
    originals, work = put(place, sources)
    ordered = definition(format_, sources)
    order = Build(
        definition=ordered,
        plan=plan_build(ordered),
        sources={name: originals / name for name in sources},
        limits=limits,
    )
    stages: list[Stage] = []
    report = await run_build(order, root, work, on_stage=stages.append, on_log=on_log)
    assert not (work / "job").exists()
    return report, stages


@needs_dpkg
async def test_a_debian_source_becomes_the_same_package_twice(place: Path, copied_root: Buildroot) -> None:
    first, stages = await build(copied_root, place, Format.DEB, deb_source(GOOD_RULES))
    assert isinstance(first.outcome, Succeeded), (first.detail, first.log.read_text())
    assert [product.name for product in first.outcome.products] == ["tiny_1.0_all.deb"]
    assert {path.suffix for path in first.products.values()} == {".deb", ".changes", ".buildinfo"}
    assert sha256(first.products["tiny_1.0_all.deb"].read_bytes()) == first.outcome.products[0].sha256
    assert stages == [Stage.FETCH, Stage.BUILD, Stage.PACKAGE]
    second, _ = await build(copied_root, place, Format.DEB, deb_source(GOOD_RULES))
    assert second.outcome == first.outcome


@needs_rpm
async def test_a_source_rpm_becomes_the_same_package_twice(place: Path, copied_root: Buildroot) -> None:
    source = await source_rpm(place, "echo building on $(nproc)")
    log: list[bytes] = []
    first, _ = await build(copied_root, place, Format.RPM, source, on_log=log.append)
    assert isinstance(first.outcome, Succeeded), (first.detail, first.log.read_text())
    assert [product.name for product in first.outcome.products] == ["tiny-1.0-1.noarch.rpm"]
    assert first.outcome.products[0].content
    assert b"building on 1\n" in first.log.read_bytes() == b"".join(log)
    second, _ = await build(copied_root, place, Format.RPM, source)
    assert second.outcome == first.outcome


@needs_rpm
async def test_a_missing_requirement_is_told_by_rpmbuilds_own_exit_code(
    place: Path, copied_root: Buildroot
) -> None:
    source = await source_rpm(place, "%{!?x:true}\n%generate_buildrequires\necho no-such-package")
    report, _ = await build(copied_root, place, Format.RPM, source)
    assert report.outcome == Failed(stage=Stage.DEPS, exit_class=ExitClass.NONZERO), report


@needs_dpkg
@pytest.mark.parametrize(
    ("rules", "outcome"),
    [
        ("echo Killed; false", Failed(stage=Stage.BUILD, exit_class=ExitClass.NONZERO)),
        ("yes", Failed(stage=Stage.BUILD, exit_class=ExitClass.LOG_CAPPED)),
        (
            "head -c 40M /dev/zero > one; head -c 40M /dev/zero > two",
            Infra(stage=Stage.BUILD, reason=str(ExitCause.DISK)),
        ),
        (
            f"{GOOD_RULES}\nln -s /etc/hostname ../evil_1_all.deb",
            Failed(stage=Stage.PACKAGE, exit_class=ExitClass.REFUSED_PRODUCT),
        ),
        (
            f"{GOOD_RULES}\necho rubbish > ../evil_1_all.deb",
            Failed(stage=Stage.PACKAGE, exit_class=ExitClass.REFUSED_PRODUCT),
        ),
        (
            f"{GOOD_RULES}\n> ../tiny_1.0_all.deb\nmv ../tiny_1.0_all.deb ..//x",
            Failed(stage=Stage.BUILD, exit_class=ExitClass.NONZERO),
        ),
        (f"{GOOD_RULES}\nmkdir ../locked; chmod 0 ../locked", None),
        (f"{GOOD_RULES}\n! touch /usr/x && ! touch /etc/x && ! touch /sources/x", None),
    ],
)
async def test_what_goes_wrong_has_a_stage_and_a_class(
    copied_root: Buildroot, place: Path, rules: str, outcome: Failed | Infra | None
) -> None:
    report, _ = await build(copied_root, place, Format.DEB, deb_source(rules))
    if outcome is None:
        assert isinstance(report.outcome, Succeeded), (report.detail, report.log.read_text())
    else:
        assert report.outcome == outcome, report.log.read_text()
        assert report.products == {}


@needs_dpkg
async def test_a_build_that_hangs_times_out(place: Path, copied_root: Buildroot) -> None:
    # What comes before the build has to end in time too.
    limits = ProcessLimits(wall_seconds=10, memory_bytes=1024 * MIB, disk_bytes=64 * MIB)
    report, _ = await build(copied_root, place, Format.DEB, deb_source("sleep 1000"), limits)
    assert report.outcome == TimedOut(stage=Stage.BUILD)
    assert report.exits[-1].cause is ExitCause.TIMED_OUT


@needs_dpkg
async def test_a_source_that_does_not_unpack_is_a_failure_of_its_own(
    place: Path, copied_root: Buildroot
) -> None:
    sources = {**deb_source(GOOD_RULES), "tiny_1.0.tar.gz": b"not an archive"}
    report, stages = await build(copied_root, place, Format.DEB, sources)
    assert report.outcome == Failed(stage=Stage.FETCH, exit_class=ExitClass.NONZERO)
    assert stages == [Stage.FETCH]


async def test_a_source_file_that_is_not_the_ordered_one_is_refused(
    place: Path, copied_root: Buildroot
) -> None:
    sources = deb_source(GOOD_RULES)
    work, file = place / "work", place / "file"
    work.mkdir()
    file.write_bytes(b"another")
    ordered = definition(Format.DEB, sources)
    files = dict.fromkeys(sources, file)
    order = Build(definition=ordered, plan=plan_build(ordered), sources=files, limits=LIMITS)
    with pytest.raises(SourceDigestError, match="SHA-256"):
        await run_build(order, copied_root, work, on_stage=print, on_log=print)
    assert not (work / "job").exists()


async def test_a_buildroot_that_is_not_there_is_the_hosts_fault(place: Path, copied_root: Buildroot) -> None:
    sources = deb_source(GOOD_RULES)
    work = place / "work"
    work.mkdir()
    for name, content in sources.items():
        (place / name).write_bytes(content)
    ordered = definition(Format.DEB, sources)
    order = Build(
        definition=ordered,
        plan=plan_build(ordered),
        sources={name: place / name for name in sources},
        limits=LIMITS,
    )
    report = await run_build(order, Root((place / "no",)), work, on_stage=print, on_log=print)
    assert report.outcome == Infra(stage=Stage.CHROOT, reason="sandbox")


@needs_dpkg
async def test_cancelling_a_build_leaves_neither_process_nor_job_directory(
    place: Path, copied_root: Buildroot
) -> None:
    with trio.CancelScope() as scope:

        def on_log(data: bytes) -> None:
            if b"sleeping" in data:
                scope.cancel()

        await build(
            copied_root, place, Format.DEB, deb_source("echo now sleeping; sleep 1000"), on_log=on_log
        )
    assert scope.cancelled_caught
    assert jobs_below(place) == []


@needs_rpm
async def test_a_build_without_a_package_is_a_failure(place: Path, copied_root: Buildroot) -> None:
    source = await source_rpm(place, "true", "%define _unpackaged_files_terminate_build 0\n", files="")
    report, _ = await build(copied_root, place, Format.RPM, source)
    assert report.outcome == Failed(stage=Stage.PACKAGE, exit_class=ExitClass.NO_PRODUCT), report.detail


async def test_digests_that_cannot_be_taken_are_no_digests(place: Path) -> None:
    with pytest.raises(FormatError, match="timed-out"):
        await digest_products(place, None, replace(LIMITS, wall_seconds=0))


@pytest.mark.parametrize(
    ("cause", "code", "outcome"),
    [
        (ExitCause.EXITED, 2, Failed(stage=Stage.BUILD, exit_class=ExitClass.NONZERO)),
        (ExitCause.EXITED, 11, Failed(stage=Stage.DEPS, exit_class=ExitClass.NONZERO)),
        (ExitCause.SIGNALLED, 0, Failed(stage=Stage.BUILD, exit_class=ExitClass.SIGNALLED)),
        (ExitCause.LOG_CAPPED, 0, Failed(stage=Stage.BUILD, exit_class=ExitClass.LOG_CAPPED)),
        (ExitCause.TIMED_OUT, 0, TimedOut(stage=Stage.BUILD)),
        (ExitCause.SILENT, 0, TimedOut(stage=Stage.BUILD)),
        (ExitCause.MEMORY, 0, Infra(stage=Stage.BUILD, reason="memory")),
        (ExitCause.DISK, 0, Infra(stage=Stage.BUILD, reason="disk")),
        (ExitCause.PROCESSES, 0, Infra(stage=Stage.BUILD, reason="processes")),
    ],
)
def test_every_end_of_a_step_means_one_thing(cause: ExitCause, code: int, outcome: Outcome) -> None:
    command = Command(argv=("true",), env={})
    step = Step(stage=Stage.BUILD, command=command, exit_stages={11: Stage.DEPS})
    ended = Exit(cause=cause, code=code, wall_seconds=1.0, cpu_seconds=1.0, output_bytes=0)
    assert failure(step, ended)[0] == outcome
