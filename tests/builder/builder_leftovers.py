"""What a program that is gone may have left behind on this host."""

import os
from pathlib import Path

from f2fbuild.builder import cgroups


def marked(marker: str) -> list[int]:
    """Return the host's processes whose arguments or environment hold `marker`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                text = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            except OSError:
                continue
            if marker.encode() in text:
                found.append(int(entry.name))
    return found


def groups_left() -> list[Path]:
    """Return the control groups that this process made and did not remove."""
    parents = cgroups._parents().values()
    return [path for parent in parents for path in parent.glob(f"f2fbuild-{os.getpid()}-*")]


def mounts_of(place: Path) -> list[str]:
    """Return this process's mounts that have to do with `place`."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if str(place) in line]
