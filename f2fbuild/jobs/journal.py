"""This node's own log as the workshops write it: sealed, durable, and each entry once.

`ensure` is the one way in. An envelope has one spelling and Ed25519 one signature, so the same payload always
gives the same entry; after a crash the caller simply asks again, and an entry that was already written is
found instead of doubled. Normal path and recovery are the same code.
"""

from dataclasses import dataclass

import trio

from f2fbuild.ledger.log import Log
from f2fbuild.ledger.proof import format_proof
from f2fbuild.model.envelope import seal
from f2fbuild.model.signing import SigningKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An entry that is durable: its bytes, its index, and a tlog-proof of it under a signed checkpoint."""

    entry: bytes
    index: int
    proof: bytes


class Journal:
    """The writing end of the node's log. One task writes at a time; readers need no lock."""

    def __init__(self, log: Log, statement_key: SigningKey) -> None:
        """Write to `log` what `statement_key` signs."""
        self._log = log
        self._key = statement_key
        self._lock = trio.Lock()

    @property
    def size(self) -> int:
        """How many entries the log has: the `since` of an entry that is about to be written."""
        return self._log.size

    async def ensure(self, payload_type: str, payload: bytes, *, since: int) -> Recorded:
        """Make sure that the log has this payload, and return it as recorded; durable on return.

        Args:
            payload_type: the DSSE payload type.
            payload: bytes that no other entry of this log has (they hold a nonce, a salt or an index).
            since: the size of the log before the first attempt; only entries from there on are compared.

        Raises:
            StorageError: the disk does not take it. Nothing was recorded.
        """
        entry = seal(payload_type, payload, self._key)
        async with self._lock:
            return await trio.to_thread.run_sync(self._ensure, entry, since)

    async def recorded(self, index: int) -> Recorded:
        """Return the entry at `index` with a fresh proof."""
        return await trio.to_thread.run_sync(self._recorded, index)

    def _ensure(self, entry: bytes, since: int) -> Recorded:
        if since < self._log.size:
            written = self._log.entries(since, self._log.size)
            for index, candidate in enumerate(written, start=since):
                if candidate == entry:
                    return self._recorded(index)
        (index,) = self._log.append([entry])
        return self._recorded(index)

    def _recorded(self, index: int) -> Recorded:
        proof = format_proof(self._log.inclusion(index))
        return Recorded(entry=self._log.entry(index), index=index, proof=proof)
