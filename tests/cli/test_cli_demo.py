"""What `f2fbuild demo` prints of a play, and where it plays; the play itself is tested in `tests/demo`."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from f2fbuild.cli.commands import demo as command
from f2fbuild.demo.report import SCHEMA
from f2fbuild.demo.story import Audience, Outcome
from f2fbuild.errors import DivergenceError
from tests.api.api_samples import SHORT, job, running
from tests.cli.cli_runs import Home, home


@pytest.fixture
def place() -> Iterator[Home]:
    with home() as found:
        yield found


class Play:
    """A play of three lines; remembers where it was played."""

    def __init__(self) -> None:
        self.directories: list[Path] = []
        self.caches: list[Path] = []
        self.wrong = False

    async def __call__(self, directory: Path, cache: Path, audience: Audience) -> Outcome:
        assert not any(directory.iterdir())
        (directory / "alice").mkdir()
        self.directories.append(directory)
        self.caches.append(cache)
        audience.scene("[bold]A scene\x1b[2J")
        for view in (running(), running(), job()):
            audience.job(view)
        if self.wrong:
            raise DivergenceError("the job ended as failed", where=SHORT)
        audience.fact("a fact")
        return Outcome(jobs=[job()])


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    played = Play()
    monkeypatch.setattr(command, "play", played)
    return played


def test_a_directory_that_is_not_empty_is_left_alone(place: Home, play: Play) -> None:
    kept = place.directory / "kept"
    kept.mkdir()
    (kept / "mine").write_text("mine")
    result = place.run("demo", "--keep", str(kept))
    assert result.exit_code == 2
    assert "is not empty" in result.stderr
    assert "--keep" in result.stderr
    assert [path.name for path in kept.iterdir()] == ["mine"]
    assert play.directories == []


@pytest.mark.parametrize("exists", [True, False])
def test_a_named_directory_is_played_in(place: Home, play: Play, exists: bool) -> None:
    kept = place.directory / "kept"
    if exists:
        kept.mkdir()
    result = place.run("demo", "--keep", str(kept))
    assert result.exit_code == 0
    assert play.directories == [kept.resolve()]
    assert f"kept in {kept.resolve()}" in result.stdout.replace("\n", "")


def test_the_own_directory_is_emptied_before(place: Home, play: Play) -> None:
    for _ in range(2):
        assert place.run("demo").exit_code == 0
    assert play.directories == [place.directory / "state" / "f2fbuild" / "demo"] * 2
    assert play.caches == [place.directory / "cache"] * 2


def test_without_a_terminal_each_line_is_printed_once_and_nothing_steers(place: Home, play: Play) -> None:
    result = place.run("demo")
    assert "\x1b" not in result.stdout
    lines = result.stdout.splitlines()
    assert "[bold]A scene\ufffd[2J" in lines
    assert "  a fact" in lines
    told = [line for line in lines if "bob@elm" in line]
    assert told
    assert len(told) == len(set(told))


def test_at_a_terminal_a_job_is_a_picture_that_is_taken_down(place: Home, play: Play) -> None:
    result = place.run("demo", FORCE_COLOR="1", TERM="xterm", NO_COLOR="")
    assert result.exit_code == 0
    assert "\x1b[?25l" in result.stdout
    assert result.stdout.rindex("\x1b[?25h") > result.stdout.rindex("\x1b[?25l")
    assert result.stdout.rindex("a fact") > result.stdout.rindex("\x1b[?25h")


def test_json_is_the_report_alone(place: Home, play: Play) -> None:
    result = place.run("demo", "--json")
    found = json.loads(result.stdout)
    assert found["schema"] == SCHEMA
    assert len(found["jobs"]) == 1
    assert "A scene" in result.stderr


@pytest.mark.parametrize("terminal", [True, False])
def test_a_play_that_goes_wrong_is_an_error_with_its_code(place: Home, play: Play, terminal: bool) -> None:
    play.wrong = True
    looks = {"FORCE_COLOR": "1", "TERM": "xterm", "NO_COLOR": ""} if terminal else {}
    result = place.run("demo", **looks)
    assert result.exit_code == DivergenceError.exit_code
    assert "the job ended as failed" in result.stderr
    assert result.stdout.count("\x1b[?25h") >= result.stdout.count("\x1b[?25l") * terminal
    assert "kept in" not in result.stdout
