"""Directories and files that nobody else comes near, and where a node keeps them."""

import os
from pathlib import Path

import pytest

from f2fbuild.errors import ConfigurationError, StorageError
from f2fbuild.store.files import private_directory, write_private
from f2fbuild.store.paths import Paths


def test_a_private_directory_is_made_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    private_directory(path)
    assert path.stat().st_mode & 0o777 == 0o700
    private_directory(path)


@pytest.mark.parametrize("mode", [0o750, 0o701, 0o777])
def test_a_directory_that_others_can_enter_is_refused_and_left_as_it_is(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    with pytest.raises(StorageError, match=r"open to others\. chmod 700"):
        private_directory(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_another_user_is_refused_also_to_root(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o700)
    os.chown(theirs, 65534, 65534)
    link = tmp_path / "link"
    link.symlink_to(theirs)
    for path in (theirs, link):
        with pytest.raises(StorageError, match="belongs to another user"):
            private_directory(path)


def test_a_file_where_a_directory_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        private_directory(tmp_path / "file")
    with pytest.raises(StorageError):
        private_directory(tmp_path / "file" / "below")


def test_a_private_file_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "seed"
    (tmp_path / ".seed.part").write_bytes(b"left by a crash")
    write_private(path, b"one")
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(StorageError, match="exists"):
        write_private(path, b"two")
    assert path.read_bytes() == b"one"
    assert [entry.name for entry in tmp_path.iterdir()] == ["seed"]


def test_the_directories_of_xdg() -> None:
    plain = Paths.from_environment({"HOME": "/home/ann"})
    assert plain == Paths(
        config=Path("/home/ann/.config/f2fbuild"),
        data=Path("/home/ann/.local/share/f2fbuild"),
        state=Path("/home/ann/.local/state/f2fbuild"),
        cache=Path("/home/ann/.cache/f2fbuild"),
        runtime=Path("/home/ann/.local/state/f2fbuild/run"),
    )
    named = {
        "XDG_CONFIG_HOME": "/c",
        "XDG_DATA_HOME": "/d",
        "XDG_STATE_HOME": "/s",
        "XDG_CACHE_HOME": "/k",
        "XDG_RUNTIME_DIR": "/r",
    }
    moved = Paths.from_environment({"HOME": "/home/ann", **named})
    places = (moved.config, moved.data, moved.state, moved.cache, moved.runtime)
    assert [str(path) for path in places] == [f"/{letter}/f2fbuild" for letter in "cdskr"]
    # The specification: "All paths set in these environment variables must be absolute."
    assert Paths.from_environment({"HOME": "/home/ann", **dict.fromkeys(named, "relative")}) == plain
    assert Paths.from_environment({}).data == Path("/.local/share/f2fbuild")


def test_everything_lies_in_its_directory() -> None:
    paths = Paths.from_environment({"HOME": "/h"})
    kept = (paths.seed, paths.certificate, paths.log, paths.mirrors, paths.blobs, paths.evidence)
    assert {path.parent for path in (*kept, paths.database, paths.keyring)} == {paths.data}
    assert {path.parent for path in (paths.config_file, paths.targets)} == {paths.config}
    assert len({*kept, paths.database, paths.keyring}) == 8


def test_a_socket_path_that_the_kernel_takes_or_not() -> None:
    def socket(length: int) -> Path:
        runtime = Path("/" + "x" * (length - len("//api.sock")))
        return Paths(config=runtime, data=runtime, state=runtime, cache=runtime, runtime=runtime).socket

    assert len(os.fsencode(socket(107))) == 107
    with pytest.raises(ConfigurationError, match=r"longer than 107 bytes.*XDG_RUNTIME_DIR"):
        socket(108)
