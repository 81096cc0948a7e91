"""The demonstration does not pass when something came out otherwise: its steps against nodes that say so."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from f2fbuild.api import replies, requests
from f2fbuild.api.requests import Request
from f2fbuild.builder.targets import Format
from f2fbuild.demo import story
from f2fbuild.demo.actor import Actor
from f2fbuild.demo.sources import Source
from f2fbuild.errors import DivergenceError, F2FError, LedgerError
from f2fbuild.ledger import entry as entries
from f2fbuild.ledger.log import Log
from f2fbuild.model.job import JobState
from f2fbuild.model.vkey import format_vkey
from tests.api import api_samples as samples
from tests.api.api_node import SmallNode, serving, short_directory
from tests.cli.cli_runs import whole_node
from tests.ledger.ledger_helpers import ALICE

pytestmark = [pytest.mark.unprivileged]


class Listener:
    """Fulfils `demo.story.Audience`."""

    def __init__(self) -> None:
        self.facts: list[str] = []
        self.jobs: list[replies.Job] = []

    def scene(self, text: str) -> None:
        del text

    def fact(self, text: str) -> None:
        self.facts.append(text)

    def job(self, job: replies.Job) -> None:
        self.jobs.append(job)


@pytest.fixture
def listener() -> Listener:
    return Listener()


class Street:
    """People whose nodes answer what they are told to."""

    def __init__(self, directory: Path, short: Path, stack: ExitStack) -> None:
        self.directory = directory
        self.short = short
        self._stack = stack
        self.actors: dict[str, Actor] = {}

    def move_in(
        self, name: str, calls: dict[type[Request], Any] | None = None, jobs: tuple[replies.Job, ...] = ()
    ) -> SmallNode:
        short = self.short / name
        short.mkdir(mode=0o700)
        home = self.directory / name
        home.mkdir()
        actor = Actor(name=name, home=home, short=short, cache=self.directory / "cache", port=1)
        node = whole_node(calls=calls or {}, streams={requests.WatchJob: jobs})
        self._stack.enter_context(serving(node, actor.paths.socket))
        self.actors[name] = actor
        return node


@pytest.fixture
def street(tmp_path: Path) -> Iterator[Street]:
    with ExitStack() as stack:
        short = stack.enter_context(short_directory())
        yield Street(tmp_path, short, stack)


@pytest.fixture
async def source(tmp_path: Path) -> Source:
    cards = trio.Path(tmp_path / "cards")
    await cards.mkdir()
    await (cards / "dave.f2fcard").write_text("f2fbuild friend card v1\n")
    file = trio.Path(tmp_path / "x.dsc")
    await file.touch()
    return Source(target="bookworm", path=Path(file), format=Format.DEB)


async def test_a_build_is_watched_to_its_end_and_help_comes_once_three_were_asked(
    street: Street, source: Source, listener: Listener
) -> None:
    three = tuple(samples.assignment(name, name * 20) for name in ("b0", "ca", "da"))
    views = (samples.running(), samples.running(assignments=three), samples.job(assignments=three))
    node = street.move_in("alice", jobs=views)
    job = await story._build(street.actors["alice"], source, street.directory, listener)
    assert job == views[-1]
    assert listener.jobs == list(views)
    assert "2 of" in listener.facts[0]
    added = [one.rights for one in node.asked if isinstance(one, requests.AddPeer) and not one.dry_run]
    assert added == [("ledger",), ("build", "ledger")]
    (submitted,) = [one for one in node.asked if isinstance(one, requests.Submit)]
    assert (submitted.builders, submitted.agree) == (3, 2)


@pytest.mark.parametrize(
    "end",
    [
        samples.job(state=JobState.FAILED, exit_code=4, reason="it does not build"),
        samples.job(state=JobState.EXPIRED, verdict=None, exit_code=6, reason="it took too long"),
    ],
    ids=["failed", "no verdict"],
)
async def test_a_build_that_ends_otherwise_is_an_error(
    street: Street, source: Source, listener: Listener, end: replies.Job
) -> None:
    street.move_in("alice", jobs=(samples.running(), end))
    with pytest.raises(DivergenceError, match=f"the job ended as {end.state}: {end.reason}"):
        await story._build(street.actors["alice"], source, street.directory, listener)


def peers(*, refused: tuple[str, ...], connected: bool) -> replies.Peers:
    return replies.Peers(peers=(samples.peer(connected=connected),), refused=refused)


REFUSED = ("[::1]:5: no known certificate",)


async def test_a_stranger_is_refused_and_says_why(street: Street, listener: Listener) -> None:
    street.move_in("bob", {requests.ListPeers: peers(refused=REFUSED, connected=True)})
    street.move_in("eve", {requests.ListPeers: peers(refused=(), connected=False)})
    refused = await story._stranger(street.actors, listener)
    assert [why for _, why in refused] == ["no known certificate"]


async def test_a_stranger_that_nobody_refused_is_an_error(
    street: Street, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story, "_PATIENCE_SECONDS", 0)
    street.move_in("bob", {requests.ListPeers: peers(refused=(), connected=True)})
    with pytest.raises(F2FError, match="the stranger was not refused"):
        await story._stranger(street.actors, listener)


async def test_a_stranger_that_is_connected_is_an_error(street: Street, listener: Listener) -> None:
    street.move_in("bob", {requests.ListPeers: peers(refused=REFUSED, connected=True)})
    street.move_in("eve", {requests.ListPeers: peers(refused=(), connected=True)})
    with pytest.raises(F2FError, match="the stranger is connected"):
        await story._stranger(street.actors, listener)


def accusing(owner: str) -> replies.Job:
    return samples.job(verdict=samples.verdict(accuses=(owner,)))


def found(kind: str) -> dict[type[Request], Any]:
    finding = msgspec.structs.replace(samples.LOGS.findings[0], kind=kind)
    return {requests.ListLogs: msgspec.structs.replace(samples.LOGS, findings=(finding,))}


async def test_who_was_accused_is_caught(street: Street, listener: Listener) -> None:
    street.move_in("alice", found("divergence"))
    (caught,) = await story._caught(street.actors["alice"], [accusing(samples.BOB)], listener)
    assert caught.owner == samples.BOB
    assert caught.evidence in listener.facts[0]


async def test_a_play_without_an_accused_is_an_error(street: Street, listener: Listener) -> None:
    street.move_in("alice", found("divergence"))
    jobs = [samples.job(), samples.running()]
    with pytest.raises(F2FError, match="nobody was accused"):
        await story._caught(street.actors["alice"], jobs, listener)


@pytest.mark.parametrize(
    ("kind", "accused"),
    [
        ("equivocation", [samples.BOB]),
        ("divergence", [samples.CAROL]),
        ("divergence", [samples.BOB, samples.CAROL]),
        ("divergence", [samples.BOB, samples.BOB]),
    ],
)
async def test_an_accused_who_is_not_caught_each_time_is_an_error(
    street: Street, listener: Listener, monkeypatch: pytest.MonkeyPatch, kind: str, accused: list[str]
) -> None:
    monkeypatch.setattr(story, "_PATIENCE_SECONDS", 0.2)
    street.move_in("alice", found(kind))
    with pytest.raises(F2FError, match="not everybody who was accused was caught"):
        await story._caught(street.actors["alice"], [accusing(one) for one in accused], listener)


@pytest.mark.parametrize("damaged", [False, True])
async def test_every_log_is_checked(street: Street, listener: Listener, damaged: bool) -> None:
    directory = street.directory / "log"
    with Log.create(directory, ALICE.log) as log:
        log.append(ALICE.write(ALICE.certificate(), entries.Order(commit="0a" * 32)))
    if damaged:
        (bundle,) = [path for path in (directory / "tile" / "entries").rglob("*") if path.is_file()]
        data = bytearray(bundle.read_bytes())
        data[-9] ^= 1
        bundle.chmod(0o600)
        bundle.write_bytes(data)
    own = msgspec.structs.replace(
        samples.LOGS.logs[0], path=str(directory), vkey=format_vkey(ALICE.vkey), size=2
    )
    for name in story.NAMES[:5]:
        street.move_in(name, {requests.ListLogs: msgspec.structs.replace(samples.LOGS, logs=(own,))})
    if damaged:
        with pytest.raises(LedgerError, match="alice: "):
            await story._logs(street.actors, listener)
    else:
        assert await story._logs(street.actors, listener) == [own] * 5
