"""The node's package files, each named by its SHA-256.

Contract. `packages/<sha256>` appears by rename, complete. Several nodes of one host share the directory, and
none believes another: a file is hashed each time it is asked for, and one that is not what its name says is
removed and fetched anew. Nothing here is needed for correctness after a crash; all of it can be deleted.
"""

import hashlib
import os
import secrets
import shutil
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TypeAlias

import trio

from f2fbuild.builder import mirror
from f2fbuild.builder.locks import LockedPackage
from f2fbuild.builder.verify import VerifiedPackage
from f2fbuild.errors import F2FError
from f2fbuild.limits import FETCHES_AT_ONCE

FetchBlob: TypeAlias = Callable[[str, int], Awaitable[Path | None]]
"""(SHA-256, size in bytes) to a file that friends had, or None when nobody has it; checked here again."""


class EnvironmentUnavailableError(F2FError):
    """The environment cannot be had: neither a mirror nor a friend has one of its packages."""


class PackageStore:
    """Package files under `directory`, obtained from the target's mirrors or else from friends."""

    def __init__(self, directory: Path) -> None:
        """Take `directory`, made when missing, as the place of the files."""
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory

    def path(self, sha256: str) -> Path:
        """Return where the package with this digest stands, or would."""
        return self._directory / sha256

    async def obtain(self, packages: Iterable[VerifiedPackage], *, fetch_blob: FetchBlob) -> list[Path]:
        """Return the files of `packages`, in order, each one just checked against its digest.

        Args:
            packages: what `verify_lock` vouches for.
            fetch_blob: asks friends for a digest; used when no mirror has it.

        Raises:
            EnvironmentUnavailableError: a package is with no mirror and no friend.
        """
        wanted = list(packages)
        limit = trio.CapacityLimiter(FETCHES_AT_ONCE)
        failed: list[EnvironmentUnavailableError] = []

        async def obtain_one(package: VerifiedPackage) -> None:
            async with limit:
                try:
                    await self._obtain(client, package, fetch_blob)
                except EnvironmentUnavailableError as error:
                    failed.append(error)
                    nursery.cancel_scope.cancel()

        async with mirror.open_client() as client, trio.open_nursery() as nursery:
            for package in wanted:
                nursery.start_soon(obtain_one, package)
        if failed:
            raise failed[0]
        return [self.path(each.package.sha256) for each in wanted]

    async def add(self, source: Path, package: LockedPackage) -> bool:
        """Copy `source` in as `package`; return whether it has the bytes that the lock names."""
        part = self._part()
        try:
            await trio.to_thread.run_sync(shutil.copyfile, source, part)
            return await self._admit(part, package)
        finally:
            part.unlink(missing_ok=True)

    async def _obtain(self, client: mirror.Client, wanted: VerifiedPackage, fetch_blob: FetchBlob) -> None:
        package = wanted.package
        path = self.path(package.sha256)
        if path.exists():
            if await trio.to_thread.run_sync(is_package, path, package):
                return
            path.unlink(missing_ok=True)
        tried = []
        for uri in wanted.uris:
            try:
                if await self._download(client, uri, package):
                    return
                tried.append(f"{uri}: other bytes than were signed")
            except mirror.MirrorError as error:
                tried.append(str(error))
        found = await fetch_blob(package.sha256, package.size)
        if found is not None and await self.add(found, package):
            return
        tried.append("friends: nobody has it" if found is None else "friends: other bytes than were signed")
        raise EnvironmentUnavailableError("; ".join(tried), where=str(package))

    async def _download(self, client: mirror.Client, uri: str, package: LockedPackage) -> bool:
        part = self._part()
        try:
            await mirror.download(client, uri, part, most=package.size)
            return await self._admit(part, package)
        finally:
            part.unlink(missing_ok=True)

    async def _admit(self, part: Path, package: LockedPackage) -> bool:
        if not await trio.to_thread.run_sync(is_package, part, package):
            return False
        _publish(part, self.path(package.sha256))
        return True

    def _part(self) -> Path:
        return self._directory / f".{os.getpid()}-{secrets.token_hex(8)}.part"


def _publish(part: Path, path: Path) -> None:
    part.chmod(0o644)
    part.rename(path)


def is_package(path: Path, package: LockedPackage) -> bool:
    """Return whether the file has the size and SHA-256 that the lock names."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size != package.size:
            return False
        return hashlib.file_digest(file, "sha256").hexdigest() == package.sha256
