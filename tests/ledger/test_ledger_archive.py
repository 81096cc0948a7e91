"""Archives of logs: one form when written, hostile bytes when read."""

import io
import os
import subprocess  # noqa: TID251 - tar is run as people run it
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild import limits
from f2fbuild.errors import FormatError, LedgerError, StorageError
from f2fbuild.ledger import archive, carried, entry, reading, tiles
from f2fbuild.ledger.archive import Member
from f2fbuild.ledger.carried import Carried, Shipment, digits, pack
from f2fbuild.ledger.check import verify
from f2fbuild.ledger.cosigned import write_cosigned
from f2fbuild.ledger.log import Log
from f2fbuild.model.vkey import format_vkey
from tests.ledger.ledger_helpers import ALICE, BOB, NodeKeys, acceptance

NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789./", min_size=1, max_size=99).filter(
    lambda name: not name.endswith("/")
)
A, B = digits(ALICE.vkey), digits(BOB.vkey)


def make_log(directory: Path, node: NodeKeys, orders: int) -> Path:
    with Log.create(directory, node.log) as log:
        payloads: list[entry.Payload] = [
            node.certificate(),
            *(entry.Order(commit=f"{n:064x}") for n in range(orders)),
        ]
        log.append(node.write(*payloads))
    return directory


def packed(*shipments: Shipment) -> bytes:
    output = io.BytesIO()
    pack(output, list(shipments))
    return output.getvalue()


@contextmanager
def opened(tmp_path: Path, data: bytes) -> Iterator[Carried]:
    path = tmp_path / "stick.tar"
    path.write_bytes(data)
    with path.open("rb") as file:
        yield Carried(file, "stick.tar")


def unpack(data: bytes, directory: Path) -> None:
    """As whoever found the stick does it."""
    directory.mkdir()
    subprocess.run(["tar", "-x"], input=data, cwd=directory, check=True)


def tar(*files: tuple[str, bytes]) -> bytes:
    blocks = (
        archive.format_header(Member(name=name, size=len(data))) + data + bytes(archive.padding(len(data)))
        for name, data in files
    )
    return b"".join(blocks) + archive.END


@given(NAMES, st.integers(0, 8**11 - 1))
def test_headers_go_both_ways(name: str, size: int) -> None:
    member = Member(name=name, size=size)
    block = archive.format_header(member)
    assert archive.parse_header(block) == member
    python = tarfile.TarInfo.frombuf(block, "ascii", "strict")
    assert (python.name, python.size, python.mtime, python.mode) == (name, size, 0, 0o644)


@given(st.binary(max_size=1024))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    try:
        member = archive.parse_header(data)
    except FormatError:
        return
    assert member is None


@pytest.mark.parametrize("name", ["x" * 100, "ü" * 50])
def test_a_name_that_does_not_fit_is_not_written(name: str) -> None:
    with pytest.raises(FormatError, match="does not fit"):
        archive.format_header(Member(name=name, size=0))
    with pytest.raises(FormatError, match="does not fit"):
        archive.format_header(Member(name="x", size=8**11))


@pytest.mark.parametrize("layout", [0, 1], ids=["ustar", "gnu"])
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE])
def test_headers_of_other_programs_are_read(layout: Literal[0, 1], kind: bytes) -> None:
    info = tarfile.TarInfo("a" * 60)
    info.type, info.size, info.mtime, info.uid = kind, 0, 1_700_000_000, 1000
    member = archive.parse_header(info.tobuf(layout))
    assert member == Member(name="a" * 60 + ("/" if kind == tarfile.DIRTYPE else ""), size=0)
    long = tarfile.TarInfo("a" * 80 + "/" + "b" * 60)
    assert archive.parse_header(long.tobuf(tarfile.USTAR_FORMAT)) == Member(name=long.name, size=0)


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.XHDTYPE, b"L", b"S"]
)
def test_only_files_and_directories_are_read(kind: bytes) -> None:
    info = tarfile.TarInfo("link")
    info.type, info.linkname = kind, "/etc/passwd"
    with pytest.raises(FormatError, match="something else than files"):
        archive.parse_header(info.tobuf(tarfile.USTAR_FORMAT))


