"""What only Debian's jobs can try, and packages of the archive itself, in real locked environments."""

import hashlib
import re
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from f2fbuild.builder import apt
from f2fbuild.builder.archive import fetch_source
from f2fbuild.builder.buildroots import Buildroots
from f2fbuild.builder.mirror import MirrorError
from f2fbuild.builder.source import SourceError, SourceFacts, inspect_source
from f2fbuild.builder.targets import Format, Repository
from f2fbuild.builder.tools import ToolError
from f2fbuild.builder.workdir import SourceDigestError
from f2fbuild.limits import MIB
from f2fbuild.model.outcome import ExitClass, Failed, Stage, Succeeded
from tests.builder.builder_jobs import Environment, Jobs, install, said, usual_environment
from tests.builder.builder_leftovers import marked
from tests.builder.builder_signers import Signer
from tests.builder.builder_sources import GOOD_RULES, LIMITS, deb_source, sha256
from tests.builder.builder_worlds import CACHE, World

pytestmark = [pytest.mark.timeout(900), pytest.mark.unprivileged]


@pytest.fixture(scope="module")
def environment(deb_world: World) -> Environment:
    return trio.run(usual_environment, deb_world)


@pytest.fixture
def jobs(environment: Environment, place: Path) -> Jobs:
    return Jobs(environment, place)


async def test_a_source_is_what_it_says(jobs: Jobs) -> None:
    facts = await jobs.inspect(deb_source(GOOD_RULES))
    assert (facts.name, facts.version, facts.format) == ("tiny", "1.0", Format.DEB)
    report = await jobs.build(deb_source(GOOD_RULES), epoch=facts.source_date_epoch)
    assert isinstance(report.outcome, Succeeded)


async def test_a_truncated_archive_does_not_unpack(jobs: Jobs) -> None:
    sources = deb_source(GOOD_RULES)
    tar = sources["tiny_1.0.tar.gz"][:-40]
    broken = {"tiny_1.0.tar.gz": tar, "tiny_1.0.dsc": redirect(sources, tar)}
    with pytest.raises(SourceError, match="does not unpack"):
        await jobs.inspect(broken)
    report = await jobs.build(broken)
    assert report.outcome == Failed(stage=Stage.FETCH, exit_class=ExitClass.NONZERO)


async def test_a_dsc_that_names_other_bytes_is_not_looked_into(jobs: Jobs) -> None:
    sources = deb_source(GOOD_RULES)
    changed = deb_source(GOOD_RULES, {"more": b"x"})["tiny_1.0.tar.gz"]
    with pytest.raises(SourceDigestError):
        await jobs.inspect({**sources, "tiny_1.0.tar.gz": changed})


def redirect(sources: dict[str, bytes], tar: bytes) -> bytes:
    """Return the .dsc of `sources` as it would be for other bytes of its archive."""
    text = sources["tiny_1.0.dsc"].decode()
    old = sources["tiny_1.0.tar.gz"]
    text = text.replace(f"{sha256(old)} {len(old)}", f"{sha256(tar)} {len(tar)}")
    was, becomes = (f"{hashlib.md5(each).hexdigest()} {len(each)}" for each in (old, tar))
    return text.replace(was, becomes).encode()


@pytest.mark.parametrize("name", ["../../../f2f-escaped", "debian/../../f2f-escaped"])
async def test_an_archive_that_points_out_of_its_place_stays_inside(jobs: Jobs, name: str) -> None:
    sources = deb_source(GOOD_RULES, {name: b"evil"})
    with pytest.raises(SourceError, match="does not unpack"):
        await jobs.inspect(sources)
    report = await jobs.build(sources)
    assert report.outcome == Failed(stage=Stage.FETCH, exit_class=ExitClass.NONZERO)
    assert list(jobs.place.rglob("f2f-escaped")) == []


async def test_the_scripts_of_a_source_do_not_run_while_it_is_looked_at(jobs: Jobs) -> None:
    sources = deb_source(GOOD_RULES, {"debian/rules": b"#!/bin/sh\ntouch /tmp/f2f-ran; sleep 61616161\n"})
    assert (await jobs.inspect(sources)).name == "tiny"
    assert marked("61616161") == []


@pytest.mark.parametrize(
    "after",
    [
        "rm ../tiny_1.0_all.deb",
        "rm ../tiny_1.0_all.deb debian/files",
        "chmod 0 ../tiny_1.0_all.deb; rm -f debian/files",
    ],
)
async def test_a_package_that_disappears_is_a_failure(jobs: Jobs, after: str) -> None:
    report = await jobs.run("true", after=after)
    assert report.outcome == Failed(stage=Stage.BUILD, exit_class=ExitClass.NONZERO), report.log.read_text()


async def test_privileges_of_a_product_file_are_not_taken_along(jobs: Jobs) -> None:
    report = await jobs.run("true", after="chmod 6755 ../tiny_1.0_all.deb")
    assert isinstance(report.outcome, Succeeded), report.detail
    assert {path.stat().st_mode & 0o7777 for path in report.products.values()} == {0o644}


async def test_a_name_that_is_too_long_cannot_be_made(jobs: Jobs) -> None:
    script = f"touch ../{'a' * 252}.deb && echo was made; touch ../{'a' * 251}.deb && echo was made"
    report = await jobs.run(script)
    assert report.log.read_bytes().count(b"\nwas made\n") == 1
    assert report.outcome == Failed(stage=Stage.PACKAGE, exit_class=ExitClass.REFUSED_PRODUCT)


