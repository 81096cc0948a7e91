"""The demonstration: alice asks bob, carol and mallory; mallory alters what it delivers; dave breaks the tie.

Real processes on loopback, each with its own OpenPGP key and home; nothing in them knows that this is a
demonstration, except mallory's engine. What is kept afterwards are the nodes' homes without secret OpenPGP
keys: logs, evidence and products can be looked at and checked.
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import trio

from f2fbuild.api import ledger_replies, replies, requests
from f2fbuild.builder.targets import parse_target
from f2fbuild.demo.actor import Actor, free_ports
from f2fbuild.demo.sources import Source, debian_source, only_debian, rpm_source, rpm_target
from f2fbuild.errors import DivergenceError, F2FError, LedgerError
from f2fbuild.ledger.check import verify
from f2fbuild.ledger.checkpoint import parse_log_vkey

NAMES = ("alice", "bob", "carol", "mallory", "dave", "eve")
_BUILDERS = NAMES[1:5]
_PATIENCE_SECONDS = 30
"""How long what must happen may take after what brings it about."""


class Audience(Protocol):
    """Who watches."""

    def scene(self, text: str) -> None:
        """Say what happens next."""
        ...

    def fact(self, text: str) -> None:
        """Say what was found."""
        ...

    def job(self, job: replies.Job) -> None:
        """Show a job as it is now."""
        ...


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What the demonstration showed."""

    jobs: list[replies.Job] = field(default_factory=list)
    caught: list[ledger_replies.Finding] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    logs: list[ledger_replies.Log] = field(default_factory=list)


async def play(directory: Path, cache: Path, audience: Audience) -> Outcome:
    """Play it all in the empty `directory`, sharing the builders' `cache`.

    Raises:
        F2FError: anything came out otherwise than it should.
    """
    short = Path(tempfile.mkdtemp(prefix="f2fdemo-", dir="/tmp"))
    actors = _cast(directory, short, cache)
    try:
        return await _play(actors, directory, cache / "f2fbuild", audience)
    finally:
        with trio.CancelScope(shield=True):
            for actor in actors.values():
                await actor.stop_agent()
            await trio.to_thread.run_sync(shutil.rmtree, short)


def _cast(directory: Path, short: Path, cache: Path) -> dict[str, Actor]:
    ports = free_ports(len(NAMES))
    return {
        name: Actor(
            name=name,
            home=directory / name,
            short=short / name,
            cache=cache,
            port=port,
            liar=name == "mallory",
        )
        for name, port in zip(NAMES, ports, strict=True)
    }


async def _play(actors: dict[str, Actor], directory: Path, cache: Path, audience: Audience) -> Outcome:
    outcome = Outcome()
    audience.scene("Six people make OpenPGP keys and nodes: f2fbuild init")
    async with trio.open_nursery() as nursery:
        for actor in actors.values():
            nursery.start_soon(actor.set_up)
    async with trio.open_nursery() as nursery:
        for actor in actors.values():
            await nursery.start(actor.live)
        await _befriend(actors, directory, audience)
        for source in await _sources(actors, directory, cache, audience):
            outcome.jobs.append(await _build(actors["alice"], source, directory, audience))
        outcome.refused = await _stranger(actors, audience)
        outcome.caught = await _caught(actors["alice"], outcome.jobs, audience)
        outcome.logs = await _logs(actors, audience)
        nursery.cancel_scope.cancel()
    return outcome


async def _befriend(actors: dict[str, Actor], directory: Path, audience: Audience) -> None:
    audience.scene("alice and her friends exchange cards: f2fbuild identity card, f2fbuild peer add")
    cards = directory / "cards"
    cards.mkdir()
    async with trio.open_nursery() as nursery:
        for name, actor in actors.items():
            nursery.start_soon(actor.run, "identity", "card", "--output", str(cards / f"{name}.f2fcard"))
    async with trio.open_nursery() as nursery:
        for name in _BUILDERS:
            rights = "ledger" if name == "dave" else "build,ledger"
            nursery.start_soon(_add, actors["alice"], cards / f"{name}.f2fcard", name, rights)
            nursery.start_soon(_add, actors[name], cards / "alice.f2fcard", "alice", "submit,ledger")
        # Nobody gave eve anything; she got hold of bob's card.
        nursery.start_soon(_add, actors["eve"], cards / "bob.f2fcard", "bob", "build,ledger")


async def _add(actor: Actor, card: Path, alias: str, rights: str) -> None:
    await actor.run("peer", "add", str(card), "--alias", alias, "--allow", rights, "--yes")


