"""`challenge` and `build --embargo-until`: what they ask the node, what they print, how they exit."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from f2fbuild.api import requests
from f2fbuild.model.times import parse_time
from f2fbuild.model.vote import ChallengeState
from tests.api.api_samples import BOB, SHORT, assignment, job, running
from tests.cli.cli_runs import Home, beside, home, whole_node

TIME = "2031-01-31T12:00:00Z"


@pytest.fixture
def place() -> Iterator[Home]:
    with home() as found:
        yield found


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "hello.dsc"
    path.write_text("Format: 3.0\n")
    return path


def challenged(state: ChallengeState) -> object:
    return job(assignments=(assignment("bob", BOB, challenge=state),))


@pytest.mark.parametrize(
    ("state", "code", "words"),
    [
        (ChallengeState.PASSED, 0, "challenge passed"),
        (ChallengeState.ANSWERED, 0, "challenge answered"),
        (ChallengeState.FAILED, 10, "challenge failed"),
    ],
)
@pytest.mark.parametrize("builder", ["", "bob"])
def test_a_challenge_says_how_it_went_and_exits_so(
    place: Home, state: ChallengeState, code: int, words: str, builder: str
) -> None:
    node = whole_node(calls={requests.ChallengeJob: challenged(state)})
    with beside(place, node):
        said = place.run("challenge", SHORT, *([builder] if builder else []))
    assert node.asked == [requests.ChallengeJob(job=SHORT, peer=builder)]
    assert said.exit_code == code, said.output
    assert words in said.stdout


def test_results_are_kept_back_until_a_time(place: Home, source: Path) -> None:
    node = whole_node(calls={requests.Submit: running(embargo_until=parse_time(TIME))})
    with beside(place, node):
        said = place.run("build", "bookworm", str(source), "--embargo-until", TIME, "--nowait")
    assert said.exit_code == 0, said.output
    (asked,) = node.asked
    assert isinstance(asked, requests.Submit)
    assert asked.embargo_until == parse_time(TIME)
    assert f"results come out at {TIME}" in said.stdout


def test_without_an_embargo_nothing_is_said_of_one(place: Home, source: Path) -> None:
    node = whole_node(calls={requests.Submit: running()})
    with beside(place, node):
        said = place.run("build", "bookworm", str(source), "--nowait")
    assert said.exit_code == 0, said.output
    (asked,) = node.asked
    assert isinstance(asked, requests.Submit)
    assert asked.embargo_until == 0
    assert "results come out" not in said.stdout


@pytest.mark.parametrize("time", ["tomorrow", "2031-01-31", "2031-13-01T00:00:00Z"])
def test_a_time_that_is_none_is_refused_before_anything_is_asked(
    place: Home, source: Path, time: str
) -> None:
    node = whole_node()
    with beside(place, node):
        said = place.run("build", "bookworm", str(source), "--embargo-until", time)
    assert said.exit_code == 2
    assert "--embargo-until" in said.stderr
    assert node.asked == []
