"""The log on a real disk: what append promises, what a crash leaves, and what damage is told."""

import os
import shutil
import signal
import subprocess  # noqa: TID251 - the crash matrix needs children that can be killed
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from f2fbuild.errors import FormatError, LedgerError, StorageError
from f2fbuild.ledger import tiles
from f2fbuild.ledger.checkpoint import Checkpoint, open_checkpoint
from f2fbuild.ledger.directory import COMMIT_POINTS
from f2fbuild.ledger.disk import sync_directories, write_file
from f2fbuild.ledger.files import LogInUseError
from f2fbuild.ledger.log import Log, _Batch
from f2fbuild.ledger.proof import verify_proof
from f2fbuild.model.tree import prove_consistency, verify_consistency
from tests.ledger.ledger_helpers import ALICE, BOB, naive_root

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
    """Every promise of a healthy log that holds exactly these entries."""
    head = open_checkpoint(log.checkpoint(), ALICE.vkey)
    assert (log.size, head.size, head.root) == (len(written), len(written), naive_root(written))
    assert log.entries(0, log.size) == list(written)
    assert files(log.directory) == expected_files(log.size)
    assert (log.directory / "checkpoint").read_bytes() == log.checkpoint()
    return head


@pytest.fixture
def place(tmp_path: Path) -> Path:
    Log.create(tmp_path / "log", ALICE.log).close()
    return tmp_path / "log"


def test_a_new_log_is_empty_and_signed(tmp_path: Path) -> None:
    with Log.create(tmp_path / "deep" / "log", ALICE.log) as log:
        check_whole(log, [])
        assert log.head == Checkpoint(origin=ALICE.origin, size=0, root=naive_root([]))


def test_a_log_is_begun_once(place: Path) -> None:
    with pytest.raises(LedgerError, match="never anew"):
        Log.create(place, ALICE.log)


@pytest.mark.parametrize("spoil", [shutil.rmtree, lambda place: (place / "checkpoint").unlink()])
def test_a_lost_log_is_not_opened(place: Path, spoil: Callable[[Path], None]) -> None:
    spoil(place)
    with pytest.raises(LedgerError):
        Log.open(place, ALICE.log)


def test_a_log_of_another_key_is_refused(place: Path) -> None:
    with pytest.raises(LedgerError, match="damaged"):
        Log.open(place, BOB.log)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 270), st.booleans()), max_size=4))
def test_appending_and_reopening(tmp_path: Path, steps: list[tuple[int, bool]]) -> None:
    place = tmp_path / "log"
    shutil.rmtree(place, ignore_errors=True)
    log, written = Log.create(place, ALICE.log), list[bytes]()
    for count, reopen in steps:
        new = entries(len(written), count)
        assert log.append(new) == range(len(written), len(written) + count)
        written += new
        if reopen:
            log.close()
            log = Log.open(place, ALICE.log)
        check_whole(log, written)
    log.close()


def test_proofs_and_resources(place: Path) -> None:
    written = entries(0, 300)
    with Log.open(place, ALICE.log) as log:
        log.append(written)
        for index in (0, 255, 256, 299):
            proof = log.inclusion(index)
            assert verify_proof(proof, written[index], ALICE.vkey) == log.head
        assert log.resource("checkpoint") == log.checkpoint()
        assert log.resource("tile/entries/001.p/2") == tiles.encode_bundle(written[256:258])
        whole = log.resource("tile/0/001.p/44")
        assert whole is not None
        assert log.resource("tile/0/001.p/43") == whole[:-32]
        assert log.resource("tile/0/000.p/9") == (log.resource("tile/0/000") or b"")[: 9 * 32]
        for absent in (
            "tile/0/001",
            "tile/0/001.p/45",
            "tile/1/000.p/2",
            "tile/2/000.p/1",
            "tile/entries/002",
        ):
            assert log.resource(absent) is None
        for odd in ("tile/0/1", "../checkpoint", "tile/0/000.p/256", "checkpoint.tmp"):
            with pytest.raises(FormatError):
                log.resource(odd)
        for index in (-1, 300):
            with pytest.raises(IndexError):
                log.entry(index)
            with pytest.raises(IndexError):
                log.inclusion(index)


def test_an_entry_that_is_too_large_harms_nobody(place: Path) -> None:
    with Log.open(place, ALICE.log) as log:
        with pytest.raises(FormatError, match="65535"):
            log.append([b"fine", bytes(65_536)])
        check_whole(log, [])
        log.append([bytes(65_535)])
        check_whole(log, [bytes(65_535)])


