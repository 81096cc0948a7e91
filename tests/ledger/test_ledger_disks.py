"""Disks that are full, fail or lie: no entry that was promised is lost, and no damage is handed out."""

import os
import subprocess  # noqa: TID251 - a limit of the kernel is for a process of its own
import sys
from pathlib import Path

import pytest

from f2fbuild.errors import LedgerError, StorageError
from f2fbuild.ledger.directory import COMMIT_POINTS
from f2fbuild.ledger.disk import sync_directories, write_file
from f2fbuild.ledger.log import Log
from tests.ledger.ledger_helpers import ALICE
from tests.ledger.log_files import CHILD, check_whole, entries


def test_a_full_disk_leaves_the_log_as_it_was(small_disk: Path) -> None:
    place, written = small_disk / "log", [b"x" * 1000]
    with Log.create(place, ALICE.log) as log:
        log.append(written)
        ballast = small_disk / "ballast"
        with pytest.raises(StorageError, match="No space left"):
            log.append([bytes(60_000)] * 5)
        check_whole(log, written)
        ballast.write_bytes(bytes(room(small_disk)))
        with pytest.raises(StorageError, match="No space left"):
            log.append([bytes(5_000)])
        assert log.entries(0, log.size) == written
        ballast.unlink()
        log.append([b"y"])
        check_whole(log, [*written, b"y"])
    with Log.open(place, ALICE.log) as log:
        check_whole(log, [*written, b"y"])


@pytest.mark.parametrize("point", COMMIT_POINTS[:3])
@pytest.mark.parametrize("already", [0, 3])
def test_a_full_disk_at_every_file(small_disk: Path, point: str, already: int) -> None:
    """The disk fills up before each step in turn; no append is ever half there, and what was in stays."""
    place, ballast = small_disk / "log", small_disk / "ballast"

    def fill(name: str) -> None:
        if name == point:
            ballast.write_bytes(bytes(room(small_disk)))

    Log.create(place, ALICE.log).close()
    with Log.open(place, ALICE.log, on_commit_point=fill) as log:
        log.append(entries(0, already))
        with pytest.raises(StorageError, match="No space left"):
            log.append(entries(already, 300))
        assert log.entries(0, log.size) == entries(0, already)
    ballast.unlink()
    with Log.open(place, ALICE.log) as log:
        log.append(entries(already, 300))
        check_whole(log, entries(0, already + 300))


@pytest.mark.parametrize("point", COMMIT_POINTS[:3])
def test_a_full_disk_while_files_are_published_costs_no_entry(small_disk: Path, point: str) -> None:
    place, ballast = small_disk / "log", small_disk / "ballast"

    def fill(name: str) -> None:
        if name == point and not ballast.exists():
            ballast.write_bytes(bytes(room(small_disk)))

    Log.create(place, ALICE.log).close()
    log = Log.open(place, ALICE.log, on_commit_point=fill)
    log.append(entries(0, 3))
    for _ in range(2):
        with pytest.raises(StorageError, match="No space left"):
            log.publish()
        assert log.entries(0, 3) == entries(0, 3)
    log.close()
    assert not list(place.rglob("*.tmp"))
    ballast.unlink()
    with Log.open(place, ALICE.log) as log:
        check_whole(log, entries(0, 3))


def room(disk: Path) -> int:
    free = os.statvfs(disk)
    return free.f_bavail * free.f_frsize


LIMITED = """
import resource, sys
from pathlib import Path
from tests.ledger.ledger_helpers import ALICE
from f2fbuild.errors import StorageError
from f2fbuild.ledger.log import Log

with Log.open(Path(sys.argv[1]), ALICE.log) as log:
    log.append([b"small"])
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
    try:
        log.append([bytes(60_000)])
    except StorageError as error:
        print(error.what)
    log.append([b"small again"])
"""


@pytest.mark.unprivileged
def test_a_file_that_may_not_grow(place: Path) -> None:
    """The same without root: the kernel refuses to write more than 50,000 bytes into one file."""
    path = os.pathsep.join([str(CHILD.parent.parent.parent), *sys.path])
    command = [sys.executable, "-c", LIMITED, str(place)]
    run = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": path}, check=False)
    assert (run.stdout, run.stderr) == ("cannot write: File too large\n", "")
    with Log.open(place, ALICE.log) as log:
        check_whole(log, [b"small", b"small again"])


@pytest.mark.parametrize(("point", "count"), [("checkpoint-renamed", 256), ("tail-written", 1)])
def test_a_head_in_doubt_is_settled_by_opening_again(place: Path, point: str, count: int) -> None:
    """The disk fails between writing and syncing: the head may or may not outlive a power cut."""

    def fail(name: str) -> None:
        if name == point:
            raise OSError(5, "Input/output error")

    with Log.open(place, ALICE.log, on_commit_point=fail) as log:
        with pytest.raises(StorageError, match="move the head"):
            log.append(entries(0, count))
        assert log.size == 0
        with pytest.raises(StorageError, match="open it again"):
            log.append([b"b"])
    with Log.open(place, ALICE.log) as log:
        check_whole(log, entries(0, count))


def test_a_head_of_another_tree_is_not_taken(place: Path) -> None:
    with Log.open(place, ALICE.log) as log:
        log.append([b"a"])
        log._stage([b"b"])
        with pytest.raises(LedgerError, match="staged tree"):
            log._commit(ALICE.head([b"a", b"c"]))
        log._discard()
        check_whole(log, [b"a"])


def test_a_disk_that_fails_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken" / "by a directory").mkdir(parents=True)
    with pytest.raises(StorageError, match="cannot rename"):
        write_file(tmp_path / "taken", b"a")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot write"):
        write_file(tmp_path / "file" / "below", b"a")
    with pytest.raises(StorageError, match="cannot sync"):
        sync_directories([tmp_path / "absent" / "file"], tmp_path)


@pytest.mark.parametrize("name", ["checkpoint", "tile/0/001.p/44", "tile/entries/001.p/44", "tile/1/000.p/1"])
@pytest.mark.parametrize("torn", [False, True])
def test_a_damaged_edge_is_not_opened(place: Path, name: str, torn: bool) -> None:
    with Log.open(place, ALICE.log) as log:
        log.append(entries(0, 300))
    damage(place / name, torn)
    with pytest.raises(LedgerError):
        Log.open(place, ALICE.log)


@pytest.mark.parametrize("name", ["tile/0/000", "tile/entries/000"])
@pytest.mark.parametrize("torn", [False, True])
def test_damage_inside_is_told_and_never_handed_out(place: Path, name: str, torn: bool) -> None:
    with Log.open(place, ALICE.log) as log:
        log.append(entries(0, 300))
        damage(place / name, torn)
        with pytest.raises(StorageError):
            log.inclusion(255)
        with pytest.raises(StorageError):
            log.entry(255)
        assert log.entry(299) == b"entry 299"
        (place / name).unlink()
        with pytest.raises(StorageError, match="cannot read"):
            log.resource(name)


def test_a_damaged_tile_makes_no_false_proof(place: Path) -> None:
    """A sibling's hash is wrong while entry and leaf hash agree."""
    with Log.open(place, ALICE.log) as log:
        log.append(entries(0, 300))
        damage(place / "tile/0/000", torn=False)
        with pytest.raises(StorageError, match="tile is damaged"):
            log.inclusion(0)


def damage(path: Path, torn: bool) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data[:-9] if torn else data)
