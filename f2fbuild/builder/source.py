"""Looks at a source before it is ordered: what it is, which files it has, what it needs to be built.

Archives are unpacked and headers are read by the distribution's own tools, in a sandbox; here only their
answers are read, line by line.
"""

import hashlib
import re
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from f2fbuild.builder.dsc import SourceFile, parse_dsc
from f2fbuild.builder.layers import make_owned
from f2fbuild.builder.resolve import BuildRequirements
from f2fbuild.builder.sandbox import Bind
from f2fbuild.builder.steps import SOURCES
from f2fbuild.builder.targets import Format
from f2fbuild.builder.tools import ToolError, run_tool, with_tools
from f2fbuild.builder.workdir import SourceDigestError, remove_tree
from f2fbuild.errors import FormatError
from f2fbuild.limits import BLOB_BYTES, CONTROL_FILE_BYTES, PRODUCT_CHUNK_BYTES, SOURCE_DATE_BOUND

_JOB: Final = "/job"
_UNPACK: Final = (
    'dpkg-source --no-check -x "$0" /job/tree >&2 && '
    "exec dpkg-parsechangelog -l /job/tree/debian/changelog -S Timestamp"
)
_QUERY: Final = (
    "%{NAME}\\n%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\\n%{SOURCEPACKAGE}\\n"
    "%|CHANGELOGTIME?{%{CHANGELOGTIME}}:{%{BUILDTIME}}|\\n"
)
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9.+_~^:-]{0,254}", re.ASCII)


class SourceError(FormatError):
    """The source cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """A source that unpacks: its format, names, files by name with where they lie, and needs.

    `source_date_epoch` is the time of its newest changelog entry in unix seconds.
    """

    format: Format
    name: str
    version: str
    files: tuple[SourceFile, ...]
    paths: Mapping[str, Path]
    source_date_epoch: int
    requirements: BuildRequirements


async def inspect_source(path: Path) -> SourceFacts:
    """Return the facts of the source package at `path`, a .dsc with its files beside it or a .src.rpm.

    Raises:
        SourceError: not such a file, or it does not unpack.
        SourceDigestError: a file beside the .dsc is missing or not the one that it names.
    """
    if path.name.endswith(".dsc"):
        return await _inspect_dsc(path)
    if path.name.endswith(".src.rpm"):
        return await _inspect_srpm(path)
    raise SourceError("neither a .dsc nor a .src.rpm", where=str(path))


async def _inspect_dsc(path: Path) -> SourceFacts:
    control = parse_dsc(await trio.to_thread.run_sync(_read_control, path), where=str(path))
    with tempfile.TemporaryDirectory(prefix="f2f-source-") as directory:
        place = await trio.to_thread.run_sync(_make_place, Path(directory))
        own = await trio.to_thread.run_sync(_copy, path, place, BLOB_BYTES)
        for file in control.files:
            found = await trio.to_thread.run_sync(_copy, path.with_name(file.name), place, file.size)
            if found != file:
                raise SourceDigestError("is not the file that the .dsc names", where=file.name)
        job = await trio.to_thread.run_sync(make_owned, Path(directory, "job"))
        try:
            answer = await _ask(place, "sh", "-c", _UNPACK, f"{SOURCES}/{path.name}", job=job)
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(remove_tree, job)
    files = tuple(sorted((own, *control.files), key=lambda file: file.name))
    return SourceFacts(
        format=Format.DEB,
        name=control.package,
        version=control.version,
        files=files,
        paths={file.name: path.with_name(file.name) for file in files},
        source_date_epoch=_seconds(answer.strip(), path),
        requirements=BuildRequirements(requires=control.requires, conflicts=control.conflicts),
    )


async def _inspect_srpm(path: Path) -> SourceFacts:
    with tempfile.TemporaryDirectory(prefix="f2f-source-") as directory:
        place = await trio.to_thread.run_sync(_make_place, Path(directory))
        own = await trio.to_thread.run_sync(_copy, path, place, BLOB_BYTES)
        rpm = ("rpm", "--nosignature", "-qp", f"{SOURCES}/{path.name}")
        lines = (await _ask(place, *rpm, "--qf", _QUERY)).split("\n")
        requires = await _ask(place, *rpm, "--requires")
        conflicts = await _ask(place, *rpm, "--conflicts")
    name, version, source, seconds = (*lines, "", "", "", "")[:4]
    if source != "1" or not _NAME.fullmatch(name) or not _NAME.fullmatch(version):
        raise SourceError("is no source package", where=str(path))
    needs = tuple(sorted({line.strip() for line in requires.splitlines() if _is_need(line)}))
    refuses = tuple(sorted({line.strip() for line in conflicts.splitlines() if line.strip()}))
    return SourceFacts(
        format=Format.RPM,
        name=name,
        version=version,
        files=(own,),
        paths={own.name: path},
        source_date_epoch=_seconds(seconds, path),
        requirements=BuildRequirements(requires=needs, conflicts=refuses),
    )


def _is_need(line: str) -> bool:
    """Whether a requirement is the source's own, not one of rpm's own features (`rpmlib(…)`)."""
    return bool(line.strip()) and not line.startswith("rpmlib(")


async def _ask(place: Path, *argv: str, job: Path | None = None) -> str:
    binds = [Bind(source=place, target=SOURCES)]
    if job:
        binds.append(Bind(source=job, target=_JOB, writable=True))
    try:
        return (await run_tool(with_tools(*binds), *argv)).decode(errors="replace")
    except ToolError as error:
        raise SourceError(f"does not unpack: {error.what}", where=argv[-1]) from error


def _make_place(private: Path) -> Path:
    """Make a directory that the sandbox's users may read, below one that nobody else may enter."""
    place = private / "sources"
    place.mkdir()
    place.chmod(0o755)
    return place


def _seconds(text: str, path: Path) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) > SOURCE_DATE_BOUND:
        raise SourceError("its changelog has no time that can be used", where=str(path))
    return int(text)


def _read_control(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(CONTROL_FILE_BYTES + 1)
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", where=str(path)) from error


def _copy(path: Path, into: Path, most: int) -> SourceFile:
    """Copy a source file for the sandbox's users to read; `most` is the greatest size in bytes."""
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as source, (into / path.name).open("xb") as copy:
            if not stat.S_ISREG(path.stat().st_mode):
                raise SourceDigestError("is no file", where=path.name)
            while block := source.read(PRODUCT_CHUNK_BYTES):
                size += len(block)
                if size > most:
                    raise SourceDigestError(f"is larger than {most} bytes", where=path.name)
                digest.update(block)
                copy.write(block)
    except OSError as error:
        raise SourceDigestError(f"cannot be read: {error.strerror}", where=path.name) from error
    (into / path.name).chmod(0o644)
    return SourceFile(name=path.name, sha256=digest.hexdigest(), size=size)
