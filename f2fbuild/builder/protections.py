"""What of a sandbox holds on this host: found out by trying, and shown by `doctor`."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import trio

from f2fbuild.builder import process
from f2fbuild.builder.cgroups import own_group
from f2fbuild.builder.exits import ProcessLimits
from f2fbuild.builder.hosttools import host_programs
from f2fbuild.builder.idmap import host_id_map
from f2fbuild.builder.layers import make_owned
from f2fbuild.builder.sandbox import Command, Identity, Overlay, Sandbox
from f2fbuild.errors import F2FError
from f2fbuild.limits import MIB

_LIMITS: Final = ProcessLimits(wall_seconds=30, memory_bytes=256 * MIB, disk_bytes=64 * MIB, processes=64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """One promise of the sandbox: whether it holds, what makes it hold, and what to do if it does not."""

    name: str
    holds: bool
    by: str
    hint: str = ""


async def probe_protections() -> tuple[Protection, ...]:
    """Return what holds for sandboxes of this process, each tried with a real one."""
    build = await _tried("build", Sandbox(mounts=host_programs()))
    if not build.holds:
        return (build,)
    installing = Sandbox(identity=Identity.INSTALL, mounts=host_programs())
    with TemporaryDirectory(prefix="f2f-probe-") as directory:
        lower = await trio.to_thread.run_sync(make_owned, Path(directory, "lower"))
        layered = Sandbox(root=Overlay(lower=(lower,), size=MIB), mounts=host_programs())
        overlay = await _tried("overlay", layered)
    return (build, await _tried("install", installing), overlay, *_counted())


async def _tried(name: str, sandbox: Sandbox) -> Protection:
    command = Command(argv=("true",), env={"PATH": "/usr/bin:/bin"})
    try:
        ended, _, _ = await process.capture(sandbox, command, limits=_LIMITS)
    except F2FError as error:
        return Protection(name=name, holds=False, by=error.what, hint=error.hint)
    except OSError as error:
        return Protection(name=name, holds=False, by=str(error), hint="Install the package bubblewrap")
    return Protection(name=name, holds=ended.ok, by=f"uid {host_id_map().owner[0]} of this host")


def _counted() -> tuple[Protection, ...]:
    with own_group(memory=_LIMITS.memory_bytes, processes=_LIMITS.processes) as group:
        kernel = group.controllers
    memory = "control group" if "memory" in kernel else "watch over the processes and the host's free memory"
    processes = "control group and RLIMIT_NPROC" if "pids" in kernel else "RLIMIT_NPROC"
    return (
        Protection(name="memory", holds=True, by=memory),
        Protection(name="processes", holds=True, by=processes),
        Protection(name="disk", holds=True, by="RLIMIT_FSIZE and watch over the job's files"),
    )
