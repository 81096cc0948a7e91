"""What every part of the submitter's story works with."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from f2fbuild import limits
from f2fbuild.jobs.access import BlobAccess
from f2fbuild.jobs.changes import Changes
from f2fbuild.jobs.engine import Engine
from f2fbuild.jobs.friends import Friends
from f2fbuild.jobs.journal import Journal
from f2fbuild.jobs.lifecycle import ASSIGNMENT, AssignmentEvent, next_assignment_state
from f2fbuild.jobs.queue import Queue
from f2fbuild.model.friend import Friend
from f2fbuild.model.signing import SigningKey
from f2fbuild.model.vote import Strike
from f2fbuild.store.blobs import BlobStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The submitter's durable rows, its friends and its log.

    `node_id` is this node, whose signed messages `statement_key` signs; `logs` the directory in which
    builders' logs grow here; `patience` the seconds for which a builder that went away is waited for.
    `clock` returns unix seconds and `random` so many random bytes; `tell` is given words for the
    owner about what went wrong here. `proved` is given the proof of each entry by which a
    builder moved a job.
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
    proved: Callable[[Friend, bytes], None]

    def log_file(self, job: str, peer: str) -> Path:
        """Return the file in which one builder's log of a job grows."""
        return self.logs / job / f"{peer}.log"

    def advance(self, job: str, peer: str, event: AssignmentEvent, **columns: object) -> None:
        """Record what happened to an assignment, and ring the job's bell.

        Raises:
            LocalProtocolError: it cannot happen to what the assignment is now.
        """
        state = next_assignment_state(self.queue.assignment(job, peer).state, event)
        self.queue.advance(job, peer, self.clock(), state=state, **columns)
        self.changes.notify(job)

    def lose(self, job: str, peer: str, why: str, *, strikes: tuple[Strike, ...] = ()) -> None:
        """Give a builder up, unless its part has ended some other way meanwhile."""
        if AssignmentEvent.LOSE in ASSIGNMENT[self.queue.assignment(job, peer).state]:
            why_not = {"strikes": strikes} if strikes else {}
            self.advance(job, peer, AssignmentEvent.LOSE, detail=why[: limits.MESSAGE_TEXT], **why_not)
