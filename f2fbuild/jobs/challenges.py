"""A builder shows that it holds what it signed for: it hashes a fresh nonce before its log and products.

    SHA-256(nonce ‖ build.log ‖ products, sorted by name)

Whoever has no bytes cannot answer, and an answer to one nonce says nothing about another. Both sides compute
it here, each from its own blobs.
"""

import hashlib
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import trio

from f2fbuild import limits
from f2fbuild.errors import F2FError, StorageError
from f2fbuild.jobs.bench import Bench
from f2fbuild.jobs.endings import statement_of
from f2fbuild.jobs.tasks import Task
from f2fbuild.model.outcome import Succeeded
from f2fbuild.model.statement import BuildStatement
from f2fbuild.net.messages import Challenge, ChallengeAnswered, Failure, NoJob
from f2fbuild.store.files import storage_errors

Answer: TypeAlias = ChallengeAnswered | Failure | NoJob

TOO_OFTEN, NOT_HELD, NOT_YET = "challenged-too-often", "not-held", "not-committed"
"""Codes of failures: the builder has answered enough, has lost the bytes, has no result yet."""


def challenged(built: BuildStatement) -> tuple[str, ...]:
    """Return the digests of what a challenge is about, in order: the log, then the products by name."""
    products = built.result.products if isinstance(built.result, Succeeded) else ()
    return (built.log, *(product.sha256 for product in sorted(products, key=lambda one: one.name)))


def hash_files(nonce: bytes, files: Sequence[tuple[str, Path]]) -> str:
    """Return the answer to a challenge, in hexadecimal. Reads all files: call it in a thread.

    Args:
        nonce: 32 bytes.
        files: SHA-256 and file of each blob. A disk that has damaged one must not look like a liar.

    Raises:
        StorageError: a file is gone, cannot be read, or has other bytes than its digest says.
    """
    hasher = hashlib.sha256(nonce)
    for digest, path in files:
        own = hashlib.sha256()
        with storage_errors(path), path.open("rb") as file:
            while block := file.read(limits.BLOB_BLOCK_BYTES):
                hasher.update(block)
                own.update(block)
        if own.hexdigest() != digest:
            raise StorageError("the disk gave other bytes than were stored", where=digest)
    return hasher.hexdigest()


class Challenged:
    """The builder's side: one challenge at a time, and not without end."""

    def __init__(self, bench: Bench) -> None:
        """Answer from the bench's rows and blobs."""
        self._bench = bench
        self._one = trio.CapacityLimiter(1)
        self._answered: dict[str, deque[int]] = {}

    async def answer(self, peer: str, request: Challenge) -> Answer:
        """Return the answer to a challenge, which only the submitter of a job may make."""
        task = self._bench.tasks.get(request.job_id)
        if task is None or task.submitter != peer:
            return NoJob(job_id=request.job_id)
        if task.commitment_index is None:
            return Failure(code=NOT_YET, detail=f"the job is {task.state}")
        if not self._take_turn(task.job):
            return Failure(code=TOO_OFTEN, detail=f"{limits.CHALLENGES_PER_DAY} times in a day")
        try:
            return ChallengeAnswered(job_id=task.job, digest=await self._hash(task, request.nonce))
        except F2FError as error:
            return Failure(code=NOT_HELD, detail=error.what)

    async def _hash(self, task: Task, nonce: bytes) -> str:
        built = statement_of(task, self._bench.blobs)
        files = [(digest, self._bench.blobs.path(digest)) for digest in challenged(built)]
        return await trio.to_thread.run_sync(hash_files, nonce, files, limiter=self._one)

    def _take_turn(self, job: str) -> bool:
        now = self._bench.clock()
        times = self._answered.setdefault(job, deque())
        while times and times[0] <= now - 86_400:
            times.popleft()
        if len(times) >= limits.CHALLENGES_PER_DAY:
            return False
        times.append(now)
        if len(self._answered) > limits.CHALLENGED_JOBS:
            # The longest remembered is forgotten: who has so many jobs here may ask of it once more.
            self._answered.pop(next(iter(self._answered)))
        return True
