"""At a terminal: questions, a build that is waited for, Ctrl-C, and bytes that would steer it."""

import os
import pty
import subprocess  # noqa: TID251 - the program is run as people run it
import sys
from collections.abc import Iterator
from select import select

import pytest

from f2fbuild.api import requests
from f2fbuild.ledger import entry
from f2fbuild.ledger.log import Log
from f2fbuild.model.job import JobState
from f2fbuild.model.vkey import format_vkey
from tests.api.api_node import Hang
from tests.api.api_samples import SHORT, job, running
from tests.cli.cli_runs import Home, beside, clean_environment, home, whole_node
from tests.ledger.ledger_helpers import ALICE

CTRL_C = "\x03"
TYPE_AGAIN_SECONDS = 5.0


@pytest.fixture
def place() -> Iterator[Home]:
    with home() as found:
        yield found


def talk(place: Home, arguments: list[str], until: str = "", typed: str = "") -> tuple[int, str]:
    """Run the program in the foreground of a terminal of its own; type once `until` stands there.

    Returns the exit code and all that stood on the terminal.
    """
    main, end = pty.openpty()
    # setsid(1) makes the terminal the controlling one, as a login does.
    command = ["setsid", "--ctty", "--wait", sys.executable, "-m", "f2fbuild", *arguments]
    environment = clean_environment() | place.environment | {"TERM": "xterm"}
    process = subprocess.Popen(command, stdin=end, stdout=end, stderr=end, env=environment)
    os.close(end)
    try:
        seen = converse(main, until, typed)
        return process.wait(timeout=120), seen
    finally:
        os.close(main)
        process.kill()
        process.wait()


def converse(main: int, until: str, typed: str) -> str:
    """Type once `until` stands on the terminal, and again while nothing happens; return all that stood there.

    Python sees a Ctrl-C that comes just before it reads only after it has read: people press it again.
    """
    seen, waiting = "", True
    while True:
        quiet = not select([main], [], [], TYPE_AGAIN_SECONDS)[0]
        if not quiet:
            piece = read(main)
            if not piece:
                return seen
            seen += piece
        if typed and until in seen and (waiting or quiet):
            waiting = False
            os.write(main, typed.encode())


def read(main: int) -> str:
    try:
        return os.read(main, 65536).decode("utf-8", "replace")
    except OSError:
        # Linux answers EIO when nobody holds the other end any more.
        return ""


@pytest.mark.parametrize(
    ("typed", "code", "done"), [("y\n", 0, True), ("n\n", 0, False), (CTRL_C, 130, False)]
)
def test_a_question(place: Home, typed: str, code: int, done: bool) -> None:
    with beside(place, whole_node()) as node:
        found, seen = talk(place, ["peer", "remove", "bob"], "Go on? [y/N]:", typed)
    assert found == code
    assert "Remove bob@elm?" in seen
    assert [type(asked) for asked in node.asked] == [requests.GetPeer, *[requests.RemovePeer] * done]


def test_yes_asks_nothing(place: Home) -> None:
    with beside(place, whole_node()):
        code, seen = talk(place, ["peer", "remove", "bob", "--yes"])
    assert code == 0
    assert "?" not in seen


@pytest.mark.parametrize("options", [[], ["--nowait"]])
def test_a_build_in_the_foreground_is_waited_for(place: Home, options: list[str]) -> None:
    source = place.directory / "x.dsc"
    source.touch()
    end = job(state=JobState.FAILED, exit_code=4)
    with beside(place, whole_node(streams={requests.WatchJob: (running(), end)})) as node:
        code, _ = talk(place, ["build", "bookworm", str(source), *options])
    assert code == (0 if options else 4)
    assert (requests.WatchJob(job=SHORT) in node.asked) is not bool(options)


def test_ctrl_c_leaves_the_job_alone(place: Home) -> None:
    source = place.directory / "x.dsc"
    source.touch()
    with beside(place, whole_node(streams={requests.WatchJob: (running(), Hang())})) as node:
        code, seen = talk(place, ["build", "bookworm", str(source)], "bob@elm", CTRL_C)
        assert node.ended.acquire(timeout=120)
    assert code == 130
    assert seen.rstrip().endswith(f"continue with: f2fbuild watch {SHORT}")
    assert [type(asked) for asked in node.asked] == [requests.Submit, requests.WatchJob]


def test_a_payload_does_not_steer_the_terminal(place: Home) -> None:
    hostile = entry.Unknown(payload_type="x/y", payload=b"\x1b]0;evil\x07")
    with Log.create(place.directory / "log", ALICE.log) as log:
        log.append(ALICE.write(ALICE.certificate(), hostile))
    where = ["--log", str(place.directory / "log"), "--vkey", format_vkey(ALICE.vkey)]
    code, seen = talk(place, ["ledger", "show", "1", *where, "--payload"])
    assert code == 0
    assert "\ufffd]0;evil\ufffd" in seen
    assert "\x1b]" not in seen
