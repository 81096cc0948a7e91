"""The real packages of the demonstration: a Debian source from the host's archive, and an RPM from an SRPM.

The RPM side needs no RPM mirror: a small distribution is made from Debian's own packages by the script that
the tests use too, and kept in the cache. On Fedora a target would point to Fedora's repositories.
"""

import fcntl
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import trio

from f2fbuild.builder.archive import fetch_source
from f2fbuild.builder.hostsources import RPM_BASE
from f2fbuild.builder.targets import Format, Repository, Target, format_target
from f2fbuild.errors import ConfigurationError, F2FError

DEB_SOURCE = "ucf"
_SCRIPTS = Path(__file__).resolve().parents[2] / "script"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Something to build: the target's name, the file, and how it is announced."""

    target: str
    path: Path
    format: Format


async def debian_source(target: Target, directory: Path) -> Source:
    """Fetch a real, small source package that Debian built, verified by the target's keys."""
    path = await fetch_source(target, DEB_SOURCE, directory)
    return Source(target=target.name, path=path, format=Format.DEB)


async def rpm_source(directory: Path) -> Source:
    """Make a source RPM of a small C program."""
    await _script("make-demo-srpm", str(directory))
    (path,) = await trio.Path(directory).glob("*.src.rpm")
    return Source(target="demo-rpm", path=Path(path), format=Format.RPM)


async def rpm_target(cache: Path, directory: Path) -> Path:
    """Make (or find in the cache) the RPM distribution, and return the file of a target that uses it."""
    distribution = cache / "demo-rpm"
    await trio.Path(distribution).mkdir(parents=True, exist_ok=True)
    # Others of this user may be about to make the same.
    descriptor = os.open(distribution / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        await trio.to_thread.run_sync(fcntl.flock, descriptor, fcntl.LOCK_EX, abandon_on_cancel=True)
        await _script("make-rpm-distribution", str(distribution))
    finally:
        os.close(descriptor)
    repository = Repository(uri=f"file:{distribution}", keyring=str(distribution / "RPM-GPG-KEY"))
    target = Target(
        name="demo-rpm", format=Format.RPM, arch="x86_64", repository=(repository,), base=RPM_BASE
    )
    path = directory / "demo-rpm.toml"
    await trio.Path(path).write_text(format_target(target))
    return path


def only_debian(targets: list[Target]) -> Target:
    """Return the Debian target among those that `init` proposed.

    Raises:
        ConfigurationError: there is none: the host is no Debian.
    """
    for target in targets:
        if target.format is Format.DEB:
            return target
    raise ConfigurationError("no Debian target on this host", hint="the demonstration needs Debian or Ubuntu")


async def _script(name: str, *arguments: str) -> None:
    path = _SCRIPTS / name
    if not path.exists():
        raise F2FError(f"script/{name} is not here", hint="run the demonstration from a checkout")
    done = await trio.run_process(
        [sys.executable, str(path), *arguments], capture_stdout=True, capture_stderr=True, check=False
    )
    if done.returncode:
        raise F2FError(f"script/{name} failed: {done.stderr.decode(errors='replace')[-500:]}")
