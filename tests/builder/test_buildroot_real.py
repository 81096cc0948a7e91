"""Real buildroots: of a small RPM distribution made from Debian's packages, and of Debian's own mirror.

Made once and kept in `$XDG_CACHE_HOME/f2fbuild-tests`, so that a second run is fast.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from f2fbuild.builder import process
from f2fbuild.builder.buildroots import Buildroots, EnvironmentDiffersError, base_key, build_key
from f2fbuild.builder.layers import Layers
from f2fbuild.builder.locks import make_lock
from f2fbuild.builder.packages import PackageStore
from f2fbuild.builder.resolve import BuildRequirements, resolve
from f2fbuild.builder.sandbox import Command, Overlay, Sandbox
from f2fbuild.builder.solvers import UnsolvableError
from f2fbuild.builder.targets import Target
from f2fbuild.builder.tools import ENVIRONMENT, TOOL_LIMITS, ToolError
from f2fbuild.limits import MIB
from tests.builder.builder_worlds import CACHE, ROOT, World, nobody

PROGRAM = 'int puts(const char *); int main(void) { puts("made here"); }'

pytestmark = [pytest.mark.timeout(900), pytest.mark.unprivileged]


async def run_in(lower: Sequence[Path], script: str) -> str:
    """Run a shell script as a build would, in a root of these layers."""
    sandbox = Sandbox(root=Overlay(lower=tuple(lower), size=64 * MIB))
    command = Command(argv=("bash", "-euc", script), env=ENVIRONMENT)
    ended, output, errors = await process.capture(sandbox, command, limits=TOOL_LIMITS)
    assert ended.ok, errors.decode()
    return output.decode()


async def test_an_rpm_root_compiles_and_is_what_its_lock_says(rpm_world: World, tmp_path: Path) -> None:
    lock = await rpm_world.lock("gcc-c++", "/usr/bin/make")
    assert lock == await rpm_world.lock("gcc-c++", "/usr/bin/make")
    assert {package.name for package in lock.build} >= {"g++"}
    roots = Buildroots(CACHE / "layers", rpm_world.store)
    lower = await roots.obtain(lock, rpm_world.verified(lock), fetch_blob=nobody)
    assert len(lower) == 2
    said = await run_in(lower, f"cd /tmp; echo '{PROGRAM}' > a.c; gcc a.c -o a; ./a; rpm -qa | wc -l")
    assert said.split() == ["made", "here", str(len(lock.packages))]
    with pytest.raises(AssertionError):
        await run_in(lower[1:], "test -e /usr/bin/g++")
    left = await run_in(lower, "cat /etc/hostname /etc/resolv.conf /var/log/*.log 2>/dev/null | wc -c")
    assert left.strip() == "0"


async def test_layers_are_made_once_and_can_be_removed(rpm_world: World, tmp_path: Path) -> None:
    target = replace_base(rpm_world, ("bash", "coreutils", "findutils", "rpm-build"))
    lock = await target.lock("patch")
    store = PackageStore(tmp_path / "packages")
    roots = Buildroots(tmp_path / "layers", store)
    made: list[tuple[Path, ...]] = []

    async def obtain() -> None:
        node = Buildroots(tmp_path / "layers", store)
        made.append(await node.obtain(lock, target.verified(lock), fetch_blob=nobody))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(obtain)
        nursery.start_soon(obtain)
    assert made[0] == made[1]
    names = {base_key(lock), build_key(lock)}
    folders = {path.name for path in (tmp_path / "layers").iterdir() if path.is_dir()}
    assert folders == names
    await roots.remove(lock, with_base=False)
    assert not made[0][0].exists()
    assert made[0][1].exists()
    await roots.remove(lock, with_base=True)
    assert [path for path in (tmp_path / "layers").iterdir() if path.is_dir()] == []


def replace_base(world: World, base: tuple[str, ...]) -> World:
    old = world.target
    target = Target(name="x", format=old.format, arch=old.arch, repository=old.repository, base=base)
    return World(target=target, vouched=world.vouched, store=world.store)


async def test_two_makers_make_the_same_files(rpm_world: World, tmp_path: Path) -> None:
    small = replace_base(rpm_world, ("bash", "coreutils", "findutils", "rpm-build"))
    lock = await small.lock("patch")
    listing = (
        "find / -xdev -printf '%p %m %U %T@ %l\\n' | sort; find / -xdev -type f -exec sha256sum {} + | sort"
    )
    seen = set()
    for name in ("first", "second"):
        roots = Buildroots(tmp_path / name, small.store)
        lower = await roots.obtain(lock, small.verified(lock), fetch_blob=nobody)
        lines = (await run_in(lower, listing)).splitlines()
        seen.add("\n".join(line for line in lines if not line.startswith(("/ ", "/dev ", "/proc "))))
        await roots.remove(lock, with_base=True)
    assert len(seen) == 1


async def test_the_source_of_the_demo_has_the_same_bytes_every_time(tmp_path: Path) -> None:
    seen = set()
    for name in ("first", "second"):
        await trio.run_process([ROOT / "script/make-demo-srpm", tmp_path / name])
        seen.add((tmp_path / name / "f2fhello-1.0-1.src.rpm").read_bytes())
    assert len(seen) == 1


async def test_a_package_that_lies_about_itself_is_found_out(rpm_world: World, tmp_path: Path) -> None:
    honest = replace_base(rpm_world, ("bash", "rpm-build"))
    lock = await honest.lock()
    verified = honest.verified(lock)
    victim = lock.base[0]
    lying = make_lock(
        kind=lock.format,
        arch=lock.arch,
        base=frozenset({*lock.base[1:], replace(victim, version="0-0")}),
        build=frozenset(),
    )
    swapped = tuple(
        replace(each, package=replace(victim, version="0-0")) if each.package == victim else each
        for each in verified.packages
    )
    roots = Buildroots(tmp_path / "layers", honest.store)
    with pytest.raises(EnvironmentDiffersError, match="0-0"):
        await roots.obtain(lying, replace(verified, packages=swapped), fetch_blob=nobody)
    await roots.remove(lying, with_base=True)


async def test_a_root_that_does_not_install_leaves_nothing(rpm_world: World, tmp_path: Path) -> None:
    honest = replace_base(rpm_world, ("bash", "rpm-build"))
    lock = await honest.lock()
    libc = frozenset(package for package in lock.base if package.name != "libc6")
    broken = make_lock(kind=lock.format, arch=lock.arch, base=libc, build=frozenset())
    roots = Buildroots(tmp_path / "layers", honest.store)
    with pytest.raises(ToolError, match="libc6 is needed by"):
        await roots.obtain(broken, honest.verified(broken), fetch_blob=nobody)
    assert [path for path in (tmp_path / "layers").iterdir() if path.is_dir()] == []


async def test_what_no_repository_has_cannot_be_solved(rpm_world: World, deb_world: World) -> None:
    with pytest.raises(UnsolvableError, match="no package provides pkgconfig"):
        await rpm_world.lock("pkgconfig(nothing-has-this)")
    with pytest.raises(UnsolvableError, match="nothing-has-this"):
        await deb_world.lock("nothing-has-this")
    wanted = BuildRequirements(conflicts=("build-essential",))
    with pytest.raises(UnsolvableError, match="conflict"):
        await resolve(deb_world.target, wanted, deb_world.vouched, Layers(CACHE / "solve"))


async def test_a_debian_root_compiles_and_is_what_its_lock_says(deb_world: World) -> None:
    lock = await deb_world.lock("debhelper-compat (= 13), nothing-has-this <stage1>, texinfo [alpha]")
    names = {package.name for package in lock.packages}
    assert names >= {"debhelper", "build-essential", "dpkg", "usr-is-merged"}
    assert not names & {"texinfo", "usrmerge"}
    roots = Buildroots(CACHE / "layers", deb_world.store)
    lower = await roots.obtain(lock, deb_world.verified(lock), fetch_blob=nobody)
    script = f"cd /tmp; echo '{PROGRAM}' > a.c; gcc a.c -o a; ./a; dpkg --audit; command -v dh"
    assert (await run_in(lower, script)).split() == ["made", "here", "/usr/bin/dh"]
    left = await run_in(lower, "ls -A /var/log; ls /etc/hostname /usr/sbin/policy-rc.d 2>/dev/null || true")
    assert left == ""
