"""Notes about other logs: seen heads once a day when they changed, and a result for evidence that holds."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio
import trio.testing

from f2fbuild import limits
from f2fbuild.audit.findings import Findings
from f2fbuild.audit.found import Found
from f2fbuild.audit.noting import Notes, Sources
from f2fbuild.errors import StorageError
from f2fbuild.jobs.journal import Journal, Recorded
from f2fbuild.ledger import entry
from f2fbuild.ledger.checkpoint import Checkpoint
from f2fbuild.ledger.evidence import format_equivocation, unvouched
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.seen_heads import open_heads
from f2fbuild.model.digest import sha256_hex
from f2fbuild.model.svr import decode_result
from f2fbuild.model.vkey import format_vkey
from f2fbuild.store.blobs import BlobStore
from f2fbuild.store.database import Database
from f2fbuild.store.schema import MIGRATIONS
from tests.ledger.ledger_helpers import ALICE, BOB

DAY = 86_400
FORK = format_equivocation(format_vkey(BOB.vkey), BOB.head([b"a"]), BOB.head([b"b"]))
NOTHING = format_equivocation(format_vkey(BOB.vkey), BOB.head([b"a"]), BOB.head([b"a"]))


def head(size: int) -> Checkpoint:
    return Checkpoint(origin=BOB.origin, size=size, root=bytes(32))


class TornPen(Journal):
    """A pen that the next `failing` times writes nothing, or writes and then fails all the same."""

    failing = 0
    written_first = False

    async def ensure(self, entry: bytes, *, since: int) -> Recorded:
        if self.failing:
            self.failing -= 1
            if self.written_first:
                await super().ensure(entry, since=since)
            raise StorageError("the disk is full", where="log")
        return await super().ensure(entry, since=since)


@dataclass
class Auditor:
    """One node's notes with everything real around them; `now` and `heads` are what it is told."""

    directory: Path
    stack: ExitStack
    now: int = 10 * DAY
    heads: list[Checkpoint] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    drawn: int = 0

    def __post_init__(self) -> None:
        self.log = self.stack.enter_context(Log.create(self.directory / "log", ALICE.log))
        self.database = self.stack.enter_context(Database.open(self.directory / "node.db", MIGRATIONS))
        self.blobs = BlobStore.open(self.directory / "blobs", reserve=0)
        self.findings = Findings(self.database, self.directory / "evidence", lambda: self.now)
        self.pen = TornPen(self.log, ALICE.statements, lambda: None)
        self.notes = self.restarted()

    def restarted(self) -> Notes:
        sources = Sources(
            findings=self.findings,
            heads=lambda: self.heads,
            vouch=unvouched,
            clock=lambda: self.now,
            random=self.random,
            tell=self.told.append,
        )
        notes = Notes(self.database, self.blobs, self.pen, sources)
        self.findings.on_record(notes.wake)
        return notes

    def random(self, size: int) -> bytes:
        self.drawn += 1
        return self.drawn.to_bytes(size, "big")

    def find(self, evidence: bytes, kind: str = "equivocation") -> None:
        self.findings.record(Found(kind=kind, owner="A" * 40, node="0a" * 32, evidence=evidence, detail=""))

    def payloads(self) -> list[entry.Payload]:
        entries = self.log.entries(0, self.log.size)
        return [entry.read(data, ALICE.statements.public).payload for data in entries]

    def settled(self, size: int) -> bool:
        unwritten = self.database.rows("SELECT name FROM note WHERE written = 0")
        return len(self.payloads()) == size and not unwritten

    def opened(self, payload: entry.Payload) -> tuple[Checkpoint, ...]:
        assert isinstance(payload, entry.SeenHeads)
        (row,) = self.database.rows("SELECT blob FROM note WHERE name = ?", (f"seen-heads {payload.heads}",))
        return open_heads(payload, self.blobs.read(row["blob"], limits.SEEN_HEADS_BYTES)).heads


@pytest.fixture
def auditor(tmp_path: Path) -> Iterator[Auditor]:
    with ExitStack() as stack:
        yield Auditor(tmp_path, stack)


async def test_heads_are_noted_once_a_day_and_only_when_they_changed(auditor: Auditor) -> None:
    await auditor.notes.note_day()
    assert auditor.payloads() == []
    auditor.heads = [head(1)]
    await auditor.notes.note_day()
    auditor.heads = [head(2)]
    await auditor.notes.note_day()
    assert [auditor.opened(one) for one in auditor.payloads()] == [(head(1),)]
    auditor.now += DAY
    await auditor.notes.note_day()
    auditor.now += DAY
    await auditor.notes.note_day()
    assert [auditor.opened(one) for one in auditor.payloads()] == [(head(1),), (head(2),)]