POSTINST = """#!/bin/bash
exec > /var/lib/f2f-said 2>&1
(exec 3<>/dev/tcp/192.0.2.1/80) && echo reached
(exec 3<>/dev/tcp/127.0.0.1/22) && echo reached
ls -A /root /home /run/user /sys
env | cut -d= -f1 | sed 's/^/variable:/'
ls -d /tmp/packages/../../proc/1/root/etc/shadow.host /dev/vda /dev/sda
mount -t tmpfs none /mnt && echo mounted
echo was here
setsid nohup sleep 717171 > /dev/null 2>&1 &
"""


async def hostile_package(place: Path, signer: Signer, script: str) -> Repository:
    """Make a signed flat repository of one package with this script."""
    tree, repository = place / "tree", place / "repository"
    (tree / "DEBIAN").mkdir(parents=True)
    repository.mkdir()
    (tree / "DEBIAN/control").write_text(
        "Package: f2f-hostile\nVersion: 1\nArchitecture: all\nMaintainer: M <m@example.org>\nDescription: x\n"
    )
    (tree / "DEBIAN/postinst").write_text(script)
    (tree / "DEBIAN/postinst").chmod(0o755)
    deb = repository / "f2f-hostile_1_all.deb"
    await trio.run_process(["dpkg-deb", "--root-owner-group", "-b", tree, deb], capture_stdout=True)
    data = deb.read_bytes()
    control = (tree / "DEBIAN/control").read_text()
    packages = f"{control}Filename: ./{deb.name}\nSize: {len(data)}\nSHA256: {sha256(data)}\n".encode()
    (repository / "Packages").write_bytes(packages)
    listed = f"SHA256:\n {sha256(packages)} {len(packages)} Packages\n"
    release = f"Suite: x\nDate: Fri, 15 Jan 2027 08:00:00 UTC\n{listed}"
    (repository / "InRelease").write_bytes(await signer.gpg("--clearsign", stdin=release.encode()))
    keyring = await signer.key(place / "keyring", armor=False)
    return Repository(uri=f"file://{repository}", keyring=str(keyring), suite="./", components=())


async def test_the_script_of_a_locked_package_has_no_network_and_no_host(
    deb_world: World, place: Path, signers: list[Signer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("F2F_TOKEN", "of-the-session")
    world = await deb_world.with_repository(await hostile_package(place, signers[0], POSTINST))
    lock = await world.lock("f2f-hostile")
    environment = await install(world, lock)
    try:
        assert marked("717171") == []
        log = said(await Jobs(environment, place).run("cat /var/lib/f2f-said"))
    finally:
        await Buildroots(CACHE / "layers", world.store).remove(lock, with_base=False)
    assert "was here" in log
    assert set(re.findall(r"/dev/tcp/(\S+): (?:Network is unreachable|Connection refused)", log)) == {
        "192.0.2.1/80",
        "127.0.0.1/22",
    }
    assert not re.search(r"^(reached|mounted)|F2F_TOKEN", log, re.MULTILINE)


@pytest.mark.parametrize("script", ["kill -9 $$", "mkdir -m 0 /var/x; exit 1"])
async def test_a_script_that_fails_makes_no_environment(
    deb_world: World, place: Path, signers: list[Signer], script: str
) -> None:
    repository = await hostile_package(place, signers[0], f"#!/bin/sh\n{script}\n")
    world = await deb_world.with_repository(repository)
    lock = await world.lock("f2f-hostile")
    before = set((CACHE / "layers").iterdir())
    with pytest.raises(ToolError):
        await install(world, lock)
    left = {path for path in set((CACHE / "layers").iterdir()) - before if path.is_dir()}
    assert left == set()


async def from_archive(world: World, package: str, place: Path) -> SourceFacts:
    """Fetch and inspect a source of the archive, or skip and say why."""
    (place / "fetched").mkdir()
    try:
        dsc = await fetch_source(world.target, package, place / "fetched")
    except MirrorError as error:
        pytest.skip(f"the host's mirror does not have the source of {package}: {error}")
    return await inspect_source(dsc)


async def archived(world: World, name: str, version: str) -> str | None:
    """Return the SHA-256 of the archive's own package of this version, None where it has another."""
    for index in world.vouched.indexes:
        for offer, _ in apt.wanted_stanzas(index.data, frozenset({name})):
            if offer.package.version == version:
                return offer.package.sha256
    return None


@pytest.mark.parametrize("package", ["ucf", "usrmerge", "base-files"])
async def test_a_package_of_the_archive_is_rebuilt_bit_for_bit(
    deb_world: World, place: Path, package: str
) -> None:
    facts = await from_archive(deb_world, package, place)
    environment = await install(deb_world, await deb_world.lock_for(facts.requirements))
    jobs = Jobs(environment, place)
    sources = {name: path.read_bytes() for name, path in facts.paths.items()}
    limits = replace(LIMITS, disk_bytes=256 * MIB)
    first, second = [
        await jobs.build(sources, limits=limits, epoch=facts.source_date_epoch) for _ in range(2)
    ]
    assert isinstance(first.outcome, Succeeded), (first.detail, first.log.read_text()[-3000:])
    assert first.outcome == second.outcome
    compared = 0
    for product in first.outcome.products:
        theirs = await archived(deb_world, product.name.split("_")[0], facts.version)
        compared += theirs is not None
        assert theirs in {None, product.sha256}, product.name
    if not compared:
        pytest.skip(f"{package} {facts.version} was built twice alike; the archive has other versions only")
