"""The signed metadata beside a lock: by digest, bounded, unpacked with care."""

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.builder import metadata
from f2fbuild.builder.metadata import Metadata, RepositoryMetadata
from f2fbuild.errors import FormatError
from f2fbuild.limits import LOCK_BYTES
from f2fbuild.model.digest import sha256_hex

repositories = st.builds(
    RepositoryMetadata,
    signed=st.binary(max_size=20),
    signature=st.binary(max_size=20),
    indexes=st.lists(st.binary(max_size=20), max_size=3).map(tuple),
)
SOME = Metadata(repositories=(RepositoryMetadata(signed=b"s", signature=b"", indexes=(b"i", b"j")),))


@given(st.lists(repositories, max_size=3).map(tuple))
def test_metadata_comes_back_from_manifest_and_blobs(each: tuple[RepositoryMetadata, ...]) -> None:
    value = Metadata(repositories=each)
    manifest, blobs = metadata.metadata_manifest(value), metadata.metadata_blobs(value)
    assert blobs.keys() == metadata.manifest_digests(manifest).keys()
    assert metadata.assemble(manifest, blobs) == value
    assert metadata.metadata_manifest(metadata.assemble(manifest, blobs)) == manifest


@pytest.mark.parametrize("bad", [b"changed", None])
def test_a_blob_that_is_not_its_digest_is_refused(bad: bytes | None) -> None:
    blobs: dict[str, Any] = dict(metadata.metadata_blobs(SOME))
    blobs[sha256_hex(b"i")] = bad
    with pytest.raises(FormatError, match="missing, too large or not"):
        metadata.assemble(metadata.metadata_manifest(SOME), blobs)


def test_a_blob_larger_than_its_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "METADATA_INDEX_BYTES", 0)
    with pytest.raises(FormatError, match="missing, too large or not"):
        metadata.assemble(metadata.metadata_manifest(SOME), metadata.metadata_blobs(SOME))


def spelled(**changes: Any) -> bytes:
    value: dict[str, Any] = {"schema": "f2fbuild.metadata/1", "repositories": []}
    return json.dumps(value | changes, sort_keys=True, separators=(",", ":")).encode()


D = "0" * 64
GOOD: dict[str, Any] = {"signed": D, "signature": D, "indexes": [D]}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema": "x"}, "not of schema"),
        ({"repositories": {}}, "not of schema"),
        ({"more": 1}, "not a schema and repositories"),
        ({"repositories": [GOOD] * 33}, "more than 32"),
        ({"repositories": [7]}, "is not signed"),
        ({"repositories": [GOOD | {"x": D}]}, "is not signed"),
        ({"repositories": [GOOD | {"indexes": D}]}, "not a list of at most 16"),
        ({"repositories": [GOOD | {"indexes": [D] * 17}]}, "not a list of at most 16"),
        ({"repositories": [GOOD | {"signed": 7}]}, "not text"),
        ({"repositories": [GOOD | {"signed": "A" * 64}]}, "64 lower-case"),
    ],
)
def test_what_no_manifest_is(changes: dict[str, Any], said: str) -> None:
    assert metadata.manifest_digests(spelled(repositories=[GOOD])).keys() == {D}
    with pytest.raises(FormatError, match=said):
        metadata.manifest_digests(spelled(**changes))


def test_a_manifest_is_bounded_before_it_is_read() -> None:
    with pytest.raises(FormatError, match="larger than"):
        metadata.manifest_digests(b" " * (LOCK_BYTES + 1))


PACK: dict[str, Callable[[bytes], bytes]] = {
    "xz": lzma.compress,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "zstd": zstandard.compress,
    "plain": bytes,
}


@pytest.mark.parametrize("kind", PACK)
@given(data=st.binary(max_size=300))
def test_every_compression_unpacks(kind: str, data: bytes) -> None:
    assert metadata.unpack(PACK[kind](b"Package: " + data)) == b"Package: " + data


@pytest.mark.parametrize("kind", PACK)
def test_unpacking_stops_at_its_limit(kind: str) -> None:
    data = PACK[kind](b"a" * 5000)
    assert len(metadata.unpack(data, most=5000)) == 5000
    with pytest.raises(FormatError, match="unpacks to more than 4999"):
        metadata.unpack(data, most=4999)


@pytest.mark.parametrize("kind", ["xz", "gzip", "bzip2"])
def test_what_is_cut_short_is_refused(kind: str) -> None:
    with pytest.raises(FormatError, match="cannot be unpacked"):
        metadata.unpack(PACK[kind](b"abc" * 500)[:-9])


def test_damaged_zstd_is_refused() -> None:
    with pytest.raises(FormatError, match="cannot be unpacked"):
        metadata.unpack(b"\x28\xb5\x2f\xfd" + b"\xff" * 40)
