"""What one node says to another in a scene where the test speaks for it."""

import secrets
from collections.abc import Callable
from pathlib import Path

from f2fbuild.builder.metadata import manifest_digests
from f2fbuild.jobs.offer import to_body
from f2fbuild.jobs.queue import Job
from f2fbuild.jobs.submit import Wanted
from f2fbuild.jobs.telling import signed
from f2fbuild.model.job import JobClass
from f2fbuild.net.messages import OfferJob, Request
from f2fbuild.net.signed import Kind
from f2fbuild.net.wire import Message
from f2fbuild.node.parts import Parts
from tests.scenes.scene_engine import TARGET, Workbench
from tests.scenes.scene_node import Scene, SceneNode


def only(*names: str) -> Callable[[Parts], None]:
    """Let a submitter have nobody else to ask, so that a job ends as soon as these have ended."""

    def alter(parts: Parts) -> None:
        marks = ", ".join("?" * len(names))
        sql = f"UPDATE friend SET rights = '[\"ledger\"]' WHERE alias NOT IN ({marks})"
        parts.database.execute(sql, names)

    return alter


async def pair(
    scene: Scene,
    name: str,
    bench: Workbench | None = None,
    alter: Callable[[Parts], None] = lambda _parts: None,
) -> tuple[SceneNode, SceneNode]:
    """Start alice with one builder, the only one whom she may ask."""
    builder = await scene.start(name, bench, alter=alter)
    alice = await scene.start("alice", alter=only(name))
    await alice.parts.peers.wait_connected(builder.id)
    await builder.parts.peers.wait_connected(alice.id)
    return alice, builder


async def scratch(alice: SceneNode, text: str = "a ball") -> Job:
    """Order a toy from one builder."""
    return await alice.order(text, builders=1, agree=1, job_class=JobClass.SCRATCH)


async def submitted(alice: SceneNode, directory: Path, *, seconds: int = 600) -> Job:
    """An order that is logged and not offered to anybody: what is said about it is said by the test.

    Nobody is left to ask, since a builder who comes back would be asked at once.
    """
    only()(alice.parts)
    await alice.parts.friendships.refresh()
    source = directory / f"{secrets.token_hex(4)}.txt"
    source.write_text("a ball")
    wanted = Wanted(
        target=TARGET,
        source=source,
        job_class=JobClass.SCRATCH,
        builders=None,
        agree=None,
        deadline=alice.watch() + seconds,
    )
    return await alice.parts.submission.submit(wanted)


def offer(alice: SceneNode, bob: SceneNode, job: Job) -> OfferJob:
    """The offer that alice would make, with all that bob will fetch made fetchable."""
    manifest = alice.parts.blobs.read(job.offer.metadata.sha256, job.offer.metadata.size)
    digests = [*(blob.sha256 for blob in job.offer.blobs), *manifest_digests(manifest)]
    alice.parts.access.allow(bob.id, digests, job.offer.deadline)
    return OfferJob(offer=signed(alice.parts.desk, Kind.OFFER, job.id, bob.id, to_body(job.offer)))


async def ask(one: SceneNode, other: SceneNode, request: Request) -> Message:
    async with await one.parts.peers.call(other.id, request) as exchange:
        return await exchange.receive()
