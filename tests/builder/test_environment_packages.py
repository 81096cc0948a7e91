"""Package files by digest: from a mirror, else from friends, else not at all."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trio

from f2fbuild.builder import mirror
from f2fbuild.builder.locks import LockedPackage
from f2fbuild.builder.packages import EnvironmentUnavailableError, PackageStore, is_package
from f2fbuild.builder.verify import VerifiedPackage
from f2fbuild.model.digest import sha256_hex

CONTENT = b"the bytes of a package"


class Quiet(SimpleHTTPRequestHandler):
    """A mirror that writes no log."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's name)
        """Say nothing."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A mirror on the loopback interface: its base URI and its directory."""
    directory = tmp_path / "mirror"
    directory.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(directory)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", directory
    server.shutdown()
    server.server_close()
    thread.join()


def locked(content: bytes = CONTENT, size: int | None = None) -> LockedPackage:
    return LockedPackage(
        name="a", version="1", arch="all", sha256=sha256_hex(content), size=size or len(content)
    )


def wanted(*uris: str, package: LockedPackage | None = None) -> VerifiedPackage:
    return VerifiedPackage(package=package or locked(), uris=uris)


class Friends:
    """Friends that have one file, and what they were asked for."""

    def __init__(self, file: Path | None = None) -> None:
        self.file = file
        self.asked: list[tuple[str, int]] = []

    async def fetch(self, digest: str, size: int) -> Path | None:
        """Answer as `FetchBlob` says."""
        self.asked.append((digest, size))
        return self.file


async def test_a_mirror_is_asked_first_and_once(served: tuple[str, Path], tmp_path: Path) -> None:
    uri, directory = served
    (directory / "a.deb").write_bytes(CONTENT)
    store, friends = PackageStore(tmp_path / "packages"), Friends()
    package = wanted(f"{uri}/gone.deb", f"{uri}/a.deb")
    (path,) = await store.obtain([package], fetch_blob=friends.fetch)
    assert path == tmp_path / "packages" / locked().sha256
    assert path.read_bytes() == CONTENT
    (directory / "a.deb").unlink()
    assert await store.obtain([package], fetch_blob=friends.fetch) == [path]
    assert friends.asked == []


@pytest.mark.parametrize("scheme", ["file", "copy"])
async def test_a_mirror_may_be_a_directory(tmp_path: Path, scheme: str) -> None:
    (tmp_path / "a b.deb").write_bytes(CONTENT)
    store = PackageStore(tmp_path / "packages")
    (path,) = await store.obtain([wanted(f"{scheme}://{tmp_path}/a%20b.deb")], fetch_blob=Friends().fetch)
    assert path.read_bytes() == CONTENT


async def test_a_friend_has_what_the_mirror_lost(served: tuple[str, Path], tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(CONTENT)
    store, friends = PackageStore(tmp_path / "packages"), Friends(tmp_path / "blob")
    (path,) = await store.obtain([wanted(f"{served[0]}/a.deb")], fetch_blob=friends.fetch)
    assert path.read_bytes() == CONTENT
    assert friends.asked == [(locked().sha256, len(CONTENT))]


@pytest.mark.parametrize("other", [b"THE BYTES OF A PACKAGE", CONTENT[:-1], CONTENT + b"!"])
async def test_other_bytes_are_taken_from_nobody(
    served: tuple[str, Path], tmp_path: Path, other: bytes
) -> None:
    uri, directory = served
    (directory / "a.deb").write_bytes(other)
    store, friends = PackageStore(tmp_path / "packages"), Friends(directory / "a.deb")
    with pytest.raises(EnvironmentUnavailableError, match="friends: other bytes than were signed"):
        await store.obtain([wanted(f"{uri}/a.deb")], fetch_blob=friends.fetch)
    assert list((tmp_path / "packages").iterdir()) == []


async def test_what_nobody_has_is_a_typed_error_that_names_everybody(
    served: tuple[str, Path], tmp_path: Path
) -> None:
    store = PackageStore(tmp_path / "packages")
    with pytest.raises(EnvironmentUnavailableError) as caught:
        await store.obtain([wanted(f"{served[0]}/a.deb")], fetch_blob=Friends().fetch)
    assert caught.value.where == "a 1 all"
    assert f"{served[0]}/a.deb: the mirror answers 404" in caught.value.what
    assert "friends: nobody has it" in caught.value.what


async def test_a_damaged_file_in_the_store_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(CONTENT)
    store, friends = PackageStore(tmp_path / "packages"), Friends(tmp_path / "blob")
    store.path(locked().sha256).write_bytes(CONTENT.upper())
    (path,) = await store.obtain([wanted()], fetch_blob=friends.fetch)
    assert path.read_bytes() == CONTENT
    assert is_package(path, locked())
    assert not is_package(path, locked(size=7))


async def test_one_missing_package_ends_the_others(tmp_path: Path) -> None:
    store = PackageStore(tmp_path / "packages")
    many = [wanted(package=locked(bytes([number]))) for number in range(30)]
    with pytest.raises(EnvironmentUnavailableError):
        await store.obtain(many, fetch_blob=Friends().fetch)


async def test_two_stores_of_one_directory_do_not_disturb_each_other(
    served: tuple[str, Path], tmp_path: Path
) -> None:
    uri, directory = served
    (directory / "a.deb").write_bytes(CONTENT)
    found: list[Path] = []

    async def obtain() -> None:
        store = PackageStore(tmp_path / "packages")
        found.extend(await store.obtain([wanted(f"{uri}/a.deb")], fetch_blob=Friends().fetch))

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(obtain)
    assert {path.read_bytes() for path in found} == {CONTENT}
    assert [path.name for path in (tmp_path / "packages").iterdir()] == [locked().sha256]


async def test_reading_stops_at_its_limit(served: tuple[str, Path], tmp_path: Path) -> None:
    uri, directory = served
    (directory / "index").write_bytes(b"x" * 100)
    async with mirror.open_client() as client:
        assert await mirror.read(client, f"{uri}/index", most=100) == b"x" * 100
        with pytest.raises(mirror.MirrorError, match="larger than 99 bytes"):
            await mirror.read(client, f"{uri}/index", most=99)
        with pytest.raises(mirror.MirrorError, match="cannot be read: No such file"):
            await mirror.read(client, f"file://{tmp_path}/none", most=99)


async def test_a_mirror_that_does_not_answer_is_a_mirror_error() -> None:
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    async with mirror.open_client() as client:
        with pytest.raises(mirror.MirrorError, match="does not answer"):
            await mirror.read(client, f"http://127.0.0.1:{port}/x", most=9)
