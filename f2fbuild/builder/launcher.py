"""The program between the node and bubblewrap: `python -I -S launcher.py FD`.

FD holds a JSON document: what `sandbox.staging` gives, control groups to join, the id map, resource limits
and bubblewrap's command line. The launcher enters a user and a mount namespace, opens all sources while it
still is the node's own user, then becomes the mapped root, mounts what was opened, and becomes bubblewrap.
Untrusted code starts only there.

It is a program of its own, with nothing but the standard library, because a forked child of a program with
threads may do very little safely, and because its start is paid for by every sandbox.
"""

import ctypes
import json
import os
import resource
import stat
import sys
from pathlib import Path
from typing import Any

_NEW_USER, _NEW_MOUNT = 0x1000_0000, 0x0002_0000
_NOSUID, _NODEV, _BIND, _REC, _PRIVATE = 2, 4, 0x1000, 0x4000, 0x4_0000
_SET_DUMPABLE = 4
_LIBC = ctypes.CDLL(None, use_errno=True)


def main(document_fd: int) -> None:
    """Read the document, make its namespaces, and become bubblewrap. Does not return."""
    with open(document_fd, "rb") as file:
        document = json.load(file)
    os.umask(0o022)
    for entrance in document["groups"]:
        _write(entrance, "0")
    enter(document["ids"])
    sources = open_sources(document)
    become_root(document["ids"])
    stage(document, sources)
    restrict(document)
    os.execvp(document["argv"][0], document["argv"])  # noqa: S606  (no shell is wanted)


def enter(ids: dict[str, Any]) -> None:
    """Unshare user and mount namespaces and have the id maps written.

    A helper, forked before, writes the maps: only a process of the parent namespace may map ids that are not
    the caller's own (user_namespaces(7)). `ids["by"]` says how: `self`, `root` or `newuidmap`.
    """
    if ids["by"] == "self":
        uid, gid = os.getuid(), os.getgid()
        _check(_LIBC.unshare(_NEW_USER | _NEW_MOUNT), "unshare")
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"0 {uid} 1")
        _write("/proc/self/gid_map", f"0 {gid} 1")
        return
    target, (ready, go) = os.getpid(), os.pipe()
    helper = os.fork()
    if helper == 0:
        os.close(go)
        os.read(ready, 1)
        os._exit(_map(ids, target))
    os.close(ready)
    _check(_LIBC.unshare(_NEW_USER | _NEW_MOUNT), "unshare")
    os.close(go)
    if os.waitpid(helper, 0)[1]:
        raise SystemExit("the ids of the sandbox could not be mapped")


def _map(ids: dict[str, Any], target: int) -> int:
    for kind in ("uid", "gid"):
        if ids["by"] == "root":
            _write(f"/proc/{target}/{kind}_map", "\n".join(" ".join(map(str, line)) for line in ids[kind]))
            continue
        numbers = [str(number) for line in ids[kind] for number in line]
        argv = [f"new{kind}map", str(target), *numbers]
        if os.spawnvp(os.P_WAIT, argv[0], argv):  # noqa: S606  (no shell is wanted)
            return 1
    return 0


def open_sources(document: dict[str, Any]) -> dict[str, int]:
    """Open every source by its number, and the overlay's directories, as the node's own user.

    They may lie where only that user may look, so the mapped root could not open them.
    """
    overlay = document["overlay"] or {"lower": [], "upper": "", "work": ""}
    lower = {f"lower{number}": path for number, path in enumerate(overlay["lower"])}
    layers = {key: overlay[key] for key in ("upper", "work") if overlay[key]}
    return {name: os.open(path, os.O_PATH) for name, path in (document["binds"] | lower | layers).items()}


def become_root(ids: dict[str, Any]) -> None:
    """Become the namespace's root, which is the node's user or the first of a range of uids nobody uses."""
    if ids["by"] != "self":
        os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    _check(_LIBC.prctl(_SET_DUMPABLE, 1, 0, 0, 0), "prctl")


def stage(document: dict[str, Any], sources: dict[str, int]) -> None:
    """Mount a tmpfs over the stage and in it the overlay as `root` and every source by its number."""
    _mount("none", "/", "", _REC | _PRIVATE, "")
    _mount("tmpfs", document["stage"], "tmpfs", _NOSUID | _NODEV, f"mode=0755,size={document['bytes']}")
    os.chdir(document["stage"])
    for name, text in document["texts"].items():
        _write(name, text)
    for name in document["binds"]:
        if stat.S_ISDIR(os.fstat(sources[name]).st_mode):
            Path(name).mkdir()
        else:
            _write(name, "")
        _mount(_path(sources[name]), name, "", _BIND | _REC, "")
    if document["overlay"]:
        _overlay(sources)
    for descriptor in sources.values():
        os.close(descriptor)


def _overlay(sources: dict[str, int]) -> None:
    """Mount the overlay; descriptors stand for paths, which could hold the characters `,` and `:`."""
    for name in ("root", "upper", "work"):
        Path(name).mkdir()
    lower = ":".join(_path(descriptor) for name, descriptor in sources.items() if name.startswith("lower"))
    upper, work = (_path(sources[name]) if name in sources else name for name in ("upper", "work"))
    _mount("overlay", "root", "overlay", 0, f"userxattr,lowerdir={lower},upperdir={upper},workdir={work}")


def restrict(document: dict[str, Any]) -> None:
    """Lower the resource limits, show the first CPUs only, and be what the kernel kills first.

    After the namespaces are made: from there on RLIMIT_NPROC counts this sandbox's processes only.
    """
    _write("/proc/self/oom_score_adj", "1000")
    for name, value in document["limits"].items():
        kind = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(kind)[1]
        lowered = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (lowered, lowered))
    if document["cpus"]:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: document["cpus"]])


def _path(descriptor: int) -> str:
    return f"/proc/self/fd/{descriptor}"


def _write(path: str, text: str) -> None:
    Path(path).write_text(text, encoding="utf-8")


def _mount(source: str, target: str, kind: str, flags: int, options: str) -> None:
    arguments = (os.fsencode(source), os.fsencode(target), kind.encode(), flags, options.encode())
    _check(_LIBC.mount(*arguments), f"mount {target}")


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise SystemExit(f"{what}: {os.strerror(number)}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
