"""What every part of the builder's story works with."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from f2fbuild.jobs.access import BlobAccess
from f2fbuild.jobs.changes import Changes
from f2fbuild.jobs.engine import Engine
from f2fbuild.jobs.journal import Journal
from f2fbuild.jobs.tasks import Tasks
from f2fbuild.store.blobs import BlobStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The builder's durable rows, log, blobs and engine.

    `node_id` is this node, `origin` its log; `logs` the directory in which build logs grow, `work` that of
    executions. `clock` returns unix seconds and `random` so many random bytes; `tell` is given words for the
    owner about what went wrong here.
    """

    node_id: str
    origin: str
    tasks: Tasks
    journal: Journal
    engine: Engine
    blobs: BlobStore
    access: BlobAccess
    changes: Changes
    logs: Path
    work: Path
    clock: Callable[[], int]
    random: Callable[[int], bytes]
    tell: Callable[[str], None]

    def log_file(self, job: str) -> Path:
        """Return the file that the build log of a job grows in."""
        return self.logs / f"{job}.log"
