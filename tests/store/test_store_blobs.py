"""Blobs: durable under their SHA-256, whatever is killed, full or damaged."""

import errno
import fcntl
import hashlib
import io
import os
import shutil
import signal
import stat
import sys
import textwrap
from pathlib import Path

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from f2fbuild.errors import FormatError, StorageError
from f2fbuild.limits import BLOB_BLOCK_BYTES
from f2fbuild.store.blobs import BlobDamagedError, BlobMissingError, BlobStore

EMPTY = hashlib.sha256(b"").hexdigest()
ABSENT = "0" * 64


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
def store(directory: Path) -> BlobStore:
    return BlobStore.open(directory)


def pattern(size: int) -> bytes:
    return (hashlib.sha512(str(size).encode()).digest() * (size // 64 + 1))[:size]


def regular_files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "size", [0, 1, BLOB_BLOCK_BYTES - 1, BLOB_BLOCK_BYTES, BLOB_BLOCK_BYTES + 1, 3 * BLOB_BLOCK_BYTES + 7]
)
def test_what_is_put_is_read(store: BlobStore, directory: Path, size: int) -> None:
    data = pattern(size)
    digest = store.put_bytes(data)
    assert digest == hashlib.sha256(data).hexdigest()
    assert store.has(digest)
    assert store.size(digest) == size
    assert store.read(digest, size) == data
    assert store.path(digest) == directory / digest[:2] / digest
    with store.open_blob(digest) as stream:
        assert stream.read() == data
    store.verify(digest)
    assert regular_files(directory) == [store.path(digest)]


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(parts=st.lists(st.binary(max_size=50)))
def test_a_stream_may_give_its_bytes_in_any_parts(store: BlobStore, parts: list[bytes]) -> None:
    class Parts(io.RawIOBase):
        def __init__(self) -> None:
            self.left = [part for part in parts if part]

        def read(self, size: int = -1) -> bytes:
            return self.left.pop(0) if self.left else b""

    digest = store.put_stream(Parts())
    assert store.read(digest, 10_000) == b"".join(parts)


def test_only_their_owner_reads_blobs(store: BlobStore, directory: Path) -> None:
    digest = store.put_bytes(b"secret source")
    assert stat.S_IMODE(store.path(digest).stat().st_mode) == 0o600
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.rglob("*") if path.is_dir()} == {0o700}
    directory.chmod(0o750)
    with pytest.raises(StorageError, match="chmod 700"):
        BlobStore.open(directory)


def test_a_file_is_copied_and_not_linked(store: BlobStore, tmp_path: Path) -> None:
    source = tmp_path / "hello.tar"
    source.write_bytes(b"first")
    digest = store.put_file(source)
    source.write_bytes(b"other")
    assert store.read(digest, 100) == b"first"


def test_hostile_files_are_refused_unread(store: BlobStore, tmp_path: Path, directory: Path) -> None:
    fifo, link = tmp_path / "fifo", tmp_path / "link"
    os.mkfifo(fifo)
    link.symlink_to("/etc/passwd")
    for path in (fifo, link, tmp_path, tmp_path / "absent", Path("/dev/zero")):
        with pytest.raises(StorageError):
            store.put_file(path)
    assert regular_files(directory) == []


def test_what_is_too_large_is_not_kept(store: BlobStore, tmp_path: Path, directory: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"12345")
    assert store.size(store.put_file(source, limit=5)) == 5
    with pytest.raises(StorageError, match="larger than 4 bytes"):
        store.put_file(source, limit=4)
    assert len(regular_files(directory)) == 1


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 63, "incoming"])
def test_a_name_that_is_no_digest_is_refused(store: BlobStore, name: str) -> None:
    with pytest.raises(FormatError):
        store.has(name)
    with pytest.raises(FormatError):
        store.remove(name)
    with pytest.raises(FormatError):
        store.partial(name, root=bytes(32), size=1)
    with pytest.raises(FormatError):
        store.begun(name)


def test_what_is_absent_says_so(store: BlobStore) -> None:
    assert not store.has(ABSENT)
    store.remove(ABSENT)
    for use in (store.path, store.size, store.verify, store.open_blob, lambda digest: store.read(digest, 9)):
        with pytest.raises(BlobMissingError):
            use(ABSENT)


def test_a_removed_blob_is_gone(store: BlobStore) -> None:
    digest = store.put_bytes(b"x")
    with store.open_blob(digest) as stream:
        store.remove(digest)
        assert stream.read() == b"x"
    assert not store.has(digest)


def test_reading_is_bounded(store: BlobStore) -> None:
    digest = store.put_bytes(b"12345")
    with pytest.raises(StorageError, match="larger than 4 bytes"):
        store.read(digest, 4)


def test_a_damaged_blob_is_noticed_and_healed_by_putting_it_again(store: BlobStore) -> None:
    digest = store.put_bytes(b"12345")
    store.path(digest).write_bytes(b"12344")
    with pytest.raises(BlobDamagedError):
        store.read(digest, 5)
    with pytest.raises(BlobDamagedError):
        store.verify(digest)
    assert store.put_bytes(b"12345") == digest
    store.verify(digest)