def test_bad_headers_are_refused() -> None:
    whole = archive.format_header(Member(name="a", size=5))

    def sealed(block: bytes) -> bytes:
        total = sum(block[:148]) + 8 * 0x20 + sum(block[156:])
        return block[:148] + b"%06o\0 " % total + block[156:]

    for block, why in (
        (whole[:-1], "cut short"),
        (whole[:100] + b"9" + whole[101:], "checksum"),
        (sealed(whole[:257] + b"USTAR" + whole[262:]), "not a tar"),
        (sealed(whole[:124] + b"-0000000005\0" + whole[136:]), "not a tar"),
        (sealed(whole[:124] + b"\x80" + bytes(10) + b"\5" + whole[136:]), "not a tar"),
        (sealed(b"a\0b" + whole[3:]), "name"),
        (sealed(b"\xff" + whole[1:]), "name"),
    ):
        with pytest.raises(FormatError, match=why):
            archive.parse_header(block)
    assert archive.parse_header(sealed(whole)) == Member(name="a", size=5)


@pytest.mark.parametrize(
    "name",
    [
        "README",
        f"{A}",
        f"{A.upper()}/checkpoint",
        f"../{A}/checkpoint",
        f"/{A}/checkpoint",
        f"{A}/TILE",
        "",
        A + "/",
    ],
)
def test_names_of_no_log(name: str) -> None:
    assert archive.split_name(name) is None
    assert archive.split_name(f"./{A}/tile/0/000") == (A, "tile/0/000")


@pytest.mark.parametrize("orders", [0, 3, 255, 256, 600])
def test_a_log_goes_through_an_archive_whole(tmp_path: Path, orders: int) -> None:
    directory = make_log(tmp_path / "log", ALICE, orders)
    data = packed(Shipment(directory=directory, key=ALICE.vkey))
    unpack(data, tmp_path / "out")
    report = verify(tmp_path / "out" / A, ALICE.vkey)
    assert (report.head.size, report.problems) == (orders + 1, ())
    assert (tmp_path / "out" / A / "vkey").read_text() == format_vkey(ALICE.vkey) + "\n"
    assert (tmp_path / "out" / A / "certificate").read_bytes() == ALICE.certificate().text
    assert b"tlog-tiles" in (tmp_path / "out" / "README").read_bytes()
    stored = {p.relative_to(directory): p.read_bytes() for p in directory.rglob("*") if p.is_file()}
    with opened(tmp_path, data) as found:
        assert found.logs == (A,)
        assert found.checkpoint(A) == stored.pop(Path("checkpoint"))
        assert {Path(path): found.resource(A, str(path)) for path in stored} == stored


def test_the_same_logs_make_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    alice = Shipment(directory=make_log(tmp_path / "a", ALICE, 5), key=ALICE.vkey)
    bob = Shipment(directory=make_log(tmp_path / "b", BOB, 300), key=BOB.vkey)
    assert packed(alice, bob) == packed(bob, alice)
    with opened(tmp_path, packed(alice, bob)) as found:
        assert found.logs == tuple(sorted((A, B)))


def test_a_range_leaves_bundles_out_and_keeps_all_hashes(tmp_path: Path) -> None:
    directory = make_log(tmp_path / "log", ALICE, 600)
    part = packed(Shipment(directory=directory, key=ALICE.vkey, start=513))
    with opened(tmp_path, part) as found:
        assert found.resource(A, "tile/0/000") == (directory / "tile/0/000").read_bytes()
        assert found.resource(A, "tile/entries/002.p/89")
        for path in ("tile/entries/000", "tile/entries/001"):
            with pytest.raises(FormatError, match="not in this archive"):
                found.resource(A, path)
    with opened(tmp_path, packed(Shipment(directory=directory, key=ALICE.vkey, start=10_000))) as found:
        assert found.resource(A, "tile/entries/002.p/89")


def test_an_empty_mirror_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "checkpoint").touch()
    output = io.BytesIO()
    assert pack(output, [Shipment(directory=tmp_path / "empty", key=ALICE.vkey)]) == {}
    with opened(tmp_path, output.getvalue()) as found:
        assert found.logs == ()


def test_a_damaged_log_is_not_carried_on(tmp_path: Path) -> None:
    directory = make_log(tmp_path / "log", ALICE, 300)
    bundle = directory / "tile/entries/000"
    whole = bundle.read_bytes()
    bundle.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(StorageError, match="damaged"):
        packed(Shipment(directory=directory, key=ALICE.vkey))
    with pytest.raises(LedgerError):
        packed(Shipment(directory=directory, key=BOB.vkey))


def test_packing_beside_a_writer_sees_one_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = make_log(tmp_path / "log", ALICE, 300)
    read_edge = reading.read_edge
    with Log.open(directory, ALICE.log) as log:

        def read_then_move(*args: object) -> object:
            found = read_edge(directory, ALICE.vkey)
            log.append(ALICE.write(acceptance()))
            return found

        monkeypatch.setattr(reading, "read_edge", read_then_move)
        data = packed(Shipment(directory=directory, key=ALICE.vkey))
    unpack(data, tmp_path / "out")
    report = verify(tmp_path / "out" / A, ALICE.vkey)
    assert (report.head.size, report.problems) == (301, ())


