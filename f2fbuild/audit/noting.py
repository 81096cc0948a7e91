"""What this node logs about other logs: the heads it has seen, and evidence that it has verified.

A note is decided first: sealed, and stored with the size of the log at that moment. Then it is ensured in the
log, and marked. If we crash between any two of these, the next look finds the row and goes on from there; the
entry is never in the log twice, and nothing random is decided again.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import trio

from f2fbuild import limits
from f2fbuild.audit.findings import Findings
from f2fbuild.errors import F2FError, LedgerError
from f2fbuild.ledger import evidence
from f2fbuild.ledger.checkpoint import Checkpoint
from f2fbuild.ledger.entry import AuditResult, Payload, SeenHeads
from f2fbuild.ledger.seen_heads import open_heads, seal_heads, seen
from f2fbuild.model.digest import sha256_hex
from f2fbuild.model.svr import encode_result, evidence_result
from f2fbuild.store.blobs import BlobStore
from f2fbuild.store.database import Database, Row
from f2fbuild.store.files import storage_errors

_HEADS = "seen-heads"
_DAY = 86_400


class Pen(Protocol):
    """The writing end of this node's log."""

    @property
    def origin(self) -> str:
        """The name of the log."""
        ...

    @property
    def size(self) -> int:
        """How many entries the log has."""
        ...

    def seal(self, payload: Payload) -> bytes:
        """Return the entry of a payload."""
        ...

    def ensure(self, entry: bytes, *, since: int) -> Awaitable[object]:
        """Make sure that the log has the entry at or after `since`; durable on return."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What notes are made from.

    `heads` returns the followed logs' heads; `vouch` tells which certificates' owners this node knows to have
    signed; `clock` returns unix seconds, `random` so many random bytes; `tell` is given words for the owner.
    """

    findings: Findings
    heads: Callable[[], Iterable[Checkpoint]]
    vouch: evidence.Vouch
    clock: Callable[[], int]
    random: Callable[[int], bytes]
    tell: Callable[[str], None]


class Notes:
    """Writes notes, each once."""

    def __init__(self, database: Database, blobs: BlobStore, pen: Pen, sources: Sources) -> None:
        """Keep rows in `database`, opened lists in `blobs`, and write with `pen`."""
        self._database = database
        self._blobs = blobs
        self._pen = pen
        self._sources = sources
        self._wanted = trio.Event()

    def wake(self) -> None:
        """Say that something was found."""
        self._wanted.set()

    async def run(self) -> None:
        """Note what there is to note, until cancelled. Containment: what cannot be written now waits."""
        while True:
            self._wanted = trio.Event()
            try:
                await self.note_findings()
                with trio.move_on_after(limits.NOTES_SECONDS) as waiting:
                    await self._wanted.wait()
                if waiting.cancelled_caught:
                    await self.note_day()
            except F2FError as error:
                self._sources.tell(f"a note about other logs waits: {error}")
                await trio.sleep(limits.NOTES_SECONDS)

    async def note_findings(self) -> None:
        """Write what was decided before a crash, then a result for every file of evidence that has none.

        The heads that were seen go before it, so that this log dates both stories of a forked one.
        """
        for row in self._database.rows("SELECT name FROM note WHERE written = 0 ORDER BY rowid"):
            await self._write(row["name"])
        for finding in self._sources.findings.list():
            if finding.evidence:
                await self._note_evidence(Path(finding.evidence), finding.found)

    async def note_day(self) -> None:
        """Write the heads that were seen, once a day, if any has changed since they were last written."""
        newest = self._newest_heads()
        if newest is None or newest["made"] // _DAY < self._sources.clock() // _DAY:
            await self._note_heads()

    async def _note_evidence(self, path: Path, found: int) -> None:
        name = f"evidence {path.name}"
        if self._known(name):
            return
        with storage_errors(path):
            data = await trio.to_thread.run_sync(path.read_bytes)
        try:
            await trio.to_thread.run_sync(self._check, data)
        except LedgerError:
            # It proves nothing to this node, which says nothing about it then.
            return
        result = evidence_result(self._pen.origin, evidence.kind_of(data), sha256_hex(data), found)
        await self._note_heads()
        self._decide(name, AuditResult(statement=encode_result(result)), "")
        await self._write(name)

    def _check(self, data: bytes) -> None:
        evidence.check(data, vouch=self._sources.vouch)

    async def _note_heads(self) -> None:
        now = self._sources.clock()
        those = seen(self._sources.heads(), now)
        if not those.heads or those.heads == self._noted_heads():
            return
        payload, blob = seal_heads(those, self._sources.random(32))
        # The blob goes first: a list that nobody can open any more would be worth nothing.
        name = f"{_HEADS} {payload.heads}"
        self._decide(name, payload, self._blobs.put_bytes(blob))
        await self._write(name)

    def _noted_heads(self) -> tuple[Checkpoint, ...]:
        """Return the heads that were written last; none when that list was deleted."""
        newest = self._newest_heads()
        if newest is None or not self._blobs.has(newest["blob"]):
            return ()
        blob = self._blobs.read(newest["blob"], limits.SEEN_HEADS_BYTES)
        entry = SeenHeads(heads=newest["name"].removeprefix(f"{_HEADS} "))
        return open_heads(entry, blob).heads

    def _newest_heads(self) -> Row | None:
        return self._database.row("SELECT * FROM note WHERE blob != '' ORDER BY rowid DESC LIMIT 1")

    def _known(self, name: str) -> bool:
        return self._database.row("SELECT 1 FROM note WHERE name = ?", (name,)) is not None

    def _decide(self, name: str, payload: Payload, blob: str) -> None:
        self._database.execute(
            "INSERT INTO note (name, entry, log_size, made, blob) VALUES (?, ?, ?, ?, ?)",
            (name, self._pen.seal(payload), self._pen.size, self._sources.clock(), blob),
        )

    async def _write(self, name: str) -> None:
        (row,) = self._database.rows("SELECT entry, log_size FROM note WHERE name = ?", (name,))
        await self._pen.ensure(row["entry"], since=row["log_size"])
        self._database.execute("UPDATE note SET written = 1 WHERE name = ?", (name,))
