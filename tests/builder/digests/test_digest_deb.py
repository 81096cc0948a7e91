"""Honest .debs, and archives that no dpkg-deb writes."""

import hashlib
import io
import lzma
import os
import tarfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from f2fbuild.builder.digests.control import check_buildinfo, parse_paragraph
from f2fbuild.builder.digests.deb import digest_deb
from f2fbuild.builder.digests.products import Digested, digest_product
from f2fbuild.builder.digests.refusal import RefusalError, RefusalReason
from f2fbuild.limits import CONTROL_FILE_BYTES
from tests.builder.digests.digest_forge import EPOCH, rpm_gzip, run

CONTROL = """\
Package: tiny
Version: 1.0-1
Architecture: all
Maintainer: A Packager <packager@example.invalid>
Installed-Size: {size}
Description: a package with one of everything
 and a long description
"""


def build_deb(root: Path, *options: str, size: int = 12, content: str = "content") -> bytes:
    """Build a small package with dpkg-deb."""
    files = root / "tree"
    (files / "DEBIAN").mkdir(parents=True)
    (files / "DEBIAN/control").write_text(CONTROL.format(size=size))
    (files / "DEBIAN/conffiles").write_text("/etc/tiny.conf\n")
    (files / "DEBIAN/postinst").write_text("#!/bin/sh\ntrue\n")
    (files / "DEBIAN/postinst").chmod(0o755)
    (files / "etc").mkdir()
    (files / "etc/tiny.conf").write_text("key=1\n")
    deep = files / "usr/share" / ("deep" * 30) / "down"
    deep.mkdir(parents=True)
    (deep / "grüße").write_text(content)
    os.link(deep / "grüße", deep / "linked")
    (deep / "link").symlink_to("../" * 4 + "etc/" + "x" * 110)
    (files / "usr/share/absolute").symlink_to("/etc/tiny.conf")
    (files / "usr/share/empty").touch()
    target = root / "tiny_1.0-1_all.deb"
    run("dpkg-deb", "--root-owner-group", *options, "--build", files, target, SOURCE_DATE_EPOCH=str(EPOCH))
    return target.read_bytes()


