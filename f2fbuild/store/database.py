"""The node's tables: SQLite through apsw.

Contract. One connection, used from one thread (the trio thread). What `execute` outside a transaction or the
end of a `transaction` block has returned from is on the disk: WAL with synchronous=FULL survives a crash of
the program and a power cut. A crash inside a block leaves nothing of it. Other processes may read and write
the same file; a writer waits for another one up to `DATABASE_BUSY_MS`.

The API is synchronous on purpose: a short transaction takes well under a millisecond, less than the hop to a
thread and back, and no other task can run between its statements, so a decision and the row that records it
are one step. A block must therefore not await; a task that uses the database inside another task's block is
told so. Queries that read more than a screenful belong into a thread with a connection of their own.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeAlias

import apsw
import trio

from f2fbuild.errors import IncompatibleVersionError, LocalProtocolError, StorageError
from f2fbuild.limits import DATABASE_BUSY_MS
from f2fbuild.store.files import private_directory, private_file

Row: TypeAlias = dict[str, Any]
SqlValue: TypeAlias = int | str | bytes | None
Bindings: TypeAlias = Sequence[SqlValue] | Mapping[str, SqlValue]
Migration: TypeAlias = Sequence[str]
"""The statements that lead from one schema version to the next."""

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
)
_FULL_HINT = "Free space on this file system, then try again"


class ConflictError(StorageError):
    """What was to be stored contradicts what is stored already."""


class Database:
    """One open store; see the module's contract."""

    def __init__(self, connection: apsw.Connection, path: Path) -> None:
        """Use `open`."""
        self._connection = connection
        self._path = path
        self._writer: object = None

    @classmethod
    def open(cls, path: Path, migrations: Sequence[Migration]) -> Self:
        """Open the store at `path`, made with mode 0600 if absent, and bring its schema up to date.

        The schema version is the number of migrations applied (SQLite's `user_version`). All that are
        missing are applied in one transaction: a crash in the middle leaves the old version whole.

        Raises:
            IncompatibleVersionError: the store was written by a newer program.
            StorageError: not readable, not ours alone, damaged, or the disk is full.
        """
        private_directory(path.parent)
        private_file(path)
        with _storage_errors(path):
            connection = apsw.Connection(str(path))
        database = cls(connection, path)
        try:
            database._prepare(migrations)
        except BaseException:
            connection.close()
            raise
        return database

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the store. Closing twice is harmless."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all statements of the block one durable step; an exception undoes them all.

        The write lock is taken at the start (IMMEDIATE), so nothing read in the block can change before
        its end. Blocks do not nest: an inner one could not promise that its end is durable.

        Raises:
            StorageError: locked by another process for too long, or the disk is full.
            LocalProtocolError: a block is open already.
        """
        if self._writer is not None:
            raise LocalProtocolError("a transaction is open already", where=str(self._path))
        with _storage_errors(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
        self._writer = _caller()
        try:
            yield
            with _storage_errors(self._path):
                self._connection.execute("COMMIT")
        finally:
            self._writer = None
            # After a failed COMMIT or a full disk SQLite may have rolled back by itself.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def execute(self, sql: str, bindings: Bindings = ()) -> int:
        """Run one statement that writes; return how many rows it changed.

        Raises:
            ConflictError: a constraint of the schema forbids it.
            StorageError: the disk is full or the store damaged.
        """
        self._check_caller()
        with _storage_errors(self._path):
            before = self._connection.total_changes()
            self._connection.execute(sql, bindings).fetchall()
            return self._connection.total_changes() - before

    def rows(self, sql: str, bindings: Bindings = ()) -> list[Row]:
        """Run one statement and return its rows, each a mapping from column name to value.

        Raises:
            ConflictError: a constraint of the schema forbids it (statements with RETURNING).
            StorageError: the store is damaged.
        """
        self._check_caller()
        with _storage_errors(self._path):
            cursor = self._connection.execute(sql, bindings)
            found: list[Row] = []
            names: tuple[str, ...] = ()
            for row in cursor:
                # A statement without a row has no description to ask for.
                names = names or tuple(column[0] for column in cursor.get_description())
                found.append(dict(zip(names, row, strict=True)))
            return found

    def row(self, sql: str, bindings: Bindings = ()) -> Row | None:
        """Return the first row of `rows`, or None."""
        found = self.rows(sql, bindings)
        return found[0] if found else None

    @property
    def version(self) -> int:
        """The schema version of the file."""
        with _storage_errors(self._path):
            return int(self._connection.pragma("user_version"))

    def _prepare(self, migrations: Sequence[Migration]) -> None:
        self._connection.set_busy_timeout(DATABASE_BUSY_MS)
        self._connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        # Before anything is written, a newer program's file included.
        self._check_version(len(migrations))
        for pragma in _PRAGMAS:
            self.execute(pragma)
        if self.version == len(migrations):
            return
        with self.transaction():
            # Another process may have migrated while this one waited for the lock.
            self._check_version(len(migrations))
            for migration in migrations[self.version :]:
                for statement in migration:
                    self.execute(statement)
            # If we crash before the block's end, the file still has its old version and old tables.
            self.execute(f"PRAGMA user_version = {len(migrations)}")

    def _check_version(self, known: int) -> None:
        if self.version > known:
            raise IncompatibleVersionError(
                f"the store has schema version {self.version}, this program knows {known}",
                where=str(self._path),
                hint="Use the newer f2fbuild, or restore a backup made by this one",
            )

    def _check_caller(self) -> None:
        if self._writer is not None and self._writer is not _caller():
            raise LocalProtocolError("used inside the transaction of another task", where=str(self._path))


def write_tables(
    path: Path,
    schema: Sequence[str],
    lines: Iterable[tuple[str, Bindings]],
    last: Sequence[str],
) -> None:
    """Make `path`, an empty file, a database to be given away: the same lines make the same bytes.

    All of it is one transaction; who is interrupted throws the file away. Any thread may call.

    Args:
        path: the file.
        schema: the statements before the lines.
        lines: statements, each with its values.
        last: the statements after them, such as indexes.

    Raises:
        ConflictError: a constraint of the schema forbids a line.
        StorageError: the disk is full or fails.
    """
    with _storage_errors(path):
        connection = apsw.Connection(str(path))
        try:
            for pragma in ("journal_mode = OFF", "synchronous = OFF", "page_size = 4096"):
                connection.execute(f"PRAGMA {pragma}").fetchall()
            connection.execute("BEGIN")
            for statement in schema:
                connection.execute(statement)
            for statement, values in lines:
                connection.execute(statement, values)
            for statement in last:
                connection.execute(statement)
            connection.execute("COMMIT")
        finally:
            connection.close()


def _caller() -> object:
    if trio.lowlevel.in_trio_task():
        return trio.lowlevel.current_task()
    return threading.current_thread()


@contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except apsw.ConstraintError as error:
        raise ConflictError(str(error), where=str(path)) from error
    except apsw.FullError as error:
        raise StorageError("the disk is full", where=str(path), hint=_FULL_HINT) from error
    except apsw.BusyError as error:
        hint = "Is a second node running on this directory?"
        raise StorageError("another process keeps the store locked", where=str(path), hint=hint) from error
    except (apsw.NotADBError, apsw.CorruptError) as error:
        hint = "Restore a backup; friends hold the ledger"
        raise StorageError("the store is damaged", where=str(path), hint=hint) from error
    except (apsw.IOError, apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError) as error:
        raise StorageError(str(error), where=str(path), hint="Check disk and permissions") from error
