"""The node's answers about jobs, logs, products, divergences, targets and ledgers, over real jobs."""

from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
import trio

from f2fbuild.api import ledger_replies, replies, requests
from f2fbuild.builder.targets import Format, Repository, Target, format_target
from f2fbuild.errors import DivergenceError, F2FError, StorageError, UsageError
from f2fbuild.jobs.engine import BuildOrder, BuildReport, Progress
from f2fbuild.model.job import JobClass, JobState
from f2fbuild.model.verdict import VerdictKind
from f2fbuild.node.handlers import NodeHandlers
from tests.scenes.scene_engine import PRODUCT, TARGET, Gate, Workbench, lying
from tests.scenes.scene_node import Scene, SceneNode, until

R = TypeVar("R", bound=replies.Reply)


async def ask(node: SceneNode, request: requests.Request, kind: type[R]) -> R:
    found = await node.api(request)
    assert isinstance(found, kind)
    return found


async def submit(node: SceneNode, text: str = "a ball", *, builders: int = 2) -> replies.Job:
    source = node.paths.state / "ball.toy"
    source.write_text(text)
    request = requests.Submit(
        target=TARGET,
        source=str(source),
        job_class=JobClass.TESTING,
        builders=builders,
        agree=builders,
        deadline_minutes=60,
    )
    return await ask(node, request, replies.Job)


async def ended(node: SceneNode, job: replies.Job) -> list[replies.Job]:
    """Watch a job as `f2fbuild watch` does; return everything it showed."""
    with trio.fail_after(120):
        stream = NodeHandlers(node.parts).stream(requests.WatchJob(job=job.short))
        shown = [reply async for reply in stream]
    assert all(isinstance(one, replies.Job) for one in shown)
    return [one for one in shown if isinstance(one, replies.Job)]


async def log_of(
    node: SceneNode, job: replies.Job, *, peer: str = "", follow: bool = True
) -> dict[str, bytes]:
    text: dict[str, bytes] = {}
    with trio.fail_after(120):
        request = requests.ReadLog(job=job.id, peer=peer, follow=follow)
        async for chunk in NodeHandlers(node.parts).stream(request):
            assert isinstance(chunk, replies.LogChunk)
            assert chunk.offset == len(text.get(chunk.who, b""))
            text[chunk.who] = text.get(chunk.who, b"") + chunk.data
    return text


async def test_a_job_from_its_order_to_its_products(scene: Scene, tmp_path: Path) -> None:
    alice, *_ = await scene.cast("alice", "bob", "carol")
    job = await submit(alice)
    assert (job.title, job.target, job.builders, job.agree, job.exit_code) == ("ball", TARGET, 2, 2, None)
    shown = await ended(alice, job)
    last = shown[-1]
    assert (last.state, last.exit_code) == (JobState.SUCCEEDED, 0)
    assert last.verdict is not None
    assert last.verdict.kind is VerdictKind.AGREE
    assert len({str(one) for one in shown}) == len(shown), "nothing is shown twice in a row"
    assert {one.alias for one in last.assignments} == {"bob", "carol"}
    for one in last.assignments:
        assert (one.state, one.outcome, one.last_line, one.index) == ("done", "succeeded", "making a toy", 3)
        assert [product.name for product in one.products] == [PRODUCT]
    assert await ask(alice, requests.GetJob(job=job.short[:6]), replies.Job) == last
    assert (await ask(alice, requests.ListJobs(limit=5), replies.Jobs)).jobs == (last,)
    log = await log_of(alice, job)
    assert log == {"bob@bob-box": b"making a toy\n", "carol@carol-box": b"making a toy\n"}
    assert await log_of(alice, job, peer="bob", follow=False) == {"bob@bob-box": b"making a toy\n"}
    assert await log_of(alice, job, peer="mallory") == {}
    explained = await ask(alice, requests.ExplainJob(job=job.id), replies.Explanation)
    assert explained.waiting_for == "nothing: the job has succeeded"
    with pytest.raises(UsageError, match="the job has ended"):
        await alice.api(requests.CancelJob(job=job.id))
    await _download(alice, job, tmp_path)
    status = await ask(alice, requests.GetStatus(), replies.Status)
    assert (status.friends, status.connected, status.jobs_running, status.builds_running) == (4, 2, 0, 0)
    assert (status.log_size, status.notices) == (alice.parts.log.size, ())