@pytest.fixture(scope="session")
def deb(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small package."""
    return build_deb(tmp_path_factory.mktemp("deb"))


def content(data: bytes, limit: int = 1 << 24) -> str:
    return digest_deb(io.BytesIO(data), limit=limit)


def refusal(data: bytes, limit: int = 1 << 24) -> RefusalReason:
    with pytest.raises(RefusalError) as caught:
        content(data, limit)
    return caught.value.reason


def ar_member(name: str, data: bytes) -> bytes:
    header = f"{name:<16}{EPOCH:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode()
    return header + data + b"\n" * (len(data) % 2)


def make_deb(control: bytes, data: bytes, *, version: bytes = b"2.0\n", tail: bytes = b"") -> bytes:
    members = {"debian-binary": version, "control.tar": control, "data.tar": data}
    return b"!<arch>\n" + b"".join(ar_member(*member) for member in members.items()) + tail


def tar(*infos: tuple[str, bytes, dict[str, object]], form: int = tarfile.GNU_FORMAT) -> bytes:
    """Return a tar archive of (name, content, attributes)."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        for name, data, attributes in infos:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for key, value in attributes.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


DIRECTORY: dict[str, object] = {"type": tarfile.DIRTYPE, "mode": 0o755}
HONEST_CONTROL = tar(("./", b"", DIRECTORY), ("./control", CONTROL.format(size=1).encode(), {}))


def with_data(*infos: tuple[str, bytes, dict[str, object]], form: int = tarfile.GNU_FORMAT) -> bytes:
    return make_deb(HONEST_CONTROL, tar(("./", b"", DIRECTORY), *infos, form=form))


def with_control(*infos: tuple[str, bytes, dict[str, object]]) -> bytes:
    return make_deb(tar(("./", b"", DIRECTORY), *infos), tar(("./", b"", DIRECTORY)))


def test_same_package_built_twice(deb: bytes, tmp_path: Path) -> None:
    assert build_deb(tmp_path) == deb


def test_compression_and_installed_size_are_metadata(deb: bytes, tmp_path: Path) -> None:
    other = build_deb(tmp_path, "-Zgzip", size=13)
    assert other != deb
    assert content(other) == content(deb)


@pytest.mark.parametrize("compressor", ["none", "xz", "gzip"])
def test_compressors_of_dpkg(deb: bytes, tmp_path: Path, compressor: str) -> None:
    assert content(build_deb(tmp_path, f"-Z{compressor}")) == content(deb)


def test_other_content(deb: bytes, tmp_path: Path) -> None:
    assert content(build_deb(tmp_path, content="evil content")) != content(deb)


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [(".gz", rpm_gzip), (".xz", lzma.compress), (".zst", zstandard.ZstdCompressor().compress)],
)
def test_suffix_tells_the_compressor(suffix: str, pack: Callable[[bytes], bytes]) -> None:
    data = tar(("./", b"", DIRECTORY), ("./a", b"content", {}))
    packed = b"!<arch>\n" + ar_member("debian-binary", b"2.0\n")
    packed += ar_member("control.tar" + suffix, pack(HONEST_CONTROL))
    packed += ar_member("data.tar" + suffix, pack(data))
    assert content(packed) == content(make_deb(HONEST_CONTROL, data))
    assert refusal(packed.replace(b"data.tar" + suffix.encode(), b"data.tar.rar"[: 8 + len(suffix)])) == (
        RefusalReason.MALFORMED
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", RefusalReason.MALFORMED),
        (b"!<arch>\n", RefusalReason.MALFORMED),
        (b"!<thin>\n", RefusalReason.MALFORMED),
        (make_deb(HONEST_CONTROL, tar())[:-1], RefusalReason.MALFORMED),
        (make_deb(HONEST_CONTROL, tar(), version=b"3.0\n"), RefusalReason.UNSUPPORTED),
        (make_deb(HONEST_CONTROL, tar(), version=b"2.0\nmore\n"), RefusalReason.TOO_LARGE),
        (make_deb(HONEST_CONTROL, tar(), version=b"2.0"), RefusalReason.MALFORMED),
        (make_deb(HONEST_CONTROL, tar(), tail=ar_member("_gpgbuilder", b"sig")), RefusalReason.TRAILING),
        (make_deb(HONEST_CONTROL, tar(), tail=b"x"), RefusalReason.MALFORMED),
        (make_deb(HONEST_CONTROL, tar(), tail=b"\n"), RefusalReason.MALFORMED),
        (b"!<arch>\n" + ar_member("control.tar", HONEST_CONTROL), RefusalReason.MALFORMED),
        (b"!<arch>\n" + ar_member("debian-binary", b"2.0\n"), RefusalReason.MALFORMED),
    ],
)
def test_members(data: bytes, reason: RefusalReason) -> None:
    assert refusal(data) == reason


def test_second_spellings_of_an_ar_header() -> None:
    honest = make_deb(HONEST_CONTROL, tar())
    assert content(honest)
    for old, new in [
        (b"debian-binary   ", b"debian-binary/  "),
        (b"0     0     100644", b"1     0     100644"),
        (b"100644  ", b"100755  "),
        (b"4         `\n", b"04        `\n"),
        (b"4         `\n", b"4         \n\n"),
        (b"4         `\n", b"-4        `\n"),
    ]:
        assert old in honest
        assert refusal(honest.replace(old, new, 1)) == RefusalReason.MALFORMED


def test_padding_of_a_member() -> None:
    control = HONEST_CONTROL + b"\0"
    honest = make_deb(control, tar())
    assert content(honest)
    assert refusal(honest.replace(control + b"\n", control + b"x")) == RefusalReason.TRAILING


LINK: dict[str, object] = {"type": tarfile.SYMTYPE}
HARD: dict[str, object] = {"type": tarfile.LNKTYPE}


