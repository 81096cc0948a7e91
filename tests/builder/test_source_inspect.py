"""Sources as people bring them: whole, damaged, and hostile."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from f2fbuild.builder.dsc import SourceFile, parse_dsc
from f2fbuild.builder.source import SourceError, inspect_source
from f2fbuild.builder.targets import Format
from f2fbuild.builder.workdir import SourceDigestError
from f2fbuild.errors import FormatError
from tests.builder.builder_sources import EPOCH, GOOD_RULES, deb_source, sha256, source_rpm

pytestmark = pytest.mark.unprivileged
needs_dpkg = pytest.mark.skipif(not shutil.which("dpkg-source"), reason="no dpkg-dev here")
needs_rpm = pytest.mark.skipif(not shutil.which("rpmbuild"), reason="no rpmbuild here")
DIGEST = "ab" * 32
DSC = f"""\
Format: 3.0 (quilt)
Source: hello
Version: 1:2.10-3
Build-Depends: debhelper-compat (= 13),
 libfoo-dev
Build-Depends-Indep: texinfo
Build-Conflicts: autoconf2.13
Checksums-Sha256:
 {DIGEST} 20 hello_2.10.orig.tar.gz
 {DIGEST} 10 hello_2.10-3.debian.tar.xz
"""


@pytest.fixture
def place() -> Iterator[Path]:
    with TemporaryDirectory(prefix="f2f-src-") as directory:
        yield Path(directory)


def put(place: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        (place / name).write_bytes(content)
        (place / name).chmod(0o600)


def test_a_dsc_is_read() -> None:
    control = parse_dsc(DSC.encode(), where="x.dsc")
    assert (control.package, control.version) == ("hello", "1:2.10-3")
    assert control.requires == ("debhelper-compat (= 13), libfoo-dev", "texinfo")
    assert control.conflicts == ("autoconf2.13",)
    assert control.files == (
        SourceFile(name="hello_2.10-3.debian.tar.xz", sha256=DIGEST, size=10),
        SourceFile(name="hello_2.10.orig.tar.gz", sha256=DIGEST, size=20),
    )


def test_a_signature_around_a_dsc_is_taken_off() -> None:
    signed = (
        f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{DSC}\n"
        "-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n"
    )
    assert parse_dsc(signed.encode(), where="x.dsc") == parse_dsc(DSC.encode(), where="x.dsc")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Source: hello\n", ""),
        ("Source: hello", "Source: he/llo"),
        ("Version: 1:2.10-3", "Version: -1"),
        (f" {DIGEST} 20 hello_2.10.orig.tar.gz", f" {DIGEST} 20 ../hello_2.10.orig.tar.gz"),
        (f" {DIGEST} 20 hello_2.10.orig.tar.gz", f" {DIGEST} 20 .hello"),
        (f" {DIGEST} 20 hello_2.10.orig.tar.gz", f" {DIGEST} -20 hello"),
        (f" {DIGEST} 20 hello_2.10.orig.tar.gz", f" {DIGEST} 20"),
        (f" {DIGEST} 20 hello_2.10.orig.tar.gz", f" {DIGEST[:-1]} 20 hello"),
        (f" {DIGEST} 20 hello_2.10.orig.tar.gz", f" {DIGEST} 20 hello_2.10-3.debian.tar.xz"),
        ("Checksums-Sha256:", "Checksums-Sha1:"),
        ("Format:", "Source: second\nFormat:"),
        ("Format:", "-----BEGIN PGP SIGNED MESSAGE-----\n\nFormat:"),
    ],
)
def test_what_is_no_dsc_is_refused(old: str, new: str) -> None:
    assert old in DSC
    with pytest.raises(FormatError):
        parse_dsc(DSC.replace(old, new).encode(), where="x.dsc")


@needs_dpkg
async def test_a_debian_source_is_inspected(place: Path) -> None:
    sources = deb_source(GOOD_RULES)
    put(place, sources)
    facts = await inspect_source(place / "tiny_1.0.dsc")
    assert (facts.format, facts.name, facts.version) == (Format.DEB, "tiny", "1.0")
    assert facts.source_date_epoch == EPOCH
    assert {file.name: file.sha256 for file in facts.files} == {n: sha256(c) for n, c in sources.items()}
    assert {name: path.read_bytes() for name, path in facts.paths.items()} == sources


@needs_dpkg
@pytest.mark.parametrize("damage", [b"", b"short", None])
async def test_a_file_that_the_dsc_does_not_name_is_refused(place: Path, damage: bytes | None) -> None:
    sources = deb_source(GOOD_RULES)
    tar = bytearray(sources.pop("tiny_1.0.tar.gz"))
    tar[-1] ^= 1
    put(place, sources)
    if damage != b"":
        put(place, {"tiny_1.0.tar.gz": damage or bytes(tar)})
    with pytest.raises(SourceDigestError, match=r"tiny_1\.0\.tar\.gz"):
        await inspect_source(place / "tiny_1.0.dsc")


@needs_dpkg
async def test_a_source_that_does_not_unpack_is_refused(place: Path) -> None:
    sources = deb_source(GOOD_RULES)
    tar = b"no archive at all"
    text = sources["tiny_1.0.dsc"].decode().split("Checksums-Sha256:")[0]
    text += f"Checksums-Sha256:\n {sha256(tar)} {len(tar)} tiny_1.0.tar.gz\n"
    text += f"Files:\n {'0' * 32} {len(tar)} tiny_1.0.tar.gz\n"
    put(place, {"tiny_1.0.dsc": text.encode(), "tiny_1.0.tar.gz": tar})
    with pytest.raises(SourceError, match="does not unpack"):
        await inspect_source(place / "tiny_1.0.dsc")


@needs_dpkg
async def test_larger_files_than_the_dsc_says_are_not_read_to_their_end(place: Path) -> None:
    sources = deb_source(GOOD_RULES)
    put(place, {**sources, "tiny_1.0.tar.gz": sources["tiny_1.0.tar.gz"] + b"more"})
    with pytest.raises(SourceDigestError, match="larger than"):
        await inspect_source(place / "tiny_1.0.dsc")


@needs_rpm
async def test_a_source_rpm_is_inspected(place: Path) -> None:
    sources = await source_rpm(place, "true", "BuildRequires: pkgconfig(foo) >= 1.2\nBuildConflicts: bar\n")
    (name,) = sources
    put(place, sources)
    facts = await inspect_source(place / name)
    assert (facts.format, facts.name, facts.version) == (Format.RPM, "tiny", "1.0-1")
    assert facts.requirements.requires == ("pkgconfig(foo) >= 1.2",)
    assert facts.requirements.conflicts == ("bar",)
    assert facts.source_date_epoch == 1_699_963_200
    assert [file.sha256 for file in facts.files] == [sha256(sources[name])]


@needs_rpm
@pytest.mark.parametrize("content", [b"no package", b""])
async def test_a_damaged_source_rpm_is_refused(place: Path, content: bytes) -> None:
    put(place, {"x.src.rpm": content})
    with pytest.raises(SourceError):
        await inspect_source(place / "x.src.rpm")


async def test_other_files_are_no_sources(place: Path) -> None:
    with pytest.raises(SourceError, match=r"neither"):
        await inspect_source(place / "x.tar.gz")
    with pytest.raises(SourceError, match="cannot be read"):
        await inspect_source(place / "x.dsc")