async def _download(alice: SceneNode, job: replies.Job, tmp_path: Path) -> None:
    place = tmp_path / "downloads"
    place.mkdir()

    def wanted(peer: str = "", *, logs: bool = False) -> requests.Download:
        return requests.Download(job=job.id, directory=str(place), peer=peer, logs=logs)

    done = await ask(alice, wanted(logs=True), replies.Downloaded)
    assert done.files == (str(place / PRODUCT), str(place / "build.log"))
    assert (place / "build.log").read_bytes() == b"making a toy\n"
    with pytest.raises(UsageError, match="there is a file of this name"):
        await alice.api(wanted())
    (place / PRODUCT).unlink()
    await alice.api(wanted("carol"))
    with pytest.raises(UsageError, match="delivered nothing"):
        await alice.api(wanted("mallory"))
    with pytest.raises(F2FError, match="No such file"):
        await alice.api(requests.Download(job=job.id, directory=str(place / "gone"), peer="", logs=False))
    assert sorted(path.name for path in place.iterdir()) == ["build.log", PRODUCT]


async def test_a_product_that_changed_on_the_disk_is_fetched_again(scene: Scene, tmp_path: Path) -> None:
    alice, *builders = await scene.cast("alice", "bob", "carol")
    job = await submit(alice)
    last = (await ended(alice, job))[-1]
    product = last.assignments[0].products[0].sha256
    path = alice.parts.blobs.path(product)
    good = path.read_bytes()

    def damage() -> None:
        path.chmod(0o600)
        path.write_bytes(good.replace(b"as always", b"otherwise"))

    damage()
    request = requests.Download(job=job.id, directory=str(tmp_path), peer="", logs=False)
    await alice.api(request)
    assert (tmp_path / PRODUCT).read_bytes() == good == path.read_bytes()
    (tmp_path / PRODUCT).unlink()
    damage()
    for builder in builders:
        builder.parts.blobs.remove(product)
    with pytest.raises(StorageError, match="its builder does not give it"):
        await alice.api(request)
    assert not (tmp_path / PRODUCT).exists()


async def test_a_job_is_cancelled_and_ordered_again(scene: Scene, tmp_path: Path) -> None:
    gate = Gate()
    alice, bob = await scene.cast("alice", "bob", bob=Workbench(deed=gate))
    job = await submit(alice, builders=1)
    with trio.fail_after(120):
        await gate.reached.wait()
    explained = await ask(alice, requests.ExplainJob(job=job.id), replies.Explanation)
    assert explained.waiting_for == "the answers of 1 builders"
    assert {one.who for one in explained.reasons} >= {"carol@carol-box"}
    with pytest.raises(DivergenceError, match="no products were agreed on"):
        await alice.api(requests.Download(job=job.id, directory=str(tmp_path), peer="", logs=False))
    cancelled = await ask(alice, requests.CancelJob(job=job.id), replies.Job)
    assert cancelled.state in (JobState.CANCELLED, JobState.RUNNING)
    last = (await ended(alice, job))[-1]
    assert (last.state, last.exit_code) == (JobState.CANCELLED, 5)
    await until(lambda: bob.bench.stopped == [job.id])
    gate.open.set()
    again = await ask(alice, requests.RetryJob(job=job.id), replies.Job)
    assert again.id != job.id
    assert (await ended(alice, again))[-1].exit_code == 0
    both = await ask(alice, requests.ListJobs(limit=5), replies.Jobs)
    assert {one.id for one in both.jobs} == {job.id, again.id}
    assert len((await ask(alice, requests.ListJobs(limit=1), replies.Jobs)).jobs) == 1


async def test_a_log_is_followed_while_it_grows(scene: Scene) -> None:
    gate = Gate()
    alice, _ = await scene.cast("alice", "bob", bob=Workbench(deed=gate))
    job = await submit(alice, builders=1)
    found: dict[str, bytes] = {}

    async def follow() -> None:
        found.update(await log_of(alice, job))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow)
        with trio.fail_after(120):
            await gate.reached.wait()
        gate.open.set()
    assert found == {"bob@bob-box": b"making a toy\n"}


async def test_a_failed_build_has_no_products(scene: Scene, tmp_path: Path) -> None:
    alice, *_ = await scene.cast("alice", "bob", "carol", "dave")
    job = await submit(alice, "broken")
    last = (await ended(alice, job))[-1]
    assert (last.state, last.exit_code) == (JobState.FAILED, 4)
    assert {one.outcome for one in last.assignments} == {"failed in build (nonzero)"}
    assert all(one.products == () for one in last.assignments)
    with pytest.raises(UsageError, match="there are no products"):
        await alice.api(requests.Download(job=job.id, directory=str(tmp_path), peer="bob", logs=False))