@pytest.mark.parametrize(
    ("infos", "reason"),
    [
        ([("./dev", b"", {"type": tarfile.CHRTYPE})], RefusalReason.SPECIAL_FILE),
        ([("./dev", b"", {"type": tarfile.BLKTYPE})], RefusalReason.SPECIAL_FILE),
        ([("./fifo", b"", {"type": tarfile.FIFOTYPE})], RefusalReason.SPECIAL_FILE),
        ([("./cont", b"", {"type": tarfile.CONTTYPE})], RefusalReason.UNSUPPORTED),
        ([("/etc/passwd", b"", {})], RefusalReason.PATH),
        ([("etc/passwd", b"", {})], RefusalReason.PATH),
        ([("./a/../../b", b"", {})], RefusalReason.PATH),
        ([("./..", b"", DIRECTORY)], RefusalReason.PATH),
        ([("./a//b", b"", {})], RefusalReason.PATH),
        ([("./a/./b", b"", {})], RefusalReason.PATH),
        ([("./a", b"", {}), ("./a", b"", {})], RefusalReason.PATH),
        ([("./a", b"", {}), ("./a/b", b"", {})], RefusalReason.PATH),
        ([("./a", b"", {**LINK, "linkname": "/etc"}), ("./a/b", b"", {})], RefusalReason.PATH),
        ([("./a", b"", {**LINK, "linkname": ""})], RefusalReason.PATH),
        ([("./a", b"", {**LINK, "linkname": "../b"})], RefusalReason.PATH),
        ([("./a", b"", {**LINK, "linkname": "/../b"})], RefusalReason.PATH),
        ([("./x/a", b"", {**LINK, "linkname": "../../x/b"})], RefusalReason.PATH),
        ([("./a", b"", {**HARD, "linkname": "./b"})], RefusalReason.PATH),
        (
            [("./b", b"", {**LINK, "linkname": "c"}), ("./a", b"", {**HARD, "linkname": "./b"})],
            RefusalReason.PATH,
        ),
        ([("./a", b"", {"uid": 1 << 40})], RefusalReason.MALFORMED),
    ],
)
def test_hostile_data(infos: list[tuple[str, bytes, dict[str, object]]], reason: RefusalReason) -> None:
    assert refusal(with_data(*infos)) == reason


def test_honest_data() -> None:
    assert content(
        with_data(
            ("./x/", b"", DIRECTORY),
            ("./x/b", b"content", {"mode": 0o4755}),
            ("./x/a", b"", {**LINK, "linkname": "../x/./b"}),
            ("./x/c", b"", {**HARD, "linkname": "./x/b"}),
        )
    )


def test_forms_of_tar() -> None:
    long_name = "./" + "d" * 80 + "/" + "n" * 90
    forms = (tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT)
    gnu, ustar = (with_data((long_name, b"", {}), form=form) for form in forms)
    assert content(gnu) == content(ustar)
    pax = with_data((long_name + "é", b"", {}), form=tarfile.PAX_FORMAT)
    assert refusal(pax) == RefusalReason.UNSUPPORTED
    assert refusal(with_data(("./" + "n" * 5000, b"", {}))) == RefusalReason.TOO_LARGE
    one, other = (with_data(("./a", b"", {**LINK, "linkname": "l" * size})) for size in (200, 201))
    assert content(one) != content(other)


def test_tar_details() -> None:
    honest = tar(("./", b"", DIRECTORY), ("./" + "a" * 120, b"content", {}))
    assert content(make_deb(HONEST_CONTROL, honest))
    for position, value in (
        (0, b"x"),
        (257, b"v7"),
        (513, b"x"),
        (124, b"9"),
        (512 * 2 + 122, b"x"),
        (1800, b"x"),
    ):
        changed = honest[:position] + value + honest[position + len(value) :]
        assert refusal(make_deb(HONEST_CONTROL, changed)) in {RefusalReason.MALFORMED, RefusalReason.TRAILING}
    assert refusal(make_deb(HONEST_CONTROL, honest[:-1] + b"x")) == RefusalReason.TRAILING
    assert refusal(make_deb(HONEST_CONTROL, honest[:512])) == RefusalReason.MALFORMED
    for position, value in ((257, bytes(8)), (100, b"0100644\0"), (156, b"5"), (156, b"7")):
        block = bytearray(tar(("./a", b"content", {})))
        block[position : position + len(value)] = value
        block[148:156] = b"%06o\0 " % (sum(block[:148]) + sum(block[156:512]) + 256)
        assert refusal(make_deb(HONEST_CONTROL, bytes(block))) in {
            RefusalReason.MALFORMED,
            RefusalReason.UNSUPPORTED,
        }


def test_long_name_that_ends_early() -> None:
    data = with_data(("./" + "a" * 120, b"", {}))
    assert refusal(data.replace(b"./aaa", b"./a\0a", 1)) == RefusalReason.MALFORMED


@pytest.mark.parametrize(
    ("infos", "reason"),
    [
        ([], RefusalReason.MALFORMED),
        ([("./control", b"Package: a\nVersion: 1\n", {})], RefusalReason.MALFORMED),
        ([("./control", b"Package: \xff\n", {})], RefusalReason.MALFORMED),
        ([("./control", bytes(CONTROL_FILE_BYTES + 1), {})], RefusalReason.TOO_LARGE),
        ([("./control", b"", LINK | {"linkname": "a"})], RefusalReason.ARCHIVE),
        ([("./sub/", b"", DIRECTORY)], RefusalReason.ARCHIVE),
        ([("./a/b", b"", {})], RefusalReason.ARCHIVE),
        ([("./postinst", b"", {}), ("./postinst", b"", {})], RefusalReason.ARCHIVE),
    ],
)
def test_hostile_control(infos: list[tuple[str, bytes, dict[str, object]]], reason: RefusalReason) -> None:
    assert refusal(with_control(*infos)) == reason


