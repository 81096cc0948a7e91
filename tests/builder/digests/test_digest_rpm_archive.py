"""Archives that tell another story than their header."""

import stat
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from f2fbuild.builder.digests.refusal import RefusalError, RefusalReason
from f2fbuild.builder.digests.rpm_files import read_files
from f2fbuild.builder.digests.rpm_header import Header, TagType
from tests.builder.digests.digest_forge import (
    CpioRecord,
    Parts,
    digest,
    integers,
    read_cpio,
    strings,
    write_cpio,
)

Records = list[CpioRecord]


def refusal(parts: Parts, name: str) -> RefusalError:
    with pytest.raises(RefusalError) as caught:
        digest(parts.assemble(), name)
    return caught.value


def numbers(parts: Parts, tag: int, letter: str = "I") -> list[int]:
    entry = parts.header[tag]
    return list(struct.unpack(f">{entry.count}{letter}", entry.data))


def index_of(parts: Parts, base: bytes) -> int:
    return parts.header[1117].data.split(b"\0").index(base)


def named(records: Records, name: bytes) -> CpioRecord:
    (found,) = (record for record in records if record.name == b"./opt/tiny/" + name)
    return found


def test_archive_is_read_and_written_alike(tiny: Path) -> None:
    payload = Parts.of(tiny.read_bytes()).payload
    assert write_cpio(read_cpio(payload)) == payload


def test_hard_links_come_last_and_hold_one_content(tiny: Path) -> None:
    records = read_cpio(Parts.of(tiny.read_bytes()).payload)
    linked = [(record.name, len(record.content)) for record in records if record.numbers[4] > 1]
    assert [record.name for record in records[-5:]] == [name for name, _ in linked]
    assert [size for _, size in linked] == [0, 0, len(b"content-of-linked\n"), 0, 0]


def set_number(name: bytes, field: str, value: int) -> Callable[[Records], None]:
    return lambda records: named(records, name).set(field, value)


def set_content(name: bytes, content: bytes) -> Callable[[Records], None]:
    def change(records: Records) -> None:
        record = named(records, name)
        record.content = content
        record.set("size", len(content))

    return change


def rename(name: bytes, new: bytes) -> Callable[[Records], None]:
    def change(records: Records) -> None:
        record = named(records, name)
        record.name = new
        record.set("namesize", len(new) + 1)

    return change


def move_content_to_the_first_link(records: Records) -> None:
    first, last = named(records, b"b"), named(records, b"sub/d")
    first.content, last.content = last.content, b""
    first.set("size", len(first.content))
    last.set("size", 0)