async def test_nobody_can_build_it(scene: Scene) -> None:
    alice = await scene.start("alice")
    job = await submit(alice)
    explained = await ask(alice, requests.ExplainJob(job=job.id), replies.Explanation)
    assert {one.reason for one in explained.reasons} == {"not-connected"}
    assert explained.waiting_for == "2 more builders"
    alice.watch.ahead = 2 * 3600
    alice.parts.conductor.wake()
    last = (await ended(alice, job))[-1]
    assert (last.exit_code, last.verdict and last.verdict.kind) == (8, VerdictKind.INCONCLUSIVE)


async def test_a_divergence_is_told_with_its_environments(scene: Scene, tmp_path: Path) -> None:
    alice, _, mallory = await scene.cast("alice", "bob", "mallory", mallory=Workbench(deed=elsewhere))
    job = await submit(alice)
    await alice.see(alice.parts.desk.queue.resolve(job.id), _both_done)
    explained = await ask(alice, requests.ExplainJob(job=job.id), replies.Explanation)
    assert explained.waiting_for == "1 more builders, to break a tie"
    await scene.start("carol")
    last = (await ended(alice, job))[-1]
    assert last.verdict is not None
    assert (last.verdict.kind, last.verdict.accuses) == (VerdictKind.DISPUTED, (mallory.owner,))
    told = await ask(alice, requests.GetDivergence(job=job.id), replies.Divergence)
    assert "distribution: toyland | elsewhere" in told.environment_differences
    assert [set(group.owners) for group in told.groups] == [
        {"bob@bob-box", "carol@carol-box"},
        {"mallory@mallory-box"},
    ]
    assert told.differing == (PRODUCT,)
    listed = await ask(alice, requests.ListDivergences(), replies.Divergences)
    assert [one.job for one in listed.divergences] == [job.id]


async def test_a_job_without_dissent_is_no_divergence(scene: Scene) -> None:
    alice, *_ = await scene.cast("alice", "bob", "carol")
    job = await submit(alice)
    await ended(alice, job)
    with pytest.raises(UsageError, match="nobody disagreed"):
        await alice.api(requests.GetDivergence(job=job.id))
    assert (await ask(alice, requests.ListDivergences(), replies.Divergences)).divergences == ()


async def elsewhere(order: BuildOrder, progress: Progress) -> BuildReport:
    """Deliver something else, on another distribution."""
    report = await lying()(order, progress)
    return replace(report, facts={**report.facts, "distribution": "elsewhere"})


def _both_done(view: replies.Job) -> bool:
    return [one.state for one in view.assignments] == ["done", "done"]


def target(tmp_path: Path) -> Target:
    (tmp_path / "toys.gpg").write_bytes(b"a key")
    repository = Repository(
        uri="http://toys.example.org/debian",
        keyring=str(tmp_path / "toys.gpg"),
        suite="stable",
        components=("main",),
    )
    return Target(name="toys", format=Format.DEB, arch="amd64", repository=(repository,), base=("make",))


async def test_targets_are_added_and_shown(scene: Scene, tmp_path: Path) -> None:
    alice = await scene.start("alice")
    before = await ask(alice, requests.ListTargets(), replies.Targets)
    text = format_target(target(tmp_path))
    added = await ask(alice, requests.AddTarget(text=text), replies.Target)
    assert (added.name, added.format, added.arch, added.text) == ("toys", "deb", "amd64", text)
    assert added.keys == (str(tmp_path / "toys.gpg"),)
    assert await ask(alice, requests.GetTarget(name="toys"), replies.Target) == added
    after = await ask(alice, requests.ListTargets(), replies.Targets)
    assert {one.name for one in after.targets} == {one.name for one in before.targets} | {"toys"}


async def test_logs_are_listed_also_when_a_mirror_is_damaged(scene: Scene) -> None:
    alice, bob = await scene.cast("alice", "bob")
    friend = alice.parts.friendships.find(bob.id)
    assert friend is not None
    await until(lambda: alice.parts.follower.mirror(friend).size == 1)
    mirror = alice.parts.follower.directory(friend)
    await alice.stop()
    (mirror / "checkpoint").write_bytes(b"damaged")
    alice = await scene.start("alice")
    listed = await ask(alice, requests.ListLogs(), ledger_replies.Logs)
    own, *others = listed.logs
    assert (own.node, own.size, own.path) == ("alice-box", 1, str(alice.paths.log))
    shown = next(one for one in others if one.node == "bob-box")
    assert (shown.size, shown.path, shown.vkey) == (0, str(mirror), friend.vkey)
    assert (await ask(alice, requests.GetPeer(peer="bob"), replies.Peer)).log_size == 0


async def test_what_is_no_stream_is_refused(scene: Scene) -> None:
    alice = await scene.start("alice")
    with pytest.raises(UsageError, match="GetStatus is not answered by a stream"):
        NodeHandlers(alice.parts).stream(requests.GetStatus())
