"""What a log signed last is remembered durably, in a file that a torn write does not spoil."""

import os
from pathlib import Path

import pytest

from f2fbuild.errors import StorageError
from f2fbuild.ledger.checkpoint import Checkpoint, origin_of
from f2fbuild.ledger.guard import Remembered
from f2fbuild.ledger.memory import SLOT_BYTES, HeadMemory
from f2fbuild.model.digest import sha256_hex
from f2fbuild.model.tree import EMPTY_ROOT

ORIGIN = origin_of(b"k" * 32)


def head(size: int) -> Checkpoint:
    root = bytes.fromhex(sha256_hex(b"%d" % size)) if size else EMPTY_ROOT
    return Checkpoint(origin=ORIGIN, size=size, root=root)


def memory(place: Path) -> HeadMemory:
    return HeadMemory(place / "heads", ORIGIN)


def file(place: Path) -> Path:
    (found,) = (path for path in (place / "heads").iterdir() if not path.suffix)
    return found


def test_nothing_is_remembered_of_a_log_at_first(tmp_path: Path) -> None:
    assert memory(tmp_path).remembered is None
    assert memory(tmp_path).ahead == b""
    assert not (tmp_path / "heads").exists(), "looking leaves nothing behind"


def test_what_was_remembered_is_read_again(tmp_path: Path) -> None:
    one = memory(tmp_path)
    one.begin(head(0))
    for size in range(20):
        one.remember(head(size), head(size + 1))
        expected = Remembered(before=head(size), following=head(size + 1), followed=False)
        assert one.remembered == memory(tmp_path).remembered == expected
    assert file(tmp_path).stat().st_size == 2 * SLOT_BYTES, "it does not grow with the log"
    assert file(tmp_path).stat().st_mode & 0o077 == 0


def test_begin_forgets_nothing(tmp_path: Path) -> None:
    one = memory(tmp_path)
    one.begin(head(0))
    one.remember(head(3), head(4))
    memory(tmp_path).begin(head(0))
    found = memory(tmp_path).remembered
    assert found is not None
    assert (found.before, found.following) == (head(3), head(4))


def test_who_remembers_nothing_must_take_it_that_the_log_was_seen(tmp_path: Path) -> None:
    memory(tmp_path).remember(head(3), head(4))
    found = memory(tmp_path).remembered
    assert found is not None
    assert found.followed


def test_that_the_log_was_seen_and_that_it_is_retired_stays_remembered(tmp_path: Path) -> None:
    one = memory(tmp_path)
    one.begin(head(0))
    one.note_followed()
    before = file(tmp_path).read_bytes()
    one.note_followed()
    assert file(tmp_path).read_bytes() == before, "it is written once"
    one.remember(head(0), head(1))
    one.retire(head(1))
    one.remember(head(1), head(2))
    expected = Remembered(before=head(1), following=head(2), followed=True, retired=True)
    assert memory(tmp_path).remembered == expected


def test_nobody_is_noted_where_nothing_is_remembered(tmp_path: Path) -> None:
    memory(tmp_path).note_followed()
    assert memory(tmp_path).remembered is None


def test_a_log_of_which_nothing_is_remembered_can_be_retired(tmp_path: Path) -> None:
    memory(tmp_path).retire(head(7))
    expected = Remembered(before=head(7), following=head(7), followed=True, retired=True)
    assert memory(tmp_path).remembered == expected


@pytest.mark.parametrize("torn", [0, 1, 100, SLOT_BYTES - 1])
def test_a_torn_write_leaves_what_was_remembered_before(tmp_path: Path, torn: int) -> None:
    one = memory(tmp_path)
    one.begin(head(0))
    one.remember(head(0), head(1))
    before = file(tmp_path).read_bytes()
    one.remember(head(1), head(2))
    after = file(tmp_path).read_bytes()
    start = next(at for at, (old, new) in enumerate(zip(before, after, strict=True)) if old != new)
    start -= start % SLOT_BYTES
    file(tmp_path).write_bytes(
        before[:start] + after[start : start + torn] + before[start + torn :],
    )
    found = memory(tmp_path).remembered
    assert found is not None
    if torn < 200:
        assert found.following == head(1)
    else:
        assert found.following == head(2), "all of the line is there; what is missing is padding"


def test_every_flipped_byte_of_the_newer_line_is_noticed(tmp_path: Path) -> None:
    one = memory(tmp_path)
    one.begin(head(0))
    one.remember(head(0), head(1))
    whole = file(tmp_path).read_bytes()
    # The second write went into the first slot.
    line = whole[:SLOT_BYTES].rstrip()
    for at in range(len(line)):
        damaged = bytearray(whole)
        damaged[at] ^= 0x01
        file(tmp_path).write_bytes(damaged)
        found = memory(tmp_path).remembered
        assert found is not None
        assert found.following == head(0), f"byte {at}"


@pytest.mark.parametrize("data", [b"", b"\0" * 2 * SLOT_BYTES, b"\xff" * 9, b"x" * 9999])
def test_a_ruined_file_is_as_none(tmp_path: Path, data: bytes) -> None:
    memory(tmp_path).begin(head(0))
    file(tmp_path).write_bytes(data)
    one = memory(tmp_path)
    assert one.remembered is None
    one.remember(head(4), head(5))
    found = memory(tmp_path).remembered
    assert found is not None
    assert found.following == head(5)


def test_each_log_has_a_memory_of_its_own(tmp_path: Path) -> None:
    memory(tmp_path).begin(head(0))
    assert HeadMemory(tmp_path / "heads", origin_of(b"j" * 32)).remembered is None


def test_the_head_that_a_friend_showed_is_kept(tmp_path: Path) -> None:
    memory(tmp_path).keep_ahead(b"a note")
    assert memory(tmp_path).ahead == b"a note"
    memory(tmp_path).keep_ahead(b"another")
    assert memory(tmp_path).ahead == b"another"


def test_a_disk_that_does_not_take_it_is_told(tmp_path: Path) -> None:
    one = memory(tmp_path)
    (tmp_path / "heads").write_text("a file in the way")
    with pytest.raises(StorageError, match="heads"):
        one.remember(head(0), head(1))
    assert one.remembered is None, "what is not durable is not remembered"


def test_a_memory_that_cannot_be_read_is_no_empty_one(tmp_path: Path) -> None:
    memory(tmp_path).begin(head(0))
    path = file(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(StorageError, match="cannot read"):
        memory(tmp_path)


def test_a_write_lies_on_the_disk_before_it_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = memory(tmp_path)
    one.begin(head(0))

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdatasync", fail)
    with pytest.raises(StorageError, match="No space left"):
        one.remember(head(0), head(1))
    found = one.remembered
    assert found is not None
    assert found.following == head(0)
