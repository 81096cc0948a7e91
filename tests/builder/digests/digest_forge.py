"""Real packages built by the real tools, and a forger that takes them apart and puts them together again."""

import gzip
import hashlib
import io
import os
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import trio

from f2fbuild.builder.digests.rpm import RpmDigests, digest_rpm
from f2fbuild.builder.digests.rpm_header import Entry, TagType, read_header
from f2fbuild.builder.digests.rpm_pins import RpmPins

EPOCH = 1_700_000_000
PINS = RpmPins(
    source_date_epoch=EPOCH, build_host="builder.invalid", rpm_version="4.18.0", machine=os.uname().machine
)
MACROS = {
    "use_source_date_epoch_as_buildtime": "1",
    "clamp_mtime_to_source_date_epoch": "1",
    "_buildhost": PINS.build_host,
    "_binary_payload": "w9.gzdio",
    "_source_payload": "w9.gzdio",
    "_changelog_trimtime": "0",
}
SIGNATURES, IMMUTABLE = 62, 63

SPEC = """\
Name: tiny
Epoch: 2
Version: 1.0
Release: 1
Summary: a package with one of everything
License: MIT
Requires: coreutils
%description
Everything that an archive can hold.
%install
mkdir -p %{buildroot}/opt/tiny/sub %{buildroot}/etc
echo content-of-a > %{buildroot}/opt/tiny/a
echo content-of-linked > %{buildroot}/opt/tiny/b
ln %{buildroot}/opt/tiny/b %{buildroot}/opt/tiny/c
ln %{buildroot}/opt/tiny/b %{buildroot}/opt/tiny/sub/d
ln -s a %{buildroot}/opt/tiny/link
touch %{buildroot}/opt/tiny/empty %{buildroot}/opt/tiny/ghost
touch %{buildroot}/opt/tiny/empty1
ln %{buildroot}/opt/tiny/empty1 %{buildroot}/opt/tiny/empty2
touch %{buildroot}/opt/tiny/grüße
touch %{buildroot}/opt/tiny/owned
echo key=1 > %{buildroot}/etc/tiny.conf
echo set > %{buildroot}/opt/tiny/setuid
%post
echo installed
%preun -p /bin/bash
echo gone
%triggerin -- bash < 6
echo triggered
%filetriggerin -- /usr/lib
echo file trigger
%files
/opt/tiny/a
/opt/tiny/b
/opt/tiny/c
%dir /opt/tiny
/opt/tiny/sub
/opt/tiny/link
/opt/tiny/empty*
/opt/tiny/grüße
%ghost /opt/tiny/ghost
%dev(c, 1, 3) /opt/tiny/null
%config(noreplace) /etc/tiny.conf
%attr(644, daemon, daemon) /opt/tiny/owned
%attr(4755, nosuchuser, nosuchgroup) %caps(cap_net_raw=p) /opt/tiny/setuid
%changelog
* Thu Jan 01 2015 A Packager <packager@example.invalid> - 2:1.0-1
- first
"""
EMPTY_SPEC = """\
Name: nothing
Version: 1
Release: 1
Summary: a package without files
License: MIT
BuildArch: noarch
%description
Nothing.
%files
"""


def succeeds(*command: str | Path) -> bool:
    """Run a program to its end and return whether it exits with 0."""
    process = partial(trio.run_process, [str(part) for part in command], check=False, capture_stdout=True)
    return trio.run(process).returncode == 0


def run(*command: str | Path, cwd: Path | None = None, **environment: str) -> str:
    """Run a program to its end and return what it printed; a failure is an error."""
    process = partial(
        trio.run_process,
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC", **environment},
        capture_stdout=True,
        capture_stderr=True,
    )
    return trio.run(process).stdout.decode()


def rpmbuild(
    spec: str, top: Path, *, mode: str = "-bb", macros: Mapping[str, str] | None = None
) -> dict[str, Path]:
    """Build `spec` under the directory `top` and return the packages by name."""
    top.mkdir(parents=True, exist_ok=True)
    file = top / "package.spec"
    file.write_text(spec)
    os.utime(file, (EPOCH - 1000, EPOCH - 1000))
    defined = {**MACROS, "_topdir": str(top), **(macros or {})}
    options = [part for name, value in defined.items() for part in ("-D", f"{name} {value}")]
    run("rpmbuild", mode, *options, file, SOURCE_DATE_EPOCH=str(EPOCH), HOME=str(top))
    return {path.name: path for path in top.rglob("*.rpm")}


def digest(data: bytes, name: str, *, pins: RpmPins = PINS, allow_signature: bool = False) -> RpmDigests:
    """Digest an RPM in memory."""
    return digest_rpm(io.BytesIO(data), name, pins, allow_signature=allow_signature)


def format_header(region: int, entries: Iterable[Entry]) -> bytes:
    """Return the header that rpm writes for `entries`: the naive opposite of `read_header`."""
    index, store = b"", b""
    ordered = list(entries)
    for entry in ordered:
        width = {TagType.INT16: 2, TagType.INT32: 4, TagType.INT64: 8}.get(entry.type, 1)
        store += bytes(-len(store) % width)
        index += struct.pack(">IIiI", entry.tag, entry.type, len(store), entry.count)
        store += entry.data
    count = len(ordered) + 1
    first = struct.pack(">IIiI", region, TagType.BIN, len(store), 16)
    store += struct.pack(">IIiI", region, TagType.BIN, -16 * count, 16)
    return b"\x8e\xad\xe8\x01\0\0\0\0" + struct.pack(">II", count, len(store)) + first + index + store


def string(tag: int, value: str) -> Entry:
    """Return an entry of one string."""
    return Entry(tag=tag, type=TagType.STRING, count=1, data=value.encode() + b"\0")