def test_what_tar_itself_packs_is_read(tmp_path: Path) -> None:
    directory = make_log(tmp_path / A, ALICE, 300)
    for layout in ("ustar", "gnu"):
        command = ["tar", f"--format={layout}", "-cf", "other.tar", f"./{A}"]
        subprocess.run(command, cwd=tmp_path, check=True)
        with opened(tmp_path, (tmp_path / "other.tar").read_bytes()) as found:
            assert found.logs == (A,)
            assert found.resource(A, "tile/0/000") == (directory / "tile/0/000").read_bytes()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "cut short"),
        (tar((f"{A}/checkpoint", b"x"))[:-1024], "cut short"),
        (tar((f"{A}/checkpoint", b"x" * 600))[:1000], "cut short"),
        (tar((f"{A}/checkpoint", b"x"), (f"./{A}/checkpoint", b"y")), "twice"),
        (b"no tar at all".ljust(2048), "not a tar"),
    ],
    ids=["nothing", "no end", "half a file", "a name twice", "no tar"],
)
def test_hostile_archives(tmp_path: Path, data: bytes, why: str) -> None:
    with pytest.raises(FormatError, match=why), opened(tmp_path, data):
        pass


def test_a_header_that_claims_terabytes_allocates_nothing(tmp_path: Path) -> None:
    huge = archive.format_header(Member(name=f"{A}/checkpoint", size=8**11 - 1)) + archive.END
    with pytest.raises(FormatError, match="cut short"), opened(tmp_path, huge):
        pass


def test_an_archive_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = tar(*((f"{A}/tile/0/{n:03}", b"") for n in range(11)))
    monkeypatch.setattr(carried, "ARCHIVE_MEMBERS", 10)
    with pytest.raises(FormatError, match="more files"), opened(tmp_path, many):
        pass
    logs = tar(*((f"{n:064x}/checkpoint", b"") for n in range(6)))
    monkeypatch.setattr(carried, "ARCHIVE_LOGS", 5)
    with pytest.raises(FormatError, match="more logs"), opened(tmp_path, logs):
        pass


def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carried, "NOTE_BYTES", 10)
    monkeypatch.setattr(carried, "BUNDLE_BYTES", 10)
    reads: list[int] = []
    pread = os.pread

    def counted(descriptor: int, size: int, offset: int) -> bytes:
        reads.append(size)
        return pread(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", counted)
    data = tar((f"{A}/checkpoint", b"x" * 11), (f"{A}/tile/0/000", b"x" * 11))
    with opened(tmp_path, data) as found:
        with pytest.raises(FormatError, match="larger than 10 bytes"):
            found.checkpoint(A)
        with pytest.raises(FormatError, match="larger than 10 bytes"):
            found.resource(A, "tile/0/000")
    assert set(reads) == {archive.BLOCK}


def test_a_file_that_shrinks_under_the_reader(tmp_path: Path) -> None:
    with opened(tmp_path, tar((f"{A}/checkpoint", b"x" * 600))) as found:
        os.truncate(tmp_path / "stick.tar", 700)
        with pytest.raises(FormatError, match="cut short"):
            found.checkpoint(A)


def test_files_of_no_log_are_passed_over(tmp_path: Path) -> None:
    data = tar(("README", b"hello"), ("../etc/passwd", b"x"), (f"{A}/tile/0/000", b""))
    with opened(tmp_path, data) as found:
        assert found.logs == ()


def test_limits_hold_what_a_log_needs() -> None:
    entries = 25_000_000
    files = entries // limits.TILE_WIDTH * 2 + len(list(tiles.partials(entries))) + 1_000
    assert files < limits.ARCHIVE_MEMBERS


def test_an_own_logs_head_is_carried_with_the_lines_that_were_collected(tmp_path: Path) -> None:
    directory = tmp_path / "log"
    with Log.create(directory, ALICE.log) as log:
        log.append(ALICE.write(ALICE.certificate(), acceptance()))
    note = (directory / "checkpoint").read_bytes()
    lines = note + "— friend AAAAAAAAAAAAAAAA\n".encode()
    for written, wanted in ((note, note), (lines, lines), (b"damaged", note)):
        write_cosigned(directory, written)
        packed = io.BytesIO()
        pack(packed, [Shipment(directory=directory, key=ALICE.vkey)])
        with (tmp_path / "logs.tar").open("w+b") as file:
            file.write(packed.getvalue())
            file.flush()
            assert Carried(file, "logs.tar").checkpoint(digits(ALICE.vkey)) == wanted
