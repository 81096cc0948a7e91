"""What every part of the submitter's story works with."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from f2fbuild.jobs.access import BlobAccess
from f2fbuild.jobs.changes import Changes
from f2fbuild.jobs.engine import Engine
from f2fbuild.jobs.friends import Friends
from f2fbuild.jobs.journal import Journal
from f2fbuild.jobs.queue import Queue
from f2fbuild.model.signing import SigningKey
from f2fbuild.store.blobs import BlobStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The submitter's durable rows, its friends and its log.

    `node_id` is this node, whose signed messages `statement_key` signs; `logs` the directory in which
    builders' logs grow here; `patience` the seconds for which a builder that went away is waited for.
    `clock` returns unix seconds and `random` so many random bytes; `tell` is given words about what went wrong
    here, for the owner to read.
    """

    node_id: str
    statement_key: SigningKey
    queue: Queue
    journal: Journal
    engine: Engine
    friends: Friends
    blobs: BlobStore
    access: BlobAccess
    changes: Changes
    logs: Path
    patience: int
    clock: Callable[[], int]
    random: Callable[[int], bytes]
    tell: Callable[[str], None]

    def log_file(self, job: str, peer: str) -> Path:
        """Return the file in which one builder's log of a job grows."""
        return self.logs / job / f"{peer}.log"