async def test_a_clock_that_goes_back_makes_no_second_note_of_a_day(auditor: Auditor) -> None:
    auditor.heads = [head(1)]
    await auditor.notes.note_day()
    auditor.now -= DAY
    auditor.heads = [head(2)]
    await auditor.notes.note_day()
    assert len(auditor.payloads()) == 1


async def test_a_list_that_was_deleted_counts_as_changed(auditor: Auditor) -> None:
    auditor.heads = [head(1)]
    await auditor.notes.note_day()
    (row,) = auditor.database.rows("SELECT blob FROM note")
    auditor.blobs.remove(row["blob"])
    auditor.now += DAY
    await auditor.notes.note_day()
    first, second = auditor.payloads()
    assert first != second
    assert auditor.opened(second) == (head(1),)


async def test_verified_evidence_gets_one_result_and_the_heads_stand_before_it(auditor: Auditor) -> None:
    auditor.heads = [head(1)]
    auditor.find(FORK)
    for notes in (auditor.notes, auditor.notes, auditor.restarted()):
        await notes.note_findings()
    heads, result = auditor.payloads()
    assert auditor.opened(heads) == (head(1),)
    assert isinstance(result, entry.AuditResult)
    said = decode_result(result.statement)
    assert said.verifier == ALICE.origin
    assert said.properties == ("F2FBUILD_EQUIVOCATION_PROVED",)
    assert [(one.name, one.sha256) for one in said.subjects] == [("equivocation.evidence", sha256_hex(FORK))]
    assert said.at == auditor.now


async def test_what_proves_nothing_here_is_not_said_to_be_proved(auditor: Auditor) -> None:
    auditor.heads = [head(1)]
    auditor.find(NOTHING)
    auditor.find(b"", kind="violation")
    await auditor.notes.note_findings()
    assert auditor.payloads() == []


@pytest.mark.parametrize("written_first", [False, True])
@pytest.mark.parametrize("failing", [1, 2])
async def test_a_note_is_written_once_whatever_fails(
    auditor: Auditor, failing: int, written_first: bool
) -> None:
    """The disk fails at the heads, or at heads and result, before or after the entry is durable."""
    auditor.heads = [head(1)]
    auditor.find(FORK)
    auditor.pen.failing, auditor.pen.written_first = failing, written_first
    for _ in range(failing):
        with pytest.raises(StorageError):
            await auditor.notes.note_findings()
    await auditor.restarted().note_findings()
    assert [type(one) for one in auditor.payloads()] == [entry.SeenHeads, entry.AuditResult]
    assert auditor.settled(2)


async def test_evidence_that_is_gone_is_told_and_waits(auditor: Auditor) -> None:
    auditor.find(FORK)
    (found,) = auditor.findings.list()
    Path(found.evidence).unlink()
    with pytest.raises(StorageError):
        await auditor.notes.note_findings()


async def until(condition: Callable[[], bool]) -> None:
    """Wait, for ten seconds of the real clock at most: the node's own stands still."""
    for _ in range(1000):
        if condition():
            return
        await trio.to_thread.run_sync(time.sleep, 0.01)
    raise AssertionError("it did not happen")


async def test_the_service_notes_what_is_found_and_once_a_day(
    auditor: Auditor, mock_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    auditor.heads = [head(1)]
    nursery.start_soon(auditor.notes.run)
    await trio.testing.wait_all_tasks_blocked()
    auditor.find(FORK)
    await until(lambda: auditor.settled(2))
    await trio.testing.wait_all_tasks_blocked()
    auditor.heads, auditor.now = [head(2)], auditor.now + DAY
    mock_clock.jump(limits.NOTES_SECONDS)
    await until(lambda: auditor.settled(3))
    await trio.testing.wait_all_tasks_blocked()
    auditor.pen.failing = 1
    auditor.heads, auditor.now = [head(3)], auditor.now + DAY
    mock_clock.jump(limits.NOTES_SECONDS)
    await until(lambda: bool(auditor.told))
    assert auditor.told == ["a note about other logs waits: log: the disk is full"]
    await trio.testing.wait_all_tasks_blocked()
    mock_clock.jump(limits.NOTES_SECONDS)
    await until(lambda: len(auditor.payloads()) == 4)
    assert [auditor.opened(one) for one in auditor.payloads()[2:]] == [(head(2),), (head(3),)]
