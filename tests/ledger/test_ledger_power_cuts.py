"""The power fails before every single step on the disk: of a mirror, and of a log and what remembers it."""

import json
import os
import subprocess  # noqa: TID251 - the child watches its own syncs
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from f2fbuild.ledger import evidence, monitor
from f2fbuild.ledger.check import verify
from f2fbuild.ledger.files import PrunedError
from f2fbuild.ledger.guard import SignNow, Situation, decide
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.memory import HeadMemory
from f2fbuild.ledger.mirror import Mirror
from tests.ledger import power_child
from tests.ledger.ledger_helpers import ALICE
from tests.ledger.log_files import check_whole, entries
from tests.ledger.power_child import WORDS, forked, serve


@dataclass(frozen=True, kw_only=True)
class Cut:
    """What one power cut left, and what the process had told before."""

    place: Path
    told: dict[str, Any]


def cuts(root: Path, what: str, *steps: str) -> Iterator[Cut]:
    """Let the child live its story, and go through all the cuts."""
    path = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    command = [sys.executable, power_child.__file__, str(root), what, *steps]
    run = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": path}, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    told = sorted(root.with_name(f"{root.name}.cuts").glob("*.json"))
    assert len(told) > 10
    seen = set()
    for file in told:
        for kind in ("killed", "lost", "gone", "torn"):
            place = file.with_name(f"{file.stem}-{kind}")
            # Many cuts leave the same.
            same = (file.read_text(), *_contents(place))
            if same not in seen:
                seen.add(same)
                yield Cut(place=place, told=json.loads(file.read_text()))


def _contents(place: Path) -> list[tuple[str, bytes]]:
    paths = sorted(place.rglob("*"))
    return [(str(path.relative_to(place)), path.read_bytes() if path.is_file() else b"") for path in paths]


@pytest.mark.parametrize("story", ["5 9", "250 600", "5 violation 9", "9 fork"])
async def test_a_mirror_is_as_it_was_or_as_it_was_to_be(tmp_path: Path, story: str) -> None:
    steps = story.split()
    sizes = [int(step) for step in steps if step.isdecimal()]
    served = Log.create(tmp_path / "served", ALICE.log)
    served.append(entries(0, sizes[-1] + 1))
    for cut in cuts(tmp_path / "root", "mirror", *steps):
        step = steps[max(cut.told["step"], 0)]
        following = int(step) if step.isdecimal() else cut.told["size"]
        with Mirror.open(cut.place / "mirror", ALICE.vkey) as mirror:
            assert mirror.size in (cut.told["size"], following), cut
            assert mirror.entries(0, mirror.size) == entries(0, mirror.size)
            assert mirror.violation in {cut.told["violation"], WORDS if step == "violation" else ""}
            assert mirror.evidence or not cut.told["frozen"]
            if mirror.evidence:
                assert isinstance(evidence.check(mirror.evidence), evidence.EquivocationFinding)
            decision = await mirror.update(served.checkpoint(), serve(served))
            expected = monitor.Equivocation if mirror.evidence else monitor.Advanced
            assert isinstance(decision, expected), cut
        if mirror.size:
            assert verify(mirror.directory, ALICE.vkey, hashes_only=True).problems == (), cut


async def test_a_fork_that_was_seen_before_the_cut_is_seen_after_it(tmp_path: Path) -> None:
    """What the crash took of the evidence, the head that was followed gives again."""
    honest = Log.create(tmp_path / "honest", ALICE.log)
    other = forked(honest, 9)
    seen = set()
    for cut in cuts(tmp_path / "root", "mirror", "9", "fork"):
        if cut.told["size"] == 9:
            with Mirror.open(cut.place / "mirror", ALICE.vkey) as mirror:
                seen.add(bool(mirror.evidence))
                decision = await mirror.update(other.checkpoint(), serve(other))
                assert isinstance(decision, monitor.Equivocation)
    assert seen == {False, True}, "cuts were made before and after"


async def test_pruned_bundles_are_all_there_or_said_to_be_gone(tmp_path: Path) -> None:
    served = Log.create(tmp_path / "served", ALICE.log)
    served.append(entries(0, 800))
    marks = set()
    for cut in cuts(tmp_path / "root", "mirror", "800", "prune", "restore"):
        if cut.told["size"] != 800:
            continue
        with Mirror.open(cut.place / "mirror", ALICE.vkey) as mirror:
            marks.add((cut.told["step"], mirror.pruned))
            assert mirror.size == 800
            if mirror.pruned:
                with pytest.raises(PrunedError):
                    mirror.entry(256)
            else:
                assert mirror.entries(0, 800) == entries(0, 800)
            assert verify(mirror.directory, ALICE.vkey, hashes_only=True).problems == (), cut
            await mirror.restore(serve(served))
            assert mirror.entries(0, 800) == entries(0, 800)
    assert marks == {(1, 0), (1, 3), (2, 3), (2, 0)}


def test_a_log_that_lost_power_matches_what_is_remembered(tmp_path: Path) -> None:
    """So no crash is taken for a restored backup, and nothing signed is ever forgotten."""
    steps = ["5", "4", "followed", "publish", "250", "300", "1"]
    for cut in cuts(tmp_path / "root", "log", *steps):
        step = steps[max(cut.told["step"], 0)]
        following = cut.told["size"] + (int(step) if step.isdecimal() else 0)
        remembered = HeadMemory(cut.place / "heads", ALICE.origin).remembered
        assert remembered is not None, cut
        assert remembered.followed or not cut.told["followed"], cut
        with Log.open(cut.place / "log", ALICE.log) as log:
            assert log.size in (cut.told["size"], following), cut
            assert log.head in (remembered.before, remembered.following), cut
            check_whole(log, entries(0, log.size))
            alone = Situation(
                head=log.head,
                remembered=remembered,
                answers={},
                friends=frozenset({"a"}),
                connected=frozenset(),
                until=0,
            )
            assert decide(alone, 1) == SignNow()
