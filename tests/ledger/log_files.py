"""Logs on a real disk: what is in them, whether that is whole, and children that die while they write."""

import os
import signal
import subprocess  # noqa: TID251 - the crash matrix needs children that can be killed
import sys
from collections.abc import Sequence
from pathlib import Path

from f2fbuild.ledger import tiles
from f2fbuild.ledger.checkpoint import Checkpoint, open_checkpoint
from f2fbuild.ledger.log import Log
from tests.ledger.ledger_helpers import ALICE, naive_root

DURABLE_POINT = "tail-durable"
CHILD = Path(__file__).with_name("ledger_child.py")


def entries(start: int, count: int) -> list[bytes]:
    return [b"entry %d" % n for n in range(start, start + count)]


def files(directory: Path) -> set[str]:
    return {p.relative_to(directory).as_posix() for p in directory.rglob("*") if p.is_file()}


def expected_files(size: int) -> set[str]:
    """Full tiles and bundles, one partial of each level, the checkpoint, and nothing else."""
    full: set[tiles.Resource] = {tiles.Bundle(index=n) for n in range(size // 256)}
    full |= {tiles.Tile(level=0, index=n) for n in range(size // 256)}
    full |= {tiles.Tile(level=1, index=n) for n in range(size // 65_536)}
    return {"checkpoint"} | {tiles.format_path(r) for r in [*full, *tiles.partials(size)]}


def check_whole(log: Log, written: Sequence[bytes]) -> Checkpoint:
    """Every promise of a healthy log that holds exactly these entries, before its files show it and after."""
    for _ in range(2):
        head = open_checkpoint(log.checkpoint(), ALICE.vkey)
        assert (log.size, head.size, head.root) == (len(written), len(written), naive_root(written))
        assert log.entries(0, log.size) == list(written)
        assert log.resource("checkpoint") == log.checkpoint()
        log.publish()
    assert files(log.directory) == expected_files(log.size) | {"tail"}
    assert (log.directory / "tail").read_bytes() == b""
    assert (log.directory / "checkpoint").read_bytes() == log.checkpoint()
    return head


def child(
    place: Path, point: str, skip: int, start: int, *steps: int | str
) -> subprocess.CompletedProcess[str]:
    """Run `ledger_child` to its end."""
    command = [sys.executable, str(CHILD), str(place), point, str(skip), str(start), *map(str, steps)]
    path = os.pathsep.join([str(CHILD.parent.parent.parent), *sys.path])
    return subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": path}, check=False)


def run_child(place: Path, point: str, skip: int, start: int, *steps: int | str) -> tuple[int, int]:
    """Return the child's exit code and the size that its last finished step told."""
    run = child(place, point, skip, start, *steps)
    assert run.returncode in (0, -signal.SIGKILL), run.stderr
    lines = run.stdout.split()
    return run.returncode, int(lines[-1]) if lines else start
