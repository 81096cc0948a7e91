"""Cosignatures that this node holds: each key's newest of each log, verified before it was brought here.

Contract. What `add` has returned from is durable. Rows are bounded by the keys that the caller knows: one for
each key and log.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from f2fbuild.ledger.checkpoint import Checkpoint
from f2fbuild.ledger.cosignature import Cosignature
from f2fbuild.model.vkey import format_vkey, parse_vkey
from f2fbuild.store.database import Database, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A cosignature and the head that it is of."""

    head: Checkpoint
    cosignature: Cosignature


class Collected:
    """The cosignatures held. Used from the thread of the database only."""

    def __init__(self, database: Database) -> None:
        """Keep them in `database`."""
        self._database = database
        self._callbacks: list[Callable[[Checkpoint], None]] = []

    def on_add(self, callback: Callable[[Checkpoint], None]) -> None:
        """Call `callback` with each head of which cosignatures came, once they are kept."""
        self._callbacks.append(callback)

    def add(self, head: Checkpoint, said: Sequence[Cosignature]) -> None:
        """Keep verified cosignatures of `head`, each unless its key has cosigned a larger or later one.

        Raises:
            StorageError: the disk is full or fails.
        """
        with self._database.transaction():
            for one in said:
                self._database.execute(
                    "INSERT INTO cosignature (origin, cosigner, size, root, time, signature)"
                    " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (origin, cosigner) DO UPDATE SET"
                    " size = excluded.size, root = excluded.root, time = excluded.time,"
                    " signature = excluded.signature"
                    " WHERE (excluded.size, excluded.time) > (cosignature.size, cosignature.time)",
                    (head.origin, format_vkey(one.key), head.size, head.root, one.time, one.signature),
                )
        for callback in self._callbacks:
            callback(head)

    def of(self, head: Checkpoint) -> list[Cosignature]:
        """Return the cosignatures of exactly this head, by key."""
        return [held.cosignature for held in self.all(head.origin) if held.head == head]

    def all(self, origin: str) -> list[Held]:
        """Return every key's newest cosignature of the log `origin`, by key."""
        rows = self._database.rows("SELECT * FROM cosignature WHERE origin = ? ORDER BY cosigner", (origin,))
        return [_held(row) for row in rows]


def _held(row: Row) -> Held:
    key = parse_vkey(row["cosigner"])
    return Held(
        head=Checkpoint(origin=row["origin"], size=row["size"], root=row["root"]),
        cosignature=Cosignature(key=key, time=row["time"], signature=row["signature"]),
    )