async def _sources(
    actors: dict[str, Actor], directory: Path, cache: Path, audience: Audience
) -> list[Source]:
    audience.scene("Targets: this host's own Debian, and a small RPM distribution")
    rpm = await rpm_target(cache, directory)
    async with trio.open_nursery() as nursery:
        for actor in actors.values():
            nursery.start_soon(actor.run, "target", "add", str(rpm), "--yes")
    found = await actors["alice"].run("target", "list")
    debian = only_debian([parse_target(target.text) for target in found.targets])
    sources = directory / "sources"
    sources.mkdir()
    return [await debian_source(debian, sources), await rpm_source(sources)]


async def _build(alice: Actor, source: Source, directory: Path, audience: Audience) -> replies.Job:
    """Have a source built by bob, carol and mallory; dave may build only once the three were asked."""
    dave = directory / "cards" / "dave.f2fcard"
    await _add(alice, dave, "dave", "ledger")
    audience.scene(f"f2fbuild build {source.target} {source.path.name} --builders 3 --agree 2")
    submitted = await alice.run(
        "build", source.target, str(source.path), "--builders", "3", "--agree", "2", "--nowait"
    )
    job: replies.Job = submitted
    helped = False
    async for job in _watch(alice, submitted.id):
        audience.job(job)
        if len(job.assignments) == 3 and not helped:
            helped = True
            await _add(alice, dave, "dave", "build,ledger")
    if job.verdict is None or job.exit_code != 0:
        raise DivergenceError(f"the job ended as {job.state}: {job.reason}", where=job.short)
    verdict = job.verdict
    audience.fact(
        f"{job.title}: {verdict.agree} of {verdict.denominator} agree, {verdict.verified} verified, "
        f"result {verdict.result[:16]}"
    )
    return job


async def _watch(actor: Actor, job: str) -> AsyncIterator[replies.Job]:
    """Yield a job at every change until it has ended, read in a thread of its own."""
    send, receive = trio.open_memory_channel[replies.Job](100)

    def read() -> None:
        with actor.client() as client:
            for view in client.stream(requests.WatchJob(job=job), replies.Job):
                trio.from_thread.run(send.send, view)

    async with trio.open_nursery() as nursery:

        async def watch() -> None:
            async with send:
                await trio.to_thread.run_sync(read)

        nursery.start_soon(watch)
        async for view in receive:
            yield view


async def _stranger(actors: dict[str, Actor], audience: Audience) -> list[tuple[str, str]]:
    audience.scene("eve, a stranger, knocks at bob's door with his card in her hand")
    with _patience("the stranger was not refused"):
        while True:
            seen = await actors["bob"].run("peer", "list")
            if seen.refused:
                break
            await trio.sleep(0.5)
    theirs = await actors["eve"].run("peer", "list")
    if any(peer.connected for peer in theirs.peers):
        raise F2FError("the stranger is connected")
    refused = [(who, why) for who, _, why in (entry.partition(": ") for entry in seen.refused)]
    for who, why in refused:
        audience.fact(f"bob never answered {who}: {why}")
    return refused


async def _caught(alice: Actor, jobs: list[replies.Job], audience: Audience) -> list[ledger_replies.Finding]:
    audience.scene("Who was caught: f2fbuild divergence list")
    accused = Counter(owner for job in jobs if job.verdict for owner in job.verdict.accuses)
    if not accused:
        raise F2FError("nobody was accused")
    with _patience("not everybody who was accused was caught"):
        while True:
            findings = (await _asked_logs(alice)).findings
            if Counter(one.owner for one in findings if one.kind == "divergence") >= accused:
                break
            await trio.sleep(0.5)
    for finding in findings:
        audience.fact(f"{finding.kind}: {finding.owner} {finding.detail}  evidence {finding.evidence}")
    return list(findings)


async def _logs(actors: dict[str, Actor], audience: Audience) -> list[ledger_replies.Log]:
    audience.scene("Every log is checked: each signature, each hash, each tile")
    logs = []
    for name in NAMES[:5]:
        own = (await _asked_logs(actors[name])).logs[0]
        report = await trio.to_thread.run_sync(verify, Path(own.path), parse_log_vkey(own.vkey))
        if report.problems:
            raise LedgerError(f"{report.problems[0].where}: {report.problems[0].what}", where=name)
        audience.fact(f"{name:<8} {report.head.size} entries, all in order")
        logs.append(own)
    return logs


@contextmanager
def _patience(otherwise: str) -> Iterator[None]:
    """Give what is inside some time, and say `otherwise` when it takes more."""
    try:
        with trio.fail_after(_PATIENCE_SECONDS):
            yield
    except trio.TooSlowError as error:
        raise F2FError(otherwise) from error


async def _asked_logs(actor: Actor) -> ledger_replies.Logs:
    with actor.client() as client:
        return await trio.to_thread.run_sync(client.call, requests.ListLogs(), ledger_replies.Logs)
