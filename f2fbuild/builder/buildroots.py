"""From a lock to a root: the base extracted once, the build dependencies in a layer on top, both kept.

A root is a list of directories for an overlay, topmost first; a job writes into a layer of its own. Layers
are named by what is in them and by the rules they were made with, so every job with the same lock, and every
node of this host, uses the same. Maintainer scripts are hostile: they run in a sandbox without network, as a
root that is nobody's on the host, over verified packages only.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import trio

from f2fbuild.builder import installers
from f2fbuild.builder.layers import Layers, discard, make_owned
from f2fbuild.builder.locks import EnvironmentLock, LockedPackage, part_digest
from f2fbuild.builder.packages import FetchBlob, PackageStore
from f2fbuild.builder.sandbox import PROFILE, Bind, Identity, Overlay, Sandbox, Tmpfs
from f2fbuild.builder.targets import Format
from f2fbuild.builder.tools import ENVIRONMENT, run_tool, with_tools
from f2fbuild.builder.verify import Verified, VerifiedPackage
from f2fbuild.errors import F2FError
from f2fbuild.limits import SANDBOX_TMP_BYTES
from f2fbuild.model import canonical
from f2fbuild.model.digest import sha256_hex

_MERGED: Final = "usr-is-merged"
_QUIET: Final = ENVIRONMENT | {
    "DEBIAN_FRONTEND": "noninteractive",
    "DEBCONF_NONINTERACTIVE_SEEN": "true",
    "SOURCE_DATE_EPOCH": str(installers.INSTALL_EPOCH),
}


class EnvironmentDiffersError(F2FError):
    """What was installed is not what the lock says."""


class Buildroots:
    """The roots of a node, below its cache directory."""

    def __init__(self, directory: Path, store: PackageStore) -> None:
        """Keep layers below `directory`, on one file system with the package files of `store`."""
        self._layers = Layers(directory)
        self._store = store

    async def obtain(
        self, lock: EnvironmentLock, verified: Verified, *, fetch_blob: FetchBlob
    ) -> tuple[Path, ...]:
        """Return the directories of the root that `lock` describes, topmost first.

        Args:
            lock: what shall be installed.
            verified: the answer of `verify_lock` for this lock.
            fetch_blob: asks friends for package files that no mirror has.

        Raises:
            EnvironmentUnavailableError: a package file cannot be had.
            ToolError: a package does not install.
            EnvironmentDiffersError: other packages are installed than the lock says.
        """
        sources = {each.package: each for each in verified.packages}

        async def make_base(part: Path) -> None:
            await self._fill(part, lock, lock.base, sources, fetch_blob)
            await _install_base(part, lock)

        base = await self._layers.obtain(base_key(lock), make_base) / "root"
        lower: tuple[Path, ...] = (base,)
        if lock.build:

            async def make_build(part: Path) -> None:
                await self._fill(part, lock, lock.build, sources, fetch_blob)
                await _install_over(part, lock.format, base)

            lower = (await self._layers.obtain(build_key(lock), make_build) / "root", base)
        await _check(lock, lower)
        return lower

    async def remove(self, lock: EnvironmentLock, *, with_base: bool) -> None:
        """Remove the layers of `lock`; of the base too, which other locks may share, when asked."""
        await self._layers.remove(build_key(lock))
        if with_base:
            await self._layers.remove(base_key(lock))

    async def _fill(
        self,
        part: Path,
        lock: EnvironmentLock,
        packages: tuple[LockedPackage, ...],
        sources: Mapping[LockedPackage, VerifiedPackage],
        fetch_blob: FetchBlob,
    ) -> None:
        """Link the package files, each just checked, into `part`; make the directories of a layer."""
        files = await self._store.obtain([sources[each] for each in packages], fetch_blob=fetch_blob)
        await trio.to_thread.run_sync(_lay_out, part, lock.format, dict(zip(packages, files, strict=True)))


def base_key(lock: EnvironmentLock) -> str:
    """Return the name of the base layer: its packages, and the versions of sandbox and layout."""
    return _key(lock, {"base": part_digest(lock.base)})


def build_key(lock: EnvironmentLock) -> str:
    """Return the name of the layer of build dependencies over its base."""
    return _key(lock, {"base": part_digest(lock.base), "build": part_digest(lock.build)})


def _key(lock: EnvironmentLock, parts: dict[str, str]) -> str:
    rules = {"format": str(lock.format), "arch": lock.arch, "sandbox": PROFILE, "layout": installers.LAYOUT}
    return f"{lock.format}-{sha256_hex(canonical.encode(rules | parts))}"


def _lay_out(part: Path, kind: Format, files: Mapping[LockedPackage, Path]) -> None:
    for name in ("root", "work"):
        make_owned(part / name)
    for name in ("packages", "empty"):
        (part / name).mkdir()
        (part / name).chmod(0o755)
    for package, file in files.items():
        os.link(file, part / "packages" / f"{package.name}_{package.arch}.{kind}")


async def _install_base(part: Path, lock: EnvironmentLock) -> None:
    """Install the base: by the host's rpm, or unpacked by the host's dpkg-deb and then by its own dpkg."""
    layer = Bind(source=part / "root", target="/layer", writable=True)
    sandbox = with_tools(_packages(part), layer, identity=Identity.INSTALL)
    if lock.format is Format.RPM:
        await run_tool(sandbox, "bash", "-c", installers.installation(lock.format, "/layer"), env=_QUIET)
        await _tidy(part)
        return
    merged = any(package.name == _MERGED for package in lock.base)
    await run_tool(sandbox, "bash", "-c", installers.deb_extraction(lock.arch, merged=merged), env=_QUIET)
    await _install_over(part, lock.format, part / "empty")


async def _install_over(part: Path, kind: Format, lower: Path) -> None:
    """Install the packages with the root's own programs, what they write going into the layer."""
    overlay = Overlay(lower=(lower,), upper=part / "root", work=part / "work", size=SANDBOX_TMP_BYTES)
    mounts = (Tmpfs(target="/tmp", size=SANDBOX_TMP_BYTES), _packages(part))  # noqa: S108  (inside)
    sandbox = Sandbox(identity=Identity.INSTALL, root=overlay, mounts=mounts)
    await run_tool(sandbox, "bash", "-c", installers.installation(kind, "/"), env=_QUIET)
    await _tidy(part)


def _packages(part: Path) -> Bind:
    return Bind(source=part / "packages", target="/tmp/packages")  # noqa: S108  (inside)


async def _tidy(part: Path) -> None:
    """Leave nothing but the layer."""
    await discard(part / "work")
    for name in ("packages", "empty"):
        await trio.to_thread.run_sync(shutil.rmtree, part / name)


async def _check(lock: EnvironmentLock, lower: tuple[Path, ...]) -> None:
    """Compare what the root says it has with the lock, each time it is used: others made it."""
    overlay = Overlay(lower=lower, size=SANDBOX_TMP_BYTES)
    sandbox = Sandbox(identity=Identity.INSTALL, root=overlay)
    installed = installers.parse_installed(await run_tool(sandbox, *installers.query(lock.format)))
    locked = {(package.name, package.version, package.arch) for package in lock.packages}
    if installed != locked:
        missing, extra = sorted(locked - installed)[:3], sorted(installed - locked)[:3]
        raise EnvironmentDiffersError(f"missing {missing}, not in the lock {extra}", where="buildroot")
