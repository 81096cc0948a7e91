"""A child process that follows a log or keeps one, with a power cut before each of its steps on the disk.

Usage: power_child.py ROOT mirror STEP...
       power_child.py ROOT log STEP...

The cuts go to ROOT.cuts. For a mirror a STEP is the size of ALICE's log to advance to, or `fork`,
`violation`, `prune`, `restore`; for a log, whose heads are remembered as a node does it, a number of entries
to append, or `publish`, `followed`.
"""

import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio

from f2fbuild.ledger.log import Log
from f2fbuild.ledger.memory import HeadMemory
from f2fbuild.ledger.mirror import Mirror
from tests.ledger.ledger_helpers import ALICE
from tests.ledger.log_files import entries
from tests.ledger.power_cuts import PowerCuts

WORDS = "entry 1: not in order"


def serve(log: Log) -> Callable[[str], Awaitable[bytes]]:
    async def fetch(path: str) -> bytes:
        await trio.lowlevel.checkpoint()
        data = log.resource(path)
        assert data is not None
        return data

    return fetch


def forked(log: Log, size: int) -> Log:
    """Another log of ALICE's, the same but for its last of `size` entries."""
    place = log.directory.with_name("forked")
    shutil.rmtree(place, ignore_errors=True)
    other = Log.create(place, ALICE.log)
    other.append([*entries(0, size - 1), b"another end"])
    return other


async def follow(root: Path, steps: list[str]) -> None:
    """Follow ALICE's log, which is on another disk."""
    log = Log.create(root.with_name("alice"), ALICE.log)
    cuts = PowerCuts(root, root.with_name(f"{root.name}.cuts"))
    cuts.told = {"step": -1, "size": 0, "frozen": False, "violation": "", "pruned": 0}
    mirror = Mirror.open(root / "mirror", ALICE.vkey)
    for number, step in enumerate(steps):
        cuts.told["step"] = number
        if step == "prune":
            mirror.prune()
        elif step == "restore":
            await mirror.restore(serve(log))
        elif step == "violation":
            mirror.note_violation(WORDS)
        elif step == "fork":
            other = forked(log, mirror.size)
            await mirror.update(other.checkpoint(), serve(other))
        else:
            log.append(entries(log.size, int(step) - log.size))
            await mirror.update(log.checkpoint(), serve(log))
        cuts.told |= {
            "size": mirror.size,
            "frozen": bool(mirror.evidence),
            "violation": mirror.violation,
            "pruned": mirror.pruned,
        }
    cuts.cut()


def keep(root: Path, steps: list[str]) -> None:
    """Keep ALICE's log, and remember its heads apart from it."""
    memory = HeadMemory(root / "heads", ALICE.origin)
    log = Log.create(root / "log", ALICE.log, remember=memory.remember)
    memory.begin(log.head)
    cuts = PowerCuts(root, root.with_name(f"{root.name}.cuts"))
    cuts.told = {"step": -1, "size": 0, "followed": False}
    for number, step in enumerate(steps):
        cuts.told["step"] = number
        if step == "publish":
            log.publish()
        elif step == "followed":
            memory.note_followed()
        else:
            log.append(entries(log.size, int(step)))
        remembered = memory.remembered
        assert remembered is not None
        cuts.told |= {"size": log.size, "followed": remembered.followed}
    cuts.cut()


def main() -> None:
    root, what, *steps = sys.argv[1:]
    Path(root).mkdir()
    if what == "log":
        keep(Path(root), steps)
    else:
        trio.run(follow, Path(root), steps)


if __name__ == "__main__":
    main()
