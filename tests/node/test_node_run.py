"""`f2fbuild node run`: a process that starts in order, keeps others out, and leaves a log that is whole."""

import os
import shutil
import signal
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from f2fbuild.api import replies, requests
from f2fbuild.api.client import Client
from f2fbuild.model.signing import SEED_BYTES
from tests.api.api_node import nobody_listening
from tests.cli.cli_runs import Home
from tests.node.node_house import house, init, log_size, paths, refused, running, stop


@pytest.fixture
def place() -> Iterator[Home]:
    with house() as made:
        init(made)
        yield made


def status(place: Home) -> replies.Status:
    with Client(place.socket) as client:
        return client.call(requests.GetStatus(), replies.Status)


def test_it_answers_to_its_user_alone_and_ends_cleanly(place: Home) -> None:
    with running(place) as process:
        socket = place.socket.lstat()
        assert stat.S_ISSOCK(socket.st_mode)
        assert stat.S_IMODE(socket.st_mode) == 0o600
        assert stat.S_IMODE(place.socket.parent.stat().st_mode) == 0o700
        found = status(place)
        assert (found.node, found.log_size, found.friends, found.notices) == ("elm", 1, 0, ())
        assert stop(process) == (0, "")
    assert log_size(place) == 1
    with nobody_listening():
        code = place.run("status").exit_code
    assert code == 6


def test_it_ends_at_an_interrupt_too(place: Home) -> None:
    with running(place) as process:
        assert stop(process, signal.SIGINT) == (0, "")


def test_it_starts_again_after_it_was_killed(place: Home) -> None:
    with running(place) as process:
        process.kill()
        process.wait()
        assert place.socket.exists()
    with running(place) as process:
        assert status(place).log_size == 1
        assert stop(process)[0] == 0


def test_a_second_node_on_the_same_directories_is_refused(place: Home) -> None:
    with running(place) as process:
        code, said = refused(place)
        assert code == 1
        assert "another process has it open" in said
        assert "Traceback" not in said
        assert status(place).node == "elm", "the first one goes on"
        assert stop(process)[0] == 0


def test_a_runtime_directory_that_is_open_to_others(place: Home) -> None:
    place.socket.parent.mkdir()
    place.socket.parent.chmod(0o755)
    code, said = refused(place)
    assert code == 1
    assert "open to others" in said
    assert f"chmod 700 {place.socket.parent}" in said
    assert not place.socket.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_runtime_directory_of_another_user(place: Home) -> None:
    place.socket.parent.mkdir(mode=0o700)
    os.chown(place.socket.parent, 65534, 65534)
    code, said = refused(place)
    assert code == 1
    assert "belongs to another user" in said


def test_a_store_of_a_newer_program(place: Home) -> None:
    with running(place) as process:
        stop(process)
    with sqlite3.connect(paths(place).database) as database:
        database.execute("PRAGMA user_version = 999")
    database.close()
    code, said = refused(place)
    assert code == 12
    assert "newer version of this program" in said


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        (
            "[builder]\n",
            "[builder]\nmemroy_mib = 4096\n",
            "unknown key memroy_mib\n  did you mean memory_mib?",
        ),
        ("[builder]\n", "[bulider]\n", "unknown key bulider\n  did you mean builder?"),
        ("slots = 1\n", "slots = 0\n", "$.builder.slots"),
        ("slots = 1\n", "slots = one\n", "line "),
        ('name = "elm"', 'name = "Elm!"', "$.node.name"),
    ],
)
def test_settings_that_cannot_be_used(place: Home, before: str, after: str, what: str) -> None:
    file = paths(place).config_file
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))
    code, said = refused(place)
    assert code == 3
    assert what in said
    assert str(file) in said
    if "unknown key" in what:
        wrong = after.strip().splitlines()[-1]
        line = file.read_text().splitlines().index(wrong) + 1
        assert f"{file}:{line}: unknown key" in said


def test_an_address_that_cannot_be_listened_on(place: Home) -> None:
    file = paths(place).config_file
    file.write_text(file.read_text().replace("listen = []", 'listen = ["192.0.2.1:8594"]'))
    code, said = refused(place)
    assert code == 3
    assert "cannot listen" in said
    assert "192.0.2.1:8594" in said


def test_nothing_is_set_up() -> None:
    with house() as place:
        code, said = refused(place)
        assert code == 3
        assert "f2fbuild init" in said


def test_a_missing_log_is_no_reason_to_begin_another(place: Home) -> None:
    shutil.rmtree(paths(place).log)
    code, said = refused(place)
    assert code == 11
    assert str(paths(place).log) in said
    assert not paths(place).log.exists()


def test_a_log_that_is_not_that_of_its_checkpoint(place: Home, tmp_path: Path) -> None:
    with house() as other:
        init(other)
        shutil.rmtree(paths(place).log)
        shutil.copytree(paths(other).log, paths(place).log)
    before = {path: path.read_bytes() for path in paths(place).log.rglob("*") if path.is_file()}
    code, said = refused(place)
    assert code == 11
    assert "Traceback" not in said
    assert {path: path.read_bytes() for path in before} == before


def test_a_log_whose_entries_were_changed(place: Home) -> None:
    bundle = next(path for path in (paths(place).log / "tile" / "entries").rglob("*") if path.is_file())
    data = bytearray(bundle.read_bytes())
    data[-2] ^= 1
    bundle.write_bytes(data)
    code, said = refused(place)
    assert code == 11
    assert "Traceback" not in said


@pytest.mark.parametrize("damage", ["open", "short", "long", "gone", "certificate"])
def test_a_seed_that_cannot_be_used(place: Home, damage: str) -> None:
    here = paths(place)
    match damage:
        case "open":
            here.seed.chmod(0o640)
        case "short":
            here.seed.write_bytes(bytes(SEED_BYTES - 1))
        case "long":
            here.seed.write_bytes(bytes(SEED_BYTES + 1))
        case "gone":
            here.seed.unlink()
        case _:
            here.certificate.unlink()
    code, said = refused(place)
    assert code == 3
    assert str(here.data) in said


def test_a_seed_that_is_not_the_certificates(place: Home) -> None:
    paths(place).seed.write_bytes(bytes(SEED_BYTES))
    code, said = refused(place)
    assert code == 11
    assert "Traceback" not in said