def strip(records: Records) -> None:
    records[0].numbers = []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(lambda records: records.pop(0), "", id="a missing file"),
        pytest.param(lambda records: records.pop(), "not in the archive", id="a missing last file"),
        pytest.param(lambda records: records.append(records[0]), "does not name", id="an extra file"),
        pytest.param(lambda records: records.insert(0, records[0]), "name", id="a file twice"),
        pytest.param(lambda records: records.insert(0, records.pop(1)), "name", id="another order"),
        pytest.param(rename(b"a", b"./opt/tiny/../../etc/a"), "name", id="dot dot"),
        pytest.param(rename(b"a", b"/opt/tiny/a"), "name", id="absolute"),
        pytest.param(rename(b"a", b"./opt/tiny/a\0x"), "a name that does not end", id="NUL in a name"),
        pytest.param(set_number(b"a", "namesize", 1), "a name of 1 bytes", id="no name"),
        pytest.param(set_number(b"a", "namesize", 1 << 31), "a name of", id="endless name"),
        pytest.param(set_number(b"a", "mode", 0o104755), "mode", id="setuid"),
        pytest.param(set_number(b"owned", "mode", 0o104644), "mode", id="setuid of another owner"),
        pytest.param(set_number(b"a", "mode", 0o120777), "mode", id="a link instead of a file"),
        pytest.param(set_number(b"setuid", "mode", 0o100755 | stat.S_ISVTX), "mode", id="sticky"),
        pytest.param(set_number(b"a", "size", 1), "size", id="size"),
        pytest.param(set_number(b"b", "nlink", 1), "links", id="fewer links"),
        pytest.param(set_number(b"a", "nlink", 2), "links", id="more links"),
        pytest.param(set_number(b"null", "rminor", 5), "device", id="another device"),
        pytest.param(set_number(b"null", "rmajor", 5), "device", id="another driver"),
        pytest.param(set_number(b"a", "mtime", 5), "time", id="time"),
        pytest.param(set_number(b"a", "inode", 77), "inode", id="inode"),
        pytest.param(set_number(b"a", "major", 1), "rpm does not write", id="device of the file"),
        pytest.param(set_content(b"a", b"content-of-b\n"), "digest of the file", id="content"),
        pytest.param(
            set_content(b"sub/d", b"CONTENT-of-linked\n"), "digest of the file", id="linked content"
        ),
        pytest.param(set_content(b"link", b"b"), "link target", id="link target"),
        pytest.param(move_content_to_the_first_link, "size", id="content at the first link"),
        pytest.param(strip, "form", id="a stripped header"),
    ],
)
def test_archive_against_header(tiny: Path, change: Callable[[Records], object], expected: str) -> None:
    parts = Parts.of(tiny.read_bytes())
    records = read_cpio(parts.payload)
    change(records)
    parts.payload = write_cpio(records)
    error = refusal(parts, tiny.name)
    assert expected in str(error)
    assert error.reason in {RefusalReason.ARCHIVE, RefusalReason.DIGEST, RefusalReason.MALFORMED}


def test_ghost_in_the_archive(tiny: Path) -> None:
    parts = Parts.of(tiny.read_bytes())
    records = read_cpio(parts.payload)
    ghost = replace(named(records, b"empty"), name=b"./opt/tiny/ghost")
    ghost.numbers = [*ghost.numbers]
    ghost.set("namesize", len(ghost.name) + 1)
    records.insert(records.index(named(records, b"empty")) + 1, ghost)
    parts.payload = write_cpio(records)
    assert refusal(parts, tiny.name).reason == RefusalReason.ARCHIVE


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(b"070701", b"070702", id="magic with checksums"),
        pytest.param(b"000081a4", b"000081A4", id="upper case"),
        pytest.param(b"000081a4", b" 00081a4", id="space"),
        pytest.param(b"content-of-a\n\0", b"content-of-a\nX", id="padding"),
    ],
)
def test_second_spellings(tiny: Path, old: bytes, new: bytes) -> None:
    parts = Parts.of(tiny.read_bytes())
    assert refusal(parts.edit(old, new), tiny.name).reason in {
        RefusalReason.MALFORMED,
        RefusalReason.TRAILING,
    }


def setuid_ghost(parts: Parts) -> None:
    modes = numbers(parts, 1030, "H")
    modes[index_of(parts, b"ghost")] |= stat.S_ISUID
    parts.put(integers(1030, *modes, letter="H"))


def digest_of_a_directory(parts: Parts) -> None:
    values = parts.header[1035].data[:-1].split(b"\0")
    values[index_of(parts, b"sub")] = b"0" * 64
    parts.put(strings(1035, *values))


def no_digest_of_a_file(parts: Parts) -> None:
    values = parts.header[1035].data[:-1].split(b"\0")
    values[index_of(parts, b"a")] = b""
    parts.put(strings(1035, *values))


def rename_in_header(old: bytes, new: bytes, tag: int = 1117) -> Callable[[Parts], None]:
    def change(parts: Parts) -> None:
        values = parts.header[tag].data[:-1].split(b"\0")
        values[values.index(old)] = new
        parts.put(strings(tag, *values))

    return change


def shorten(parts: Parts) -> None:
    parts.put(integers(1034, *numbers(parts, 1034)[:-1]))


def point_outside(parts: Parts) -> None:
    parts.put(integers(1116, *(99 for _ in numbers(parts, 1116))))


