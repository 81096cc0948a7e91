"""From a target and build dependencies to an environment lock.

The distribution's own solver decides, in a sandbox without network, over the verified indexes and nothing
else. For apt, the base is solved once per state of the mirrors and kept; build dependencies are then solved
on top of that base, as they will be installed.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from f2fbuild.builder import apt, solvers
from f2fbuild.builder.apt import Offer
from f2fbuild.builder.dnf import parse_primary
from f2fbuild.builder.layers import Layers, make_owned
from f2fbuild.builder.locks import EnvironmentLock, LockedPackage, make_lock
from f2fbuild.builder.sandbox import Bind, Tmpfs
from f2fbuild.builder.solvers import NameVersionArch, UnsolvableError
from f2fbuild.builder.targets import Format, Target
from f2fbuild.builder.tools import ENVIRONMENT, ToolError, run_tool, with_tools
from f2fbuild.builder.verify import VouchedIndex, VouchedMetadata
from f2fbuild.limits import MIB, SOLVER_CACHE_BYTES
from f2fbuild.model import canonical
from f2fbuild.model.digest import sha256_hex

_ESSENTIAL: Final = re.compile(rb"^Package: (\S+)\n(?:.+\n)*?Essential: yes$", re.MULTILINE)
_WORLD: Final = Path("/solve")
_APT_ENVIRONMENT: Final = ENVIRONMENT | {"APT_CONFIG": f"{_WORLD}/apt.conf"}
_PROGRAM: Final = Path(__file__).with_name("dnf_solve.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequirements:
    """What a source needs and what it conflicts with, in its format's own words.

    Debian: the Build-Depends and Build-Conflicts fields as they stand; RPM: one requirement each.
    """

    requires: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()


async def resolve(
    target: Target, wanted: BuildRequirements, vouched: VouchedMetadata, layers: Layers
) -> EnvironmentLock:
    """Return the lock of the environment in which `wanted` is met.

    Args:
        target: this node's own.
        wanted: build dependencies.
        vouched: the target's verified metadata.
        layers: keeps the solver's prepared state between calls.

    Raises:
        UnsolvableError: the repositories cannot meet the dependencies.
        ToolError: the solver failed otherwise.
    """
    if target.format is Format.DEB:
        base, build = await _solve_apt(target, wanted, vouched, layers)
    else:
        base, build = await _solve_dnf(target, wanted, vouched, layers)
    return make_lock(kind=target.format, arch=target.arch, base=frozenset(base), build=frozenset(build))


Parts = tuple[Iterable[LockedPackage], Iterable[LockedPackage]]


async def _solve_apt(
    target: Target, wanted: BuildRequirements, vouched: VouchedMetadata, layers: Layers
) -> Parts:
    async def make(part: Path) -> None:
        await _prepare_apt(part / "world", target, vouched)

    world = await layers.obtain(_world_key(target, vouched), make) / "world"
    base = solvers.parse_simulation(await trio.Path(world / "base").read_text())
    requests = [*wanted.requires, *(f"Conflicts: {each}" for each in wanted.conflicts)]
    build: set[NameVersionArch] = set()
    if requests:
        output = await _apt(world, "apt-get", "--simulate", "satisfy", "--", *requests)
        build = solvers.parse_simulation(output)
    offers = await trio.to_thread.run_sync(_apt_offers, vouched.indexes, base | build)
    return ([offers[each][0].package for each in base], [offers[each][0].package for each in build])


async def _prepare_apt(world: Path, target: Target, vouched: VouchedMetadata) -> None:
    """Make the directory that is a private apt's whole world, its base solved and marked as installed."""
    index = b"\n\n".join(each.data.strip(b"\n") for each in vouched.indexes) + b"\n"
    await trio.to_thread.run_sync(_lay_out_apt, world, solvers.apt_settings(_WORLD, target), index)
    await _apt(world, "apt-get", "--quiet", "update", writable=True)
    essential = {name.decode("ascii", "replace") for name in _ESSENTIAL.findall(index)}
    names = solvers.apt_base(target, essential, merged=b"\nPackage: usr-is-merged\n" in index)
    simulation = await _apt(world, "apt-get", "--simulate", "install", "--", *names)
    base = solvers.parse_simulation(simulation)
    offers = await trio.to_thread.run_sync(_apt_offers, vouched.indexes, base)
    status = solvers.installed_status(stanza for _, stanza in offers.values())
    await trio.Path(world / "base").write_text(simulation)
    await trio.to_thread.run_sync(_write, world / "status", status)
    await _apt(world, "apt-cache", "gencaches", writable=True)


