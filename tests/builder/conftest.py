"""A small buildroot made of this host's own installed packages, and keys that sign archives."""

import os
import re
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trio

from f2fbuild.builder import process
from f2fbuild.builder.exits import ProcessLimits
from f2fbuild.builder.hosttools import GROUP, PASSWD, host_programs
from f2fbuild.builder.layers import make_owned
from f2fbuild.builder.sandbox import Bind, Command, Sandbox
from f2fbuild.builder.workdir import remove_tree
from f2fbuild.limits import MIB
from tests.builder.builder_signers import Signer
from tests.builder.builder_worlds import World, make_deb_world, make_rpm_world

WANTED = (
    "dpkg-dev",
    "fakeroot",
    "make",
    "rpm",
    "dash",
    "coreutils",
    "gzip",
    "xz-utils",
    "findutils",
    "cpio",
    "libc-bin",
)
STATUS = (
    "Package: build-essential\nStatus: install ok installed\nVersion: 12.9\nArchitecture: {arch}\n"
    "Maintainer: T <t@example.org>\nDescription: stands for the copied programs\n"
)


@dataclass(frozen=True)
class CopiedRoot:
    """The buildroot as the runner takes it."""

    lower: Sequence[Path]


@pytest.fixture
async def signers() -> AsyncIterator[list[Signer]]:
    """The archive's key, and somebody else's."""
    with TemporaryDirectory(prefix="f2f", dir="/tmp") as name:
        both = [Signer(Path(name, each)) for each in ("archive", "mallory")]
        for signer in both:
            signer.home.mkdir(mode=0o700)
            await signer.gpg(
                "--passphrase", "", "--quick-gen-key", "A <a@x.example>", "ed25519", "sign", "never"
            )
        yield both
        for signer in both:
            await trio.run_process(["gpgconf", "--homedir", str(signer.home), "--kill", "all"])


@pytest.fixture(scope="session")
def rpm_world() -> World:
    """A small RPM distribution."""
    return make_rpm_world()


@pytest.fixture(scope="session")
def deb_world() -> World:
    """Debian, as this host gets it."""
    return make_deb_world()


@pytest.fixture(scope="session")
def copied_root() -> Iterator[CopiedRoot]:
    """Give a root that holds `WANTED` and what they depend on, owned as a real buildroot is."""
    if not Path("/var/lib/dpkg/status").exists() or not shutil.which("dpkg-buildpackage"):
        pytest.skip("the buildroot of these tests is made of a Debian host's packages")
    with TemporaryDirectory(prefix="f2f-root-") as directory:
        root = make_owned(Path(directory, "root"))
        _list(Path(directory))
        trio.run(_copy, root, Path(directory))
        yield CopiedRoot(lower=(root,))
        remove_tree(root)


def _list(scratch: Path) -> None:
    names = _closure(Path("/var/lib/dpkg/status").read_text(errors="replace"))
    info = Path("/var/lib/dpkg/info")
    lists = [
        path for name in sorted(names) for path in (*info.glob(f"{name}.list"), *info.glob(f"{name}:*.list"))
    ]
    merged = {"", "/.", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}
    files = {line for path in lists for line in path.read_text().splitlines() if line not in merged}
    chosen = sorted(Path("/etc/alternatives").iterdir())
    files |= {str(path) for path in chosen} | {f"/usr/bin/{path.name}" for path in chosen}
    readable = sorted(f".{name}" for name in files if os.access(name, os.R_OK) or Path(name).is_symlink())
    (scratch / "list").write_text("\n".join(readable))
    (scratch / "status").write_text(STATUS.format(arch="amd64"))
    (scratch / "passwd").write_text(PASSWD)
    (scratch / "group").write_text(GROUP)
    scratch.chmod(0o755)


async def _copy(root: Path, scratch: Path) -> None:
    script = (
        "set -e; cd /root; mkdir -p usr/bin usr/sbin usr/lib usr/lib64 etc var/lib/dpkg tmp var/tmp run\n"
        "for d in bin sbin lib lib64; do ln -s usr/$d $d; done\n"
        "cp /made/status var/lib/dpkg/status; cp /made/passwd /made/group etc/\n"
        "tar -C /host -c --no-recursion --ignore-failed-read -T /made/list | tar -x --keep-directory-symlink"
    )
    mounts = (
        *host_programs(),
        Bind(source=Path("/"), target="/host"),
        Bind(source=scratch, target="/made"),
        Bind(source=root, target="/root", writable=True),
    )
    limits = ProcessLimits(wall_seconds=120, memory_bytes=512 * MIB, disk_bytes=2048 * MIB)
    command = Command(argv=("sh", "-c", script), env={"PATH": "/usr/bin:/bin"})
    ended, output, errors = await process.capture(Sandbox(mounts=mounts), command, limits=limits)
    assert ended.ok, (ended, output + errors)


def _closure(status: str) -> set[str]:
    depends: dict[str, list[str]] = {}
    for paragraph in status.split("\n\n"):
        name = re.match(r"Package: (\S+)", paragraph)
        fields = re.findall(r"^(?:Pre-)?Depends: (.*)$", paragraph, re.MULTILINE)
        if name:
            depends[name[1]] = re.findall(r"(?:^|[,|]\s*)([a-z0-9][a-z0-9.+-]+)", ", ".join(fields))
    found: set[str] = set()
    waiting = [
        *WANTED,
        "perl-base",
        "tar",
        "sed",
        "grep",
        "mawk",
        "diffutils",
        "bash",
        "debianutils",
        "util-linux",
    ]
    while waiting:
        name_now = waiting.pop()
        if name_now in depends and name_now not in found:
            found.add(name_now)
            waiting += depends[name_now]
    return found


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory for sources and builds."""
    with TemporaryDirectory(prefix="f2f-jobs-") as directory:
        yield Path(directory)
