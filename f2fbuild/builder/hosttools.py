"""The host's own programs, and this Python, as mounts for sandboxes that have no root of their own.

Only /usr and what its programs need to start; nothing of /home, /run, /var and no configuration but
/etc/alternatives and the loader's cache. For tools that read hostile files, never as a buildroot of a job.
"""

import sys
from pathlib import Path
from typing import Final

import f2fbuild
from f2fbuild.builder.sandbox import BUILD_ID, Bind, Command, Link, Mount, Text, Tmpfs
from f2fbuild.limits import SANDBOX_TMP_BYTES

_MERGED: Final = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_ETC: Final = ("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d")
PASSWD: Final = f"root:x:0:0:root:/:/bin/sh\nbuild:x:{BUILD_ID}:{BUILD_ID}:build:/:/bin/sh\n"
GROUP: Final = f"root:x:0:\nbuild:x:{BUILD_ID}:\n"


def host_programs() -> tuple[Mount, ...]:
    """Return mounts of the host's programs with an empty /tmp."""
    mounts: list[Mount] = [Bind(source=Path("/usr"), target="/usr")]
    for name in _MERGED:
        path = Path("/", name)
        if path.is_symlink():
            mounts.append(Link(target=str(path), to=str(path.readlink())))
        elif path.is_dir():
            mounts.append(Bind(source=path, target=str(path)))
    etc = (Path("/etc", name) for name in _ETC)
    mounts += [Bind(source=path, target=str(path)) for path in etc if path.exists()]
    mounts += [Text(target="/etc/passwd", content=PASSWD), Text(target="/etc/group", content=GROUP)]
    return (*mounts, Tmpfs(target="/tmp", size=SANDBOX_TMP_BYTES))  # noqa: S108  (inside)


def host_python() -> tuple[Mount, ...]:
    """Return the mounts that, after `host_programs`, let this Python import this package."""
    wanted = [Path(sys.prefix), Path(sys.base_prefix), Path(f2fbuild.__file__).parent]
    chosen: list[Path] = []
    for path in sorted({path.resolve() for path in wanted}):
        if not any(path.is_relative_to(other) for other in (Path("/usr"), *chosen)):
            chosen.append(path)
    return tuple(Bind(source=path, target=str(path)) for path in chosen)


def python_module(module: str, *arguments: str) -> Command:
    """Return the command that runs `module` of this package in a sandbox with `host_python`."""
    argv = (sys.executable, "-I", "-m", module, *arguments)
    return Command(argv=argv, env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", "TZ": "UTC"})
