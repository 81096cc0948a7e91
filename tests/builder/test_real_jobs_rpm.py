"""What only RPM's jobs can try, in a real locked environment."""

import os
from pathlib import Path

import pytest
import trio

from f2fbuild.builder.buildroots import Buildroots
from f2fbuild.builder.source import SourceError
from f2fbuild.builder.targets import Format
from f2fbuild.model.outcome import ExitClass, Failed, Stage, Succeeded
from tests.builder.builder_jobs import PRODUCT, Environment, Jobs, install, said, source_of, usual_environment
from tests.builder.builder_leftovers import marked
from tests.builder.builder_sources import source_rpm
from tests.builder.builder_worlds import ROOT, World

pytestmark = [pytest.mark.timeout(900), pytest.mark.unprivileged]
EXPANDED = (
    "%global evil %(touch /tmp/f2f-macro; touch /f2f-macro; cat /etc/shadow SECRET; "
    "(exec 3<>/dev/tcp/192.0.2.1/80) 2>&1; (setsid sleep 838383 >/dev/null 2>&1 &); echo expanded)\n"
)


@pytest.fixture(scope="module")
def environment(rpm_world: World) -> Environment:
    return trio.run(usual_environment, rpm_world)


@pytest.fixture
def jobs(environment: Environment, place: Path) -> Jobs:
    return Jobs(environment, place)


async def test_a_program_in_c_is_built_twice_alike(jobs: Jobs, tmp_path: Path) -> None:
    await trio.run_process([ROOT / "script/make-demo-srpm", tmp_path / "made"])
    sources = {"f2fhello-1.0-1.src.rpm": (tmp_path / "made/f2fhello-1.0-1.src.rpm").read_bytes()}
    facts = await jobs.inspect(sources)
    assert (facts.name, facts.version, facts.format) == ("f2fhello", "1.0-1", Format.RPM)
    assert facts.requirements.requires == ("gcc", "make")
    first, second = [await jobs.build(sources, epoch=facts.source_date_epoch) for _ in range(2)]
    said(first)
    assert first.outcome == second.outcome
    name = "f2fhello-1.0-1.x86_64.rpm"
    assert first.products[name].read_bytes() == second.products[name].read_bytes()


async def test_macros_that_run_programs_do_so_nowhere_but_inside(jobs: Jobs) -> None:
    secret = jobs.place / "secret"
    secret.write_text("nobody inside reads this\n")
    macros = EXPANDED.replace("SECRET", str(secret))
    sources = await source_rpm(jobs.place, "echo macro said '%{evil}'", macros)
    facts = await jobs.inspect(sources)
    assert facts.name == "tiny"
    assert marked("838383") == []
    report = await jobs.build(sources)
    log = said(report)
    assert "expanded" in log
    assert marked("838383") == []
    assert "nobody inside reads this" not in log
    for place in (Path("/"), Path("/tmp"), *jobs.environment.lower):
        assert not (place / "f2f-macro").exists()


@pytest.mark.parametrize("keep", [0, 50, 96, 400, -60])
async def test_a_truncated_source_is_a_failure(jobs: Jobs, keep: int) -> None:
    whole = await source_rpm(jobs.place, "true")
    sources = {name: data[:keep] for name, data in whole.items()}
    report = await jobs.build(sources)
    assert report.outcome == Failed(stage=Stage.FETCH, exit_class=ExitClass.NONZERO), report.log.read_text()
    if keep in range(400):
        with pytest.raises(SourceError):
            await jobs.inspect(sources)


async def test_a_binary_package_is_no_source(jobs: Jobs) -> None:
    report = await jobs.run("true")
    data = report.products[PRODUCT[Format.RPM]].read_bytes()
    with pytest.raises(SourceError, match="is no source package"):
        await jobs.inspect({"tiny-1.0-1.src.rpm": data})
    built = await jobs.build({"tiny-1.0-1.src.rpm": data})
    assert isinstance(built.outcome, Failed)


@pytest.mark.parametrize("evil", ["ln -s / ../RPMS/up.rpm", "ln -s /etc/passwd ../RPMS/x86_64/passwd.rpm"])
async def test_a_link_among_the_products_is_not_followed(jobs: Jobs, evil: str) -> None:
    report = await jobs.run("true", after=f"mkdir -p ../RPMS/x86_64; {evil}")
    assert report.outcome == Failed(stage=Stage.PACKAGE, exit_class=ExitClass.REFUSED_PRODUCT), report.detail
    assert report.products == {}


async def test_a_directory_of_products_that_is_a_link_is_not_followed(jobs: Jobs) -> None:
    report = await jobs.run("true", after="mkdir /tmp/away; rm -rf ../RPMS; ln -s /tmp/away ../RPMS")
    assert report.outcome == Failed(stage=Stage.PACKAGE, exit_class=ExitClass.REFUSED_PRODUCT), report.detail
    assert "not-a-file" in report.detail


async def test_a_build_cannot_say_that_it_was_made_elsewhere(jobs: Jobs) -> None:
    sources = await source_rpm(jobs.place, "true", "%global _buildhost evil.example\n")
    report = await jobs.build(sources)
    assert report.outcome == Failed(stage=Stage.PACKAGE, exit_class=ExitClass.REFUSED_PRODUCT), report.detail
    assert "evil.example" in report.detail


async def test_rpms_configuration_is_not_changed_for_the_next_build(jobs: Jobs) -> None:
    files = "~/.rpmmacros /etc/rpm/macros /usr/lib/rpm/macros.d/macros.evil"
    first, second = [
        await jobs.run(script) for script in (f"echo '%_buildhost evil' | tee {files}", f"ls {files}")
    ]
    assert isinstance(first.outcome, Succeeded), first.detail
    assert said(second).count("No such file") == 3


async def test_a_narrow_umask_of_the_node_makes_the_same_environment(
    rpm_world: World, environment: Environment, place: Path
) -> None:
    roots = Buildroots(place / "layers", rpm_world.store)
    sources = await source_of(Format.RPM, place, "true")
    old = os.umask(0o077)
    try:
        made = await install(rpm_world, environment.lock, place / "layers")
        narrow = await Jobs(made, place).build(sources)
        said(narrow)
    finally:
        os.umask(old)
        await roots.remove(environment.lock, with_base=True)
    usual = await Jobs(environment, place).build(sources)
    assert narrow.outcome == usual.outcome
