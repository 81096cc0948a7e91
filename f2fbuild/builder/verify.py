"""Is every package of a lock vouched for by a key of this node's own target?

A digest in a lock is identity, not provenance: a poisoned lock would make every builder agree on a backdoor.
So each builder reads the signed metadata that came with the lock with the keys of its **own** target, and
believes nothing else of it. All decisions here are pure; `gpgv` runs gpgv and hands over what it let through.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from f2fbuild.builder import apt, dnf
from f2fbuild.builder.locks import EnvironmentLock, LockedPackage
from f2fbuild.builder.metadata import RepositoryMetadata, unpack
from f2fbuild.builder.targets import Format, Repository, Target
from f2fbuild.errors import FormatError
from f2fbuild.limits import METADATA_AHEAD_SECONDS
from f2fbuild.model.digest import sha256_hex

_DAY: Final = 24 * 3600


class Reason(StrEnum):
    """Why an environment is unverified."""

    WRONG_TARGET = "the lock is of another format or architecture than this node's target"
    NO_KEY = "its metadata is signed by no key of this node's target"
    OTHER_SUITE = "its metadata is of a suite that this node's target does not have"
    MALFORMED = "its metadata cannot be read"
    INDEX_MISMATCH = "its package index is not the one that was signed"
    FROM_FUTURE = "its metadata is dated in the future"
    EXPIRED = "its metadata has expired"
    TOO_OLD = "its metadata is older than the target allows"
    PACKAGE_MISSING = "no signed metadata has this package"
    DIGEST_DIFFERS = "signed metadata has other bytes for this package"


@dataclass(frozen=True, slots=True, kw_only=True)
class VouchedIndex:
    """A package index that a key of the target vouches for, unpacked, and the times of its signed file."""

    repository: Repository
    signed_at: int
    valid_until: int | None
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class VouchedMetadata:
    """The indexes that hold, and why each of the others does not."""

    indexes: tuple[VouchedIndex, ...]
    refusals: tuple[Reason, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedPackage:
    """A locked package and the URIs where the target's own mirrors should have it (none for own products)."""

    package: LockedPackage
    uris: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """Every package is vouched for; `signed_at` (Unix seconds) is the date of the oldest metadata used."""

    packages: tuple[VerifiedPackage, ...]
    signed_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unverified:
    """The environment is not vouched for, and the first package to show it."""

    package: LockedPackage | None
    reason: Reason

    def __str__(self) -> str:
        return f"{self.package or 'environment'}: {self.reason}"


def vouch_release(
    metadata: RepositoryMetadata, text: bytes, repository: Repository, arch: str
) -> tuple[VouchedIndex, ...] | Reason:
    """Return the Packages of `metadata` that its InRelease vouches for.

    Args:
        metadata: as it came.
        text: what gpgv let through of InRelease, for a key of `repository`.
        repository: one of the target's own.
        arch: the target's architecture.
    """
    try:
        release = apt.parse_release(text)
    except (FormatError, UnicodeDecodeError):
        return Reason.MALFORMED
    if not apt.is_release_of(release, repository):
        return Reason.OTHER_SUITE
    listed = set(apt.index_paths(release, repository, arch).values())
    return _vouch(metadata, repository, listed, release.signed_at, release.valid_until)


def vouch_repomd(metadata: RepositoryMetadata, repository: Repository) -> tuple[VouchedIndex, ...] | Reason:
    """Return the primary.xml of `metadata` that its repomd.xml, signed for `repository`, vouches for."""
    try:
        repomd = dnf.parse_repomd(metadata.signed)
    except FormatError:
        return Reason.MALFORMED
    return _vouch(metadata, repository, {repomd.sha256}, repomd.signed_at, None)


