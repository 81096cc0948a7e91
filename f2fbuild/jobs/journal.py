"""This node's own log as the workshops write it: sealed, durable, and each entry once.

`ensure` is the one way in. An envelope has one spelling and Ed25519 one signature, so the same payload always
gives the same entry; after a crash the caller simply asks again, and an entry that was already written is
found instead of doubled. Normal path and recovery are the same code.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import trio

from f2fbuild import limits
from f2fbuild.errors import F2FError
from f2fbuild.ledger import entry as entries
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.proof import format_proof
from f2fbuild.model.signing import SigningKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An entry that is durable: its bytes, its index, and a tlog-proof of it under a signed checkpoint."""

    entry: bytes
    index: int
    proof: bytes


class Gate(Protocol):
    """Whether the log may be written now: the rollback guard as the workshops see it."""

    @property
    def held(self) -> str:
        """Why nothing new is taken or ordered now, in words; empty when nothing is in the way."""
        ...

    @property
    def telling(self) -> bool:
        """Whether friends are told the log's head."""
        ...

    async def wait(self) -> None:
        """Return when the log may be signed."""
        ...


class AlwaysOpen:
    """The gate of a log that cannot have been set back, because whoever writes it has just begun it."""

    held = ""
    telling = True

    async def wait(self) -> None:
        """Return at once."""
        await trio.lowlevel.checkpoint()


class Journal:
    """The writing end of the node's log. One task writes at a time; readers need no lock."""

    def __init__(
        self, log: Log, statement_key: SigningKey, grown: Callable[[], None], gate: Gate | None = None
    ) -> None:
        """Write to `log` what `statement_key` signs, when `gate` lets it; `grown` hears of every new head."""
        self._log = log
        self._key = statement_key
        self._grown = grown
        self._gate: Gate = gate or AlwaysOpen()
        self._lock = trio.Lock()
        self._news = trio.Event()

    @property
    def origin(self) -> str:
        """The name of the log, which is also the name of whoever speaks in it."""
        return self._log.key.name

    @property
    def size(self) -> int:
        """How many entries the log has: the `since` of an entry that is about to be written."""
        return self._log.size

    @property
    def held(self) -> str:
        """Why nothing new is taken or ordered now, in words; empty when nothing is in the way."""
        return self._gate.held

    @property
    def telling(self) -> bool:
        """Whether friends are told the log's head: not before what a crash left open has ended."""
        return self._gate.telling

    def seal(self, payload: entries.Payload) -> bytes:
        """Return the entry of a payload, which must hold a nonce, a salt or an index that no other has."""
        return entries.write(payload, self._key)

    async def ensure(self, entry: bytes, *, since: int) -> Recorded:
        """Make sure that the log has this entry, and return it as recorded; durable on return.

        Waits for as long as the log may not be signed.

        Args:
            entry: an entry that `seal` made.
            since: the size of the log before the first attempt; only entries from there on are compared.

        Raises:
            StorageError: the disk does not take it. Nothing was recorded.
        """
        await self._gate.wait()
        async with self._lock:
            before = self._log.size
            recorded = await trio.to_thread.run_sync(self._ensure, entry, since)
        if self._log.size > before:
            self._news.set()
            self._grown()
        return recorded

    async def run(self, tell: Callable[[str], None]) -> None:
        """Publish the log's files soon after it grew, until cancelled; `tell` is given words for the owner.

        What grows in quick succession is published together.
        """
        while True:
            await self._news.wait()
            await trio.sleep(limits.PUBLISH_SECONDS)
            self._news = trio.Event()
            try:
                await trio.to_thread.run_sync(self._log.publish)
            except F2FError as error:
                tell(f"the log's files are behind the log, and no entry is lost: {error}")

    async def find(self, entry: bytes, *, since: int) -> int | None:
        """Return the index of the entry at or after `since`, or None."""
        return await trio.to_thread.run_sync(self._find, entry, since)

    async def recorded(self, index: int) -> Recorded:
        """Return the entry at `index` with a fresh proof."""
        return await trio.to_thread.run_sync(self._recorded, index)

    def _ensure(self, entry: bytes, since: int) -> Recorded:
        index = self._find(entry, since)
        if index is None:
            (index,) = self._log.append([entry])
        return self._recorded(index)

    def _find(self, entry: bytes, since: int) -> int | None:
        written = enumerate(self._log.entries(since, self._log.size), start=since)
        return next((index for index, candidate in written if candidate == entry), None)

    def _recorded(self, index: int) -> Recorded:
        proof = format_proof(self._log.inclusion(index))
        return Recorded(entry=self._log.entry(index), index=index, proof=proof)
