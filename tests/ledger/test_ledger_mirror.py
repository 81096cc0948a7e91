"""Friends' logs pulled from real directories, and everything that a peer may serve instead."""

import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from f2fbuild.errors import LedgerError, StorageError
from f2fbuild.ledger import evidence, mirror
from f2fbuild.ledger import monitor as m
from f2fbuild.ledger.files import EVIDENCE, LogInUseError
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.mirror import Mirror
from f2fbuild.ledger.proof import verify_proof
from tests.ledger.ledger_helpers import ALICE, BOB

Spoil = Callable[[str, bytes], bytes]


def entries(start: int, count: int) -> list[bytes]:
    return [b"entry %d" % n for n in range(start, start + count)]


def serve(log: Log, spoil: Spoil = lambda _path, data: data) -> Callable[[str], Awaitable[bytes]]:
    """A peer that serves a log, and what it makes of each answer."""

    async def fetch(path: str) -> bytes:
        await trio.lowlevel.checkpoint()
        data = log.resource(path)
        assert data is not None, f"{path} is not served"
        return spoil(path, data)

    return fetch


class Served:
    """Alice's log, and a fork of it after `common` entries, as a stolen key would make it."""

    def __init__(self, place: Path, common: int) -> None:
        self.log = Log.create(place / "alice", ALICE.log)
        self.log.append(entries(0, common))
        self.log.close()
        shutil.copytree(place / "alice", place / "fork")
        self.log = Log.open(place / "alice", ALICE.log)
        self.fork = Log.open(place / "fork", ALICE.log)
        self.mirror = Mirror.open(place / "mirror", ALICE.vkey)
        self.place = place

    async def pull(self, log: Log | None = None, spoil: Spoil = lambda _path, data: data) -> m.Decision:
        source = log or self.log
        return await self.mirror.update(source.checkpoint(), serve(source, spoil))


def check_same(served: Served, size: int) -> None:
    """The mirror holds the same files as the log, byte for byte; only a log of one's own has a tail."""
    served.log.publish()
    assert served.mirror.size == size
    for path in ("alice", "mirror"):
        names = {p.relative_to(served.place / path) for p in (served.place / path).rglob("*") if p.is_file()}
        for name in names - {Path("tail")}:
            mine, theirs = served.place / "mirror" / name, served.place / "alice" / name
            assert mine.read_bytes() == theirs.read_bytes()


async def test_a_log_is_followed_as_it_grows(tmp_path: Path) -> None:
    served = Served(tmp_path, 0)
    size = 0
    for count in (0, 1, 3, 252, 1, 300, 44):
        served.log.append(entries(size, count))
        size += count
        decision = await served.pull()
        assert isinstance(decision, m.Advanced if count or not size else m.Unchanged)
        check_same(served, size)
    assert isinstance(await served.pull(), m.Unchanged)
    served.mirror.close()
    served.mirror = Mirror.open(tmp_path / "mirror", ALICE.vkey)
    assert isinstance(await served.pull(), m.Unchanged)
    assert served.mirror.entries(0, size) == entries(0, size)
    assert verify_proof(served.mirror.inclusion(17), b"entry 17", ALICE.vkey) == served.log.head


async def test_only_new_bundles_are_fetched(tmp_path: Path) -> None:
    served, asked = Served(tmp_path, 700), list[str]()

    def remember(path: str, data: bytes) -> bytes:
        asked.append(path)
        return data

    await served.pull(spoil=remember)
    assert asked == ["tile/entries/000", "tile/entries/001", "tile/entries/002.p/188"]
    asked.clear()
    served.log.append(entries(700, 1))
    await served.pull(spoil=remember)
    assert asked == ["tile/entries/002.p/189"]


async def test_an_older_head_is_recognised(tmp_path: Path) -> None:
    served = Served(tmp_path, 0)
    heads = [served.log.checkpoint()]
    for count in (3, 300):
        served.log.append(entries(served.log.size, count))
        heads.append(served.log.checkpoint())
    await served.pull()
    for head in heads[:2]:
        assert isinstance(await served.mirror.update(head, serve(served.log)), m.Older)
    check_same(served, 303)


@pytest.mark.parametrize(
    ("common", "ours", "theirs"), [(5, 3, 3), (5, 3, 9), (5, 9, 3), (300, 7, 600), (1, 1, 1)]
)
async def test_a_fork_freezes_the_mirror_for_ever(
    tmp_path: Path, common: int, ours: int, theirs: int
) -> None:
    served = Served(tmp_path, common)
    served.log.append(entries(common, ours))
    served.fork.append([b"another %d" % n for n in range(theirs)])
    await served.pull()
    decision = await served.pull(served.fork)
    assert isinstance(decision, m.Equivocation)
    finding = evidence.check(decision.evidence)
    assert isinstance(finding, evidence.EquivocationFinding)
    assert finding.origin == ALICE.origin
    # Durable, and deaf to everything that comes later.
    served.mirror.close()
    served.mirror = Mirror.open(tmp_path / "mirror", ALICE.vkey)
    served.log.append([b"more"])
    assert await served.pull() == decision
    assert served.mirror.evidence == decision.evidence == (tmp_path / "mirror" / EVIDENCE).read_bytes()
    assert served.mirror.size == common + ours


