"""Debian's signed metadata as values: Release (what gpgv let through of InRelease) and Packages.

Reads only what a signature vouches for. Debian repository format: https://wiki.debian.org/DebianRepository/Format
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

from f2fbuild.builder.locks import LockedPackage
from f2fbuild.builder.targets import Repository
from f2fbuild.errors import FormatError

_FIELD: Final = re.compile(rb"^([A-Za-z0-9-]+):[ \t]*(.*(?:\n[ \t].*)*)", re.MULTILINE)
_LOCATION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~:%=/-]*", re.ASCII)
_WANTED: Final = frozenset({b"Package", b"Version", b"Architecture", b"SHA256", b"Size", b"Filename"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What one InRelease says: its names, its times (Unix seconds) and the files it vouches for."""

    names: frozenset[str]
    signed_at: int
    valid_until: int | None
    files: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A package that verified metadata offers, and its location below the repository's base."""

    package: LockedPackage
    location: str


def parse_release(text: bytes) -> Release:
    """Return the Release that `text` spells; `text` is what gpgv wrote, never the file itself.

    Raises:
        FormatError: a needed field is missing or cannot be read.
    """
    fields = {match[1].decode().lower(): match[2].decode() for match in _FIELD.finditer(text)}
    if "date" not in fields or "sha256" not in fields:
        raise FormatError("has no Date or SHA256", where="Release")
    files = {}
    for line in fields["sha256"].splitlines():
        parts = line.split()
        if len(parts) == 3:
            files[parts[2]] = parts[0]
    until = fields.get("valid-until")
    return Release(
        names=frozenset(fields[key] for key in ("suite", "codename") if key in fields),
        signed_at=_seconds(fields["date"]),
        valid_until=_seconds(until) if until else None,
        files=files,
    )


def is_release_of(release: Release, repository: Repository) -> bool:
    """Return whether `release` is of this repository's suite: a key that signs many suites vouches for one.

    A flat repository has no suite of its own, its keyring is all that names it.
    """
    return repository.suite.endswith("/") or repository.suite.rstrip("/") in release.names


def index_paths(release: Release, repository: Repository, arch: str) -> dict[str, str]:
    """Return the package indexes that this repository may bring in: path below the suite to SHA-256."""
    if not repository.components:
        stems = ["Packages"]
    else:
        stems = [f"{component}/binary-{arch}/Packages" for component in repository.components]
    return {
        stem + ending: release.files[stem + ending]
        for stem in stems
        for ending in (".xz", ".gz", ".bz2", ".zst", "")
        if stem + ending in release.files
    }


def release_directory(repository: Repository) -> str:
    """Return where InRelease stands below the repository's uri, with a final slash."""
    if not repository.components:
        return repository.suite.removeprefix("/").removeprefix("./")
    return f"dists/{repository.suite}/"


def parse_packages(index: bytes) -> Iterator[tuple[Offer, bytes]]:
    """Yield each package of an unpacked Packages file, with its stanza as it stands.

    Raises:
        FormatError: a stanza lacks a field, or its Filename leads out of the archive.
    """
    for stanza in index.strip(b"\n").split(b"\n\n"):
        if stanza:
            yield _offer(stanza), stanza


def wanted_stanzas(index: bytes, names: frozenset[str]) -> Iterator[tuple[Offer, bytes]]:
    """Yield what `parse_packages` yields for the packages called `names` only, many times faster."""
    choices = b"|".join(re.escape(name.encode()) for name in sorted(names))
    for found in re.finditer(rb"^Package: (?:" + choices + rb")$", index, re.MULTILINE):
        start = index.rfind(b"\n\n", 0, found.start() + 1)
        end = index.find(b"\n\n", found.end())
        yield from parse_packages(index[start + 2 if start >= 0 else 0 : end if end >= 0 else len(index)])


def safe_location(location: str, where: str) -> str:
    """Return `location` when it stays below the repository's base.

    Raises:
        FormatError: absolute, with `..`, or with characters that no archive uses.
    """
    location = location.removeprefix("./")
    if not _LOCATION.fullmatch(location) or ".." in location.split("/"):
        raise FormatError(f"location {location[:80]!r} cannot be used", where=where)
    return location


def _offer(stanza: bytes) -> Offer:
    fields = {match[1]: match[2] for match in _FIELD.finditer(stanza) if match[1] in _WANTED}
    if fields.keys() != _WANTED or not fields[b"Size"].isdigit():
        raise FormatError(
            "a stanza lacks Package, Version, Architecture, SHA256, Size or Filename", where="Packages"
        )
    name = fields[b"Package"].decode("ascii", "replace")
    return Offer(
        package=LockedPackage(
            name=name,
            version=fields[b"Version"].decode("ascii", "replace"),
            arch=fields[b"Architecture"].decode("ascii", "replace"),
            sha256=fields[b"SHA256"].decode("ascii", "replace"),
            size=int(fields[b"Size"]),
        ),
        location=safe_location(fields[b"Filename"].decode("ascii", "replace"), f"Packages: {name}"),
    )


def _seconds(text: str) -> int:
    try:
        return int(parsedate_to_datetime(text).timestamp())
    except ValueError as error:
        raise FormatError(f"{text!r} is no date", where="Release") from error
