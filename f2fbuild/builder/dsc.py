"""Debian source control files: what a .dsc says of itself and of the files beside it.

A signature around it is taken off and not looked at: who may submit is decided by friends' keys, and what is
built is named by digests. Source: dsc(5), and RFC 9580 §7 for the frame of a signed text.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from f2fbuild.builder.digests.control import parse_paragraph
from f2fbuild.errors import FormatError
from f2fbuild.limits import SOURCE_FILES
from f2fbuild.model.digest import parse_digest

_BEGIN: Final = b"-----BEGIN PGP SIGNED MESSAGE-----"
_END: Final = b"\n-----BEGIN PGP SIGNATURE-----"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_:~-]{0,254}", re.ASCII)
_PACKAGE: Final = re.compile(r"[a-z0-9][a-z0-9.+-]{0,127}", re.ASCII)
_VERSION: Final = re.compile(r"[0-9][A-Za-z0-9.+:~-]{0,127}", re.ASCII)
_REQUIRES: Final = ("build-depends", "build-depends-arch", "build-depends-indep")
_CONFLICTS: Final = ("build-conflicts", "build-conflicts-arch", "build-conflicts-indep")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """One file of a source: its name, SHA-256 and size in bytes."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceControl:
    """A .dsc: package, version, its files sorted by name, and its relations to build as they stand."""

    package: str
    version: str
    files: tuple[SourceFile, ...]
    requires: tuple[str, ...]
    conflicts: tuple[str, ...]


def parse_dsc(data: bytes, *, where: str) -> SourceControl:
    """Return what the .dsc `data` says.

    Raises:
        FormatError: not one paragraph, or a needed field missing or unusable.
    """
    fields = parse_paragraph(_unframed(data), where=where)
    package, version = fields.get("source", ""), fields.get("version", "")
    if not _PACKAGE.fullmatch(package) or not _VERSION.fullmatch(version):
        raise FormatError("has no Source or Version", where=where)
    lines = [line.split() for line in fields.get("checksums-sha256", "").split("\n") if line.strip()]
    files = sorted((_file(line, where) for line in lines), key=lambda file: file.name)
    names = {file.name for file in files}
    if not files or len(files) > SOURCE_FILES or len(names) != len(files):
        raise FormatError("has no plain list of Checksums-Sha256", where=where)
    return SourceControl(
        package=package,
        version=version,
        files=tuple(files),
        requires=_relations(fields, _REQUIRES),
        conflicts=_relations(fields, _CONFLICTS),
    )


def _unframed(data: bytes) -> bytes:
    if not data.startswith(_BEGIN):
        return data
    body = data.partition(b"\n\n")[2]
    text, signature, _ = body.partition(_END)
    if not signature:
        raise FormatError("begins a signed text and does not end it")
    return text.strip(b"\n") + b"\n"


def _file(line: list[str], where: str) -> SourceFile:
    if len(line) != 3 or not _NAME.fullmatch(line[2]) or not line[1].isdecimal() or not line[1].isascii():
        raise FormatError("has a line in Checksums-Sha256 that names no file", where=where)
    return SourceFile(sha256=parse_digest(line[0], where=where), size=int(line[1]), name=line[2])


def _relations(fields: Mapping[str, str], names: tuple[str, ...]) -> tuple[str, ...]:
    values = (" ".join(fields.get(name, "").split()) for name in names)
    return tuple(value for value in values if value)