def test_a_head_is_remembered_before_it_is_signed(place: Path) -> None:
    told: list[tuple[Checkpoint, Checkpoint]] = []

    def remember(now: Checkpoint, then: Checkpoint) -> None:
        assert (place / "checkpoint").read_bytes() == log.checkpoint()
        told.append((now, then))
        if len(told) == 2:
            raise StorageError("no room to remember")

    with Log.open(place, ALICE.log, remember=remember) as log:
        log.append(entries(0, 3))
        with pytest.raises(StorageError, match="no room"):
            log.append(entries(3, 300))
        log.append(entries(3, 1))
        head = check_whole(log, entries(0, 4))
    assert [(now.size, then.size) for now, then in told] == [(0, 3), (3, 303), (3, 4)]
    assert told[-1][1] == head


def test_concurrent_appends_share_commits(place: Path) -> None:
    """All batches are in, each in one piece, with fewer heads than batches."""
    heads, started = set[bytes](), threading.Barrier(16)

    def remember(name: str) -> None:
        if name == "checkpoint-durable":
            heads.add((place / "checkpoint").read_bytes())

    with Log.open(place, ALICE.log, on_commit_point=remember) as log:

        def append(number: int) -> range:
            started.wait()
            return log.append([b"%d.%d" % (number, part) for part in range(3)])

        with ThreadPoolExecutor(16) as pool:
            ranges = list(pool.map(append, range(16)))
        for number, indices in enumerate(ranges):
            got = log.entries(indices.start, indices.stop)
            assert got == [b"%d.%d" % (number, part) for part in range(3)]
        check_whole(log, log.entries(0, 48))
        assert 1 <= len(heads) <= 16


def test_waiting_batches_are_committed_by_whoever_is_first(place: Path) -> None:
    """While one commit is on its way the others queue, and then all go in one commit."""
    inside, go_on, heads = threading.Event(), threading.Event(), list[int]()
    queued = threading.Semaphore(0)

    class Announced(list[_Batch]):
        def append(self, batch: _Batch) -> None:
            super().append(batch)
            queued.release()

    def hold(name: str) -> None:
        if name == "full-written":
            inside.set()
            go_on.wait()
        if name == "stale-removed":
            heads.append(log.size)

    with Log.open(place, ALICE.log, on_commit_point=hold) as log, ThreadPoolExecutor(5) as pool:
        first = pool.submit(log.append, [b"first"])
        inside.wait()
        log._queue = Announced()
        rest = [pool.submit(log.append, [b"rest %d" % n]) for n in range(4)]
        for _ in range(4):
            queued.acquire()
        go_on.set()
        assert first.result() == range(1)
        assert sorted(future.result().start for future in rest) == [1, 2, 3, 4]
        assert heads == [1, 5]


# --- crashes -------------------------------------------------------------------------------------------


def run_child(place: Path, point: str, skip: int, start: int, *counts: int) -> tuple[int, int]:
    """Return the child's exit code and the size that its last finished append told."""
    command = [sys.executable, str(CHILD), str(place), point, str(skip), str(start), *map(str, counts)]
    path = os.pathsep.join([str(CHILD.parent), *sys.path])
    run = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": path}, check=False)
    assert run.returncode in (0, -signal.SIGKILL), run.stderr
    lines = run.stdout.split()
    return run.returncode, int(lines[-1]) if lines else start


@pytest.mark.parametrize("point", COMMIT_POINTS)
@pytest.mark.parametrize("counts", [(5, 4), (255, 1), (250, 300), (1, 1)])
def test_killed_at_every_commit_point(place: Path, point: str, counts: tuple[int, int]) -> None:
    """Whatever returned is there, nothing is doubled, and no head is ever contradicted."""
    code, told = run_child(place, point, 1, 0, *counts)
    assert code == -signal.SIGKILL
    assert told == counts[0]
    visible = open_checkpoint((place / "checkpoint").read_bytes(), ALICE.vkey)
    with Log.open(place, ALICE.log) as log:
        assert log.size == visible.size
        assert log.size in (counts[0], sum(counts))
        written = entries(0, log.size)
        check_whole(log, written)
        # Life goes on with other entries than those that were lost.
        other = [b"other %d" % n for n in range(7)]
        assert log.append(other).start == visible.size
        head = check_whole(log, [*written, *other])
    consistent = prove(place, visible.size)
    assert verify_consistency(visible.size, head.size, visible.root, head.root, consistent)


def prove(place: Path, old: int) -> Sequence[bytes]:
    with Log.open(place, ALICE.log) as log:
        return prove_consistency(old, log.size, log.read_hash)


