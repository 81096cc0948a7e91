"""This node's own log.

`append` returns when its entries are durable under a signed checkpoint, never before; see `directory` for
what holds after a crash at any point. Calls block on the disk, so callers put them into threads; calls that
meet share one commit, and each batch is whole in one checkpoint or absent from all.

A commit that fills no tile goes into the file `tail`, by one write and one sync. One that does, `publish` and
`close` write tiles, bundle and checkpoint as `directory` says, after which the tail is empty. Opening stages
what a crash left in the tail, and commits it in the same way. So the files that others read are behind by
less than a tile, and by nothing soon after the writer came to rest.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from f2fbuild.errors import F2FError, FormatError, LedgerError
from f2fbuild.ledger.checkpoint import Checkpoint, log_vkey, sign_checkpoint
from f2fbuild.ledger.directory import LogDirectory, no_commit_point
from f2fbuild.ledger.files import CHECKPOINT, begin
from f2fbuild.ledger.tail import Commit, format_commit, read_tail
from f2fbuild.ledger.tail_file import TailFile
from f2fbuild.limits import ENTRY_BYTES
from f2fbuild.model.signing import SigningKey
from f2fbuild.model.tree import EMPTY_ROOT

TAIL_POINTS = ("tail-written", "tail-durable", "tail-emptied")
"""The steps of a commit to the tail, and the one that follows when the checkpoint has moved beyond it."""

Remember: TypeAlias = Callable[[Checkpoint, Checkpoint], None]
"""Is told (the head now, the head about to be signed) before the new one is signed; raises to prevent it."""


def remember_nothing(_now: Checkpoint, _next: Checkpoint) -> None:
    """Keep no head anywhere else."""


_DAMAGED = (
    "The last entries of this log are in it. Bring the file back from a backup; if there is none, begin the "
    "log's next epoch with `f2fbuild ledger epoch new`"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    entries: tuple[bytes, ...]
    indices: "Future[range]" = field(default_factory=Future)


class Log(LogDirectory):
    """A log that its own key extends. Every method may be called from any thread."""

    def __init__(
        self,
        directory: Path,
        log_key: SigningKey,
        on_commit_point: Callable[[str], None] = no_commit_point,
        remember: Remember = remember_nothing,
    ) -> None:
        """Open the log of `log_key`; see `LogDirectory` for the errors."""
        super().__init__(directory, log_vkey(log_key.public), on_commit_point)
        self._log_key = log_key
        self._remember = remember
        self._commit_lock = threading.Lock()
        self._queue_lock = threading.Lock()
        self._queue: list[_Batch] = []
        try:
            self._tail = self._open.enter_context(closing(TailFile(directory)))
            self._recover()
        except BaseException:
            self._let_go()
            raise

    @classmethod
    def create(cls, directory: Path, log_key: SigningKey, *, remember: Remember = remember_nothing) -> "Log":
        """Begin the log of a new epoch: an empty tree under a signed checkpoint; `remember` as for `open`.

        Creating is apart from opening, because a lost log that is begun anew under its old key is a fork.

        Raises:
            LedgerError: the directory is not empty.
            StorageError: the disk is full or fails.
        """
        origin = log_vkey(log_key.public).name
        empty = Checkpoint(origin=origin, size=0, root=EMPTY_ROOT)
        begin(directory, sign_checkpoint(empty, log_key))
        return cls(directory, log_key, remember=remember)

    @classmethod
    def open(
        cls,
        directory: Path,
        log_key: SigningKey,
        *,
        on_commit_point: Callable[[str], None] = no_commit_point,
        remember: Remember = remember_nothing,
    ) -> "Log":
        """Open an existing log, and recover it if a crash left something unfinished.

        Whatever `remember` raises is raised by `append`, and the log is as it was.

        Raises:
            LogInUseError: another process or object has it open.
            LedgerError: no log there, or its files are not those of its checkpoint.
            StorageError: the disk fails.
        """
        return cls(directory, log_key, on_commit_point, remember)

    def append(self, entries: Sequence[bytes]) -> range:
        """Append `entries`, and return their indices once they are durable under a signed checkpoint.

        All of them are in, in this order and side by side, or, when it raises, none is; only after a disk
        that failed in the very moment of moving the head is it unknown, and then nothing works any more
        until the log is opened again.

        Raises:
            FormatError: an entry of more than 65,535 bytes.
            LedgerError: somebody else moved the head.
            StorageError: the disk is full or fails.
        """
        for entry in entries:
            if len(entry) > ENTRY_BYTES:
                raise FormatError(f"an entry has at most {ENTRY_BYTES} bytes", where="append")
        batch = _Batch(entries=tuple(entries))
        with self._queue_lock:
            self._queue.append(batch)
        with self._commit_lock:
            # Whoever comes first commits for all who wait, and they find their batch done.
            if not batch.indices.done():
                self._commit_queue()
        return batch.indices.result()

    def _commit_queue(self) -> None:
        with self._queue_lock:
            batches, self._queue = self._queue, []
        start = self.size
        try:
            entries = [entry for batch in batches for entry in batch.entries]
            if entries:
                self._append(entries)
        except BaseException as error:
            for batch in batches:
                batch.indices.set_exception(error)
            raise
        for batch in batches:
            batch.indices.set_result(range(start, start + len(batch.entries)))
            start += len(batch.entries)

    def publish(self) -> None:
        """Write tiles, bundle and checkpoint up to the present head, for whoever reads the files.

        Raises:
            LedgerError: somebody else moved the head.
            StorageError: the disk is full or fails; what is in the log is as durable as before.
        """
        with self._commit_lock:
            self._check_usable()
            if self._published[0] == self._note:
                return
            try:
                self._publish(self._note, self._head, self._edge)
            except BaseException:
                self._discard()
                raise
            self._empty_tail()

    def close(self) -> None:
        """Publish what is in the tail, if that can be done, and let go of the directory."""
        if not self._broken:
            with suppress(F2FError):
                self.publish()
        super().close()

    def _append(self, entries: Sequence[bytes]) -> None:
        try:
            self._stage(entries)
            tree = self._staged.frontier
            head = Checkpoint(origin=self.key.name, size=tree.size, root=tree.root)
            self._remember(self.head, head)
            note = sign_checkpoint(head, self._log_key)
            if self._staged_files:
                self._commit(note)
                self._empty_tail()
            else:
                self._commit_to_tail(Commit(entries=tuple(entries), note=note), head)
        except BaseException:
            self._discard()
            raise

    def _commit_to_tail(self, commit: Commit, head: Checkpoint) -> None:
        """Make the staged entries, which fill nothing, the log's."""
        self._check_unmoved(self.directory / CHECKPOINT)
        # If we crash in the middle of the write, the record is torn, and none.
        self._tail.write(format_commit(commit))
        try:
            self._narrate("tail-written")
            self._tail.sync()
            self._narrate("tail-durable")
        except BaseException as error:
            self._doubt(error)
            raise
        # From here on the entries cannot be lost, so readers may see them.
        with self._lock:
            self._note, self._head, self._edge = commit.note, head, self._staged

    def _empty_tail(self) -> None:
        # If we crash before this, opening finds only heads that the checkpoint has.
        self._tail.empty()
        self._narrate("tail-emptied")

    def _recover(self) -> None:
        """Commit what a crash left in the tail."""
        data = self._tail.read()
        if not data:
            return
        try:
            tail = read_tail(data, self._edge.frontier, self.key, where=str(self._tail.path))
        except FormatError as error:
            what = f"the tail is damaged: {error.what}"
            raise LedgerError(what, where=error.where, hint=_DAMAGED) from error
        for commit in tail.commits:
            self._stage(commit.entries)
        if tail.commits:
            self._commit(tail.commits[-1].note)
        self._empty_tail()