def _vouch(
    metadata: RepositoryMetadata,
    repository: Repository,
    listed: set[str],
    signed_at: int,
    valid_until: int | None,
) -> tuple[VouchedIndex, ...] | Reason:
    if any(sha256_hex(index) not in listed for index in metadata.indexes):
        return Reason.INDEX_MISMATCH
    try:
        return tuple(
            VouchedIndex(
                repository=repository, signed_at=signed_at, valid_until=valid_until, data=unpack(index)
            )
            for index in metadata.indexes
        )
    except FormatError:
        return Reason.MALFORMED


def stale(index: VouchedIndex, target: Target, now: int, *, fresh: bool) -> Reason | None:
    """Return why this index's times forbid its use at `now` (Unix seconds), or None.

    Args:
        index: the index to judge.
        target: whose `max_age_days` holds, where the repository has none of its own.
        now: the time of asking.
        fresh: whether age counts; an old environment may be rebuilt, but not released.
    """
    if index.signed_at > now + METADATA_AHEAD_SECONDS:
        return Reason.FROM_FUTURE
    if not fresh:
        return None
    if index.valid_until is not None and index.valid_until < now:
        return Reason.EXPIRED
    days = index.repository.max_age_days or target.max_age_days
    if index.signed_at < now - days * _DAY:
        return Reason.TOO_OLD
    return None


def verify_lock(
    target: Target,
    lock: EnvironmentLock,
    vouched: VouchedMetadata,
    *,
    now: int,
    fresh: bool,
    agreed: frozenset[str] = frozenset(),
) -> Verified | Unverified:
    """Return whether every package of `lock` is vouched for, and where to get each.

    Args:
        target: this node's own.
        lock: the job's.
        vouched: what held of the metadata that came with the lock.
        now: Unix seconds.
        fresh: refuse metadata that has expired or is older than the target's `max_age_days`.
        agreed: SHA-256 of products that this node's own ledger vouches for (chains).
    """
    if (lock.format, lock.arch) != (target.format, target.arch):
        return Unverified(package=None, reason=Reason.WRONG_TARGET)
    refusals, usable = list(vouched.refusals), []
    for index in vouched.indexes:
        reason = stale(index, target, now, fresh=fresh)
        if reason:
            refusals.append(reason)
        else:
            usable.append(index)
    wanted = [package for package in lock.packages if package.sha256 not in agreed]
    offers = _offers(target.format, usable, frozenset(package.name for package in wanted))
    for package in wanted:
        if package not in offers:
            return Unverified(package=package, reason=_missing(package, offers, refusals))
    packages = tuple(
        VerifiedPackage(package=each, uris=tuple(uri for uri, _ in offers.get(each, ())))
        for each in lock.packages
    )
    dates = [max(at for _, at in offers[each]) for each in wanted]
    return Verified(packages=packages, signed_at=min(dates, default=None))


Offers = Mapping[LockedPackage, list[tuple[str, int]]]


def _offers(kind: Format, indexes: Iterable[VouchedIndex], names: frozenset[str]) -> Offers:
    offers: dict[LockedPackage, list[tuple[str, int]]] = {}
    for index in indexes:
        for offer in index_offers(kind, index, names):
            uri = f"{index.repository.uri}/{offer.location}"
            offers.setdefault(offer.package, []).append((uri, index.signed_at))
    return offers


def index_offers(kind: Format, index: VouchedIndex, names: frozenset[str]) -> Iterable[apt.Offer]:
    """Yield what the index offers of the packages called `names`.

    Raises:
        FormatError: the signed index itself is malformed.
    """
    if kind is Format.DEB:
        return (offer for offer, _ in apt.wanted_stanzas(index.data, names))
    return (offer for offer in dnf.parse_primary(index.data) if offer.package.name in names)


def _missing(package: LockedPackage, offers: Offers, refusals: list[Reason]) -> Reason:
    same = (package.name, package.version, package.arch)
    if any((other.name, other.version, other.arch) == same for other in offers):
        return Reason.DIGEST_DIFFERS
    return refusals[0] if refusals else Reason.PACKAGE_MISSING
