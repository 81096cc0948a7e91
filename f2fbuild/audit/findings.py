"""What was found against somebody, each with the file that proves it.

Evidence is never deleted and is written before the row that names it: a crash between them leaves a file
that is written again under the same name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from f2fbuild.model.digest import sha256_hex
from f2fbuild.store.database import Database
from f2fbuild.store.files import private_directory, write_private


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding: `kind` is equivocation, divergence or violation; `found` is in unix seconds.

    `evidence` is the path of a file that anybody can check, empty when the finding proves nothing to others.
    """

    kind: str
    owner: str
    node: str
    evidence: str
    found: int
    detail: str


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

    def record(self, kind: str, *, owner: str, node: str, evidence: bytes, detail: str) -> Finding:
        """Keep a finding; the same evidence, or the same words without any, is kept once."""
        path = str(self._keep(kind, evidence)) if evidence else ""
        known = [one for one in self.list() if (one.kind, one.node, one.evidence) == (kind, node, path)]
        if known and (path or known[-1].detail == detail):
            return known[-1]
        found = self._clock()
        self._database.execute(
            "INSERT INTO finding (kind, owner, node, evidence_path, found, detail) VALUES (?, ?, ?, ?, ?, ?)",
            (kind, owner, node, path, found, detail),
        )
        for callback in self._callbacks:
            callback()
        return Finding(kind=kind, owner=owner, node=node, evidence=path, found=found, detail=detail)

    def list(self) -> list[Finding]:
        """Return all findings, oldest first."""
        rows = self._database.rows(
            "SELECT kind, owner, node, evidence_path AS evidence, found, detail FROM finding ORDER BY id"
        )
        return [Finding(**row) for row in rows]

    def _keep(self, kind: str, evidence: bytes) -> Path:
        private_directory(self._directory)
        path = self._directory / f"{kind}-{sha256_hex(evidence)[:32]}.evidence"
        if not path.exists():
            write_private(path, evidence)
        return path
