"""What a packager types: Ann orders builds from Bob, each with a node process of their own."""

import json
import subprocess  # noqa: TID251 - nodes are run as people run them
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from f2fbuild.demo.actor import free_ports
from tests.cli.cli_runs import Home, clean_environment, records
from tests.node.node_house import house, init

ORDER = ("--class", "scratch", "--builders", "1", "--agree", "1")
TWO = ("--class", "scratch", "--builders", "2", "--agree", "2")


@contextmanager
def node(place: Home) -> Iterator[None]:
    """The node of this user, with a workbench, as a process that is ready."""
    said = place.directory / "node.log"
    with said.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.journeys.node_child"],
            env=clean_environment() | place.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.PIPE,
            text=True,
        )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("ready  "), line + process.stderr.read()
        yield
    finally:
        process.terminate()
        process.communicate(timeout=30)


def typed(place: Home, *arguments: str, code: int = 0) -> Mapping[str, Any]:
    """Type a command with `--json`; return its last record, of a schema of ours."""
    result = place.run(*arguments, "--json")
    assert result.exit_code == code, result.output
    for record in records(result.stdout):
        assert record["schema"].startswith("f2fbuild."), record
    said: Mapping[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return said


@pytest.fixture(scope="module")
def people() -> Iterator[tuple[Home, Home]]:
    """Ann, and Bob and Cyd who build for her; their nodes run and are connected."""
    with ExitStack() as stack:
        ann, bob, cyd = (stack.enter_context(house()) for _ in range(3))
        everybody = zip((ann, bob, cyd), ("Ann", "Bob", "Cyd"), free_ports(3), strict=True)
        for place, name, port in everybody:
            who = f"{name} <{name.lower()}@example.org>"
            address = f"127.0.0.1:{port}"
            init(place, "--new-key", who, "--unprotected", "--name", "elm", "--listen", address)
            stack.enter_context(node(place))
        friendships = [(ann, other, "build,ledger") for other in (bob, cyd)]
        friendships += [(other, ann, "submit,ledger") for other in (bob, cyd)]
        for one, other, rights in friendships:
            card = one.directory / "friend.f2fcard"
            assert other.run("identity", "card", "--output", str(card)).exit_code == 0
            typed(one, "peer", "add", str(card), "--allow", rights, "--yes")
        deadline = time.monotonic() + 60
        while not all(typed(ann, "peer", "show", name)["connected"] for name in ("bob", "cyd")):
            assert time.monotonic() < deadline, "never connected"
        yield ann, bob


def source(place: Home, text: str) -> str:
    path = place.directory / f"{text.partition(' ')[0]}.dsc"
    path.write_text(text)
    return str(path)


def test_a_build_is_agreed_shown_and_downloaded(people: tuple[Home, Home], tmp_path: Path) -> None:
    ann, _ = people
    built = ann.run("build", "toy", source(ann, "hello"), *ORDER, "--wait")
    assert built.exit_code == 0, built.output
    job = built.stdout.split("job ")[1].split()[0]
    assert f"f2fbuild watch {job}" in built.stderr
    assert typed(ann, "job", "show", job)["state"] == "succeeded"
    assert ann.run("watch", job).exit_code == 0
    assert "==>" in ann.run("logs", job).stdout
    typed(ann, "download", job, "--output", str(tmp_path))
    (product,) = tmp_path.glob("*.deb")
    product.write_bytes(b"mine")
    ann.run("download", job, "--output", str(tmp_path))
    assert product.read_bytes() == b"mine", "what is there is not overwritten"
    assert typed(ann, "ledger", "verify")["problems"] == []


def test_a_failure_that_too_few_owners_sign_ends_with_10(people: tuple[Home, Home]) -> None:
    ann, _ = people
    said = typed(ann, "build", "toy", source(ann, "broken"), *TWO, "--wait", code=10)
    assert said["verdict"].items() >= {"kind": "inconclusive", "agree": 2, "needed": 3}.items()


def test_without_terminal_build_returns_at_once_and_cancel_ends_the_watch_with_5(
    people: tuple[Home, Home],
) -> None:
    ann, _ = people
    job = typed(ann, "build", "toy", source(ann, "hang"), *ORDER)["short"]
    typed(ann, "job", "explain", job)
    typed(ann, "cancel", job)
    typed(ann, "watch", job, code=5)


def test_unknown_things_are_usage_errors(people: tuple[Home, Home]) -> None:
    ann, _ = people
    assert typed(ann, "job", "show", "zzzzzzzz", code=2)["schema"] == "f2fbuild.error/1"
    typed(ann, "build", "nowhere", source(ann, "hello"), code=2)


def test_a_node_that_does_not_run_is_6() -> None:
    with house() as place:
        init(place)
        asked = place.start("job", "list", "--json")
        said, _ = asked.communicate(timeout=60)
        assert asked.returncode == 6
        assert records(said)[-1]["schema"] == "f2fbuild.error/1"