def strings(tag: int, *values: bytes) -> Entry:
    """Return an entry of an array of strings."""
    return Entry(
        tag=tag,
        type=TagType.STRING_ARRAY,
        count=len(values),
        data=b"".join(value + b"\0" for value in values),
    )


def integers(tag: int, *values: int, letter: str = "I") -> Entry:
    """Return an entry of unsigned integers, `letter` as in `struct`."""
    kind = {"H": TagType.INT16, "I": TagType.INT32, "Q": TagType.INT64}[letter]
    return Entry(tag=tag, type=kind, count=len(values), data=struct.pack(f">{len(values)}{letter}", *values))


def binary(tag: int, data: bytes) -> Entry:
    """Return an entry of bytes."""
    return Entry(tag=tag, type=TagType.BIN, count=len(data), data=data)


def rpm_gzip(plain: bytes) -> bytes:
    """Compress as rpm does: no name, no time."""
    packed = bytearray(gzip.compress(plain, 9, mtime=0))
    packed[9] = 3
    return bytes(packed)


@dataclass
class Parts:
    """An RPM taken apart. `payload` is unpacked; `pack` compresses it again."""

    lead: bytes
    signature: dict[int, Entry]
    header: dict[int, Entry]
    payload: bytes
    pack: Callable[[bytes], bytes] = field(default=rpm_gzip)

    @classmethod
    def of(cls, data: bytes) -> "Parts":
        """Take an honest RPM with a gzip payload apart."""
        source = io.BytesIO(data)
        lead = source.read(96)
        signature = read_header(source, SIGNATURES, limit=1 << 20)
        source.read(-source.tell() % 8)
        header = read_header(source, IMMUTABLE, limit=1 << 24)
        return cls(
            lead=lead,
            signature=dict(signature.entries),
            header=dict(header.entries),
            payload=gzip.decompress(source.read()),
        )

    def put(self, *entries: Entry) -> "Parts":
        """Put entries into the main header, in the place of those with the same tags."""
        self.header.update({entry.tag: entry for entry in entries})
        return self

    def edit(self, old: bytes, new: bytes) -> "Parts":
        """Replace `old`, which must be there, in the payload."""
        assert old in self.payload
        self.payload = self.payload.replace(old, new, 1)
        return self

    def assemble(self, *, honest_payload_digest: bool = True) -> bytes:
        """Put everything together with matching sizes and digests, as a forger would.

        `honest_payload_digest` says whether 5097 is made to match as well.
        """
        packed = self.pack(self.payload)
        self.put(strings(5092, hashlib.sha256(packed).hexdigest().encode()))
        if honest_payload_digest:
            self.put(strings(5097, hashlib.sha256(self.payload).hexdigest().encode()))
        header = format_header(IMMUTABLE, (self.header[tag] for tag in sorted(self.header)))
        measured = {
            269: string(269, hashlib.sha1(header).hexdigest()),
            273: string(273, hashlib.sha256(header).hexdigest()),
            1000: integers(1000, len(header) + len(packed)),
            1004: binary(1004, hashlib.md5(header + packed).digest()),
            1007: integers(1007, len(self.payload)),
        }
        signature = {**self.signature, **measured}
        raw = format_header(SIGNATURES, (signature[tag] for tag in sorted(signature)))
        return self.lead + raw + bytes(-len(raw) % 8) + header + packed

    def file_digests(self, old: bytes, new: bytes) -> "Parts":
        """Replace the digests of the content `old` by those of `new`."""
        entry = self.header[1035]
        before, after = (hashlib.sha256(data).hexdigest().encode() for data in (old, new))
        assert before in entry.data
        return self.put(replace(entry, data=entry.data.replace(before, after)))


@dataclass
class CpioRecord:
    """One file of a cpio archive; `numbers` are the thirteen of a newc header, empty for a stripped one."""

    numbers: list[int]
    name: bytes
    content: bytes
    index: int = 0

    FIELDS = (
        "inode",
        "mode",
        "uid",
        "gid",
        "nlink",
        "mtime",
        "size",
        "major",
        "minor",
        "rmajor",
        "rminor",
        "namesize",
    )

    def set(self, field_name: str, value: int) -> None:
        """Set one number of the header."""
        self.numbers[self.FIELDS.index(field_name)] = value

    def format(self) -> bytes:
        """Return header and content, each padded to four bytes; sizes stay as they were set."""
        if not self.numbers:
            head = b"07070X%08x" % self.index
        else:
            head = b"070701" + b"".join(b"%08x" % number for number in self.numbers) + self.name + b"\0"
        return pad4(head) + pad4(self.content)


def pad4(data: bytes) -> bytes:
    """Pad with zeros to a multiple of four."""
    return data + bytes(-len(data) % 4)


def read_cpio(payload: bytes) -> list[CpioRecord]:
    """Return the files of an honest archive of rpm's, without the trailer."""
    found: list[CpioRecord] = []
    offset = 0
    while True:
        numbers = [int(payload[offset + 6 + 8 * i : offset + 14 + 8 * i], 16) for i in range(13)]
        name = payload[offset + 110 : offset + 109 + numbers[11]]
        if name == b"TRAILER!!!":
            return found
        start = offset + 110 + numbers[11]
        start += -start % 4
        found.append(CpioRecord(numbers=numbers, name=name, content=payload[start : start + numbers[6]]))
        offset = start + numbers[6]
        offset += -offset % 4


def write_cpio(records: Iterable[CpioRecord]) -> bytes:
    """Return the archive with rpm's trailer."""
    trailer = CpioRecord(numbers=[0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 11, 0], name=b"TRAILER!!!", content=b"")
    return b"".join(record.format() for record in (*records, trailer))
