"""What a sandbox is: a root, mounts, an identity and a command, and the bubblewrap arguments that make it.

Hostile code runs as one of two identities. `build` is uid 1000 with nothing else mapped and no capability;
`install` is root over a range of uids that are nobody's on the host, for dpkg and maintainer scripts. Both
have no network, own pid, ipc, uts and cgroup namespaces, no new privileges and the system-call filter of
`seccomp`.

bubblewrap 0.8 knows no overlays, and a node that runs as root must not use its own uid: `launcher` first
enters a user and a mount namespace, puts every source under `STAGE` by number, mounts the overlay, and only
then becomes bubblewrap. Paths and texts of jobs thus reach no shell and no mount option.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeAlias, assert_never

from f2fbuild.limits import SANDBOX_SHM_BYTES

STAGE: Final = "/tmp"  # noqa: S108  (a directory that every host has; the launcher mounts over it privately)
HOSTNAME: Final = "f2fbuild"
BUILD_ID: Final = 1000
PROFILE: Final = "1"
"""Version of everything here that a build can notice; part of the build key."""

_INSTALL_CAPABILITIES: Final = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
)


class Identity(StrEnum):
    """Who the command is."""

    BUILD = "build"
    INSTALL = "install"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """A root made of read-only directories, topmost first, and a layer that takes what is written.

    `upper` and `work` are empty directories of one file system that keep the layer; without them it lies in
    memory, at most `size` bytes, and is gone with the sandbox.
    """

    lower: tuple[Path, ...]
    upper: Path | None = None
    work: Path | None = None
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind:
    """A file or directory of the host, seen at `target`."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tmpfs:
    """An empty directory in memory, at most `size` bytes."""

    target: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A read-only file with this content."""

    target: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A symbolic link at `target`."""

    target: str
    to: str


Mount: TypeAlias = Bind | Tmpfs | Text | Link


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A place for one command.

    Without `root` everything is empty and read-only but for the mounts. `read_only` are directories of the
    root that cannot be written even though the root can. Mounts are made in their order.
    """

    identity: Identity = Identity.BUILD
    root: Overlay | None = None
    read_only: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program, its arguments, its whole environment and its working directory in the sandbox."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str = "/"


def bwrap_arguments(sandbox: Sandbox, command: Command, *, status_fd: int, seccomp_fd: int) -> list[str]:
    """Return bubblewrap's command line for `command` in `sandbox`, staged as `staging` says.

    `status_fd` takes its JSON status, `seccomp_fd` holds the system-call filter.
    """
    return [
        "bwrap",
        *("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup"),
        *("--die-with-parent", "--new-session", "--clearenv", "--hostname", HOSTNAME),
        *("--json-status-fd", str(status_fd), "--seccomp", str(seccomp_fd)),
        *_identity(sandbox.identity),
        *_root(sandbox),
        *_mounts(sandbox),
        *(["--remount-ro", "/"] if sandbox.root is None else []),
        *(part for key, value in sorted(command.env.items()) for part in ("--setenv", key, value)),
        *("--chdir", command.cwd, "--", *command.argv),
    ]


def staging(sandbox: Sandbox) -> dict[str, Any]:
    """Return what the launcher has to stage, as JSON: the overlay, and every mount's source by its number."""
    root = sandbox.root
    overlay = root and {
        "lower": [str(path) for path in root.lower],
        "upper": str(root.upper) if root.upper else "",
        "work": str(root.work) if root.work else "",
    }
    return {
        "stage": STAGE,
        "bytes": root.size if root else SANDBOX_SHM_BYTES,
        "overlay": overlay,
        "binds": {str(i): str(m.source) for i, m in enumerate(sandbox.mounts) if isinstance(m, Bind)},
        "texts": {str(i): m.content for i, m in enumerate(sandbox.mounts) if isinstance(m, Text)},
    }


def _identity(identity: Identity) -> list[str]:
    match identity:
        case Identity.BUILD:
            ids = ["--uid", str(BUILD_ID), "--gid", str(BUILD_ID)]
            return ["--unshare-user", "--disable-userns", *ids, "--cap-drop", "ALL"]
        case Identity.INSTALL:
            added = [part for name in _INSTALL_CAPABILITIES for part in ("--cap-add", name)]
            return ["--cap-drop", "ALL", *added]
        case unknown:
            assert_never(unknown)


def _root(sandbox: Sandbox) -> list[str]:
    root = ["--size", str(SANDBOX_SHM_BYTES), "--tmpfs", "/"]
    if sandbox.root is not None:
        root = ["--bind", f"{STAGE}/root", "/"]
    for path in sandbox.read_only:
        root += ["--ro-bind", f"{STAGE}/root{path}", path]
    devices = ["--dev", "/dev", "--perms", "1777", "--size", str(SANDBOX_SHM_BYTES), "--tmpfs", "/dev/shm"]  # noqa: S108
    return [*root, "--proc", "/proc", *devices, "--remount-ro", "/dev"]


def _mounts(sandbox: Sandbox) -> list[str]:
    arguments: list[str] = []
    for number, mount in enumerate(sandbox.mounts):
        match mount:
            case Bind(target=target, writable=True):
                arguments += ["--bind", f"{STAGE}/{number}", target]
            case Bind(target=target) | Text(target=target):
                arguments += ["--ro-bind", f"{STAGE}/{number}", target]
            case Tmpfs(target=target, size=size):
                arguments += ["--perms", "1777", "--size", str(size), "--tmpfs", target]
            case Link(target=target, to=to):
                arguments += ["--symlink", to, target]
            case unknown:
                assert_never(unknown)
    return arguments
