"""Tiny real source packages, made anew for each test."""

import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from f2fbuild.builder import process
from f2fbuild.builder.exits import ProcessLimits
from f2fbuild.builder.hosttools import host_programs
from f2fbuild.builder.idmap import host_id_map
from f2fbuild.builder.sandbox import Bind, Command, Sandbox
from f2fbuild.limits import MIB

EPOCH = 1_700_000_000
LIMITS = ProcessLimits(
    wall_seconds=240, memory_bytes=1024 * MIB, disk_bytes=64 * MIB, processes=256, output_bytes=MIB
)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def tar_gz(name: str, files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(f"{name}/{path}")
            member.size, member.mtime, member.mode = len(content), EPOCH, 0o755
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def deb_source(rules: str, more: Mapping[str, bytes] | None = None) -> dict[str, bytes]:
    """Return the files of the native source package `tiny`, whose rules have `rules` as their recipe.

    `more` are files of the source besides its debian directory's four.
    """
    recipe = "".join(f"\t{line}\n" for line in rules.splitlines())
    files = {
        "debian/control": b"Source: tiny\nMaintainer: T <t@example.org>\nStandards-Version: 4.6.2\n\n"
        b"Package: tiny\nArchitecture: all\nDescription: a tiny package\n",
        "debian/changelog": b"tiny (1.0) unstable; urgency=low\n\n  * First.\n\n"
        b" -- T <t@example.org>  Tue, 14 Nov 2023 22:13:20 +0000\n",
        "debian/source/format": b"3.0 (native)\n",
        "debian/rules": f"#!/usr/bin/make -f\nclean build build-indep build-arch:\nbinary: binary-indep\n"
        f"binary-arch:\nbinary-indep:\n{recipe}".encode(),
        **(more or {}),
    }
    tar = tar_gz("tiny-1.0", files)
    dsc = (
        "Format: 3.0 (native)\nSource: tiny\nBinary: tiny\nArchitecture: all\nVersion: 1.0\n"
        "Maintainer: T <t@example.org>\n"
        f"Checksums-Sha256:\n {sha256(tar)} {len(tar)} tiny_1.0.tar.gz\n"
        f"Files:\n {hashlib.md5(tar).hexdigest()} {len(tar)} tiny_1.0.tar.gz\n"
    )
    return {"tiny_1.0.dsc": dsc.encode(), "tiny_1.0.tar.gz": tar}


GOOD_RULES = """\
mkdir -p debian/tiny/DEBIAN debian/tiny/usr/share/tiny
echo data > debian/tiny/usr/share/tiny/data
dpkg-gencontrol -ptiny -Pdebian/tiny
dpkg-deb --root-owner-group --build debian/tiny .."""

SPEC = """\
Name: tiny
Version: 1.0
Release: 1
Summary: A tiny package
License: GPL-3.0-or-later
BuildArch: noarch
Source0: data
{tags}%description
Tiny.
%prep
%build
{build}
%install
mkdir -p %{{buildroot}}/usr/share/tiny
cp %{{SOURCE0}} %{{buildroot}}/usr/share/tiny/data
{files}%changelog
* Tue Nov 14 2023 T <t@example.org> - 1.0-1
- First
"""


async def source_rpm(
    place: Path,
    build_script: str,
    tags: str = "",
    files: str = "%files\n/usr/share/tiny\n",
    data: str = "data\n",
) -> dict[str, bytes]:
    """Return a source RPM made by the host's rpmbuild, in a sandbox too; `data` is its one source file."""
    top = Path(tempfile.mkdtemp(prefix="top-", dir=place))
    (top / "tiny.spec").write_text(SPEC.format(build=build_script, tags=tags, files=files))
    (top / "data").write_text(data)
    os.chown(top, *host_id_map().owner)
    top.chmod(0o777)
    defines = [part for name in ("_topdir", "_sourcedir", "_srcrpmdir") for part in ("-D", f"{name} /top")]
    command = Command(
        argv=("rpmbuild", "-bs", "--nodeps", *defines, "/top/tiny.spec"),
        env={"PATH": "/usr/bin:/bin", "HOME": "/top", "SOURCE_DATE_EPOCH": str(EPOCH)},
    )
    mounts = (*host_programs(), Bind(source=top, target="/top", writable=True))
    ended, output, errors = await process.capture(Sandbox(mounts=mounts), command, limits=LIMITS)
    assert ended.ok, output + errors
    return {path.name: path.read_bytes() for path in sorted(top.glob("*.src.rpm"))}
