"""Rows of sightings: heads that two independent owners cosigned, and the certificates that name their keys.

Contract. What `keep` has returned from is durable. A certificate stays as it was when its key was first seen
here: a friend who begins another epoch, or is none any more, is a witness of what he saw before.
"""

from collections.abc import Collection, Iterable

from f2fbuild.ledger.checkpoint import parse_checkpoint
from f2fbuild.ledger.evidence import OwnedNode, read_node
from f2fbuild.ledger.note import parse_note
from f2fbuild.ledger.sightings import Sighting
from f2fbuild.model.vkey import format_vkey
from f2fbuild.store.database import Database


class Sighted:
    """The sightings of all logs. Used from the thread of the database only."""

    def __init__(self, database: Database) -> None:
        """Keep rows in `database`."""
        self._database = database

    def of(self, origin: str) -> list[Sighting]:
        """Return the sightings of the log `origin`, the earliest first."""
        rows = self._database.rows("SELECT * FROM sighting WHERE origin = ? ORDER BY kept", (origin,))
        return [
            Sighting(head=parse_checkpoint(parse_note(row["note"]).text), note=row["note"], kept=row["kept"])
            for row in rows
        ]

    def keep(self, sighting: Sighting, witnesses: Iterable[OwnedNode], going: Collection[int]) -> None:
        """Keep a sighting, or another note of one, with its witnesses, and let those kept at `going` go.

        Raises:
            StorageError: the disk is full or fails.
        """
        origin = sighting.head.origin
        with self._database.transaction():
            self._database.execute(
                "INSERT INTO sighting (origin, kept, note) VALUES (?, ?, ?)"
                " ON CONFLICT (origin, kept) DO UPDATE SET note = excluded.note",
                (origin, sighting.kept, sighting.note),
            )
            for node in witnesses:
                self._database.execute(
                    "INSERT INTO witness_certificate (vkey, file) VALUES (?, ?) ON CONFLICT DO NOTHING",
                    (format_vkey(node.witness), node.file),
                )
            for kept in going:
                self._database.execute("DELETE FROM sighting WHERE origin = ? AND kept = ?", (origin, kept))

    def witnesses(self) -> list[OwnedNode]:
        """Return the nodes of all witnesses under heads that were kept."""
        rows = self._database.rows("SELECT vkey, file FROM witness_certificate ORDER BY vkey")
        return [read_node(row["file"], where=f"certificate of {row['vkey']}") for row in rows]
