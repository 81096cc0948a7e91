"""Reading the metadata of both distributions: Release, Packages, repomd.xml, primary.xml."""

import pytest

from f2fbuild.builder import apt, dnf
from f2fbuild.builder.locks import LockedPackage
from f2fbuild.builder.targets import Repository
from f2fbuild.errors import FormatError

D, E = "d" * 64, "e" * 64
RELEASE = f"""\
Origin: Debian
Suite: oldstable
Codename: bookworm
Date: Sat, 14 Nov 2026 09:00:00 UTC
Valid-Until: Sat, 21 Nov 2026 09:00:00 UTC
MD5Sum:
 {"0" * 32} 5 main/binary-amd64/Packages
SHA256:
 {D} 5 main/binary-amd64/Packages
 {E} 5 main/binary-amd64/Packages.xz
 {E} 5 contrib/binary-amd64/Packages.xz
 {D} 5 Packages
 not-a-line
""".encode()
SUITE = Repository(uri="http://m.example", keyring="/k", suite="bookworm", components=("main",))
FLAT = Repository(uri="http://m.example", keyring="/k", suite="./")
PACKAGES = f"""\
Package: libc6
Source: glibc
Version: 2.36-9
Architecture: amd64
Depends: a,
 b
Filename: pool/main/g/glibc/libc6_2.36-9_amd64.deb
Size: 12
SHA256: {D}

Architecture: all
Package: libc6-doc
Version: 1:2.36-9
Filename: ./pool/libc6-doc.deb
Size: 13
SHA256: {E}

Package: sed
Version: 4.9
Architecture: amd64
Filename: pool/sed.deb
Size: 14
SHA256: {E}
""".encode()


def test_release_says_names_times_and_files() -> None:
    release = apt.parse_release(RELEASE)
    assert release.names == {"oldstable", "bookworm"}
    assert (release.signed_at, release.valid_until) == (1794646800, 1795251600)
    assert release.files["main/binary-amd64/Packages.xz"] == E
    assert "not-a-line" not in release.files
    assert apt.index_paths(release, SUITE, "amd64") == {
        "main/binary-amd64/Packages.xz": E,
        "main/binary-amd64/Packages": D,
    }
    assert apt.index_paths(release, SUITE, "arm64") == {}
    assert apt.index_paths(release, FLAT, "amd64") == {"Packages": D}
    assert apt.parse_release(RELEASE.replace(b"Valid-Until", b"X")).valid_until is None


def test_a_release_is_of_its_suite_alone() -> None:
    release = apt.parse_release(RELEASE)
    assert apt.is_release_of(release, SUITE)
    assert apt.is_release_of(release, FLAT)
    other = Repository(uri="http://m.example", keyring="/k", suite="sid", components=("main",))
    assert not apt.is_release_of(release, other)


def test_where_a_release_stands() -> None:
    assert apt.release_directory(SUITE) == "dists/bookworm/"
    assert apt.release_directory(FLAT) == ""
    assert apt.release_directory(Repository(uri="http://m.example", keyring="/k", suite="/")) == ""
    assert apt.release_directory(Repository(uri="http://m.example", keyring="/k", suite="a/b/")) == "a/b/"


@pytest.mark.parametrize(
    "text",
    [RELEASE.replace(b"Date", b"X"), RELEASE.replace(b"SHA256:", b"X:"), RELEASE.replace(b"Nov", b"Foo")],
)
def test_a_release_without_date_or_digests_is_refused(text: bytes) -> None:
    with pytest.raises(FormatError):
        apt.parse_release(text)


