"""What friends try and should not get: by forged messages, for others' jobs and blobs, by broken promises."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from f2fbuild import limits
from f2fbuild.audit.found import VIOLATION
from f2fbuild.cli.tree import summary, verdict_line
from f2fbuild.jobs import endings
from f2fbuild.jobs.finished import commitment
from f2fbuild.jobs.offer import to_body
from f2fbuild.jobs.queue import Job
from f2fbuild.jobs.tasks import Task
from f2fbuild.jobs.telling import signed
from f2fbuild.ledger import entry as entries
from f2fbuild.model import canonical, envelope
from f2fbuild.model.digest import sha256_hex
from f2fbuild.model.job import AssignmentState, JobState
from f2fbuild.model.signing import SigningKey
from f2fbuild.model.verdict import VerdictKind
from f2fbuild.model.vkey import format_vkey
from f2fbuild.model.vote import Strike
from f2fbuild.net.messages import (
    CancelJob,
    CommitmentsSeen,
    Failure,
    FollowJob,
    JobCommitted,
    NoBlob,
    NoJob,
    OfferAccepted,
    OfferJob,
    OfferRefused,
    ShowCommitments,
    ShownCommitment,
    WantBlob,
)
from f2fbuild.net.signed import Kind, SignedMessage, sign_message
from f2fbuild.node.parts import Parts
from f2fbuild.trust.policy import Refusal, Right
from tests.scenes import scene_engine as engine
from tests.scenes.scene_engine import Workbench
from tests.scenes.scene_node import Scene, SceneNode, pass_deadline, until
from tests.scenes.scene_talk import ask, offer, submitted


def acceptances(node: SceneNode) -> int:
    return sum(entry.kind is entries.Kind.ACCEPTANCE for entry in node.entries())


async def test_an_offer_that_is_repeated_gets_the_same_acceptance(scene: Scene, tmp_path: Path) -> None:
    alice, bob = await scene.cast("alice", "bob")
    job = await submitted(alice, tmp_path)
    request = offer(alice, bob, job)
    first, second = await ask(alice, bob, request), await ask(alice, bob, request)
    assert isinstance(first, OfferAccepted)
    assert isinstance(second, OfferAccepted)
    assert first.entry == second.entry
    assert acceptances(bob) == 1


Forge = Callable[[SceneNode, SceneNode, Job], bytes]


def _for_somebody_else(alice: SceneNode, bob: SceneNode, job: Job) -> bytes:
    return signed(alice.parts.desk, Kind.OFFER, job.id, "0b" * 32, to_body(job.offer))


def _by_another_key(alice: SceneNode, bob: SceneNode, job: Job) -> bytes:
    key = SigningKey.from_seed(secrets.token_bytes(32))
    desk = replace(alice.parts.desk, statement_key=key, node_id=_id_of(key))
    return signed(desk, Kind.OFFER, job.id, bob.id, to_body(job.offer))


def _id_of(key: SigningKey) -> str:
    return sha256_hex(key.public)


def _a_cancel(alice: SceneNode, bob: SceneNode, job: Job) -> bytes:
    return signed(alice.parts.desk, Kind.CANCEL, job.id, bob.id, to_body(job.offer))


def _with_another_source(alice: SceneNode, bob: SceneNode, job: Job) -> bytes:
    body = to_body(job.offer)
    body["sources"] = [{**body["sources"][0], "sha256": "0e" * 32}]
    return signed(alice.parts.desk, Kind.OFFER, job.id, bob.id, body)


def _of_yesterday(alice: SceneNode, bob: SceneNode, job: Job) -> bytes:
    desk = replace(alice.parts.desk, clock=lambda: alice.watch() - 100_000)
    return signed(desk, Kind.OFFER, job.id, bob.id, to_body(job.offer))


def _good_for_days(alice: SceneNode, bob: SceneNode, job: Job) -> bytes:
    # Sealed by hand: `sign_message` makes no such message.
    message = msgspec.to_builtins(_words(alice, bob, job, limits.SIGNED_SECONDS + 1))
    return envelope.seal(Kind.OFFER.value, canonical.encode(message), alice.parts.identity.statement_key)


def _in_another_spelling(alice: SceneNode, bob: SceneNode, job: Job) -> bytes:
    data = sign_message(_words(alice, bob, job, 10), alice.parts.identity.statement_key)
    return data.replace(b"payload", b"Payload", 1)


def _words(alice: SceneNode, bob: SceneNode, job: Job, seconds: int) -> SignedMessage:
    return SignedMessage(
        type=Kind.OFFER,
        job_id=job.id,
        sender=alice.id,
        recipient=bob.id,
        not_before=alice.watch(),
        not_after=alice.watch() + seconds,
        nonce="0a" * 16,
        body=to_body(job.offer),
    )


@pytest.mark.parametrize(
    ("forge", "why"),
    [
        (_for_somebody_else, "made for another node"),
        (_by_another_key, "signed by another key"),
        (_a_cancel, "of another type"),
        (_with_another_source, "not those of the build definition"),
        (_of_yesterday, "not valid at this time"),
        (_good_for_days, "valid for longer than a day"),
        (_in_another_spelling, "not a DSSE envelope"),
    ],
)
async def test_a_forged_offer_is_refused_and_nothing_is_accepted(
    scene: Scene, tmp_path: Path, forge: Forge, why: str
) -> None:
    alice, bob = await scene.cast("alice", "bob")
    job = await submitted(alice, tmp_path)
    answer = await ask(alice, bob, OfferJob(offer=forge(alice, bob, job)))
    assert isinstance(answer, OfferRefused)
    assert answer.reason == "malformed-offer"
    assert why in answer.detail
    assert acceptances(bob) == 0
    assert bob.parts.bench.tasks.get(job.id) is None


async def test_an_offer_after_its_deadline_is_refused(scene: Scene, tmp_path: Path) -> None:
    alice, bob = await scene.cast("alice", "bob")
    job = await submitted(alice, tmp_path, seconds=60)
    bob.watch.ahead = 61
    answer = await ask(alice, bob, offer(alice, bob, job))
    assert isinstance(answer, OfferRefused)
    assert answer.reason == "deadline-passed"


def with_builder(parts: Parts, **changes: Any) -> None:
    parts.settings = msgspec.structs.replace(
        parts.settings, builder=msgspec.structs.replace(parts.settings.builder, **changes)
    )


async def test_a_full_disk_takes_no_job_and_says_so_on_both_ends(scene: Scene) -> None:
    await scene.start("bob", alter=lambda parts: with_builder(parts, disk_mib=10**9))
    alice = await scene.start("alice")
    await alice.parts.peers.wait_connected(scene.nodes["bob"].id)
    job = await alice.order(builders=1, agree=1)
    await alice.see(job, lambda view: any(one.detail for one in view.assignments))
    pass_deadline(job, alice)
    view = await alice.finish(job)
    assert (view.state, view.exit_code) == (JobState.EXPIRED, 8)
    (one,) = view.assignments
    assert one.state is AssignmentState.REFUSED
    assert one.detail == "disk-full: not enough free disk for a build"


async def test_a_busy_builder_takes_no_more_than_it_said(scene: Scene, tmp_path: Path) -> None:
    alice, bob = await scene.cast("alice", "bob", bob=Workbench(deed=engine.hanging))
    with_builder(bob.parts, slots=2, waiting=2)
    answers = []
    for _ in range(5):
        job = await submitted(alice, tmp_path)
        answers.append(await ask(alice, bob, offer(alice, bob, job)))
    assert [type(answer) for answer in answers] == [OfferAccepted] * 4 + [OfferRefused]
    assert isinstance(answers[4], OfferRefused)
    assert (answers[4].reason, answers[4].detail) == ("busy", "4 jobs are building or waiting")


async def test_who_may_not_submit_is_told_the_rule_on_both_ends(scene: Scene) -> None:
    def take_away(parts: Parts) -> None:
        parts.database.execute("""UPDATE friend SET rights = '["ledger"]' WHERE alias = 'alice'""")

    bob = await scene.start("bob", alter=take_away)
    alice = await scene.start("alice")
    await alice.parts.peers.wait_connected(bob.id)
    job = await alice.order(builders=1, agree=1)
    await alice.see(job, lambda view: any(one.detail for one in view.assignments))
    pass_deadline(job, alice)
    view = await alice.finish(job)
    assert (view.state, view.exit_code) == (JobState.EXPIRED, 8)
    (one,) = view.assignments
    assert one.detail.startswith("right-missing: service 1:")
    decision = bob.parts.friendships.decide(alice.id, Right.SUBMIT)
    assert isinstance(decision, Refusal)
    assert decision.reason.word == "right-missing"


async def test_what_belongs_to_others_does_not_exist(scene: Scene) -> None:
    alice, bob, carol = await scene.cast("alice", "bob", "carol")
    job = await alice.order(builders=1, agree=1)
    view = await alice.finish(job)
    builder = bob if view.assignments[0].peer == bob.id else carol
    idle = carol if builder is bob else bob
    for request in (
        FollowJob(job_id=job.id, log_offset=0, position=0),
        ShowCommitments(job_id=job.id, commitments=[]),
        CancelJob(job_id=job.id, request=signed(alice.parts.desk, Kind.CANCEL, job.id, idle.id, {})),
    ):
        assert isinstance(await ask(alice, idle, request), NoJob)
    product = view.assignments[0].products[0].sha256
    source = job.offer.sources[0].sha256
    for who, whom, digest in ((alice, idle, product), (idle, alice, product), (idle, alice, source)):
        answer = await ask(who, whom, WantBlob(digest=digest, first_chunk=0))
        assert isinstance(answer, NoBlob)


async def test_nothing_is_revealed_before_ones_own_commitment_was_shown(scene: Scene, tmp_path: Path) -> None:
    alice, bob = await scene.cast("alice", "bob")
    job = await submitted(alice, tmp_path)
    accepted = await ask(alice, bob, offer(alice, bob, job))
    assert isinstance(accepted, OfferAccepted)
    await bob.task(job, lambda state: state == "committed")
    answer = await ask(alice, bob, ShowCommitments(job_id=job.id, commitments=[]))
    assert isinstance(answer, Failure)
    assert answer.code == "own-commitment-missing"
    request = FollowJob(job_id=job.id, log_offset=0, position=0)
    async with await alice.parts.peers.call(bob.id, request) as exchange:
        async for message in exchange:
            if isinstance(message, JobCommitted):
                shown = ShownCommitment(
                    log=format_vkey(bob.parts.log.key),
                    acceptance=accepted.entry,
                    receipt=accepted.receipt,
                    entry=message.entry,
                    proof=message.proof,
                )
                break
    task = bob.parts.bench.tasks.get(job.id)
    assert task is not None
    assert task.outcome_index is None
    twice = await ask(alice, bob, ShowCommitments(job_id=job.id, commitments=[shown, shown]))
    assert isinstance(twice, Failure)
    assert twice.code == "log-shown-twice"
    answer = await ask(alice, bob, ShowCommitments(job_id=job.id, commitments=[shown]))
    assert isinstance(answer, CommitmentsSeen)
    await bob.task(job, lambda state: state == "done")


async def test_products_that_are_withheld_strike_the_vote(scene: Scene) -> None:
    def keep_to_itself(parts: Parts) -> None:
        parts.access.allow = lambda *_arguments: None  # type: ignore[method-assign]

    # Bytes that another builder handed over count for all; so these must be mallory's alone.
    await scene.start("mallory", Workbench(deed=engine.lying()), alter=keep_to_itself)
    alice, bob, carol = await scene.cast("alice", "bob", "carol")
    mallory = scene.nodes["mallory"]
    await alice.parts.peers.wait_connected(mallory.id)
    job = await alice.order(builders=3, agree=2)
    view = await alice.finish(job)
    assert view.verdict is not None
    assert (view.verdict.kind, view.verdict.agree) == (VerdictKind.AGREE, 2)
    struck = alice.asked(job, mallory)
    assert struck.strikes == (Strike.WITHHELD,)
    assert not struck.verified
    assert "cannot be counted" in struck.detail
    assert {one.peer for one in view.assignments if one.products[0].verified} == {bob.id, carol.id}


async def test_other_bytes_than_were_signed_strike_the_vote(scene: Scene) -> None:
    cheat = Workbench(deed=engine.wrongly_signed(b"other bytes"))
    cast = await scene.cast("alice", "bob", "carol", "mallory", mallory=cheat)
    alice, mallory = cast[0], cast[3]
    job = await alice.order(builders=3, agree=2)
    view = await alice.finish(job)
    assert view.verdict is not None
    assert (view.verdict.kind, view.verdict.agree, view.verdict.verified) == (VerdictKind.AGREE, 2, 2)
    struck = alice.asked(job, mallory)
    assert struck.strikes == (Strike.WITHHELD,)
    assert struck.detail


async def test_what_was_not_committed_to_is_no_vote(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    cast = await scene.cast("alice", "bob", "carol", "mallory")
    alice, mallory = cast[0], cast[3]

    def commit_to_something(task: Task, products: bytes) -> entries.Commitment:
        honest = commitment(task, products)
        known = mallory.parts.bench.tasks.get(task.job)
        if known is not None and known.acceptance == task.acceptance:
            return replace(honest, digest="0e" * 32)
        return honest

    monkeypatch.setattr(endings, "commitment", commit_to_something)
    job = await alice.order(builders=3, agree=2)
    view = await alice.finish(job)
    assert view.verdict is not None
    assert (view.verdict.kind, view.verdict.agree) == (VerdictKind.AGREE, 2)
    late = alice.asked(job, mallory)
    assert late.strikes == (Strike.UNOPENED,)
    assert alice.asked(job, cast[1]).strikes == ()
    (found,) = [one for one in alice.parts.findings.list() if one.kind == "unopened"]
    assert (found.owner, found.node) == (mallory.owner, mallory.id)
    (line,) = [line for line in summary(view) if "no vote: unopened" in line]
    assert "mallory" in line
    assert f"no vote: {mallory.owner}" in verdict_line(view)
    # Whoever follows the log finds it there, without any job of his own.
    await until(lambda: any(one.kind == VIOLATION for one in alice.parts.findings.list()))
    (broken,) = [one for one in alice.parts.findings.list() if one.kind == VIOLATION]
    assert broken.node == mallory.id
    assert "shows another result than was committed to" in broken.detail
    scene.breakers.add("mallory")