def test_bomb() -> None:
    data = tar(("./", b"", DIRECTORY), ("./a", bytes(1 << 22), {}))
    packed = b"!<arch>\n" + ar_member("debian-binary", b"2.0\n") + ar_member("control.tar", HONEST_CONTROL)
    packed += ar_member("data.tar.xz", lzma.compress(data))
    assert refusal(packed, limit=1 << 20) == RefusalReason.TOO_LARGE
    assert content(packed)


def test_scripts_and_fields_count(tmp_path: Path) -> None:
    honest = CONTROL.format(size=1).encode()
    base = content(with_control(("./control", honest, {})))
    assert content(with_control(("./control", honest, {}), ("./md5sums", b"0  a\n", {}))) == base
    assert content(with_control(("./control", honest + b"Depends: evil\n", {}))) != base
    script = content(with_control(("./control", honest, {}), ("./postinst", b"#!/bin/sh\n", {"mode": 0o755})))
    assert script != base
    assert script != content(
        with_control(("./control", honest, {}), ("./postinst", b"#!/bin/sh\n", {"mode": 0o644}))
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(st.data())
def test_any_byte_changed(deb: bytes, data: st.DataObject) -> None:
    raw = bytearray(deb)
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    assert hashlib.sha256(raw).digest() != hashlib.sha256(deb).digest()
    with suppress(RefusalError):
        assert len(bytes.fromhex(content(bytes(raw)))) == 32, "a digest or a refusal, nothing else"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(st.data())
def test_any_byte_of_the_archives_changed(data: st.DataObject) -> None:
    honest = tar(("./", b"", DIRECTORY), ("./a", b"content", {}), ("./b", b"", {**LINK, "linkname": "a"}))
    raw = bytearray(make_deb(HONEST_CONTROL, honest))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with suppress(RefusalError):
        assert len(bytes.fromhex(content(bytes(raw)))) == 32, "a digest or a refusal, nothing else"


def test_cut_anywhere(deb: bytes) -> None:
    for end in range(len(deb)):
        with pytest.raises(RefusalError):
            content(deb[:end])


def test_paragraph() -> None:
    assert parse_paragraph(b"A: 1\nB-c:\n x\n\ty\n", where="") == {"a": "1", "b-c": "\n x\n\ty"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"A: 1\n\nB: 2\n",
        b" x\nA: 1\n",
        b"A: 1\na: 2\n",
        b"A 1\n",
        b"-A: 1\n",
        b"#A: 1\n",
        b"A: 1\n \nB: 2\n",
        b"\xff",
    ],
)
def test_no_paragraph(data: bytes) -> None:
    with pytest.raises(RefusalError):
        parse_paragraph(data, where="control")


def test_paragraph_that_is_too_large() -> None:
    with pytest.raises(RefusalError) as caught:
        parse_paragraph(b"A: " + b"a" * CONTROL_FILE_BYTES, where="control")
    assert caught.value.reason == RefusalReason.TOO_LARGE


def test_buildinfo() -> None:
    honest = b"Format: 1.0\nSource: tiny\nInstalled-Build-Depends:\n libc6 (= 2.36),\n dpkg\n"
    check_buildinfo(honest)
    with pytest.raises(RefusalError, match="usr-local-has-libraries") as caught:
        check_buildinfo(
            honest + b"Build-Tainted-By:\n merged-usr-via-aliased-dirs\n usr-local-has-libraries\n"
        )
    assert caught.value.reason == RefusalReason.TAINTED


def test_too_many_files(monkeypatch: pytest.MonkeyPatch) -> None:
    data = with_data(("./a", b"", {}), ("./b", b"", {}))
    monkeypatch.setattr("f2fbuild.builder.digests.deb.DEB_FILES", 3)
    assert content(data)
    monkeypatch.setattr("f2fbuild.builder.digests.deb.DEB_FILES", 2)
    assert refusal(data) == RefusalReason.TOO_LARGE


def test_udeb_is_read_like_a_deb(deb: bytes) -> None:
    found = digest_product("tiny_1.0-1_all.udeb", io.BytesIO(deb), None)
    assert isinstance(found, Digested)
    assert (found.product.kind, found.product.content) == ("udeb", content(deb))
    assert found.product.canonical == found.product.sha256 == hashlib.sha256(deb).hexdigest()
