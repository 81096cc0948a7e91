"""The log on a real disk: what append promises, what a crash leaves, and what damage is told."""

import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from f2fbuild.errors import FormatError, LedgerError, StorageError
from f2fbuild.ledger import tiles
from f2fbuild.ledger.checkpoint import Checkpoint
from f2fbuild.ledger.files import LogInUseError
from f2fbuild.ledger.log import Log, _Batch
from f2fbuild.ledger.proof import verify_proof
from tests.ledger.ledger_helpers import ALICE, BOB, naive_root
from tests.ledger.log_files import check_whole, child, entries, run_child


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
        assert now == log.head
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
    heads, started = list[int](), threading.Barrier(16)
    with Log.open(place, ALICE.log, remember=lambda _now, then: heads.append(then.size)) as log:

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
        if name == "tail-written":
            inside.set()
            go_on.wait()

    opened = Log.open(
        place, ALICE.log, on_commit_point=hold, remember=lambda _now, then: heads.append(then.size)
    )
    with opened as log, ThreadPoolExecutor(5) as pool:
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


# --- two holders ----------------------------------------------------------------------------------------


@pytest.mark.unprivileged
def test_a_second_process_is_refused(place: Path) -> None:
    with Log.open(place, ALICE.log):
        assert "LogInUseError" in child(place, "none", 0, 0, 1).stderr
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
        with pytest.raises(LedgerError, match="somebody else"):
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
