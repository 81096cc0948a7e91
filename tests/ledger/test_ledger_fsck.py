"""Which file is damaged: the offline check names it, and no other, whatever the damage."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from f2fbuild.errors import FormatError, LedgerError, StorageError
from f2fbuild.ledger import check, entry
from f2fbuild.ledger.check import Problem, verify
from f2fbuild.ledger.entry import Kind
from f2fbuild.ledger.evidence import format_equivocation
from f2fbuild.ledger.files import EVIDENCE
from f2fbuild.ledger.log import Log
from f2fbuild.model.outcome import ClosingReason
from f2fbuild.model.vkey import format_vkey
from tests.ledger.ledger_helpers import ALICE, BOB, acceptance
from tests.ledger.log_files import DURABLE_POINT, run_child

SIZE = 600
FILES = [
    "tile/0/000",
    "tile/0/001",
    "tile/0/002.p/88",
    "tile/1/000.p/2",
    "tile/entries/000",
    "tile/entries/001",
    "tile/entries/002.p/88",
]


def payloads(count: int) -> list[entry.Payload]:
    """A certificate, then acceptances, each closed at once."""
    made: list[entry.Payload] = [ALICE.certificate()]
    while len(made) < count:
        made += [acceptance(), entry.Closing(acceptance=len(made), reason=ClosingReason.INFRA)]
    return made[:count]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("fsck") / "log"
    with Log.create(place, ALICE.log) as log:
        log.append(ALICE.write(*payloads(SIZE)))
    return place


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def flipped(data: bytes) -> bytes:
    """One bit is another one, in an entry's text or in a hash."""
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def shortened(data: bytes) -> bytes:
    return data[:-1]


