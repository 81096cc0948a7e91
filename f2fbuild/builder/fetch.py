"""Fetches the signed metadata of a target's repositories from their mirrors, for resolving."""

from f2fbuild.builder import apt, dnf, mirror
from f2fbuild.builder.gpgv import read_keyring, signed_text
from f2fbuild.builder.metadata import Metadata, RepositoryMetadata
from f2fbuild.builder.targets import Format, Repository, Target
from f2fbuild.errors import RefusedError
from f2fbuild.limits import METADATA_INDEX_BYTES, METADATA_SIGNED_BYTES
from f2fbuild.model.digest import sha256_hex


class UntrustedMirrorError(RefusedError):
    """A mirror's metadata is not signed by a key of the target."""


async def fetch_metadata(target: Target) -> Metadata:
    """Return the signed metadata of all repositories of `target`, as their mirrors have it now.

    An index is asked for only when its signed file vouches for it, and by its digest where the mirror can.

    Raises:
        MirrorError: a mirror does not answer or lacks a file.
        UntrustedMirrorError: a signed file is not signed by the repository's keyring.
        ConfigurationError: a keyring cannot be read.
        FormatError: a signed file cannot be read.
    """
    fetch_one = _fetch_apt if target.format is Format.DEB else _fetch_dnf
    async with mirror.open_client() as client:
        repositories = [await fetch_one(client, each, target.arch) for each in target.repository]
    return Metadata(repositories=tuple(repositories))


async def _fetch_apt(client: mirror.Client, repository: Repository, arch: str) -> RepositoryMetadata:
    base = f"{repository.uri}/{apt.release_directory(repository)}"
    signed = await mirror.read(client, f"{base}InRelease", most=METADATA_SIGNED_BYTES)
    text = await _trusted(repository, signed, b"", f"{base}InRelease")
    paths = apt.index_paths(apt.parse_release(text), repository, arch)
    indexes = []
    for stem in dict.fromkeys(path.rpartition("Packages")[0] for path in paths):
        path = next(path for path in paths if path.startswith(f"{stem}Packages"))
        by_hash = f"{base}{stem}by-hash/SHA256/{paths[path]}"
        indexes.append(await _read_index(client, paths[path], by_hash, base + path))
    return RepositoryMetadata(signed=signed, signature=b"", indexes=tuple(indexes))


async def _fetch_dnf(client: mirror.Client, repository: Repository, _arch: str) -> RepositoryMetadata:
    place = f"{repository.uri}/repodata/repomd.xml"
    signed = await mirror.read(client, place, most=METADATA_SIGNED_BYTES)
    signature = await mirror.read(client, f"{place}.asc", most=METADATA_SIGNED_BYTES)
    repomd = dnf.parse_repomd(await _trusted(repository, signed, signature, place))
    index = await _read_index(client, repomd.sha256, f"{repository.uri}/{repomd.location}")
    return RepositoryMetadata(signed=signed, signature=signature, indexes=(index,))


async def _trusted(repository: Repository, signed: bytes, signature: bytes, where: str) -> bytes:
    text = await signed_text(signed, signature, await read_keyring(repository))
    if text is None:
        raise UntrustedMirrorError(f"not signed by a key of {repository.keyring}", where=where)
    return text


async def _read_index(client: mirror.Client, sha256: str, *places: str) -> bytes:
    """Return the index with this digest from the first place that has it; not every mirror has by-hash."""
    for place in places:
        try:
            index = await mirror.read(client, place, most=METADATA_INDEX_BYTES)
        except mirror.MirrorError:
            if place == places[-1]:
                raise
            continue
        if sha256_hex(index) == sha256:
            return index
    raise UntrustedMirrorError("has other bytes than were signed", where=places[-1])
