"""The database: durable steps, migrations that a crash leaves whole, refusals that say what to do."""

import json
import os
import signal
import stat
import sys
import textwrap
from pathlib import Path

import pytest
import trio

from f2fbuild.errors import IncompatibleVersionError, LocalProtocolError, StorageError
from f2fbuild.store.database import ConflictError, Database

FIRST = (("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT",),)
SECOND = (*FIRST, ("ALTER TABLE item ADD COLUMN size INTEGER NOT NULL DEFAULT 0", "UPDATE item SET size = 7"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "node.db"


async def start_child(source: str, *arguments: str) -> trio.Process:
    """Start a real Python process whose standard output is read by the test."""
    return await trio.lowlevel.open_process(
        [sys.executable, "-c", textwrap.dedent(source), *arguments],
        stdin=-1,
        stdout=-1,
    )


async def kill_at(process: trio.Process, line: bytes) -> None:
    """Kill the child with SIGKILL once it has said `line`."""
    assert process.stdout is not None
    said = b""
    while line not in said:
        some = await process.stdout.receive_some()
        assert some, f"the child ended before it said {line!r}: {said!r}"
        said += some
    process.kill()
    assert await process.wait() == -signal.SIGKILL
    await process.stdout.aclose()
    assert process.stdin is not None
    await process.stdin.aclose()


def test_rows_come_back_as_they_were_bound(path: Path) -> None:
    with Database.open(path, FIRST) as database:
        assert database.execute("INSERT INTO item VALUES (?, ?)", (1, "a")) == 1
        assert database.execute("INSERT INTO item VALUES (:id, :name)", {"id": 2, "name": "b'; --"}) == 1
        assert database.rows("SELECT * FROM item ORDER BY id") == [
            {"id": 1, "name": "a"},
            {"id": 2, "name": "b'; --"},
        ]
        assert database.row("SELECT name FROM item WHERE id = ?", (3,)) is None
        assert database.rows("INSERT INTO item (name) VALUES ('c') RETURNING id") == [{"id": 3}]
        assert database.execute("UPDATE item SET name = name || '!' WHERE id < 3") == 2


def insert_and_fail(database: Database) -> None:
    with database.transaction():
        assert database.execute("INSERT INTO item VALUES (1, 'a')") == 1
        raise KeyError


def insert_two(database: Database, name: str) -> None:
    with database.transaction():
        database.execute("INSERT INTO item VALUES (2, 'b')")
        database.execute("INSERT INTO item VALUES (3, ?)", (name,))


def test_nothing_of_a_failed_transaction_stays(path: Path) -> None:
    with Database.open(path, FIRST) as database:
        with pytest.raises(KeyError):
            insert_and_fail(database)
        assert database.rows("SELECT * FROM item") == []
        with database.transaction():
            database.execute("INSERT INTO item VALUES (1, 'a')")
        assert database.row("SELECT count(*) AS n FROM item") == {"n": 1}


def test_a_constraint_is_a_conflict_and_undoes_the_block(path: Path) -> None:
    with Database.open(path, FIRST) as database:
        database.execute("INSERT INTO item VALUES (1, 'a')")
        with pytest.raises(ConflictError):
            insert_two(database, "a")
        assert database.rows("SELECT id FROM item") == [{"id": 1}]
        insert_two(database, "c")
        assert database.row("SELECT count(*) AS n FROM item") == {"n": 3}


def test_transactions_do_not_nest(path: Path) -> None:
    with Database.open(path, FIRST) as database:
        with pytest.raises(LocalProtocolError), database.transaction(), database.transaction():
            pass
        with database.transaction():
            database.execute("INSERT INTO item VALUES (1, 'a')")


async def test_another_task_cannot_slip_into_a_block(path: Path) -> None:
    with Database.open(path, FIRST) as database:

        async def intrude() -> None:
            with pytest.raises(LocalProtocolError):
                database.execute("INSERT INTO item VALUES (1, 'a')")

        with database.transaction():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(intrude)
        assert database.rows("SELECT * FROM item") == []


def test_a_second_writer_waits_and_is_then_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("f2fbuild.store.database.DATABASE_BUSY_MS", 1)
    with Database.open(path, FIRST) as one, Database.open(path, FIRST) as two:
        with one.transaction(), pytest.raises(StorageError, match="locked"):
            two.execute("INSERT INTO item VALUES (1, 'a')")
        assert two.execute("INSERT INTO item VALUES (1, 'a')") == 1


def test_only_its_owner_reads_the_store(path: Path) -> None:
    with Database.open(path, FIRST) as database:
        database.execute("INSERT INTO item VALUES (1, 'a')")
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        files = list(path.parent.iterdir())
        assert {file.name for file in files} == {"node.db", "node.db-wal", "node.db-shm"}
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


@pytest.mark.parametrize("part", ["directory", "file"])
def test_a_store_that_others_can_read_is_refused(path: Path, part: str) -> None:
    Database.open(path, FIRST).close()
    (path.parent if part == "directory" else path).chmod(0o755)
    with pytest.raises(StorageError, match="chmod"):
        Database.open(path, FIRST)


def test_the_store_is_not_followed_through_a_link(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError):
        Database.open(path, FIRST)
    assert not (tmp_path / "elsewhere").exists()


def test_writes_wait_for_the_disk(path: Path) -> None:
    with Database.open(path, FIRST) as database:
        assert database.row("PRAGMA journal_mode") == {"journal_mode": "wal"}
        assert database.row("PRAGMA synchronous") == {"synchronous": 2}
        assert database.row("PRAGMA foreign_keys") == {"foreign_keys": 1}


def test_an_older_program_refuses_a_newer_store(path: Path) -> None:
    Database.open(path, SECOND).close()
    before = path.read_bytes()
    with pytest.raises(IncompatibleVersionError, match="version 2, this program knows 1") as caught:
        Database.open(path, FIRST)
    assert caught.value.exit_code == 12
    assert path.read_bytes() == before


def test_a_newer_program_migrates(path: Path) -> None:
    with Database.open(path, FIRST) as database:
        database.execute("INSERT INTO item VALUES (1, 'a')")
    with Database.open(path, SECOND) as database:
        assert database.version == 2
        assert database.rows("SELECT * FROM item") == [{"id": 1, "name": "a", "size": 7}]


def test_a_bad_migration_leaves_the_old_version_whole(path: Path) -> None:
    with Database.open(path, FIRST) as database:
        database.execute("INSERT INTO item VALUES (1, 'a')")
    bad = (
        *FIRST,
        ("ALTER TABLE item ADD COLUMN size INTEGER", "INSERT INTO item (id, name) VALUES (1, 'b')"),
    )
    with pytest.raises(ConflictError):
        Database.open(path, bad)
    with Database.open(path, FIRST) as database:
        assert database.rows("SELECT * FROM item") == [{"id": 1, "name": "a"}]


KILLED_MIGRATION = """
    import json, pathlib, sys
    from f2fbuild.store.database import Database

    class Halting(tuple):
        def __iter__(self):
            yield self[0]
            print("half", flush=True)
            sys.stdin.read()
            yield self[1]

    path, migrations = sys.argv[1:]
    first, second = json.loads(migrations)
    Database.open(pathlib.Path(path), (first, Halting(second)))
"""


async def test_a_migration_killed_in_the_middle_leaves_the_old_version_whole(path: Path) -> None:
    with Database.open(path, FIRST) as database:
        database.execute("INSERT INTO item VALUES (1, 'a')")
    await kill_at(await start_child(KILLED_MIGRATION, str(path), json.dumps(SECOND)), b"half")
    with Database.open(path, FIRST) as database:
        assert database.version == 1
        assert database.rows("SELECT * FROM item") == [{"id": 1, "name": "a"}]
    with Database.open(path, SECOND) as database:
        assert database.row("SELECT size FROM item") == {"size": 7}


KILLED_WRITER = """
    import json, pathlib, sys
    from f2fbuild.store.database import Database

    database = Database.open(pathlib.Path(sys.argv[1]), json.loads(sys.argv[2]))
    with database.transaction():
        database.execute("INSERT INTO item VALUES (1, 'durable')")
    with database.transaction():
        database.execute("INSERT INTO item VALUES (2, 'not yet')")
        print("open", flush=True)
        sys.stdin.read()
"""


async def test_a_killed_writer_keeps_what_was_committed_and_nothing_else(path: Path) -> None:
    await kill_at(await start_child(KILLED_WRITER, str(path), json.dumps(FIRST)), b"open")
    with Database.open(path, FIRST) as database:
        assert database.rows("SELECT name FROM item") == [{"name": "durable"}]


FULL = """
    import json, pathlib, resource, sys
    from f2fbuild.errors import StorageError
    from f2fbuild.store.database import Database

    database = Database.open(pathlib.Path(sys.argv[1]), json.loads(sys.argv[2]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, resource.RLIM_INFINITY))
    try:
        for number in range(10_000):
            database.execute("INSERT INTO item VALUES (?, ?)", (number, str(number) + 4000 * "x"))
    except StorageError as error:
        print("refused", number, error.hint, flush=True)
"""


async def test_a_full_disk_is_a_storage_error_and_keeps_what_was_there(path: Path) -> None:
    process = await start_child(FULL, str(path), json.dumps(FIRST))
    assert process.stdout is not None
    assert process.stdin is not None
    await process.stdin.aclose()
    said = b""
    async for some in process.stdout:
        said += some
    assert await process.wait() == 0
    word, number, *hint = said.decode().split()
    assert word == "refused"
    assert hint
    with Database.open(path, FIRST) as database:
        row = database.row("SELECT count(*) AS n FROM item")
        assert row == {"n": int(number)}


def test_the_store_says_that_the_disk_is_full(path: Path) -> None:
    with Database.open(path, FIRST) as database:
        database.rows("PRAGMA max_page_count = 8")
        with pytest.raises(StorageError, match="Free space"), database.transaction():
            database.execute("INSERT INTO item VALUES (1, ?)", (100_000 * "x",))
        assert database.rows("SELECT * FROM item") == []


def test_a_damaged_store_says_so(path: Path) -> None:
    Database.open(path, FIRST).close()
    path.write_bytes(b"no database at all, this is" * 400)
    with pytest.raises(StorageError, match="damaged"):
        Database.open(path, FIRST)


def test_a_directory_is_no_store(path: Path) -> None:
    path.mkdir(parents=True, mode=0o700)
    path.parent.chmod(0o700)
    with pytest.raises(StorageError):
        Database.open(path, FIRST)


def test_a_fifo_is_no_store(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    os.mkfifo(path, 0o600)
    with pytest.raises(StorageError, match="not a regular file"):
        Database.open(path, FIRST)
