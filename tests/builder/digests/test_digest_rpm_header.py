"""The one layout of a header, and everything that is not it."""

import io
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from f2fbuild.builder.digests.refusal import RefusalError, RefusalReason
from f2fbuild.builder.digests.rpm_header import Entry, TagType, read_header
from tests.builder.digests.digest_forge import (
    IMMUTABLE,
    Parts,
    binary,
    digest,
    format_header,
    integers,
    string,
    strings,
)


def read(data: bytes, limit: int = 1 << 20) -> dict[int, Entry]:
    source = io.BytesIO(data)
    header = read_header(source, IMMUTABLE, limit=limit)
    assert header.raw + source.read() == data
    return dict(header.entries)


def refusal(data: bytes) -> RefusalReason:
    with pytest.raises(RefusalError) as caught:
        read(data)
    return caught.value.reason


words = st.binary(max_size=9).map(lambda data: data.replace(b"\0", b"0"))


def numbers(bound: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, bound - 1), min_size=1)


entries = st.one_of(
    st.builds(lambda values: integers(0, *values), st.lists(st.integers(0, 2**32 - 1), min_size=1)),
    st.builds(
        lambda values: integers(0, *values, letter="H"), st.lists(st.integers(0, 2**16 - 1), min_size=1)
    ),
    st.builds(
        lambda values: integers(0, *values, letter="Q"), st.lists(st.integers(0, 2**64 - 1), min_size=1)
    ),
    st.builds(lambda data: binary(0, data), st.binary(min_size=1, max_size=20)),
    st.builds(lambda values: strings(0, *values), st.lists(words, min_size=1)),
)
headers = st.dictionaries(st.integers(100, 6000), entries, max_size=8).map(
    lambda found: {
        tag: Entry(tag=tag, type=e.type, count=e.count, data=e.data) for tag, e in sorted(found.items())
    }
)


@given(headers)
def test_read_what_was_written(header: dict[int, Entry]) -> None:
    assert read(format_header(IMMUTABLE, header.values())) == header


@given(headers, st.data())
def test_other_bytes_are_other_entries(header: dict[int, Entry], data: st.DataObject) -> None:
    raw = bytearray(format_header(IMMUTABLE, header.values()))
    position = data.draw(st.integers(0, len(raw) - 1))
    raw[position] ^= data.draw(st.integers(1, 255))
    try:
        found = read(bytes(raw))
    except RefusalError:
        return
    assert found != header
    assert format_header(IMMUTABLE, found.values()) == bytes(raw)


def test_headers_of_rpm_are_in_the_one_layout(tiny: Path) -> None:
    data = tiny.read_bytes()
    parts = Parts.of(data)
    assert format_header(IMMUTABLE, parts.header.values()) in data


def test_duplicate_tag() -> None:
    assert (
        refusal(format_header(IMMUTABLE, [string(1000, "a"), string(1000, "b")])) == RefusalReason.MALFORMED
    )


def test_unsorted_tags() -> None:
    assert (
        refusal(format_header(IMMUTABLE, [string(1001, "a"), string(1000, "b")])) == RefusalReason.MALFORMED
    )


def test_tag_below_all_tags() -> None:
    assert refusal(format_header(IMMUTABLE, [string(63, "a")])) == RefusalReason.MALFORMED


def test_entry_outside_of_the_region() -> None:
    """What rpm calls a dribble: its trailer counts fewer entries than there are."""
    data = bytearray(format_header(IMMUTABLE, [string(1000, "a"), string(1001, "b")]))
    data[-8:-4] = struct.pack(">i", -16 * 2)
    assert refusal(bytes(data)) == RefusalReason.MALFORMED


def test_data_behind_the_region() -> None:
    honest = format_header(IMMUTABLE, [string(1000, "a")])
    length = struct.unpack(">I", honest[12:16])[0] + 4
    assert refusal(honest[:12] + struct.pack(">I", length) + honest[16:] + b"more") == RefusalReason.MALFORMED


def test_another_region() -> None:
    assert refusal(format_header(62, [string(1000, "a")])) == RefusalReason.MALFORMED
    assert refusal(b"\x8e\xad\xe8\x01\0\0\0\0" + struct.pack(">IIIIiI", 1, 4, 63, 7, 0, 16) + b"tail") == (
        RefusalReason.MALFORMED
    )