def another_size(parts: Parts) -> None:
    sizes = numbers(parts, 1028)
    sizes[index_of(parts, b"link")] = 2
    parts.put(integers(1028, *sizes))
    records = read_cpio(parts.payload)
    set_content(b"link", b"aa")(records)
    parts.payload = write_cpio(records)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (setuid_ghost, RefusalReason.SPECIAL_FILE),
        (digest_of_a_directory, RefusalReason.DIGEST),
        (no_digest_of_a_file, RefusalReason.DIGEST),
        (another_size, RefusalReason.ARCHIVE),
        (shorten, RefusalReason.MALFORMED),
        (point_outside, RefusalReason.MALFORMED),
        (rename_in_header(b"a", b".."), RefusalReason.PATH),
        (rename_in_header(b"a", b"."), RefusalReason.PATH),
        (rename_in_header(b"a", b""), RefusalReason.PATH),
        (rename_in_header(b"a", b"x/y"), RefusalReason.PATH),
        (rename_in_header(b"c", b"b"), RefusalReason.PATH),
        (rename_in_header(b"a", b"a" * 4097), RefusalReason.TOO_LARGE),
        (rename_in_header(b"a", b"l" * 4097, tag=1036), RefusalReason.TOO_LARGE),
        (rename_in_header(b"/etc/", b"etc/", tag=1118), RefusalReason.PATH),
        (rename_in_header(b"/etc/", b"/x/../etc/", tag=1118), RefusalReason.PATH),
        (lambda parts: parts.put(strings(1027, b"/etc/old")), RefusalReason.UNSUPPORTED),
        (lambda parts: parts.put(integers(1116, 0)), RefusalReason.MALFORMED),
    ],
)
def test_header_of_files(tiny: Path, change: Callable[[Parts], object], reason: RefusalReason) -> None:
    parts = Parts.of(tiny.read_bytes())
    change(parts)
    assert refusal(parts, tiny.name).reason == reason


def test_root_directory_is_a_path(tiny: Path) -> None:
    parts = Parts.of(tiny.read_bytes())
    rename_in_header(b"/opt/", b"/", tag=1118)(parts)
    rename_in_header(b"tiny", b"")(parts)
    header = Header(entries=parts.header, raw=b"")
    assert b"/" in {file.path for file in read_files(header, source=False).files}


def large(tiny: Path) -> tuple[Parts, Records]:
    """The package as rpm writes it when a file has 4 GiB: sizes of 64 bits and stripped headers."""
    parts = Parts.of(tiny.read_bytes())
    bases, directories = (parts.header[tag].data[:-1].split(b"\0") for tag in (1117, 1118))
    paths = [
        b"." + directories[index] + base for index, base in zip(numbers(parts, 1116), bases, strict=True)
    ]
    parts.put(integers(5008, *numbers(parts, 1028), letter="Q"))
    del parts.header[1028]
    records = read_cpio(parts.payload)
    for record in records:
        record.numbers, record.index = [], paths.index(record.name)
    return parts, records


def test_stripped_archive(tiny: Path) -> None:
    parts, records = large(tiny)
    parts.payload = write_cpio(records)
    assert digest(parts.assemble(), tiny.name).content == digest(tiny.read_bytes(), tiny.name).content


def test_stripped_archive_with_another_index(tiny: Path) -> None:
    parts, records = large(tiny)
    records[0].index += 1
    parts.payload = write_cpio(records)
    assert "index" in str(refusal(parts, tiny.name))


def test_sizes_in_both_forms(tiny: Path) -> None:
    parts, records = large(tiny)
    parts.put(integers(1028, *(0 for _ in numbers(parts, 5008, "Q"))))
    parts.payload = write_cpio(records)
    assert refusal(parts, tiny.name).reason == RefusalReason.MALFORMED


def test_wrong_type_of_a_tag(tiny: Path) -> None:
    parts = Parts.of(tiny.read_bytes())
    parts.put(replace(parts.header[1028], type=TagType.BIN, count=len(parts.header[1028].data)))
    assert refusal(parts, tiny.name).reason == RefusalReason.MALFORMED
