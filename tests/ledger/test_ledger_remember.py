"""Before a head is signed it is remembered elsewhere; what cannot be remembered is not signed."""

from pathlib import Path

import pytest

from f2fbuild.errors import StorageError
from f2fbuild.ledger.checkpoint import Checkpoint
from f2fbuild.ledger.log import Log
from tests.ledger.ledger_helpers import ALICE, naive_root


@pytest.fixture
def place(tmp_path: Path) -> Path:
    Log.create(tmp_path / "log", ALICE.log).close()
    return tmp_path / "log"


def test_each_head_is_remembered_before_anything_of_it_exists(place: Path) -> None:
    story: list[object] = []

    def remember(before: Checkpoint, following: Checkpoint) -> None:
        on_disk = (place / "checkpoint").read_bytes() + (place / "tail").read_bytes()
        story.append((before.size, following.size, following.root))
        assert f"\n{before.size}\n".encode() in on_disk
        assert f"\n{following.size}\n".encode() not in on_disk, "the head has not moved yet"
        assert not (place / "checkpoint.tmp").exists()

    with Log.open(place, ALICE.log, on_commit_point=story.append, remember=remember) as log:
        log.append([b"a", b"b"])
        log.append([b"c"])
        points = [one for one in story if isinstance(one, str)]
        assert story[0] == (0, 2, naive_root([b"a", b"b"]))
        assert (2, 3, naive_root([b"a", b"b", b"c"])) in story
        assert story.index((2, 3, log.head.root)) == len(points) // 2 + 1


def test_what_cannot_be_remembered_is_not_signed(place: Path) -> None:
    refusing = True

    def remember(_before: Checkpoint, _following: Checkpoint) -> None:
        if refusing:
            raise StorageError("no space")

    with Log.open(place, ALICE.log, remember=remember) as log:
        before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
        with pytest.raises(StorageError, match="no space"):
            log.append([b"a"])
        assert (log.size, {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}) == (
            0,
            before,
        )
        refusing = False
        assert log.append([b"b"]) == range(1), "it goes on as if nothing had been"
        assert log.entries(0, 1) == [b"b"]


def test_nothing_to_append_is_nothing_to_remember(place: Path) -> None:
    told: list[int] = []
    with Log.open(place, ALICE.log, remember=lambda before, _following: told.append(before.size)) as log:
        assert log.append([]) == range(0)
    assert told == []