def test_the_reserve_stays_free(directory: Path) -> None:
    free = shutil.disk_usage(directory.parent).free
    store = BlobStore.open(directory, reserve=2 * free)
    with pytest.raises(StorageError, match="in reserve") as caught:
        store.put_bytes(b"x")
    assert "Free space" in caught.value.hint
    with pytest.raises(StorageError, match="in reserve"):
        store.partial(ABSENT, root=bytes(32), size=1)
    assert regular_files(directory) == []


def test_a_blob_has_its_name_only_when_its_bytes_are_on_the_disk(
    store: BlobStore, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = os.fsync
    digest = hashlib.sha256(b"x").hexdigest()
    seen: list[tuple[str, bool]] = []

    def watched(descriptor: int) -> None:
        kind = "directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        seen.append((kind, store.has(digest)))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    store.put_bytes(b"x")
    assert seen == [("file", False), ("directory", True)]


def test_a_disk_that_cannot_sync_keeps_no_blob(
    store: BlobStore, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(StorageError, match="Input/output error"):
        store.put_bytes(b"x")
    assert regular_files(directory) == []


async def child(source: str, *arguments: str, shell: str = "") -> trio.Process:
    """Start a real Python process, through `shell` text that ends in exec "$@" when given."""
    command = [sys.executable, "-c", textwrap.dedent(source), *arguments]
    if shell:
        command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", shell, "sh", *command]
    return await trio.lowlevel.open_process(command, stdout=-1)


async def line_from(stream: trio.abc.ReceiveStream) -> str:
    said = b""
    while not said.endswith(b"\n"):
        some = await stream.receive_some()
        assert some, said
        said += some
    return said.decode().strip()


async def said_by(process: trio.Process) -> str:
    assert process.stdout is not None
    said = b""
    async for some in process.stdout:
        said += some
    assert await process.wait() == 0
    return said.decode()


KILLED_PUT = """
    import io, pathlib, sys, threading
    from f2fbuild.store.blobs import BlobStore

    class Halting(io.RawIOBase):
        blocks = 3
        def read(self, size=-1):
            self.blocks -= 1
            if self.blocks < 0:
                print("half", flush=True)
                threading.Event().wait()
            return bytes(size)

    BlobStore.open(pathlib.Path(sys.argv[1])).put_stream(Halting())
"""


async def test_a_put_that_is_killed_leaves_nothing_after_the_next_open(directory: Path) -> None:
    process = await child(KILLED_PUT, str(directory))
    assert process.stdout is not None
    assert await line_from(process.stdout) == "half"
    (temporary,) = regular_files(directory)
    store = BlobStore.open(directory)
    assert regular_files(directory) == [temporary], "swept while it was being written"
    process.kill()
    assert await process.wait() == -signal.SIGKILL
    await process.stdout.aclose()
    assert regular_files(directory) == [temporary]
    store = BlobStore.open(directory)
    assert regular_files(directory) == []
    assert not store.has(hashlib.sha256(bytes(3 * BLOB_BLOCK_BYTES)).hexdigest())


def test_a_temporary_file_swept_before_it_was_locked_is_made_again(
    store: BlobStore, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = fcntl.flock
    opens = iter([True])

    def late(file: int, operation: int) -> None:
        if next(opens, False):
            BlobStore.open(directory)
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    digest = store.put_bytes(b"x")
    assert store.read(digest, 1) == b"x"
    assert next(opens, None) is None


KILLED_AFTER_PUT = """
    import os, pathlib, signal, sys
    from f2fbuild.store.blobs import BlobStore

    print(BlobStore.open(pathlib.Path(sys.argv[1])).put_bytes(b"durable"), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


async def test_a_blob_that_was_announced_survives_the_kill(directory: Path) -> None:
    process = await child(KILLED_AFTER_PUT, str(directory))
    assert process.stdout is not None
    digest = await line_from(process.stdout)
    assert await process.wait() == -signal.SIGKILL
    await process.stdout.aclose()
    assert BlobStore.open(directory).read(digest, 100) == b"durable"


FULL = """
    import io, pathlib, sys
    from f2fbuild.errors import StorageError
    from f2fbuild.store.blobs import BlobStore

    directory = pathlib.Path(sys.argv[1])
    store = BlobStore.open(directory, reserve=int(sys.argv[2]))
    kept = store.put_bytes(b"kept")
    def partial(): store.partial("0" * 64, root=bytes(32), size=8 << 20)
    def put(): store.put_bytes(bytes(8 << 20))
    for attempt in (put, partial):
        try:
            attempt()
            print("no error")
        except StorageError as error:
            print(error.hint.split()[0])
    print(store.read(kept, 10), len(list((directory / "incoming").iterdir())))
"""


async def test_a_full_file_system_is_a_storage_error(tmp_path: Path) -> None:
    mount = f'chmod 700 {tmp_path} && mount -t tmpfs -o size=4m,mode=700 none {tmp_path} && exec "$@"'
    said = await said_by(await child(FULL, str(tmp_path), "-1000000000", shell=mount))
    assert said == "Free\nFree\nb'kept' 0\n"


async def test_a_file_size_limit_is_a_storage_error(tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, 4 << 20))"
    said = await said_by(await child(f"{limit}\n{textwrap.dedent(FULL)}", str(tmp_path), "0"))
    assert said == "Free\nFree\nb'kept' 0\n"
