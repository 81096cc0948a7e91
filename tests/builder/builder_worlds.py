"""Targets that are really there: a small RPM distribution made from Debian's packages, and Debian's mirror.

What they need is made once and kept in `$XDG_CACHE_HOME/f2fbuild-tests`, so that a second run is fast.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
import trio

from f2fbuild.builder.fetch import fetch_metadata
from f2fbuild.builder.gpgv import vouch
from f2fbuild.builder.hostsources import RPM_BASE, from_host_apt
from f2fbuild.builder.layers import Layers
from f2fbuild.builder.locks import EnvironmentLock
from f2fbuild.builder.mirror import MirrorError
from f2fbuild.builder.packages import PackageStore
from f2fbuild.builder.resolve import BuildRequirements, resolve
from f2fbuild.builder.targets import Format, Repository, Target
from f2fbuild.builder.verify import Verified, VouchedMetadata, verify_lock

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "f2fbuild-tests"
ROOT = Path(__file__).parent.parent.parent
SOURCES = Path("/etc/apt/sources.list.d/debian.sources")


@dataclass(frozen=True)
class World:
    """A target and its verified metadata."""

    target: Target
    vouched: VouchedMetadata
    store: PackageStore

    async def lock(self, *requires: str) -> EnvironmentLock:
        """Resolve build dependencies."""
        return await self.lock_for(BuildRequirements(requires=requires))

    async def lock_for(self, wanted: BuildRequirements, solve: Path = CACHE / "solve") -> EnvironmentLock:
        """Resolve what a source wants."""
        return await resolve(self.target, wanted, self.vouched, Layers(solve))

    def verified(self, lock: EnvironmentLock) -> Verified:
        """Verify a lock at the time of its own metadata."""
        answer = verify_lock(self.target, lock, self.vouched, now=2**31, fresh=False)
        assert isinstance(answer, Verified)
        return answer

    async def with_repository(self, repository: Repository) -> "World":
        """Return the same world with one repository more."""
        target = msgspec.structs.replace(self.target, repository=(*self.target.repository, repository))
        vouched = await vouch(target, await fetch_metadata(target))
        return World(target=target, vouched=vouched, store=self.store)


async def nobody(_digest: str, _size: int) -> None:
    """Friends who have nothing."""


def make_rpm_world() -> World:
    """Make the small distribution when there is none, and read it."""
    repository = CACHE / "rpm"
    target = Target(
        name="small",
        format=Format.RPM,
        arch="x86_64",
        repository=(Repository(uri=f"file://{repository}", keyring=f"{repository}/RPM-GPG-KEY"),),
        base=RPM_BASE,
    )

    async def make() -> VouchedMetadata:
        await trio.run_process([ROOT / "script/make-rpm-distribution", repository])
        return await vouch(target, await fetch_metadata(target))

    CACHE.mkdir(parents=True, exist_ok=True)
    return World(target=target, vouched=trio.run(make), store=PackageStore(CACHE / "packages"))


def make_deb_world() -> World:
    """Read the archive that this host itself is installed from."""
    if not SOURCES.exists():
        pytest.skip(f"the target of this test is read from {SOURCES}, which this host does not have")
    sources = {SOURCES.name: SOURCES.read_text()}
    codename = next(
        line.partition("=")[2]
        for line in Path("/etc/os-release").read_text().splitlines()
        if line.startswith("VERSION_CODENAME=")
    )
    target = from_host_apt(sources, name=codename, arch="amd64", suite=codename).target

    async def make() -> VouchedMetadata:
        return await vouch(target, await fetch_metadata(target))

    CACHE.mkdir(parents=True, exist_ok=True)
    try:
        return World(target=target, vouched=trio.run(make), store=PackageStore(CACHE / "packages"))
    except MirrorError as error:
        pytest.skip(f"the host's mirror does not answer: {error}")
