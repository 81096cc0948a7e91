"""Accusations on their way to evidence: durable from the verdict until the evidence is written.

The verdict is stored first, then the accusation. A crash between them loses nothing: on start every verdict
that accuses is read again, and what is known already is not taken twice.
"""

from dataclasses import dataclass

from f2fbuild.store.database import Database, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Testimony:
    """One side of a contradiction: whose log (node id), the outcome entry, its proof, its products list."""

    peer: str
    outcome: bytes
    proof: bytes
    products: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Accusation:
    """Two testimonies of one build key that contradict each other; `accused` is the minority's."""

    job: str
    title: str
    accused: Testimony
    majority: Testimony


class Accusations:
    """The accusations of this node's verdicts."""

    def __init__(self, database: Database) -> None:
        """Keep rows in `database`."""
        self._database = database

    def add(self, accusation: Accusation) -> None:
        """Keep an accusation; one builder is accused once for one job. Durable on return."""
        self._database.execute(
            "INSERT INTO accusation (job, title, accused, accused_outcome, accused_proof, accused_products, "
            "majority, majority_outcome, majority_proof, majority_products) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (accusation.job, accusation.title, *_values(accusation.accused), *_values(accusation.majority)),
        )

    def open(self) -> list[Accusation]:
        """Return those whose evidence is not written yet, oldest first."""
        rows = self._database.rows("SELECT * FROM accusation WHERE settled = 0 ORDER BY rowid")
        return [
            Accusation(
                job=row["job"],
                title=row["title"],
                accused=_testimony(row, "accused"),
                majority=_testimony(row, "majority"),
            )
            for row in rows
        ]

    def settle(self, accusation: Accusation) -> None:
        """Say that the evidence is written, or that it never can be."""
        self._database.execute(
            "UPDATE accusation SET settled = 1 WHERE job = ? AND accused = ?",
            (accusation.job, accusation.accused.peer),
        )


def _values(testimony: Testimony) -> tuple[str, bytes, bytes, bytes]:
    return testimony.peer, testimony.outcome, testimony.proof, testimony.products


def _testimony(row: Row, side: str) -> Testimony:
    return Testimony(
        peer=row[side],
        outcome=row[f"{side}_outcome"],
        proof=row[f"{side}_proof"],
        products=row[f"{side}_products"],
    )
