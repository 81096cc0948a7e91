"""A source package from the signed archive of a Debian target: InRelease → Sources → each file by SHA-256."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from f2fbuild.builder import apt, mirror
from f2fbuild.builder.fetch import UntrustedMirrorError
from f2fbuild.builder.gpgv import read_keyring, signed_text
from f2fbuild.builder.metadata import unpack
from f2fbuild.builder.targets import Repository, Target
from f2fbuild.errors import FormatError, UsageError
from f2fbuild.limits import METADATA_INDEX_BYTES, METADATA_SIGNED_BYTES, SOURCE_FILE_BYTES
from f2fbuild.model.digest import parse_digest, sha256_hex

_ENDINGS: Final = (".xz", ".gz", "")
_FILE: Final = re.compile(r" ([0-9a-f]{64}) ([0-9]+) ([A-Za-z0-9][A-Za-z0-9.+_~:-]*)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A source package in an archive: its directory's URI, and its files by name with their SHA-256."""

    uri: str
    files: dict[str, str]


async def fetch_source(target: Target, package: str, directory: Path) -> Path:
    """Fetch the source of `package` that is listed first into `directory` and return its .dsc file.

    Args:
        target: a Debian target, whose keyrings vouch for the archive.
        package: the source package's name.
        directory: exists; files of the same names are replaced.

    Raises:
        UsageError: no repository of the target has it.
        UntrustedMirrorError: an index is not signed by the target's keys, or is another suite's.
        MirrorError, FormatError: the mirror does not have it, or has something else.
    """
    async with mirror.open_client() as client:
        for repository in target.repository:
            found = await _find(client, repository, package)
            if found is not None:
                return await _download(client, found, directory)
    raise UsageError(f"no repository of this target has the source {package}", where=target.name)


async def _find(client: mirror.Client, repository: Repository, package: str) -> _Found | None:
    base = f"{repository.uri}/{apt.release_directory(repository)}"
    signed = await mirror.read(client, f"{base}InRelease", most=METADATA_SIGNED_BYTES)
    text = await signed_text(signed, b"", await read_keyring(repository))
    if text is None:
        raise UntrustedMirrorError(f"not signed by a key of {repository.keyring}", where=base)
    release = apt.parse_release(text)
    if not apt.is_release_of(release, repository):
        raise UntrustedMirrorError(f"is signed, but not for {repository.suite}", where=base)
    listed = release.files
    for component in repository.components:
        stem = f"{component}/source/Sources"
        path = next((stem + ending for ending in _ENDINGS if stem + ending in listed), None)
        if path is None:
            continue
        data = await mirror.read(client, base + path, most=METADATA_INDEX_BYTES)
        if sha256_hex(data) != listed[path]:
            raise FormatError("not the index that the archive signed", where=base + path)
        index = await trio.to_thread.run_sync(unpack, data)
        for stanza in _stanzas(index, package):
            return _read_stanza(repository, stanza)
    return None


def _stanzas(index: bytes, package: str) -> Iterator[str]:
    wanted = f"Package: {package}\n".encode()
    for stanza in index.split(b"\n\n"):
        if stanza.lstrip(b"\n").startswith(wanted):
            yield stanza.decode(errors="replace")


def _read_stanza(repository: Repository, stanza: str) -> _Found:
    fields = dict(re.findall(r"^([A-Za-z0-9-]+):((?:.*)(?:\n .*)*)", stanza, re.MULTILINE))
    files = {
        name: parse_digest(digest) for digest, _, name in _FILE.findall(fields.get("Checksums-Sha256", ""))
    }
    if sum(name.endswith(".dsc") for name in files) != 1:
        raise FormatError("does not list one .dsc file with its SHA-256", where=f"{repository.uri}: Sources")
    location = apt.safe_location(fields.get("Directory", "").strip(), "Sources")
    return _Found(uri=f"{repository.uri}/{location}", files=files)


async def _download(client: mirror.Client, found: _Found, directory: Path) -> Path:
    for name, digest in found.files.items():
        data = await mirror.read(client, f"{found.uri}/{name}", most=SOURCE_FILE_BYTES)
        if sha256_hex(data) != digest:
            raise FormatError("not the file that the archive signed", where=f"{found.uri}/{name}")
        await trio.Path(directory / name).write_bytes(data)
    return directory / next(name for name in found.files if name.endswith(".dsc"))
