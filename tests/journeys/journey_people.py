"""People whose nodes run as processes, are friends and connected, and what they type."""

import json
import re
import subprocess  # noqa: TID251 - nodes are run as people run them
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from f2fbuild.demo.actor import free_ports
from tests.cli.cli_runs import Home, clean_environment, records
from tests.node.node_house import house, init

SCHEMA = re.compile(r"f2fbuild\.[a-z]+(-[a-z]+)*/[1-9][0-9]*")


@contextmanager
def node(place: Home, *oddities: str) -> Iterator[None]:
    """The node of this user, with a workbench, as a process that is ready."""
    said = place.directory / "node.log"
    with said.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.journeys.node_child", *oddities],
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
        process.communicate(timeout=120)


@contextmanager
def friends(*names: str) -> Iterator[tuple[Home, ...]]:
    """The first of these people orders from all the others, who build for her; all are connected."""
    with ExitStack() as stack:
        ann, *others = (stack.enter_context(house()) for _ in names)
        for place, name, port in zip((ann, *others), names, free_ports(len(names)), strict=True):
            who = f"{name} <{name.lower()}@example.org>"
            address = f"127.0.0.1:{port}"
            init(place, "--new-key", who, "--unprotected", "--name", "elm", "--listen", address)
            stack.enter_context(node(place, name.lower()))
        for other in others:
            befriend(ann, other, "build,ledger")
            befriend(other, ann, "submit,ledger")
        for name in names[1:]:
            wait_connected(ann, name.lower())
        yield (ann, *others)


def befriend(one: Home, other: Home, rights: str) -> None:
    """Let `one` take the card of `other`, and grant these rights and no others."""
    card = one.directory / "friend.f2fcard"
    assert other.run("identity", "card", "--output", str(card)).exit_code == 0
    typed(one, "peer", "add", str(card), "--allow", rights, "--yes")


def wait_connected(place: Home, friend: str) -> None:
    until(lambda: typed(place, "peer", "show", friend)["connected"])


def until(what: Callable[[], Any], seconds: float = 120) -> Any:
    """Return what is true at last."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "never came true"
        time.sleep(0.05)
    return found


def typed(place: Home, *arguments: str, code: int = 0) -> Mapping[str, Any]:
    """Type a command with `--json`; return its last record. Every record is of a schema of ours."""
    result = place.run(*arguments, "--json")
    assert result.exit_code == code, result.output
    for record in records(result.stdout):
        assert SCHEMA.fullmatch(record["schema"]), record
    said: Mapping[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return said


@contextmanager
def started(place: Home, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command as a process of its own, which does not outlive its test."""
    with place.start(*arguments) as process:
        try:
            yield process
        finally:
            process.kill()


def lines(process: subprocess.Popen[str]) -> Iterator[str]:
    """What a process prints, line by line as it comes."""
    assert process.stdout is not None
    for line in process.stdout:
        yield line.rstrip("\n")


def source(place: Home, text: str) -> str:
    """Write a source that begins with the deed that it asks for."""
    path = place.directory / f"{text.partition(' ')[0]}.dsc"
    path.write_text(text)
    return str(path)


def order(builders: int, agree: int) -> tuple[str, ...]:
    """The options of an order."""
    return "--class", "scratch", "--builders", str(builders), "--agree", str(agree)


def begun(building: subprocess.Popen[str]) -> str:
    """Return the id of the job for which a `build --wait` has begun to wait."""
    said = lines(building)
    job = next(line for line in said if line.startswith("job ")).split()[1]
    next(line for line in said if line.startswith(job))
    return job


@contextmanager
def hanging(place: Home, text: str, builders: int = 1) -> Iterator[str]:
    """A job whose builds never end by themselves and have begun; it is cancelled, and holds no slot after."""
    path = source(place, f"hang {text}")
    with finally_free(place, typed(place, "build", "toy", path, *order(builders, builders))["short"]) as job:
        until(lambda: states(place, job).count("building") == builders)
        yield job


@contextmanager
def finally_free(place: Home, job: str) -> Iterator[str]:
    """Cancel a job at the end unless it has ended, and wait until all of its builders have stopped."""
    try:
        yield job
    finally:
        if typed(place, "job", "show", job)["exit_code"] is None:
            typed(place, "cancel", job)
        until(lambda: {*states(place, job)} <= {"cancelled", "refused", "lost", "done"})


def states(place: Home, job: str) -> list[str]:
    """How far each builder of a job is."""
    return [one["state"] for one in typed(place, "job", "show", job)["assignments"]]
