"""The tail: records that count by their signature, torn ones that are none, and damage that is refused."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.errors import FormatError, LedgerError, StorageError
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.tail import Commit, format_commit, read_tail
from f2fbuild.ledger.tail_file import TailFile
from f2fbuild.model.tree import EMPTY, Frontier, frontier_of, leaf_hash
from tests.ledger.ledger_helpers import ALICE, BOB, NodeKeys
from tests.ledger.log_files import check_whole, entries


def commits(*counts: int, since: int = 0, node: NodeKeys = ALICE) -> list[Commit]:
    """Commits of so many entries each, behind `since` of them."""
    made, size = [], since
    for count in counts:
        size += count
        made.append(Commit(entries=tuple(entries(size - count, count)), note=node.head(entries(0, size))))
    return made


def tree(size: int) -> Frontier:
    return frontier_of(map(leaf_hash, entries(0, size)))


def joined(*made: Commit) -> bytes:
    return b"".join(map(format_commit, made))


@given(st.lists(st.integers(1, 5), max_size=4), st.integers(0, 9))
def test_commits_are_read_back(counts: list[int], since: int) -> None:
    made = commits(*counts, since=since)
    tail = read_tail(joined(*made), tree(since), ALICE.vkey)
    assert tail.commits == tuple(made)
    assert tail.whole == len(joined(*made))


def test_a_record_is_spelled_as_documented() -> None:
    (commit,) = commits(2)
    bundle = b"\x00\x07entry 0\x00\x07entry 1"
    body = b"\x00\x00\x00\x12" + bundle + commit.note
    assert (
        format_commit(commit)
        == len(body).to_bytes(4, "big") + (~len(body)).to_bytes(4, "big", signed=True) + body
    )


def test_every_prefix_of_a_tail_is_the_commits_that_it_holds_whole() -> None:
    made = commits(1, 3, 2)
    data, ends = joined(*made), [len(joined(*made[:count])) for count in range(4)]
    for length in range(len(data) + 1):
        whole = max(end for end in ends if end <= length)
        tail = read_tail(data[:length], EMPTY, ALICE.vkey)
        assert (tail.whole, tail.commits) == (whole, tuple(made[: ends.index(whole)]))


def test_bytes_that_were_never_written_are_no_record() -> None:
    """Some file systems show zeros where a crash came between growing a file and filling it."""
    first, second = commits(1, 3)
    start, data = len(joined(first)), joined(first, second)
    for at in range(start, len(data)):
        torn = data[:at] + bytes(len(data) - at)
        assert read_tail(torn, EMPTY, ALICE.vkey).commits == (first,)


def test_every_flipped_bit_is_found() -> None:
    data = joined(*commits(1, 2))
    for at in range(len(data)):
        for bit in range(8):
            bad = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
            with pytest.raises(FormatError, match=r"tail, byte \d+"):
                read_tail(bad, EMPTY, ALICE.vkey)


def test_records_that_the_tree_has_already_are_passed_over() -> None:
    made = commits(1, 2, 3)
    for size, rest in ((0, made), (1, made[1:]), (3, made[2:]), (6, []), (9, [])):
        assert read_tail(joined(*made), tree(size), ALICE.vkey).commits == tuple(rest)


@pytest.mark.parametrize(
    "data",
    [
        joined(*commits(2, node=BOB)),
        joined(*commits(2, since=1)),
        joined(*commits(1), *commits(3, since=2)),
        joined(Commit(entries=(b"other", b"entries"), note=ALICE.head(entries(0, 2)))),
        joined(Commit(entries=(), note=ALICE.head(entries(0, 2)))),
    ],
    ids=["another log", "a gap", "a gap behind", "other entries", "no entries"],
)
def test_what_does_not_continue_the_tree_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        read_tail(data, EMPTY, ALICE.vkey)


# --- the file -------------------------------------------------------------------------------------------


def test_a_log_whose_tail_is_damaged_is_not_opened_and_not_touched(place: Path, tmp_path: Path) -> None:
    with Log.open(place, ALICE.log) as log:
        log.append(entries(0, 3))
        log.append(entries(3, 3))
        good = (place / "tail").read_bytes()
    bad = good[:60] + bytes([good[60] ^ 1]) + good[61:]
    (place / "checkpoint").write_bytes(ALICE.head([]))
    (place / "tail").write_bytes(bad)
    with pytest.raises(LedgerError, match=r"tail is damaged.*epoch new"):
        Log.open(place, ALICE.log)
    assert (place / "tail").read_bytes() == bad


def test_a_tail_that_cannot_be_emptied_is_passed_over(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int, _length: int) -> None:
        raise OSError(5, "Input/output error")

    with Log.open(place, ALICE.log) as log:
        log.append(entries(0, 3))
        with monkeypatch.context() as patched:
            patched.setattr(os, "ftruncate", fail)
            log.publish()
        log.append(entries(3, 2))
        assert log.entries(0, log.size) == entries(0, 5)
        left = (place / "tail").read_bytes()
    (place / "tail").write_bytes(left)
    with Log.open(place, ALICE.log) as log:
        check_whole(log, entries(0, 5))


def test_a_tail_is_gone_when_its_log_is_closed(place: Path) -> None:
    with Log.open(place, ALICE.log) as log:
        log.append(entries(0, 3))
        assert (place / "tail").stat().st_size > 0
    assert not (place / "tail").exists()


def test_a_tail_that_somebody_else_wrote_to_stops_the_log(place: Path) -> None:
    with Log.open(place, ALICE.log) as log:
        log.append(entries(0, 3))
        with (place / "tail").open("ab") as tail:
            tail.write(b"theirs")
        with pytest.raises(LedgerError, match="somebody else"):
            log.append([b"ours"])
        assert log.size == 3


def test_a_tail_that_was_taken_away_stops_the_log(place: Path) -> None:
    with Log.open(place, ALICE.log) as log:
        log.append(entries(0, 3))
        (place / "tail").unlink()
        with pytest.raises(StorageError, match="cannot write"):
            log.append([b"ours"])
        (place / "tail").write_bytes(b"")
        with pytest.raises(LedgerError, match="somebody else"):
            log.append([b"ours"])


def test_a_tail_that_cannot_be_read_or_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "tail").mkdir()
    with pytest.raises(StorageError, match="cannot open"):
        TailFile(tmp_path)
    (tmp_path / "tail").rmdir()
    tail = TailFile(tmp_path)
    (tmp_path / "tail").unlink()
    with pytest.raises(StorageError, match="cannot read"):
        tail.read()
    tail.close()
