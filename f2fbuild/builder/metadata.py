"""The repositories' signed metadata that travels beside a lock.

A submitter resolved against these files, a builder checks the lock against them with its own keys. They are
bytes from a peer: every file is named by its SHA-256, every size is bounded, unpacking too.
"""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import zstandard

from f2fbuild.errors import FormatError
from f2fbuild.limits import (
    LOCK_BYTES,
    METADATA_INDEX_BYTES,
    METADATA_INDEX_UNPACKED_BYTES,
    METADATA_INDEXES,
    METADATA_REPOSITORIES,
    METADATA_SIGNED_BYTES,
    MIB,
)
from f2fbuild.model import canonical
from f2fbuild.model.digest import parse_digest, sha256_hex

METADATA_SCHEMA: Final = "f2fbuild.metadata/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryMetadata:
    """One repository's signed file, its detached signature (empty for InRelease) and its package indexes.

    Debian: InRelease and the Packages files; RPM: repomd.xml, repomd.xml.asc and primary.xml, all as served.
    """

    signed: bytes
    signature: bytes
    indexes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """The metadata of all repositories that one lock was resolved against."""

    repositories: tuple[RepositoryMetadata, ...]


def metadata_manifest(metadata: Metadata) -> bytes:
    """Return the list of the metadata's blobs by SHA-256: canonical JSON of schema `f2fbuild.metadata/1`."""
    repositories = [
        {
            "signed": sha256_hex(repository.signed),
            "signature": sha256_hex(repository.signature),
            "indexes": [sha256_hex(index) for index in repository.indexes],
        }
        for repository in metadata.repositories
    ]
    return canonical.encode({"schema": METADATA_SCHEMA, "repositories": repositories})


def metadata_blobs(metadata: Metadata) -> dict[str, bytes]:
    """Return all blobs of the metadata by SHA-256."""
    blobs = {}
    for repository in metadata.repositories:
        for blob in (repository.signed, repository.signature, *repository.indexes):
            blobs[sha256_hex(blob)] = blob
    return blobs


def manifest_digests(manifest: bytes) -> dict[str, int]:
    """Return the blobs that `assemble` needs for this manifest: SHA-256 to the most bytes it may have.

    Raises:
        FormatError: not a manifest, or more repositories or indexes than allowed.
    """
    limits: dict[str, int] = {}
    for repository in _parse_manifest(manifest):
        limits[repository["signed"]] = limits[repository["signature"]] = METADATA_SIGNED_BYTES
        limits |= dict.fromkeys(repository["indexes"], METADATA_INDEX_BYTES)
    return limits


def assemble(manifest: bytes, blobs: Mapping[str, bytes]) -> Metadata:
    """Return the metadata that `manifest` lists, out of `blobs`, each checked against its name.

    Raises:
        FormatError: not a manifest, a blob is missing, too large, or not what its name says.
    """
    for digest, most in manifest_digests(manifest).items():
        blob = blobs.get(digest)
        if blob is None or len(blob) > most or sha256_hex(blob) != digest:
            raise FormatError(
                "missing, too large or not what its digest says", where=f"metadata {digest[:16]}"
            )
    return Metadata(
        repositories=tuple(
            RepositoryMetadata(
                signed=blobs[repository["signed"]],
                signature=blobs[repository["signature"]],
                indexes=tuple(blobs[digest] for digest in repository["indexes"]),
            )
            for repository in _parse_manifest(manifest)
        )
    )


def unpack(data: bytes, *, most: int = METADATA_INDEX_UNPACKED_BYTES, where: str = "index") -> bytes:
    """Return `data` decompressed by what it is: xz, gzip, bzip2, zstd or plain.

    Only what a signature already vouches for is unpacked: the caller compares the digest first.

    Args:
        data: the compressed bytes.
        most: bytes that may come out.
        where: what to call it in an error.

    Raises:
        FormatError: damaged, cut short, or more than `most` bytes come out.
    """
    reader = _reader(data)
    pieces, total = [], 0
    try:
        while piece := reader.read(MIB):
            total += len(piece)
            if total > most:
                raise FormatError(f"unpacks to more than {most} bytes", where=where)
            pieces.append(piece)
    except (lzma.LZMAError, zlib.error, OSError, EOFError, zstandard.ZstdError) as error:
        raise FormatError(f"cannot be unpacked: {error}", where=where) from error
    return b"".join(pieces)


class _Reader(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _reader(data: bytes) -> _Reader:
    stream = io.BytesIO(data)
    match data[:2]:
        case b"\xfd7":
            return lzma.LZMAFile(stream)
        case b"\x1f\x8b":
            return gzip.GzipFile(fileobj=stream)
        case b"BZ":
            return bz2.BZ2File(stream)
        case b"\x28\xb5":
            return zstandard.ZstdDecompressor(max_window_size=128 * MIB).stream_reader(stream)
    return stream


def _parse_manifest(manifest: bytes) -> list[dict[str, Any]]:
    where = "metadata manifest"
    if len(manifest) > LOCK_BYTES:
        raise FormatError(f"larger than {LOCK_BYTES} bytes", where=where)
    value = canonical.decode(manifest, where=where)
    if not isinstance(value, dict) or value.keys() != {"schema", "repositories"}:
        raise FormatError("not a schema and repositories", where=where)
    repositories = value["repositories"]
    if value["schema"] != METADATA_SCHEMA or not isinstance(repositories, list):
        raise FormatError(f"not of schema {METADATA_SCHEMA}", where=where)
    if len(repositories) > METADATA_REPOSITORIES:
        raise FormatError(f"more than {METADATA_REPOSITORIES} repositories", where=where)
    for repository in repositories:
        _check_repository(repository, where)
    return repositories


def _check_repository(repository: Any, where: str) -> None:
    if not isinstance(repository, dict) or repository.keys() != {"signed", "signature", "indexes"}:
        raise FormatError("a repository is not signed, signature, indexes", where=where)
    indexes = repository["indexes"]
    if not isinstance(indexes, list) or len(indexes) > METADATA_INDEXES:
        raise FormatError(f"indexes is not a list of at most {METADATA_INDEXES}", where=where)
    for digest in (repository["signed"], repository["signature"], *indexes):
        if not isinstance(digest, str):
            raise FormatError("a digest is not text", where=where)
        parse_digest(digest, where=where)
