"""Which uids of the host stand behind a sandbox's own.

A node that runs as root uses a range that is nobody's, so that nothing in a sandbox is ever the host's root.
An ordinary user's sandboxes are that user, and have the range in /etc/subuid where there is one: dpkg needs
it, builds and dnf do not.
"""

import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from f2fbuild.errors import ConfigurationError
from f2fbuild.limits import SANDBOX_IDS, SANDBOX_ROOT_ID

Range: TypeAlias = tuple[int, int, int]
_SUBORDINATE: Final = {"uid": Path("/etc/subuid"), "gid": Path("/etc/subgid")}


class RootRefusedError(ConfigurationError):
    """A node that runs as root has no ids of its own for builds here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdMap:
    """Ranges (inside, host, count), and who writes them: the process itself, root, or newuidmap.

    `owner` is the host's (uid, gid) of the sandbox's root, of the build user, and of what both write.
    """

    by: str
    uid: tuple[Range, ...]
    gid: tuple[Range, ...]
    owner: tuple[int, int]

    @property
    def has_range(self) -> bool:
        """Whether more than one uid is mapped, as dpkg needs it."""
        return self.by != "self"

    def to_json(self) -> dict[str, Any]:
        """Return what the launcher reads."""
        return {"by": self.by, "uid": self.uid, "gid": self.gid}


def host_id_map() -> IdMap:
    """Return the map for sandboxes of this process.

    Raises:
        RootRefusedError: running as root in a container that does not have the range for builds.
    """
    uid, gid = os.getuid(), os.getgid()
    if uid == 0:
        _require_range()
        whole = ((0, SANDBOX_ROOT_ID, SANDBOX_IDS),)
        return IdMap(by="root", uid=whole, gid=whole, owner=(SANDBOX_ROOT_ID, SANDBOX_ROOT_ID))
    ranges = {kind: _subordinate(kind, uid) for kind in _SUBORDINATE}
    if all(ranges.values()) and shutil.which("newuidmap") and shutil.which("newgidmap"):
        uids, gids = (((0, own, 1), *ranges[kind]) for kind, own in (("uid", uid), ("gid", gid)))
        return IdMap(by="newuidmap", uid=uids, gid=gids, owner=(uid, gid))
    return IdMap(by="self", uid=((0, uid, 1),), gid=((0, gid, 1),), owner=(uid, gid))


def _require_range() -> None:
    for kind in ("uid", "gid"):
        lines = (line.split() for line in Path(f"/proc/self/{kind}_map").read_text().splitlines())
        last = SANDBOX_ROOT_ID + SANDBOX_IDS
        if not any(int(at) <= SANDBOX_ROOT_ID and last <= int(at) + int(count) for at, _, count in lines):
            raise RootRefusedError(
                f"{kind}s {SANDBOX_ROOT_ID} to {last - 1} are not available",
                hint="Run the node as an ordinary user",
            )


def _subordinate(kind: str, uid: int) -> tuple[Range, ...]:
    try:
        lines = _SUBORDINATE[kind].read_text().splitlines()
        names = {str(uid), pwd.getpwuid(uid).pw_name}
    except (OSError, KeyError):
        return ()
    for line in lines:
        name, _, numbers = line.partition(":")
        start, _, count = numbers.partition(":")
        if name in names and start.isdecimal() and count.isdecimal():
            return ((1, int(start), min(int(count), SANDBOX_IDS - 1)),)
    return ()