def test_packages_are_read_whole_and_by_name() -> None:
    every = list(apt.parse_packages(PACKAGES))
    assert [(str(offer.package), offer.location) for offer, _ in every] == [
        ("libc6 2.36-9 amd64", "pool/main/g/glibc/libc6_2.36-9_amd64.deb"),
        ("libc6-doc 1:2.36-9 all", "pool/libc6-doc.deb"),
        ("sed 4.9 amd64", "pool/sed.deb"),
    ]
    assert b"\n\n".join(stanza for _, stanza in every) + b"\n" == PACKAGES
    assert every[0][0].package.size == 12
    assert every[0][0].package.sha256 == D
    names = ["libc6", "libc6-doc", "sed"]
    for name, one in zip(names, every, strict=True):
        assert list(apt.wanted_stanzas(PACKAGES, frozenset({name}))) == [one]
    assert list(apt.wanted_stanzas(PACKAGES, frozenset(names))) == every
    assert list(apt.wanted_stanzas(PACKAGES, frozenset({"libc"}))) == []
    assert list(apt.wanted_stanzas(PACKAGES, frozenset())) == []
    assert list(apt.parse_packages(b"\n")) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Size: 12", b"Size: many"),
        (b"Size: 12\n", b""),
        (b"pool/main/g", b"../../etc"),
        (b"pool/main/g", b"/etc"),
        (b"pool/main/g", b"http://x/%0a /"),
    ],
)
def test_a_stanza_that_cannot_be_used_is_refused(old: bytes, new: bytes) -> None:
    with pytest.raises(FormatError):
        list(apt.parse_packages(PACKAGES.replace(old, new)))


REPOMD = f"""\
<?xml version="1.0"?>
<repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm">
  <revision>5</revision>
  <data type="filelists"><timestamp>900</timestamp><checksum type="sha256">{E}</checksum></data>
  <data type="primary">
    <checksum type="sha256">{D}</checksum><open-checksum type="sha256">{E}</open-checksum>
    <location href="repodata/primary.xml.gz"/><timestamp>1000</timestamp>
  </data>
</repomd>
""".encode()
PRIMARY = f"""\
<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm">
<package type="rpm"><name>gcc</name><arch>x86_64</arch><version epoch="4" ver="12" rel="3"/>
<checksum type="sha256" pkgid="YES">{D}</checksum><size package="20" installed="1"/>
<location href="Packages/gcc.rpm"/><format><rpm:license>x</rpm:license></format></package>
<package type="rpm"><name>sed</name><arch>noarch</arch><version epoch="0" ver="4.9" rel="1"/>
<checksum type="sha256" pkgid="YES">{E}</checksum><size package="21"/><location href="sed.rpm"/></package>
</metadata>
""".encode()


def test_repomd_says_when_and_which_primary() -> None:
    repomd = dnf.parse_repomd(REPOMD)
    assert (repomd.signed_at, repomd.location, repomd.sha256) == (1000, "repodata/primary.xml.gz", D)


def test_primary_says_what_is_offered() -> None:
    gcc = LockedPackage(name="gcc", version="4:12-3", arch="x86_64", sha256=D, size=20)
    sed = LockedPackage(name="sed", version="4.9-1", arch="noarch", sha256=E, size=21)
    offers = list(dnf.parse_primary(PRIMARY))
    assert [offer.package for offer in offers] == [gcc, sed]
    assert [offer.location for offer in offers] == ["Packages/gcc.rpm", "sed.rpm"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'type="primary"', b'type="other"'),
        (b'type="filelists"', b'type="primary"'),
        (b'<checksum type="sha256">d', b'<checksum type="md5">d'),
        (b"timestamp>", b"time>"),
        (b"repodata/", b"../"),
        (b"</repomd>", b""),
        (b"<repomd", b'<!DOCTYPE x [<!ENTITY a "b">]><repomd'),
    ],
)
def test_a_repomd_that_cannot_be_used_is_refused(old: bytes, new: bytes) -> None:
    assert old in REPOMD
    with pytest.raises(FormatError):
        dnf.parse_repomd(REPOMD.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'<checksum type="sha256"', b'<checksum type="sha1"'),
        (b'package="20"', b'package="x"'),
        (b"Packages/gcc.rpm", b"/etc/gcc.rpm"),
    ],
)
def test_a_primary_that_cannot_be_used_is_refused(old: bytes, new: bytes) -> None:
    with pytest.raises(FormatError):
        list(dnf.parse_primary(PRIMARY.replace(old, new)))
