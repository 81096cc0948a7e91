"""RPM headers in the one layout that rpm writes.

Source: rpm 4.18 `lib/header.c` and its manual's "RPM v4 package format". rpm itself accepts more: entries
outside the region, in any order, with anything between them. What no entry covers is covered by no digest
of ours, so a header here is a region of entries with strictly ascending tags, whose data lie one after the
other with zeros between them where a type is aligned, and nothing else.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from f2fbuild.builder.digests.refusal import RefusalError, RefusalReason
from f2fbuild.builder.digests.unpack import Source
from f2fbuild.limits import RPM_ARRAY_ITEMS, RPM_HEADER_ENTRIES

REGION_SIGNATURES = 62
REGION_IMMUTABLE = 63
_MAGIC = b"\x8e\xad\xe8\x01\0\0\0\0"
_INTRO = struct.Struct(">8sII")
_ENTRY = struct.Struct(">IIiI")
_TRAILER = struct.Struct(">IIiI")
_LOWEST_TAG = 100


class TagType(IntEnum):
    """Types of header entries (rpm 4.18 `rpmTagType_e`)."""

    CHAR = 1
    INT8 = 2
    INT16 = 3
    INT32 = 4
    INT64 = 5
    STRING = 6
    BIN = 7
    STRING_ARRAY = 8
    I18NSTRING = 9


_WIDTH = {
    TagType.CHAR: 1,
    TagType.INT8: 1,
    TagType.INT16: 2,
    TagType.INT32: 4,
    TagType.INT64: 8,
    TagType.BIN: 1,
}
_LETTER = {TagType.INT8: "B", TagType.INT16: "H", TagType.INT32: "I", TagType.INT64: "Q"}
_STRINGS = frozenset({TagType.STRING, TagType.STRING_ARRAY, TagType.I18NSTRING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry; `data` as stored, without padding, strings with their final NUL."""

    tag: int
    type: TagType
    count: int
    data: bytes

    def frame(self) -> bytes:
        """Return uint32be tag, type, count and length, then the data: one entry of the canonical digest."""
        return struct.pack(">IIII", self.tag, self.type, self.count, len(self.data)) + self.data


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A header's entries by ascending tag, without the region, and its bytes as they were read."""

    entries: Mapping[int, Entry]
    raw: bytes

    def integers(self, tag: int, kind: TagType) -> tuple[int, ...]:
        """Return the unsigned integers of `tag`, none if it is absent.

        Raises:
            RefusalError: the entry is of another type.
        """
        entry = self._typed(tag, frozenset({kind}))
        if entry is None:
            return ()
        return struct.unpack(f">{entry.count}{_LETTER[kind]}", entry.data)

    def strings(self, tag: int) -> tuple[bytes, ...]:
        """Return the strings of `tag` without their NULs, none if it is absent; raises as `integers` does."""
        entry = self._typed(tag, _STRINGS)
        return () if entry is None else tuple(entry.data[:-1].split(b"\0"))

    def string(self, tag: int) -> bytes | None:
        """Return the only string of `tag`, None if it is absent; raises as `integers` does."""
        entry = self._typed(tag, frozenset({TagType.STRING}))
        return None if entry is None else entry.data[:-1]

    def binary(self, tag: int) -> bytes | None:
        """Return the bytes of `tag`, None if it is absent; raises as `integers` does."""
        entry = self._typed(tag, frozenset({TagType.BIN}))
        return None if entry is None else entry.data

    def _typed(self, tag: int, kinds: frozenset[TagType]) -> Entry | None:
        entry = self.entries.get(tag)
        if entry is not None and entry.type not in kinds:
            raise _malformed(f"tag {tag} has type {entry.type.name}")
        return entry


def read_header(source: Source, region: int, *, limit: int) -> Header:
    """Read one header of at most `limit` bytes, whose region tag is `region`.

    Raises:
        RefusalError: not a header in the one layout, or too large.
    """
    intro = read_exactly(source, _INTRO.size)
    magic, count, length = _INTRO.unpack(intro)
    if magic != _MAGIC:
        raise _malformed("not the magic of a header")
    if not 1 <= count <= RPM_HEADER_ENTRIES or length > limit:
        raise RefusalError(RefusalReason.TOO_LARGE, f"a header of {count} entries and {length} bytes")
    raw = intro + read_exactly(source, count * _ENTRY.size + length)
    index = tuple(_ENTRY.iter_unpack(raw[_INTRO.size : _INTRO.size + count * _ENTRY.size]))
    store = raw[_INTRO.size + count * _ENTRY.size :]
    end = _check_region(index[0], region, count, store)
    entries: dict[int, Entry] = {}
    offset, previous = 0, _LOWEST_TAG - 1
    for tag, kind, start, items in index[1:]:
        if tag <= previous:
            raise _malformed(f"tag {tag} follows tag {previous}")
        entry, offset = _read_entry(tag, kind, items, store, _align(kind, offset, store, start))
        entries[tag], previous = entry, tag
        if offset > end:
            raise _malformed(f"tag {tag} reaches into the region's trailer")
    if offset != end:
        raise _malformed(f"{end - offset} bytes that no entry covers")
    return Header(entries=entries, raw=raw)


def read_exactly(source: Source, size: int) -> bytes:
    """Return exactly `size` bytes.

    Raises:
        RefusalError: the source ends before.
    """
    data = source.read(size)
    if len(data) != size:
        raise RefusalError(RefusalReason.MALFORMED, "the file ends too early")
    return data


def _check_region(entry: tuple[int, ...], region: int, count: int, store: bytes) -> int:
    """Return where the entries' data end: the region's trailer is the last thing in the store."""
    end = len(store) - _TRAILER.size
    if end < 0 or entry != (region, TagType.BIN, end, _TRAILER.size):
        raise _malformed(f"the first entry is not the region {region} over everything")
    if store[end:] != _TRAILER.pack(region, TagType.BIN, -count * _ENTRY.size, _TRAILER.size):
        raise _malformed(f"the trailer of the region {region} does not cover everything")
    return end


def _align(kind: int, offset: int, store: bytes, start: int) -> int:
    """Return where an entry of `kind` starts behind `offset`; it must say so and skip only zeros."""
    width = _WIDTH[TagType(kind)] if kind in set(_WIDTH) else 1
    aligned = offset + -offset % width
    if start != aligned or store[offset:aligned].strip(b"\0"):
        raise _malformed(f"data at {start} where {aligned} was due, or padding that is not zero")
    return aligned


def _read_entry(tag: int, kind: int, count: int, store: bytes, start: int) -> tuple[Entry, int]:
    if kind not in set(TagType) or not count:
        raise _malformed(f"tag {tag} has type {kind} and {count} items")
    tag_type = TagType(kind)
    if tag_type != TagType.BIN and count > RPM_ARRAY_ITEMS:
        raise RefusalError(RefusalReason.TOO_LARGE, f"tag {tag} has {count} items")
    if tag_type in _STRINGS:
        end = _strings_end(tag, tag_type, count, store, start)
    else:
        end = start + count * _WIDTH[tag_type]
    return Entry(tag=tag, type=tag_type, count=count, data=store[start:end]), end


def _strings_end(tag: int, kind: TagType, count: int, store: bytes, start: int) -> int:
    if kind == TagType.STRING and count != 1:
        raise _malformed(f"tag {tag} is one string with {count} items")
    end = start
    for _ in range(count):
        end = store.find(b"\0", end) + 1
        if not end:
            raise _malformed(f"tag {tag} has a string without an end")
    return end


def _malformed(what: str) -> RefusalError:
    return RefusalError(RefusalReason.MALFORMED, what, where="RPM header")