async def test_a_fork_that_the_mirror_cannot_see_yet(tmp_path: Path) -> None:
    """Both stories continue what was followed: the first is believed, the second convicts."""
    served = Served(tmp_path, 5)
    await served.pull()
    served.log.append([b"story"])
    served.fork.append([b"tale"])
    assert isinstance(await served.pull(served.fork), m.Advanced)
    assert isinstance(await served.pull(), m.Equivocation)


def other_entry(path: str, data: bytes) -> bytes:
    return data.replace(b"entry 7", b"entry X") if "entries" in path else data


def cut_bundle(path: str, data: bytes) -> bytes:
    return data[:-1] if "entries" in path else data


def cut_all(path: str, data: bytes) -> bytes:
    return data[:-1]


def other_all(path: str, data: bytes) -> bytes:
    return data.replace(b"entry 7", b"entry X") if "entries" in path else bytes(len(data))


@pytest.mark.parametrize("followed", [0, 3, 9])
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (other_entry, m.Reason.BAD_ENTRIES),
        (cut_bundle, m.Reason.BAD_ENTRIES),
        (cut_all, m.Reason.BAD_PROOF),
        (other_all, m.Reason.BAD_PROOF),
    ],
)
async def test_bad_data_convicts_nobody(
    tmp_path: Path, followed: int, spoil: Spoil, reason: m.Reason
) -> None:
    served = Served(tmp_path, followed)
    await served.pull()
    served.log.append(entries(followed, 20))
    decision = await served.pull(spoil=spoil)
    assert isinstance(decision, m.Violation)
    assert decision.reason is (reason if followed else m.Reason.BAD_ENTRIES)
    assert not served.mirror.evidence
    # Another peer serves it well, and no trace of the bad one is left.
    assert isinstance(await served.pull(), m.Advanced)
    check_same(served, followed + 20)


async def test_a_head_of_another_log_is_refused(tmp_path: Path) -> None:
    served = Served(tmp_path, 3)
    decision = await served.mirror.update(BOB.head([b"a"]), serve(served.log))
    assert isinstance(decision, m.Violation)
    assert decision.reason is m.Reason.NOT_A_HEAD
    await served.pull()
    served.mirror.close()
    with pytest.raises(LedgerError, match="damaged"):
        Mirror.open(tmp_path / "mirror", BOB.vkey)


@pytest.mark.parametrize("followed", [0, 3])
async def test_one_advance_is_bounded(tmp_path: Path, followed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "MIRROR_UPDATE_BYTES", 10_000)
    served = Served(tmp_path, followed)
    await served.pull()
    served.log.append([bytes(9_000)] * 2)
    decision = await served.pull()
    assert isinstance(decision, m.Violation)
    assert decision.reason is m.Reason.TOO_LARGE
    assert served.mirror.size == followed


class LinkLostError(Exception):
    """The peer went away."""


async def test_a_lost_link_leaves_the_mirror_as_it_was(tmp_path: Path) -> None:
    served = Served(tmp_path, 5)
    await served.pull()
    served.log.append(entries(5, 600))

    def lose(path: str, data: bytes) -> bytes:
        if path.startswith("tile/entries/002"):
            raise LinkLostError
        return data

    with pytest.raises(LinkLostError):
        await served.pull(spoil=lose)
    check = {p.name for p in (tmp_path / "mirror").rglob("*") if p.is_file()}
    assert check == {"checkpoint", "5"}
    assert isinstance(await served.pull(), m.Advanced)
    check_same(served, 605)


async def test_a_crash_during_the_first_pull(tmp_path: Path) -> None:
    """Files that no head speaks of are swept; the empty checkpoint says that nothing was followed yet."""
    served = Served(tmp_path, 300)
    served.mirror.close()
    (tmp_path / "mirror" / "tile" / "entries").mkdir(parents=True)
    (tmp_path / "mirror" / "tile" / "entries" / "000").write_bytes(b"torn")
    served.mirror = Mirror.open(tmp_path / "mirror", ALICE.vkey)
    assert served.mirror.checkpoint() == b""
    assert served.mirror.resource("checkpoint") is None
    await served.pull()
    check_same(served, 300)


async def test_a_mirror_that_lost_its_head_is_not_begun_anew(tmp_path: Path) -> None:
    """Forgetting what was followed would let the log tell a second story."""
    served = Served(tmp_path, 3)
    await served.pull()
    served.mirror.close()
    (tmp_path / "mirror" / "checkpoint").unlink()
    with pytest.raises(LedgerError, match="never anew"):
        Mirror.open(tmp_path / "mirror", ALICE.vkey)


async def test_one_holder_at_a_time(tmp_path: Path) -> None:
    Mirror.open(tmp_path / "mirror", ALICE.vkey)
    with pytest.raises(LogInUseError):
        Mirror.open(tmp_path / "mirror", ALICE.vkey)


async def test_updates_wait_for_one_another(tmp_path: Path) -> None:
    served = Served(tmp_path, 300)
    decisions: list[m.Decision] = []

    async def pull() -> None:
        decisions.append(await served.pull())

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(pull)
    kinds = sorted(type(decision).__name__ for decision in decisions)
    assert kinds == ["Advanced", "Unchanged", "Unchanged", "Unchanged"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to take the directory away")
async def test_a_disk_that_fails_is_told(tmp_path: Path) -> None:
    served = Served(tmp_path, 5)
    await served.pull()
    served.log.append(entries(5, 1))
    shutil.rmtree(tmp_path / "mirror" / "tile")
    (tmp_path / "mirror" / "tile").write_bytes(b"")
    with pytest.raises(StorageError):
        await served.pull()
    assert served.mirror.size == 5
