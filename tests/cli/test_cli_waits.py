"""Waiting for jobs: how the program ends, what it says when it is interrupted, and who dissents."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from f2fbuild.api import requests
from f2fbuild.model.job import AssignmentState, JobState
from f2fbuild.model.verdict import EXIT_CODE, VerdictKind
from tests.api.api_node import Hang
from tests.api.api_samples import BOB, CAROL, CHUNK, SHORT, assignment, job, running, verdict
from tests.cli.cli_runs import Home, beside, home, interrupted, records, whole_node


@pytest.fixture
def place() -> Iterator[Home]:
    with home() as found:
        yield found


ENDS = {
    "agreed": job(),
    "failed": job(state=JobState.FAILED, verdict=verdict(VerdictKind.FAILED), exit_code=4),
    "cancelled": job(state=JobState.CANCELLED, verdict=None, exit_code=5),
    "nobody": job(
        state=JobState.EXPIRED, verdict=verdict(VerdictKind.INCONCLUSIVE), assignments=(), exit_code=8
    ),
    "given back": job(state=JobState.GAVEBACK, verdict=verdict(VerdictKind.INFRA), exit_code=9),
    "diverged": job(state=JobState.FAILED, verdict=verdict(VerdictKind.DIVERGED, result=""), exit_code=10),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("options", [[], ["--json"]], ids=["human", "json"])
def test_watch_ends_as_the_job_did(place: Home, end: requests.Request, options: list[str]) -> None:
    with (
        beside(place, whole_node(streams={requests.WatchJob: (running(), end)})),
        place.start("watch", SHORT, *options) as process,
    ):
        _, errors = process.communicate(timeout=120)
    assert process.returncode == getattr(end, "exit_code", None)
    assert errors == ""


def test_every_verdict_has_one_of_these_ends() -> None:
    assert set(EXIT_CODE.values()) <= {end.exit_code for end in ENDS.values()}


def test_only_what_changed_is_said_again(place: Home) -> None:
    waiting = running(assignments=(), state=JobState.QUEUED)
    states = (waiting, running(), running(), job())
    with beside(place, whole_node(streams={requests.WatchJob: states})):
        lines = place.run("watch", SHORT).stdout.splitlines()
    assert [line.split()[:4] for line in lines] == [
        [SHORT, "hello_2.10-3", "queued"],
        [SHORT, "bob@elm", "\u23f5", "building"],
        [SHORT, "hello_2.10-3", "running"],
        [SHORT, "bob@elm", "\u2714", "succeeded"],
        [SHORT, "carol@elm", "\u2714", "succeeded"],
        [SHORT, "hello_2.10-3", "succeeded", "agree"],
    ]


DISPUTED = job(
    verdict=verdict(VerdictKind.DISPUTED, denominator=3, accuses=(CAROL,)),
    assignments=(
        assignment("bob", BOB),
        assignment("carol", CAROL, node="fir", result="0b" * 32, detail="[built] late"),
        assignment("dave", "DA" * 20, state=AssignmentState.REFUSED, outcome="", result=""),
    ),
)


@pytest.mark.parametrize("command", ["watch", "build"])
def test_dissent_goes_to_stderr(place: Home, tmp_path: Path, command: str) -> None:
    source = tmp_path / "x.dsc"
    source.touch()
    arguments = [SHORT] if command == "watch" else ["bookworm", str(source), "--wait"]
    with beside(place, whole_node(streams={requests.WatchJob: (DISPUTED,)})):
        result = place.run(command, *arguments)
        agreed = place.run(command, *arguments, "--json")
    assert result.exit_code == agreed.exit_code == 0
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("dissent")]
    assert "carol@fir" in line
    assert "result 0b0b0b0b0b0b" in line
    assert "[built] late" in line
    assert "contradicts the others" in line
    assert agreed.stderr == ""
    assert records(agreed.stdout)[-1]["verdict"]["accuses"] == [CAROL]


@pytest.mark.parametrize("kind", [kind for kind in VerdictKind if kind is not VerdictKind.DISPUTED])
def test_without_a_dispute_nobody_dissents(place: Home, kind: VerdictKind) -> None:
    with beside(
        place, whole_node(streams={requests.WatchJob: (job(verdict=verdict(kind, accuses=(CAROL,))),)})
    ):
        assert "dissent" not in place.run("watch", SHORT).stderr


INTERRUPTIONS = [
    (f"watch {SHORT}", (running(), Hang()), f"continue with: f2fbuild watch {SHORT}\n"),
    (f"watch-task {SHORT}", (running(), Hang()), f"continue with: f2fbuild watch {SHORT}\n"),
    (f"logs {SHORT}", (CHUNK, Hang()), f"continue with: f2fbuild logs {SHORT}\n"),
    (f"logs -f {SHORT}", (CHUNK, Hang()), f"continue with: f2fbuild logs --follow {SHORT}\n"),
    (
        f"logs -f {SHORT} --builder bob",
        (CHUNK, Hang()),
        f"continue with: f2fbuild logs --follow --builder bob {SHORT}\n",
    ),
    ("build bookworm SOURCE --wait", (running(), Hang()), f"continue with: f2fbuild watch {SHORT}\n"),
]


@pytest.mark.parametrize(("command", "answers", "said"), INTERRUPTIONS)
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["interrupted", "terminated"]
)
def test_an_interrupted_wait_says_what_goes_on(
    place: Home,
    tmp_path: Path,
    command: str,
    answers: tuple[object, ...],
    said: str,
    number: signal.Signals,
    code: int,
) -> None:
    source = tmp_path / "x.dsc"
    source.touch()
    node = whole_node(streams={requests.WatchJob: answers, requests.ReadLog: answers})
    arguments = command.replace("SOURCE", str(source)).split()
    with beside(place, node), place.start(*arguments, PYTHONUNBUFFERED="1") as process:
        assert process.stdout is not None
        process.stdout.readline()
        if command.startswith("build"):
            # Its own words come before the wait.
            process.stdout.readline()
            process.stdout.readline()
        errors = interrupted(process, number)
        assert node.ended.acquire(timeout=120)
    assert process.returncode == code
    assert said in errors.splitlines(keepends=True)
    assert "Traceback" not in errors


def test_a_node_that_goes_away_is_not_a_job_that_ended(place: Home) -> None:
    for answers in ((running(),), ()):
        with beside(place, whole_node(streams={requests.WatchJob: answers})):
            result = place.run("watch", SHORT)
        assert result.exit_code == 6
        assert f"continue with: f2fbuild watch {SHORT}" in result.stderr
