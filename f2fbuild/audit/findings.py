"""What was found against somebody, each with the file that proves it.

Evidence is never deleted and is written before the row that names it: a crash between them leaves a file
that is written again under the same name.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from f2fbuild.audit.found import FORKS, SHARED, Finding, Found
from f2fbuild.limits import EVIDENCE_HOPS
from f2fbuild.model.digest import sha256_hex
from f2fbuild.store.database import Database
from f2fbuild.store.files import private_directory, write_private

_COLUMNS = "id, kind, owner, node, evidence_path AS evidence, found, detail, origin, subject, hops"


class Findings:
    """The durable list of findings and the directory of their evidence."""

    def __init__(self, database: Database, directory: Path, clock: Callable[[], int]) -> None:
        """Keep rows in `database` and files in `directory`; `clock` returns unix seconds."""
        self._database = database
        self._directory = directory
        self._clock = clock
        self._callbacks: list[Callable[[], None]] = []

    def on_record(self, callback: Callable[[], None]) -> None:
        """Call `callback` after every finding that is new."""
        self._callbacks.append(callback)

    def record(self, found: Found) -> Finding:
        """Keep a finding, once.

        With a `subject`, what was found of that kind about it already is the same finding; else the same
        evidence is, or, without evidence, the same words said last.
        """
        if found.subject and (known := self.about(found.kind, found.subject)):
            return known
        path = str(self._keep(found.kind, found.evidence)) if found.evidence else ""
        same = [one for one in self.list() if _key(one) == (found.kind, found.node, path)]
        if same and (path or same[-1].detail == found.detail):
            return same[-1]
        fields = {name: getattr(found, name) for name in ("kind", "owner", "node", "detail", "origin")}
        self._database.execute(
            "INSERT INTO finding (kind, owner, node, evidence_path, found, detail, origin, subject, hops) "
            "VALUES (:kind, :owner, :node, :path, :now, :detail, :origin, :subject, :hops)",
            {**fields, "path": path, "now": self._clock(), "subject": found.subject, "hops": found.hops},
        )
        recorded = self.list()[-1]
        for callback in self._callbacks:
            callback()
        return recorded

    def list(self) -> list[Finding]:
        """Return all findings, oldest first."""
        return [*self._select("ORDER BY id")]

    def about(self, kind: str, subject: str) -> Finding | None:
        """Return what was found of this kind about `subject`."""
        return next(iter(self._select("WHERE kind = ? AND subject = ?", kind, subject)), None)

    def fork_of(self, *, origin: str, owner: str = "") -> Finding | None:
        """Return the first proof that the log `origin`, or another log of `owner`, tells two stories."""
        return next(
            iter(
                self._select(
                    "WHERE kind IN (?, ?) AND evidence_path <> '' AND "
                    "(origin = ? OR (owner = ? AND owner <> '')) ORDER BY id",
                    *FORKS,
                    origin,
                    owner,
                )
            ),
            None,
        )

    def untold(self, peer: str) -> Sequence[Finding]:
        """Return the findings whose evidence a friend shall be shown and has not seen yet, oldest first."""
        marks = ", ".join("?" for _ in SHARED)
        return self._select(
            f"WHERE kind IN ({marks}) AND evidence_path <> '' AND hops < ? AND NOT EXISTS "  # noqa: S608 - marks
            "(SELECT 1 FROM evidence_told WHERE finding = finding.id AND peer = ?) ORDER BY id",
            *SHARED,
            EVIDENCE_HOPS,
            peer,
        )

    def told(self, finding: Finding, peer: str) -> None:
        """Remember that a friend knows the evidence of a finding."""
        self._database.execute(
            "INSERT INTO evidence_told (finding, peer) VALUES (?, ?) ON CONFLICT DO NOTHING",
            (finding.id, peer),
        )

    def heard_from(self, peer: str) -> int:
        """Return how many findings of others a friend knows of: those that he showed, and at most as many."""
        row = self._database.row(
            "SELECT count(*) AS number FROM evidence_told JOIN finding ON finding.id = finding "
            "WHERE peer = ? AND hops > 0",
            (peer,),
        )
        return int(row["number"]) if row else 0

    def _select(self, where: str, *values: str | int) -> Sequence[Finding]:
        rows = self._database.rows(f"SELECT {_COLUMNS} FROM finding {where}", values)  # noqa: S608 - constants
        return [Finding(**row) for row in rows]

    def _keep(self, kind: str, evidence: bytes) -> Path:
        private_directory(self._directory)
        path = self._directory / f"{kind}-{sha256_hex(evidence)[:32]}.evidence"
        if not path.exists():
            write_private(path, evidence)
        return path


def _key(finding: Finding) -> tuple[str, str, str]:
    return finding.kind, finding.node, finding.evidence