async def _apt(world: Path, *argv: str, writable: bool = False) -> str:
    sandbox = with_tools(Bind(source=world, target=str(_WORLD), writable=writable))
    try:
        return (await run_tool(sandbox, *argv, env=_APT_ENVIRONMENT)).decode()
    except ToolError as error:
        if "unmet dependencies" in error.what or "Unable to " in error.what:
            raise UnsolvableError(error.what, where="apt") from error
        raise


def _lay_out_apt(world: Path, settings: str, index: bytes) -> None:
    make_owned(world)
    for folder in ("state", "state/lists", "state/lists/partial", "cache", "cache/archives", "repository"):
        make_owned(world / folder)
    make_owned(world / "cache/archives/partial")
    _write(world / "apt.conf", settings.encode())
    _write(world / "sources.list", f"deb [trusted=yes] file:{_WORLD}/repository ./\n".encode())
    _write(world / "status", b"")
    _write(world / "preferences", b"")
    _write(world / "repository/Packages", index)


def _write(path: Path, content: bytes) -> None:
    """Write a file that the sandbox's users may read, whatever the umask of the node."""
    path.write_bytes(content)
    path.chmod(0o644)


def _apt_offers(
    indexes: Iterable[VouchedIndex], wanted: set[NameVersionArch]
) -> dict[NameVersionArch, tuple[Offer, bytes]]:
    names = frozenset(name for name, _, _ in wanted)
    offers: dict[NameVersionArch, tuple[Offer, bytes]] = {}
    for index in indexes:
        for offer, stanza in apt.wanted_stanzas(index.data, names):
            key = (offer.package.name, offer.package.version, offer.package.arch)
            if key in wanted:
                offers.setdefault(key, (offer, stanza))
    return offers


async def _solve_dnf(
    target: Target, wanted: BuildRequirements, vouched: VouchedMetadata, layers: Layers
) -> Parts:
    async def make(part: Path) -> None:
        await trio.to_thread.run_sync(_lay_out_dnf, part / "world", vouched)

    world = await layers.obtain(_world_key(target, vouched), make) / "world"
    request = solvers.dnf_request(_WORLD, target, len(vouched.indexes), wanted.requires)
    sandbox = with_tools(
        Bind(source=world, target=str(_WORLD)),
        Tmpfs(target=str(_WORLD / "cache"), size=SOLVER_CACHE_BYTES),
        Bind(source=_PROGRAM, target="/dnf_solve.py"),
        Tmpfs(target="/var/tmp", size=MIB),  # noqa: S108  (the sandbox's own; dnf looks for it at its start)
    )
    output = await run_tool(sandbox, "/usr/bin/python3", "-I", "/dnf_solve.py", stdin=request.encode())
    base, build = solvers.parse_dnf_answer(output)
    packages = await trio.to_thread.run_sync(_dnf_packages, vouched.indexes)
    return ([packages[each] for each in base], [packages[each] for each in build])


def _lay_out_dnf(world: Path, vouched: VouchedMetadata) -> None:
    make_owned(world)
    for folder in ("cache", "root"):
        make_owned(world / folder)
    make_owned(world / "repository")
    for number, index in enumerate(vouched.indexes):
        repodata = make_owned(make_owned(world / f"repository/{number}") / "repodata")
        _write(repodata / "primary.xml", index.data)
        _write(repodata / "repomd.xml", solvers.local_repomd(index.data, index.signed_at).encode())


def _dnf_packages(indexes: Iterable[VouchedIndex]) -> dict[str, LockedPackage]:
    return {offer.package.sha256: offer.package for index in indexes for offer in parse_primary(index.data)}


def _world_key(target: Target, vouched: VouchedMetadata) -> str:
    key = {
        "indexes": [sha256_hex(index.data) for index in vouched.indexes],
        "arch": target.arch,
        "base": list(target.base),
        "build_profiles": list(target.build_profiles),
    }
    return f"{target.format}-{sha256_hex(canonical.encode(key))}"