def torn(data: bytes) -> bytes:
    """The first block of the file arrived, the rest did not."""
    return data[: len(data) // 2]


def zeroed(data: bytes) -> bytes:
    return bytes(len(data))


@pytest.mark.parametrize("hashes_only", [False, True])
@pytest.mark.parametrize("spoil", [flipped, shortened, torn, zeroed])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_named_and_no_other(
    copy: Path, name: str, spoil: Callable[[bytes], bytes], hashes_only: bool
) -> None:
    good = (copy / name).read_bytes()
    (copy / name).write_bytes(spoil(good))
    problems = verify(copy, ALICE.vkey, hashes_only=hashes_only).problems
    assert {one.where for one in problems if not one.where.startswith("entry ")} == {name}
    (copy / name).write_bytes(good)
    assert verify(copy, ALICE.vkey, hashes_only=hashes_only).problems == ()


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named_and_no_other(copy: Path, name: str) -> None:
    (copy / name).unlink()
    (problem,) = verify(copy, ALICE.vkey).problems
    assert problem.where == name
    assert "cannot read" in problem.what


def test_the_entries_that_are_damaged_are_named_too(copy: Path) -> None:
    path = copy / "tile/entries/001"
    good = path.read_bytes()
    path.write_bytes(good[:40] + bytes([good[40] ^ 1]) + good[41:])
    named = Problem(where="tile/entries/001", what="other entries than the log's: 256")
    assert verify(copy, ALICE.vkey, hashes_only=True).problems == (named,)
    found = verify(copy, ALICE.vkey).problems
    assert named in found
    assert "entry 256" in {one.where for one in found}


def test_what_follows_behind_damage_is_checked_all_the_same(copy: Path) -> None:
    for name in ("tile/entries/000", "tile/0/001", "tile/1/000.p/2"):
        (copy / name).write_bytes(shortened((copy / name).read_bytes()))
    named = {one.where for one in verify(copy, ALICE.vkey, hashes_only=True).problems}
    assert named == {"tile/entries/000", "tile/0/001", "tile/1/000.p/2"}


def test_by_hashes_alone_no_entry_is_read(tmp_path: Path) -> None:
    with Log.create(tmp_path / "log", ALICE.log) as log:
        log.append([b"no entry of ours"] * 300)
    report = verify(tmp_path / "log", ALICE.vkey, hashes_only=True)
    assert (report.problems, report.kinds, report.open) == ((), {}, ())
    assert verify(tmp_path / "log", ALICE.vkey).problems[0].where == "entry 0"


# --- the tail ---------------------------------------------------------------------------------------------


@pytest.fixture
def killed(place: Path) -> Path:
    """A log whose node was killed with two commits in the tail."""
    run_child(place, DURABLE_POINT, 1, 0, 3, 4)
    return place


def test_a_tail_that_is_in_order_is_no_problem(killed: Path) -> None:
    assert (killed / "tail").stat().st_size > 0
    assert verify(killed, ALICE.vkey, hashes_only=True).problems == ()
    with (killed / "tail").open("r+b") as tail:
        tail.truncate((killed / "tail").stat().st_size - 30)
    assert verify(killed, ALICE.vkey, hashes_only=True).problems == (), "a torn end is what a crash leaves"


def test_every_damaged_part_of_a_tail_is_found(killed: Path) -> None:
    good = (killed / "tail").read_bytes()
    for at in range(0, len(good), 11):
        (killed / "tail").write_bytes(good[:at] + bytes([good[at] ^ 4]) + good[at + 1 :])
        problems = verify(killed, ALICE.vkey, hashes_only=True).problems
        assert [one.where for one in problems] == ["tail"], at


# --- every bit --------------------------------------------------------------------------------------------


def finds(place: Path) -> bool:
    """Tell whether the check finds anything, in whichever way it does."""
    try:
        return bool(verify(place, ALICE.vkey, hashes_only=True).problems)
    except (FormatError, LedgerError, StorageError):
        return True


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A log of 260 short entries in whole and partial files, that was forked, with commits in its tail."""
    place = tmp_path / "log"
    with Log.create(place, ALICE.log) as log:
        log.append([b"%d" % number for number in range(260)])
    with Log.open(place, ALICE.log) as log:
        log.append([b"in the tail"])
        shutil.copytree(place, tmp_path / "small")
    fork = format_equivocation(format_vkey(ALICE.vkey), ALICE.head([b"a"]), ALICE.head([b"b"]))
    (tmp_path / "small" / EVIDENCE).write_bytes(fork)
    return tmp_path / "small"


def test_one_flipped_bit_anywhere_is_found(small: Path) -> None:
    """No byte of checkpoint, tail or evidence is without meaning, nor any of tiles and bundles."""
    assert not finds(small)
    paths = sorted(path for path in small.rglob("*") if path.is_file())
    assert len(paths) == 8
    for path in paths:
        good = path.read_bytes()
        for at in range(0, len(good), 1 if len(good) < 1_000 else 13):
            path.write_bytes(good[:at] + bytes([good[at] ^ 1 << at % 8]) + good[at + 1 :])
            assert finds(small), f"{path.name}, byte {at}"
        path.write_bytes(good)


def test_evidence_of_another_log_is_no_reason_to_be_frozen(small: Path) -> None:
    other = format_equivocation(format_vkey(BOB.vkey), BOB.head([b"a"]), BOB.head([b"b"]))
    (small / EVIDENCE).write_bytes(other)
    (problem,) = verify(small, ALICE.vkey, hashes_only=True).problems
    assert problem == Problem(where=EVIDENCE, what="is no evidence of a fork of this log")


# --- many at once -------------------------------------------------------------------------------------------


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts are so small that a log of some bundles is worth several processes."""
    monkeypatch.setattr(check, "_BUNDLES", 1)
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0, 1})


@pytest.mark.usefixtures("many")
def test_several_processes_find_what_one_does(tmp_path: Path) -> None:
    """Promises reach over parts, and an earlier part's entry is closed by a later one's."""
    made = payloads(1_999)
    made += [acceptance(), acceptance(), entry.Closing(acceptance=1_999, reason=ClosingReason.INFRA)]
    made += [entry.Closing(acceptance=7, reason=ClosingReason.INFRA), *[acceptance()] * 300]
    made += [entry.Closing(acceptance=2_000, reason=ClosingReason.INFRA)]
    place = tmp_path / "log"
    with Log.create(place, ALICE.log) as log:
        log.append(ALICE.write(*made))
    report = verify(place, ALICE.vkey)
    assert report.problems == (Problem(where="entry 2002", what="closes no open acceptance (7)"),)
    assert report.kinds[Kind.NODE_CERTIFICATE] == 1
    assert sum(report.kinds.values()) == len(made)
    assert report.open == tuple(range(2_003, 2_303))
    damaged = place / "tile/entries/003"
    damaged.write_bytes(flipped(damaged.read_bytes()))
    named = {one.where for one in verify(place, ALICE.vkey, hashes_only=True).problems}
    assert named == {"tile/entries/003"}


@pytest.mark.usefixtures("many")
def test_a_ruined_log_is_given_up_early(tmp_path: Path) -> None:
    with Log.create(tmp_path / "log", ALICE.log) as log:
        log.append([*ALICE.write(ALICE.certificate()), *[b"x"] * 3_000])
    assert len(verify(tmp_path / "log", ALICE.vkey).problems) == 100