@pytest.mark.unprivileged
def test_killed_again_and_again(place: Path) -> None:
    """One crash after another, at every point in turn: the log only ever grows."""
    size = 0
    for number, point in enumerate(COMMIT_POINTS * 2):
        code, told = run_child(place, point, number % 2, size, 90, 90, 90)
        assert code == -signal.SIGKILL
        with Log.open(place, ALICE.log) as log:
            assert told <= log.size <= told + 90
            size = log.size
            check_whole(log, entries(0, size))
    assert size > 256


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
    assert head == [*moved, "stale-removed"]


# --- two holders ----------------------------------------------------------------------------------------


@pytest.mark.unprivileged
def test_a_second_process_is_refused(place: Path) -> None:
    with Log.open(place, ALICE.log):
        command = [sys.executable, str(CHILD), str(place), "none", "0", "0", "1"]
        path = os.pathsep.join([str(CHILD.parent), *sys.path])
        run = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": path}, check=False)
        assert "LogInUseError" in run.stderr
        with pytest.raises(LogInUseError):
            Log.open(place, ALICE.log)
    assert run_child(place, "none", 0, 0, 1) == (0, 1)


def test_a_head_moved_by_somebody_else_stops_the_log(tmp_path: Path, place: Path) -> None:
    """Compare-and-swap: whoever slips past the lock cannot make the log fork."""
    shutil.copytree(place, tmp_path / "copy")
    with Log.open(tmp_path / "copy", ALICE.log) as other:
        other.append([b"theirs"])
        theirs = other.checkpoint()
    with Log.open(place, ALICE.log) as log:
        (place / "checkpoint").write_bytes(theirs)
        with pytest.raises(LedgerError, match="somebody else"):
            log.append([b"ours"])
        with pytest.raises(StorageError, match="cannot be used"):
            log.append([b"ours"])
    assert (place / "checkpoint").read_bytes() == theirs


def test_a_closed_log_is_of_no_use(place: Path) -> None:
    log = Log.open(place, ALICE.log)
    log.append([b"a"])
    log.close()
    log.close()
    with pytest.raises(StorageError, match="closed"):
        log.append([b"b"])
    with pytest.raises(StorageError, match="closed"):
        log.entry(0)


# --- disks ----------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 256 KiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], check=True)
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_leaves_the_log_as_it_was(small_disk: Path) -> None:
    place, written = small_disk / "log", [b"x" * 1000]
    with Log.create(place, ALICE.log) as log:
        log.append(written)
        ballast = small_disk / "ballast"
        with pytest.raises(StorageError, match="No space left"):
            log.append([bytes(60_000)] * 5)
        check_whole(log, written)
        free = os.statvfs(small_disk)
        ballast.write_bytes(bytes(free.f_bavail * free.f_frsize))
        with pytest.raises(StorageError, match="No space left"):
            log.append([b"y"])
        check_whole(log, written)
        ballast.unlink()
        log.append([b"y"])
        check_whole(log, [*written, b"y"])
    with Log.open(place, ALICE.log) as log:
        check_whole(log, [*written, b"y"])


def test_a_full_disk_at_every_file(small_disk: Path) -> None:
    """The disk fills up before each commit point in turn; no append is ever half there."""
    place, ballast = small_disk / "log", small_disk / "ballast"
    written = entries(0, 3)
    Log.create(place, ALICE.log).close()
    for point in COMMIT_POINTS[:3]:

        def fill(name: str, point: str = point) -> None:
            if name == point:
                free = os.statvfs(small_disk)
                ballast.write_bytes(bytes(free.f_bavail * free.f_frsize))

        with Log.open(place, ALICE.log, on_commit_point=fill) as log:
            with pytest.raises(StorageError, match="No space left"):
                log.append(written)
            check_whole(log, [])
            ballast.unlink()
    with Log.open(place, ALICE.log) as log:
        log.append(written)
        check_whole(log, written)


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
    path = os.pathsep.join([str(CHILD.parent), *sys.path])
    command = [sys.executable, "-c", LIMITED, str(place)]
    run = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": path}, check=False)
    assert (run.stdout, run.stderr) == ("cannot write: File too large\n", "")
    with Log.open(place, ALICE.log) as log:
        check_whole(log, [b"small", b"small again"])


def test_a_head_in_doubt_is_settled_by_opening_again(place: Path) -> None:
    """The disk fails between rename and sync: the rename may or may not outlive a power cut."""

    def fail(name: str) -> None:
        if name == "checkpoint-renamed":
            raise OSError(5, "Input/output error")

    with Log.open(place, ALICE.log, on_commit_point=fail) as log:
        with pytest.raises(StorageError, match="move the head"):
            log.append([b"a"])
        assert log.size == 0
        with pytest.raises(StorageError, match="open it again"):
            log.append([b"b"])
    with Log.open(place, ALICE.log) as log:
        check_whole(log, [b"a"])


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