def test_magic_and_limits() -> None:
    honest = format_header(IMMUTABLE, [string(1000, "a")])
    assert refusal(b"x" + honest[1:]) == RefusalReason.MALFORMED
    assert refusal(honest[:7] + b"\1" + honest[8:]) == RefusalReason.MALFORMED
    assert refusal(honest[:8] + struct.pack(">I", 0) + honest[12:]) == RefusalReason.TOO_LARGE
    assert refusal(honest[:8] + struct.pack(">I", 0x10000) + honest[12:]) == RefusalReason.TOO_LARGE
    with pytest.raises(RefusalError, match="bytes"):
        read(honest, limit=10)


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(Entry(tag=1000, type=TagType.STRING, count=2, data=b"a\0b\0"), id="two in one string"),
        pytest.param(Entry(tag=1000, type=TagType.STRING_ARRAY, count=0, data=b""), id="no items"),
        pytest.param(Entry(tag=1000, type=TagType.INT32, count=200, data=b"abcd"), id="beyond the end"),
        pytest.param(Entry(tag=1000, type=TagType.STRING_ARRAY, count=99, data=b"a\0"), id="too few strings"),
        pytest.param(Entry(tag=1000, type=TagType.INT32, count=2, data=b"abcd"), id="into the trailer"),
        pytest.param(Entry(tag=1000, type=TagType.INT32, count=1, data=b"abcdefgh"), id="uncovered"),
        pytest.param(Entry(tag=1000, type=11, count=1, data=b"a"), id="unknown type"),  # type: ignore[arg-type]  # hostile
        pytest.param(Entry(tag=1000, type=0, count=1, data=b"a"), id="null type"),  # type: ignore[arg-type]  # hostile
    ],
)
def test_entries_that_do_not_fit(entry: Entry) -> None:
    assert refusal(format_header(IMMUTABLE, [entry])) == RefusalReason.MALFORMED


def test_too_many_items() -> None:
    entry = Entry(tag=1000, type=TagType.INT8, count=0x100000, data=bytes(0x100000))
    with pytest.raises(RefusalError) as caught:
        read(format_header(IMMUTABLE, [entry]), limit=1 << 24)
    assert caught.value.reason == RefusalReason.TOO_LARGE


def test_string_without_end() -> None:
    data = format_header(IMMUTABLE, [Entry(tag=1000, type=TagType.STRING, count=1, data=b"a")])
    assert refusal(data) == RefusalReason.MALFORMED
    only = struct.pack(">IIiI", 63, 7, -32, 16).replace(b"\0", b"x")
    assert refusal(data[: -len(only)] + only) == RefusalReason.MALFORMED


def test_padding_that_is_not_zero() -> None:
    data = format_header(IMMUTABLE, [string(1000, "ab"), integers(1001, 7)])
    assert b"ab\0\0\0\0\0\7" in data
    assert refusal(data.replace(b"ab\0\0\0\0\0\7", b"ab\0\1\0\0\0\7")) == RefusalReason.MALFORMED


def test_entry_at_another_place() -> None:
    data = format_header(IMMUTABLE, [string(1000, "a"), string(1001, "b")])
    assert refusal(
        data.replace(struct.pack(">IIiI", 1001, 6, 2, 1), struct.pack(">IIiI", 1001, 6, 0, 1))
    ) == (RefusalReason.MALFORMED)


def check_never_another(data: bytes, honest: bytes, name: str) -> None:
    """Whatever differs from an honest package is refused, or has another canonical digest."""
    try:
        found = digest(data, name)
    except RefusalError:
        return
    assert found.canonical != digest(honest, name).canonical


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=400)
@given(st.data())
def test_any_byte_changed(tiny: Path, data: st.DataObject) -> None:
    honest = tiny.read_bytes()
    raw = bytearray(honest)
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    check_never_another(bytes(raw), honest, tiny.name)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=400)
@given(st.data())
def test_any_byte_changed_and_the_digests_fixed(tiny: Path, data: st.DataObject) -> None:
    parts = Parts.of(tiny.read_bytes())
    payload = bytearray(parts.payload)
    payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
    parts.payload = bytes(payload)
    check_never_another(parts.assemble(), tiny.read_bytes(), tiny.name)


def test_cut_anywhere(tiny: Path) -> None:
    data = tiny.read_bytes()
    for end in [*range(200), *range(200, len(data) - 200, 23), *range(len(data) - 200, len(data))]:
        with pytest.raises(RefusalError):
            digest(data[:end], tiny.name)


@pytest.mark.parametrize(
    "first", [(62, 7, 2, 16), (63, 6, 2, 16), (63, 7, 1, 16), (63, 7, 3, 16), (63, 7, 2, 15), (63, 7, -2, 16)]
)
def test_region_entry_against_an_honest_trailer(first: tuple[int, ...]) -> None:
    data = format_header(IMMUTABLE, [string(1000, "a")])
    assert data[16:32] == struct.pack(">IIiI", 63, 7, 2, 16)
    assert refusal(data[:16] + struct.pack(">IIiI", *first) + data[32:]) == RefusalReason.MALFORMED


def test_strings_do_not_start_over() -> None:
    """More strings than there are, by just so many that a search from the start would end in place."""
    honest = format_header(IMMUTABLE, [strings(1000, b"a", b"b")])
    zeros = honest[16 + 2 * 16 :].count(b"\0")
    entry = Entry(tag=1000, type=TagType.STRING_ARRAY, count=zeros + 3, data=b"a\0b\0")
    assert refusal(format_header(IMMUTABLE, [entry])) == RefusalReason.MALFORMED
