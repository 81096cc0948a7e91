"""One compressed stream, unpacked strictly and within limits.

The packed bytes are exactly one gzip member, xz, lzma or bzip2 stream, or zstd frame: what a second member,
a skippable frame, a gzip comment or trailing bytes would hold is covered by no digest of the contents.
Reading hashes both sides on the way.
"""

import bz2
import hashlib
import lzma
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import zstandard

from f2fbuild.builder.digests.refusal import RefusalError, RefusalReason
from f2fbuild.limits import DECOMPRESSOR_BYTES, PRODUCT_CHUNK_BYTES, UNPACKED_BYTES, ZSTD_INPUT_BYTES

_BROKEN = (zlib.error, lzma.LZMAError, zstandard.ZstdError, OSError, EOFError, ValueError)
"""What the decompressors raise for bytes that are not of their format (bz2 raises OSError)."""

_HEAD: Mapping[str, re.Pattern[bytes]] = {
    "gzip": re.compile(rb"\x1f\x8b\x08\0\0\0\0\0[\0\2\4][\0\3\xff]", re.DOTALL),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd"),
}
"""How a stream must begin: gzip without flags, name and time (RFC 1952 §2.3), a zstd frame that is no
skippable one (RFC 8878 §3.1.2). The other formats have nothing to hide there."""


class Source(Protocol):
    """Where packed bytes come from."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end."""
        ...


class _Decoder(Protocol):
    """The standard library's shape of a decompressor, as `lzma.LZMADecompressor` has it."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    """zlib in the common shape."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


class _Zstd:
    """zstd in the common shape: it is fed little at once, because its output cannot be capped."""

    def __init__(self) -> None:
        self._inner = zstandard.ZstdDecompressor(max_window_size=DECOMPRESSOR_BYTES).decompressobj()
        self._pending = b""

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._pending

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data + self._pending

    def decompress(self, data: bytes, max_length: int) -> bytes:
        data = self._pending + data
        self._pending = data[ZSTD_INPUT_BYTES:]
        return self._inner.decompress(data[:ZSTD_INPUT_BYTES])


class _Identity:
    """No compression: the end of the source is the end of the stream."""

    eof = False
    needs_input = True
    unused_data = b""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        self.eof = not data
        return data


_DECODERS: Mapping[str, Callable[[], _Decoder]] = {
    "bzip2": bz2.BZ2Decompressor,
    "gzip": _Gzip,
    "identity": _Identity,
    "lzma": lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=DECOMPRESSOR_BYTES),
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=DECOMPRESSOR_BYTES),
    "zstd": _Zstd,
}


class Unpacked:
    """The plain bytes of one compressed stream, read from front to end.

    `offset` counts the plain bytes taken so far. The two digests are whole after `finish`.
    """

    def __init__(self, source: Source, compressor: str, *, limit: int = UNPACKED_BYTES) -> None:
        """Unpack `source`; `compressor` is bzip2, gzip, identity, lzma, xz or zstd.

        Raises:
            RefusalError: another compressor.
        """
        if compressor not in _DECODERS:
            raise RefusalError(RefusalReason.UNSUPPORTED, f"unknown compressor {compressor!r}")
        self.offset = 0
        self._limit = limit
        self._packed = hashlib.sha256()
        self._plain = hashlib.sha256()
        self._source = source
        self._chunks = self._unpack(compressor)
        self._buffer = memoryview(b"")

    @property
    def packed_sha256(self) -> str:
        """The digest of the packed bytes read so far."""
        return self._packed.hexdigest()

    @property
    def plain_sha256(self) -> str:
        """The digest of the plain bytes unpacked so far."""
        return self._plain.hexdigest()

    def pieces(self, size: int) -> Iterator[memoryview]:
        """Yield the next `size` plain bytes in pieces.

        Raises:
            RefusalError: the stream ends before, is broken, or is larger than allowed.
        """
        if size > self._limit - self.offset:
            raise RefusalError(RefusalReason.TOO_LARGE, f"unpacks to more than {self._limit} bytes")
        self.offset += size
        while size:
            if not self._buffer:
                self._buffer = memoryview(next(self._chunks, b""))
                if not self._buffer:
                    raise RefusalError(RefusalReason.MALFORMED, "the archive ends too early")
            piece, self._buffer = self._buffer[:size], self._buffer[size:]
            size -= len(piece)
            yield piece

    def read(self, size: int) -> bytes:
        """Return exactly `size` plain bytes; raises as `pieces` does."""
        return b"".join(self.pieces(size))

    def read_pad(self, modulo: int) -> None:
        """Skip to a multiple of `modulo` plain bytes.

        Raises:
            RefusalError: what is skipped is not zero.
        """
        if self.read(-self.offset % modulo).strip(b"\0"):
            raise RefusalError(RefusalReason.TRAILING, "padding that is not zero")

    def rest(self) -> Iterator[memoryview]:
        """Yield what is left, in pieces."""
        while self._buffer or (chunk := next(self._chunks, b"")):
            piece = self._buffer or memoryview(chunk)
            self._buffer = memoryview(b"")
            self.offset += len(piece)
            yield piece

    def finish(self) -> None:
        """Require that plain and packed bytes end here.

        Raises:
            RefusalError: something follows.
        """
        if any(True for _ in self.rest()):
            raise RefusalError(RefusalReason.TRAILING, "bytes after the end of the archive")

    def _unpack(self, compressor: str) -> Iterator[bytes]:
        decoder, total, first = _DECODERS[compressor](), 0, True
        while not decoder.eof:
            data = self._read_packed() if decoder.needs_input else b""
            if first and compressor in _HEAD and not _HEAD[compressor].match(data):
                raise RefusalError(RefusalReason.MALFORMED, f"does not begin as plain {compressor} does")
            if decoder.needs_input and not data and compressor != "identity":
                raise RefusalError(RefusalReason.MALFORMED, f"the {compressor} stream ends too early")
            first = False
            plain = _decompress(decoder, data, compressor)
            total += len(plain)
            if total > self._limit:
                raise RefusalError(RefusalReason.TOO_LARGE, f"unpacks to more than {self._limit} bytes")
            self._plain.update(plain)
            if plain:
                yield plain
        if decoder.unused_data or self._read_packed():
            raise RefusalError(RefusalReason.TRAILING, f"bytes after the {compressor} stream")

    def _read_packed(self) -> bytes:
        data = self._source.read(PRODUCT_CHUNK_BYTES)
        self._packed.update(data)
        return data


def _decompress(decoder: _Decoder, data: bytes, compressor: str) -> bytes:
    try:
        return decoder.decompress(data, PRODUCT_CHUNK_BYTES)
    except _BROKEN as error:
        raise RefusalError(RefusalReason.MALFORMED, f"broken {compressor} stream: {error}") from error
