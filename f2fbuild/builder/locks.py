"""The environment lock: the exact list of what is in a buildroot, each package by its SHA-256.

The lock is part of the build key, so it has one spelling: canonical JSON, packages sorted by
(name, version, arch, sha256). Where the packages come from is not in it: mirrors differ, bytes must not.
A digest here is identity and no provenance; `verify` asks where a package comes from.
"""

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from f2fbuild.builder.targets import Format
from f2fbuild.errors import FormatError
from f2fbuild.limits import LOCK_BYTES, LOCK_PACKAGES, PACKAGE_BYTES
from f2fbuild.model import canonical
from f2fbuild.model.digest import parse_digest, sha256_hex

LOCK_SCHEMA: Final = "f2fbuild.lock/1"

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9.+_-]{0,199}", re.ASCII)
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+:~^_-]{0,199}", re.ASCII)
_ARCH: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)
_MEMBERS: Final = frozenset({"schema", "format", "arch", "base", "build"})
_PACKAGE_MEMBERS: Final = frozenset({"name", "version", "arch", "sha256", "size"})


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class LockedPackage:
    """One package file: what it says it is, and the digest and size (bytes) that it must have.

    `version` is Debian's version, or RPM's `[epoch:]version-release` without an epoch of 0.
    """

    name: str
    version: str
    arch: str
    sha256: str
    size: int

    def __str__(self) -> str:
        return f"{self.name} {self.version} {self.arch}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentLock:
    """What every environment of the target has (`base`), and what this source needs besides (`build`)."""

    format: Format
    arch: str
    base: tuple[LockedPackage, ...]
    build: tuple[LockedPackage, ...]

    @property
    def packages(self) -> tuple[LockedPackage, ...]:
        """All packages, base first."""
        return self.base + self.build


@dataclass(frozen=True, slots=True, kw_only=True)
class LockDifference:
    """How two environments differ: packages of one side only, and pairs of one (name, arch) that changed."""

    removed: tuple[LockedPackage, ...]
    added: tuple[LockedPackage, ...]
    changed: tuple[tuple[LockedPackage, LockedPackage], ...]


def make_lock(
    *, kind: Format, arch: str, base: frozenset[LockedPackage], build: frozenset[LockedPackage]
) -> EnvironmentLock:
    """Return the lock over these packages, sorted and checked.

    Raises:
        FormatError: two packages of one name and architecture, or a value that a lock cannot hold.
    """
    lock = EnvironmentLock(format=kind, arch=arch, base=tuple(sorted(base)), build=tuple(sorted(build)))
    _check_lock(lock, "environment.lock")
    return lock


def format_lock(lock: EnvironmentLock) -> bytes:
    """Return `environment.lock`: canonical JSON of schema `f2fbuild.lock/1`."""
    return canonical.encode(
        {
            "schema": LOCK_SCHEMA,
            "format": str(lock.format),
            "arch": lock.arch,
            "base": [_members(package) for package in lock.base],
            "build": [_members(package) for package in lock.build],
        }
    )


def parse_lock(data: bytes, *, where: str = "environment.lock") -> EnvironmentLock:
    """Return the lock spelled by `data`.

    Raises:
        FormatError: too large, another spelling, unsorted, doubled, or a value that a lock cannot hold.
    """
    if len(data) > LOCK_BYTES:
        raise FormatError(f"larger than {LOCK_BYTES} bytes", where=where)
    value = canonical.decode(data, where=where)
    if not isinstance(value, dict) or value.keys() != _MEMBERS or value["schema"] != LOCK_SCHEMA:
        raise FormatError(f"not of schema {LOCK_SCHEMA}", where=where)
    if value["format"] not in set(Format) or not isinstance(value["arch"], str):
        raise FormatError("unknown format or architecture", where=where)
    lock = EnvironmentLock(
        format=Format(value["format"]),
        arch=value["arch"],
        base=_packages(value["base"], f"{where}: base"),
        build=_packages(value["build"], f"{where}: build"),
    )
    _check_lock(lock, where)
    return lock


def lock_digest(lock: EnvironmentLock) -> str:
    """Return the SHA-256 of the lock's one spelling: its name in a build definition."""
    return sha256_hex(format_lock(lock))


def part_digest(packages: tuple[LockedPackage, ...]) -> str:
    """Return the content hash of one part, `base` or `build`, by which a layer is cached."""
    return sha256_hex(canonical.encode([_members(package) for package in packages]))


def compare_locks(first: EnvironmentLock, second: EnvironmentLock) -> LockDifference:
    """Return what changed from `first` to `second`, base and build taken together."""
    old = {(package.name, package.arch): package for package in first.packages}
    new = {(package.name, package.arch): package for package in second.packages}
    both = old.keys() & new.keys()
    return LockDifference(
        removed=tuple(sorted(old[key] for key in old.keys() - new.keys())),
        added=tuple(sorted(new[key] for key in new.keys() - old.keys())),
        changed=tuple(sorted((old[key], new[key]) for key in both if old[key] != new[key])),
    )


def _members(package: LockedPackage) -> dict[str, str | int]:
    return {
        "name": package.name,
        "version": package.version,
        "arch": package.arch,
        "sha256": package.sha256,
        "size": package.size,
    }


def _packages(value: Any, where: str) -> tuple[LockedPackage, ...]:
    if not isinstance(value, list):
        raise FormatError("not a list of packages", where=where)
    for item in value:
        if not isinstance(item, dict) or item.keys() != _PACKAGE_MEMBERS:
            raise FormatError("not a package of name, version, arch, sha256, size", where=where)
        if not all(isinstance(item[key], str) for key in _PACKAGE_MEMBERS - {"size"}):
            raise FormatError("name, version, arch or sha256 is not text", where=where)
    return tuple(LockedPackage(**item) for item in value)


def _check_lock(lock: EnvironmentLock, where: str) -> None:
    if len(lock.packages) > LOCK_PACKAGES:
        raise FormatError(f"more than {LOCK_PACKAGES} packages", where=where)
    if not _ARCH.fullmatch(lock.arch):
        raise FormatError("architecture cannot be used", where=where)
    for part in (lock.base, lock.build):
        for package in part:
            _check_package(package, where)
        if any(before >= after for before, after in pairwise(part)):
            raise FormatError("packages are not in order", where=where)
    if len({(package.name, package.arch) for package in lock.packages}) != len(lock.packages):
        raise FormatError("a package is named twice", where=where)


def _check_package(package: LockedPackage, where: str) -> None:
    where = f"{where}: {package.name[:40]!r}"
    patterns = ((_NAME, package.name), (_VERSION, package.version), (_ARCH, package.arch))
    if not all(pattern.fullmatch(text) for pattern, text in patterns):
        raise FormatError("name, version or architecture cannot be used", where=where)
    parse_digest(package.sha256, where=where)
    if type(package.size) is not int or not 0 < package.size <= PACKAGE_BYTES:
        raise FormatError(f"size is not between 1 and {PACKAGE_BYTES}", where=where)
