"""An auditor's node among real nodes: it follows and keeps, and has no part in jobs or artifacts."""

import typing
from pathlib import Path

import httpx
import msgspec
import pytest
import trio

from f2fbuild.api import replies, requests
from f2fbuild.api.calls import CALLS
from f2fbuild.api.tiles import create_tiles_app
from f2fbuild.api.web import open_web, serve_web
from f2fbuild.errors import RefusedError
from f2fbuild.ledger import entry as entries
from f2fbuild.ledger.carried import digits
from f2fbuild.ledger.checkpoint import strip_checkpoint
from f2fbuild.model.job import BuildDefinition, JobClass
from f2fbuild.model.verdict import VerdictKind
from f2fbuild.net import messages
from f2fbuild.node import config, roles
from f2fbuild.node.roles import NoEngine
from f2fbuild.node.shelves import shelf_of
from f2fbuild.store.paths import Paths
from tests.scenes.scene_node import Scene, SceneNode, until
from tests.scenes.scene_talk import ask, offer, submitted

DIGEST = "a" * 64


def appoint(paths: Paths, **ledger: object) -> None:
    """Write into a node's settings that it is an auditor's."""
    settings = config.load(paths.config_file)
    node = msgspec.structs.replace(settings.node, role="auditor")
    changed = msgspec.structs.replace(settings, node=node, ledger=config.LedgerSettings(**ledger))  # type: ignore[arg-type]
    paths.config_file.write_text(config.dump(changed))


def sizes(node: SceneNode) -> dict[str, int]:
    found = {}
    for friend, _, _ in node.parts.friendships.all():
        mirror = node.parts.mirrored(friend)
        found[friend.alias] = mirror.size if mirror else 0
    return found


async def test_every_request_of_a_friend_stands_in_one_list() -> None:
    # Hello opens a link; it is answered before anybody is asked anything.
    known = set(typing.get_args(messages.Request)) - {messages.Hello}
    assert known == roles.JOBS_AND_ARTIFACTS | roles.LOGS_AND_NEWS
    assert not roles.JOBS_AND_ARTIFACTS & roles.LOGS_AND_NEWS
    assert set(CALLS.values()) >= roles.OWNERS_JOBS


async def test_an_auditor_follows_a_log_and_keeps_it(scene: Scene) -> None:
    appoint(scene.paths_of("bob"))
    alice, bob = await scene.cast("alice", "bob")
    key = alice.parts.identity.statement_key
    alice.parts.log.append([entries.write(entries.Order(commit=DIGEST), key)])
    alice.parts.neighbours.log_grew()
    await until(lambda: sizes(bob)["alice"] == 2)
    # And it is followed itself, as every node.
    await until(lambda: sizes(alice)["bob"] == 1)


async def test_an_auditor_takes_no_job(scene: Scene, tmp_path: Path) -> None:
    appoint(scene.paths_of("bob"))
    alice, bob = await scene.cast("alice", "bob")
    job = await submitted(alice, tmp_path)
    answer = await ask(alice, bob, offer(alice, bob, job))
    assert isinstance(answer, messages.OfferRefused)
    assert (answer.reason, answer.rule) == ("auditor-node", 'node.role = "auditor"')
    assert [entry.kind for entry in bob.entries()] == [entries.Kind.NODE_CERTIFICATE]
    assert bob.parts.bench.tasks.get(job.id) is None


@pytest.mark.parametrize(
    "request_",
    [
        messages.FollowJob(job_id=DIGEST, position=0, log_offset=0),
        messages.ShowCommitments(job_id=DIGEST, commitments=[]),
        messages.CancelJob(job_id=DIGEST, request=b"x"),
        messages.WantBlob(digest=DIGEST, first_chunk=0),
        messages.HaveBlobs(digests=[DIGEST]),
    ],
    ids=lambda one: type(one).__name__,
)
async def test_an_auditor_gives_nothing_of_jobs(scene: Scene, request_: messages.Request) -> None:
    appoint(scene.paths_of("bob"))
    alice, bob = await scene.cast("alice", "bob")
    answer = await ask(alice, bob, request_)
    assert isinstance(answer, messages.Failure)
    assert answer.code == "auditor-node"


async def test_the_owner_of_an_auditor_builds_elsewhere(scene: Scene, tmp_path: Path) -> None:
    appoint(scene.paths_of("alice"))
    alice, bob = await scene.cast("alice", "bob")
    asked = (
        requests.Submit(target="toy", source=str(tmp_path / "x"), builders=1, job_class=JobClass.SCRATCH),
        requests.RetryJob(job="7kq2m9xa"),
        requests.Download(job="7kq2m9xa", directory=str(tmp_path)),
    )
    for request in asked:
        with pytest.raises(RefusedError, match="no part in jobs or artifacts") as refused:
            await alice.api(request)
        assert refused.value.exit_code == 7
    assert alice.parts.neighbours.candidates() == []
    assert bob.bench.begun == []
    status = await alice.api(requests.GetStatus())
    assert isinstance(status, replies.Status)
    assert status.log_size == 1


async def test_an_auditor_has_no_engine(scene: Scene) -> None:
    appoint(scene.paths_of("alice"))
    alice = await scene.start("alice")
    engine = alice.parts.engine
    assert isinstance(engine, NoEngine)
    definition = BuildDefinition(parameters={"arch": "all", "format": "deb"}, sources=(), lock=DIGEST)
    assert engine.target_for(definition) is None
    for call in (
        engine.prepare("toy", Path("x")),
        engine.digest({}, definition),
        engine.build(None, None),  # type: ignore[arg-type]
    ):
        with pytest.raises(RefusedError):
            await call


async def test_a_job_goes_to_the_others(scene: Scene) -> None:
    appoint(scene.paths_of("bob"))
    cast = await scene.cast("alice", "bob", "carol", "dave")
    job = await cast[0].order()
    view = await cast[0].finish(job)
    assert view.verdict is not None
    assert view.verdict.kind is VerdictKind.AGREE
    done = {one.alias for one in view.assignments if one.state == "done"}
    assert done == {"carol", "dave"}
    assert cast[1].bench.begun == []


@pytest.mark.parametrize("mirrors", [False, True])
async def test_a_node_serves_its_log_to_everybody(scene: Scene, mirrors: bool) -> None:
    appoint(scene.paths_of("alice"), serve_mirrors=mirrors)
    alice, bob = await scene.cast("alice", "bob")
    await until(lambda: sizes(alice)["bob"] == 1)
    listeners = await open_web(["127.0.0.1:0"], where="test")
    port = listeners[0].socket.getsockname()[1]
    theirs = digits(bob.parts.log.key)
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_web, create_tiles_app(shelf_of(alice.parts).find), listeners)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/") as client:
            own = await client.get("checkpoint")
            mirrored = await client.get(f"{theirs}/checkpoint")
            bundle = await client.get(f"{theirs}/tile/entries/000.p/1")
        nursery.cancel_scope.cancel()
    assert strip_checkpoint(own.content, alice.parts.log.key) == alice.parts.log.checkpoint()
    assert [mirrored.status_code, bundle.status_code] == ([200, 200] if mirrors else [404, 404])
    if mirrors:
        assert mirrored.content == bob.parts.log.checkpoint()
