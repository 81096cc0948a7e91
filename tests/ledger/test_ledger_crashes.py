"""A log whose process is killed, or whose machine loses power, at any moment: nothing lost or forked."""

import os
import shutil
import signal
from pathlib import Path
from typing import TypeAlias

import pytest

from f2fbuild.ledger.directory import COMMIT_POINTS
from f2fbuild.ledger.log import TAIL_POINTS, Log
from f2fbuild.model.tree import prove_consistency, verify_consistency
from tests.ledger.ledger_helpers import ALICE, naive_root
from tests.ledger.log_files import check_whole, entries, files, run_child

WRITTEN, DURABLE, EMPTIED = TAIL_POINTS
PUBLISHING = (*COMMIT_POINTS, EMPTIED)
Steps: TypeAlias = tuple[int, int | str]
ALONE: list[tuple[str, int, Steps]] = [(point, 1, (5, 4)) for point in (WRITTEN, DURABLE)]
"""Commits that fill nothing: the second one is cut short."""
FILLING: list[tuple[str, int, Steps]] = [
    (point, 0, counts) for point in PUBLISHING for counts in ((250, 300), (255, 1))
]
"""The second commit fills a tile."""
LATEST: list[tuple[str, int, Steps]] = [(point, 0, (5, "publish")) for point in PUBLISHING]
"""The files are brought up to what the tail has."""


def aftermath(place: Path) -> list[Path]:
    """The log as the killed process left it, and as two power cuts in that moment would have."""
    return [place, place.with_name("log.lost"), place.with_name("log.torn")]


@pytest.mark.parametrize(("point", "skip", "steps"), ALONE + FILLING + LATEST)
def test_killed_at_every_commit_point(place: Path, point: str, skip: int, steps: Steps) -> None:
    """Whatever returned is there, nothing is doubled, and no head that was told is ever contradicted."""
    code, told = run_child(place, point, skip, 0, *steps)
    assert code == -signal.SIGKILL
    assert told == steps[0]
    both = told + (steps[1] if isinstance(steps[1], int) else 0)
    for left in aftermath(place):
        goes_on(left, told, both)


def goes_on(place: Path, told: int, both: int) -> None:
    with Log.open(place, ALICE.log) as log:
        assert log.size in (told, both)
        written = entries(0, log.size)
        check_whole(log, written)
        # Life goes on with other entries than those that were lost.
        other = [b"other %d" % n for n in range(7)]
        assert log.append(other).start == len(written)
        head = check_whole(log, [*written, *other])
        consistent = prove_consistency(told, log.size, log.read_hash)
    assert verify_consistency(told, head.size, naive_root(entries(0, told)), head.root, consistent)


@pytest.mark.parametrize("point", PUBLISHING)
def test_killed_while_it_recovers(place: Path, point: str) -> None:
    """What a crash left in the tail outlives a second crash at every step of its recovery."""
    assert run_child(place, DURABLE, 1, 0, 5, 4) == (-signal.SIGKILL, 5)
    code, _ = run_child(place, point, 0, 9, 1)
    assert code == -signal.SIGKILL
    for left in aftermath(place):
        goes_on(left, 9, 9)


def test_a_commit_is_told_when_it_is_durable_and_not_before(place: Path) -> None:
    """The power cut that the tests above make is no idle threat: it takes what was written and not synced."""
    run_child(place, WRITTEN, 1, 0, 5, 4)
    sizes = []
    for left in aftermath(place):
        with Log.open(left, ALICE.log) as log:
            sizes.append(log.size)
    assert sizes == [9, 5, 5]


@pytest.mark.unprivileged
def test_killed_again_and_again(place: Path) -> None:
    """One crash after another, at every point in turn: the log only ever grows."""
    size = 0
    for number, point in enumerate((*COMMIT_POINTS, *TAIL_POINTS)):
        code, told = run_child(place, point, number % 2, size, 90, 90, 90, 90, 90, 90)
        assert code == -signal.SIGKILL
        with Log.open(place, ALICE.log) as log:
            assert told <= log.size <= told + 90
            size = log.size
            check_whole(log, entries(0, size))
    assert size > 256


@pytest.mark.parametrize("kept", range(0, 700, 37))
def test_a_record_that_was_written_in_part_is_none(place: Path, kept: int) -> None:
    with Log.open(place, ALICE.log) as log:
        log.append(entries(0, 5))
        before = (place / "tail").stat().st_size
        log.append(entries(5, 20))
        shutil.copytree(place, place.with_name("torn"))
    tail = place.with_name("torn") / "tail"
    os.truncate(tail, min(before + kept, tail.stat().st_size - 1))
    with Log.open(tail.parent, ALICE.log) as log:
        check_whole(log, entries(0, 5))


def test_files_torn_before_the_head_moved_are_swept(place: Path) -> None:
    with Log.open(place, ALICE.log) as log:
        log.append(entries(0, 5))
    for name in ("tile/entries/000.p/9", "tile/0/000", "tile/0/000.p/7.tmp", "checkpoint.tmp"):
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"torn")
    with Log.open(place, ALICE.log) as log:
        check_whole(log, entries(0, 5))


def test_a_crash_in_the_first_moment_of_a_log(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.tmp").write_bytes(b"torn")
    with Log.create(tmp_path, ALICE.log) as log:
        check_whole(log, [])


@pytest.mark.parametrize("start", [0, 5, 255])
def test_everything_is_synced_before_it_is_spoken_of(
    place: Path, start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed process loses nothing that was written, a power cut does: so watch every sync, in order."""
    story: list[str] = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        fsync(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        story.append(path.relative_to(place).as_posix().removesuffix(".tmp"))

    with Log.open(place, ALICE.log, on_commit_point=story.append) as log:
        log.append(entries(0, start))
        log.publish()
        before = files(place)
        story.clear()
        monkeypatch.setattr(os, "fsync", watched)
        log.append(entries(start, 300))
        written = files(place) - before
    data, head = story[: story.index("data-durable")], story[story.index("data-durable") + 1 :]
    for name in written:
        synced = data.index(name)
        for directory in Path(name).parents:
            assert str(directory) in data[synced + 1 :], f"{directory} after {name}"
    moved = ["checkpoint", "checkpoint-staged", "checkpoint-renamed", ".", "checkpoint-durable"]
    assert head == [*moved, "stale-removed", "tail-emptied"]
