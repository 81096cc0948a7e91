"""Compressed streams: exactly one, whole, and within limits."""

import bz2
import gzip
import hashlib
import io
import lzma
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.builder.digests.refusal import RefusalError, RefusalReason
from f2fbuild.builder.digests.unpack import Unpacked
from tests.builder.digests.digest_forge import rpm_gzip

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "bzip2": bz2.compress,
    "gzip": rpm_gzip,
    "identity": bytes,
    "lzma": lambda plain: lzma.compress(plain, lzma.FORMAT_ALONE),
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor(level=3, write_checksum=True).compress,
}
COMPRESSED = sorted(PACKERS.keys() - {"identity"})


def unpack(packed: bytes, compressor: str, size: int, *, limit: int = 1 << 30) -> bytes:
    archive = Unpacked(io.BytesIO(packed), compressor, limit=limit)
    plain = archive.read(size)
    archive.finish()
    assert archive.packed_sha256 == hashlib.sha256(packed).hexdigest()
    assert archive.plain_sha256 == hashlib.sha256(plain).hexdigest()
    return plain


def refusal(packed: bytes, compressor: str, size: int, *, limit: int = 1 << 30) -> RefusalReason:
    with pytest.raises(RefusalError) as caught:
        unpack(packed, compressor, size, limit=limit)
    return caught.value.reason


@pytest.mark.parametrize("compressor", sorted(PACKERS))
@pytest.mark.parametrize("plain", [b"", b"a", bytes(1_000_000), bytes(range(256)) * 2000])
def test_what_was_packed(compressor: str, plain: bytes) -> None:
    assert unpack(PACKERS[compressor](plain), compressor, len(plain)) == plain


@given(st.binary(), st.sampled_from(sorted(PACKERS)), st.lists(st.integers(0, 9)))
def test_pieces_of_any_size(plain: bytes, compressor: str, sizes: list[int]) -> None:
    archive = Unpacked(io.BytesIO(PACKERS[compressor](plain)), compressor)
    taken = b""
    for size in sizes:
        taken += archive.read(min(size, len(plain) - len(taken)))
        assert archive.offset == len(taken)
    assert taken + b"".join(archive.rest()) == plain
    archive.finish()


@pytest.mark.parametrize("compressor", COMPRESSED)
def test_second_stream_and_trailing_bytes(compressor: str) -> None:
    packed = PACKERS[compressor](b"plain")
    for tail in (packed, b"\0", b"\0\0\0\0", b"x" * 70_000):
        assert refusal(packed + tail, compressor, 5) == RefusalReason.TRAILING


@pytest.mark.parametrize("compressor", sorted(PACKERS))
def test_more_plain_bytes_than_expected(compressor: str) -> None:
    assert refusal(PACKERS[compressor](b"plain"), compressor, 4) == RefusalReason.TRAILING


@pytest.mark.parametrize("compressor", sorted(PACKERS))
def test_fewer_plain_bytes_than_expected(compressor: str) -> None:
    assert refusal(PACKERS[compressor](b"plain"), compressor, 6) == RefusalReason.MALFORMED


@pytest.mark.parametrize("compressor", COMPRESSED)
def test_cut_anywhere(compressor: str) -> None:
    packed = PACKERS[compressor](b"some plain bytes")
    for end in range(len(packed)):
        assert refusal(packed[:end], compressor, 16) == RefusalReason.MALFORMED


@pytest.mark.parametrize("compressor", COMPRESSED)
def test_no_stream(compressor: str) -> None:
    assert refusal(b"certainly not compressed", compressor, 1) in {
        RefusalReason.MALFORMED,
        RefusalReason.TOO_LARGE,
    }


@given(st.data(), st.sampled_from(COMPRESSED))
def test_any_byte_changed(data: st.DataObject, compressor: str) -> None:
    packed = bytearray(PACKERS[compressor](b"some plain bytes"))
    packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    archive = Unpacked(io.BytesIO(bytes(packed)), compressor, limit=1 << 20)
    try:
        b"".join(archive.rest())
    except RefusalError:
        return
    assert archive.packed_sha256 == hashlib.sha256(packed).hexdigest()


@pytest.mark.parametrize("compressor", sorted(PACKERS))
def test_bomb(compressor: str) -> None:
    packed = PACKERS[compressor](bytes(1 << 22))
    assert refusal(packed, compressor, 1 << 22, limit=1 << 20) == RefusalReason.TOO_LARGE
    archive = Unpacked(io.BytesIO(packed), compressor, limit=1 << 20)
    with pytest.raises(RefusalError, match="unpacks to more"):
        for _ in archive.rest():
            pass


def test_memory_that_a_stream_asks_for() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 1 << 30}]
    packed = lzma.compress(b"plain", filters=filters)
    assert refusal(packed, "xz", 5) == RefusalReason.MALFORMED
    parameters = zstandard.ZstdCompressionParameters(window_log=30, enable_ldm=True)
    wide = zstandard.ZstdCompressor(compression_params=parameters).compressobj(size=-1)
    assert refusal(wide.compress(b"plain") + wide.flush(), "zstd", 5) == RefusalReason.MALFORMED


def test_places_to_hide_in() -> None:
    named = io.BytesIO()
    with gzip.GzipFile("hidden", "wb", fileobj=named, mtime=0) as file:
        file.write(b"plain")
    assert refusal(named.getvalue(), "gzip", 5) == RefusalReason.MALFORMED
    assert refusal(gzip.compress(b"plain", mtime=77), "gzip", 5) == RefusalReason.MALFORMED
    skippable = b"\x50\x2a\x4d\x18\4\0\0\0hide"
    assert refusal(skippable + PACKERS["zstd"](b"plain"), "zstd", 5) == RefusalReason.MALFORMED
    assert refusal(PACKERS["zstd"](b"plain") + skippable, "zstd", 5) == RefusalReason.TRAILING


def test_unknown_compressor() -> None:
    assert refusal(b"", "lzip", 0) == RefusalReason.UNSUPPORTED


def test_padding() -> None:
    archive = Unpacked(io.BytesIO(b"a\0\0\0b\0x"), "identity")
    assert archive.read(1) == b"a"
    archive.read_pad(4)
    archive.read_pad(4)
    assert archive.read(1) == b"b"
    with pytest.raises(RefusalError, match="padding"):
        archive.read_pad(7)
