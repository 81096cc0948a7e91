"""Evidence among friends: who never saw two heads is convinced by the file, and only by the file."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from f2fbuild import limits
from f2fbuild.api import ledger_replies, replies, requests
from f2fbuild.audit.found import CONTRADICTION, EQUIVOCATION, HIDDEN_RESULT, Finding, Found
from f2fbuild.ledger import entry, evidence
from f2fbuild.ledger.cosignature import attach, cosign
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.note import parse_note
from f2fbuild.ledger.proof import format_proof
from f2fbuild.model.friend import Friend
from f2fbuild.model.signing import Role
from f2fbuild.model.vkey import format_vkey
from f2fbuild.net.ledger_messages import EvidenceSeen, ShowEvidence
from f2fbuild.net.messages import Failure
from f2fbuild.net.wire import Message
from f2fbuild.node.identity import Identity, load_identity
from f2fbuild.node.passing import Judgement
from f2fbuild.trust.node_keys import role_key
from tests.ledger.ledger_helpers import ALICE as STRANGER
from tests.ledger.ledger_helpers import NodeKeys, acceptance, outcome, product
from tests.scenes.scene_engine import Workbench, lying
from tests.scenes.scene_node import Scene, SceneNode, until
from tests.scenes.scene_talk import ask


def fork(identity: Identity) -> bytes:
    """Two heads of one size, both signed by the node's own log key."""
    keys = NodeKeys(0)
    keys.log = identity.log_key
    return evidence.format_equivocation(
        format_vkey(keys.vkey), keys.head([b"one history"]), keys.head([b"another"])
    )


def of_strangers(number: int) -> bytes:
    keys = NodeKeys(number)
    return evidence.format_equivocation(format_vkey(keys.vkey), keys.head([b"one"]), keys.head([b"other"]))


def findings(node: SceneNode) -> list[Finding]:
    return node.parts.findings.list()


def find(node: SceneNode, file: bytes, origin: str) -> None:
    """Let a node find something out by itself."""
    found = Found(
        kind=EQUIVOCATION, owner="", node="", evidence=file, detail="seen", origin=origin, subject=origin
    )
    node.parts.findings.record(found)


async def shown(one: SceneNode, other: SceneNode, file: bytes, hops: int = 0) -> Message:
    return await ask(one, other, ShowEvidence(evidence=file, hops=hops))


async def view(node: SceneNode, request: requests.Request) -> replies.Reply:
    return await node.api(request)


async def test_a_fork_convinces_friends_of_friends_who_never_saw_both_heads(scene: Scene) -> None:
    identity = load_identity(scene.paths_of("mallory"))
    alice, bob, carol = await scene.cast("alice", "bob", "carol")
    file = fork(identity)
    find(bob, file, identity.origin)
    # Bob and Carol are not friends; what Bob found comes to her through Alice.
    await until(lambda: bool(findings(carol)))
    (heard,) = findings(carol)
    assert (heard.kind, heard.origin, heard.hops) == (EQUIVOCATION, identity.origin, 2)
    assert Path(heard.evidence).read_bytes() == file
    assert evidence.check(Path(heard.evidence).read_bytes())
    # Carol does not know whose log it is; Alice, its author's friend, does.
    assert (heard.owner, heard.node) == ("", "")
    (known,) = findings(alice)
    assert (known.owner, known.node, known.hops) == (
        identity.certificate.certificate.owner,
        identity.node_id,
        1,
    )
    # Who comes later hears of it too, and nobody is shown it twice.
    dave = await scene.start("dave")
    await until(lambda: bool(findings(dave)))
    for node in (alice, bob, carol, dave):
        assert len(findings(node)) == 1
    assert not alice.parts.findings.untold(bob.id)


async def test_a_convicted_log_is_frozen_and_shown_and_its_owner_is_offered_nothing(scene: Scene) -> None:
    alice, bob, mallory = await scene.cast("alice", "bob", "mallory")
    friend = alice.parts.friendships.find(mallory.id)
    assert friend is not None
    await until(lambda: alice.parts.follower.mirror(friend).size == 1)
    identity = mallory.parts.identity
    find(bob, fork(identity), identity.origin)
    await until(lambda: bool(alice.parts.follower.mirror(friend).evidence))
    (found,) = findings(alice)
    peer = await view(alice, requests.GetPeer(peer=mallory.id))
    assert isinstance(peer, replies.Peer)
    assert (peer.frozen, peer.fork) == (True, found.evidence)
    logs = await view(alice, requests.ListLogs())
    assert isinstance(logs, ledger_replies.Logs)
    assert [log.frozen for log in logs.logs] == [log.origin == identity.origin for log in logs.logs]
    status = await view(alice, requests.GetStatus())
    assert isinstance(status, replies.Status)
    (notice,) = status.notices
    assert "mallory@mallory-box" in notice
    assert found.evidence in notice
    job = await alice.order("a ball", builders=2)
    explained = await view(alice, requests.ExplainJob(job=job.id))
    assert isinstance(explained, replies.Explanation)
    (why,) = [one for one in explained.reasons if one.peer == mallory.id]
    assert why.reason == "forked"
    assert found.evidence in why.detail
    # After a restart all of it still holds, and a copy that is begun anew is frozen at once.
    await alice.stop()
    alice = await scene.start("alice")
    assert alice.parts.follower.mirror(friend).evidence
    assert next(one for one in alice.parts.neighbours.candidates() if one.node == mallory.id).forked


async def test_the_vote_of_who_tells_two_stories_counts_no_more(scene: Scene) -> None:
    alice, _bob, mallory = await scene.cast("alice", "bob", "mallory")
    job = await alice.order("a ball", builders=2, agree=2)
    await alice.see(job, lambda seen: any(one.peer == mallory.id for one in seen.assignments))
    find(alice, fork(mallory.parts.identity), mallory.parts.identity.origin)
    await scene.start("carol")
    told = await alice.finish(job)
    assert told.verdict is not None
    assert (told.verdict.kind, told.verdict.agree) == ("agree", 2)
    shown_job = await view(alice, requests.GetJob(job=job.id))
    assert isinstance(shown_job, replies.Job)
    marked = {one.peer: bool(one.forked) for one in shown_job.assignments}
    assert marked.pop(mallory.id)
    assert not any(marked.values())
    voters = [one for one in shown_job.assignments if one.result and not one.forked]
    assert len(voters) >= 2, "mallory's own result made no majority"


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda file: file[:-1], "proves-nothing"),
        (lambda file: file.replace(b"equivocation", b"self-contradiction"), "proves-nothing"),
        (lambda file: b"", "proves-nothing"),
    ],
)
async def test_what_proves_nothing_is_neither_kept_nor_passed_on(
    scene: Scene, spoil: Callable[[bytes], bytes], code: str
) -> None:
    alice, bob, carol = await scene.cast("alice", "bob", "carol")
    answer = await shown(bob, alice, spoil(of_strangers(7)))
    assert isinstance(answer, Failure)
    assert answer.code == code
    assert isinstance(await shown(bob, alice, of_strangers(8)), EvidenceSeen)
    await until(lambda: bool(findings(carol)))
    assert len(findings(alice)) == len(findings(carol)) == 1


async def test_evidence_travels_three_hops_and_is_rationed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob, carol = await scene.cast("alice", "bob", "carol")
    assert isinstance(await shown(bob, alice, of_strangers(7), hops=2), EvidenceSeen)
    assert [one.hops for one in findings(alice)] == [3]
    assert not alice.parts.findings.untold(carol.id)
    monkeypatch.setattr("f2fbuild.audit.hearsay.EVIDENCE_PER_HOUR", 2)
    assert isinstance(await shown(bob, alice, of_strangers(8)), EvidenceSeen)
    for file in (of_strangers(9), of_strangers(8)):
        answer = await shown(bob, alice, file)
        assert isinstance(answer, Failure)
        assert answer.code == "too-much"
    # Another friend has his own ration, and the clock gives Bob his back.
    assert isinstance(await shown(carol, alice, of_strangers(10)), EvidenceSeen)
    alice.watch.ahead = limits.EVIDENCE_HOUR
    assert isinstance(await shown(bob, alice, of_strangers(9)), EvidenceSeen)
    monkeypatch.setattr(limits, "EVIDENCE_PER_FRIEND", 3)
    alice.watch.ahead *= 2
    assert isinstance(await shown(bob, alice, of_strangers(11)), Failure)


async def test_an_owner_is_accused_only_where_his_key_is_known(scene: Scene, tmp_path: Path) -> None:
    identity = load_identity(scene.paths_of("mallory"))
    alice, bob, carol = await scene.cast("alice", "bob", "carol")
    owner = identity.certificate.certificate.owner
    file = contradiction(identity, tmp_path / "log")
    assert isinstance(await shown(bob, alice, file), EvidenceSeen)
    (found,) = findings(alice)
    assert (found.kind, found.owner, found.node) == (CONTRADICTION, owner, identity.node_id)
    # Carol has never met Mallory: to her anybody may have written his name into a certificate.
    answer = await shown(alice, carol, file)
    assert isinstance(answer, Failure)
    assert answer.code == "proves-nothing"
    assert owner in answer.detail
    assert findings(carol) == []
    # Nor does Alice believe a certificate that Mallory did not sign.
    forged = contradiction(identity, tmp_path / "forged", signature=b"not signed\n")
    answer = await shown(bob, alice, forged)
    assert isinstance(answer, Failure)
    assert len(findings(alice)) == 1


def contradiction(identity: Identity, directory: Path, signature: bytes = b"") -> bytes:
    """Two results of one build in a log of this node; its certificate with another signature, if given."""
    data = identity.certificate.data
    if signature:
        data = data[: data.index(b"-----BEGIN")] + signature
    payloads: list[entry.Payload] = [entry.NodeCertificate(text=data)]
    for content in (b"good", b"evil"):
        index = len(payloads)
        payloads += [acceptance(), outcome(identity.origin, product(content), index=index)]
    with Log.create(directory, identity.log_key) as log:
        log.append([entry.write(one, identity.statement_key) for one in payloads])
        sides = [
            evidence.Side(
                log=format_vkey(identity.certificate.certificate.log),
                certificate=log.entry(0),
                certificate_proof=format_proof(log.inclusion(0)),
                outcome=log.entry(index),
                outcome_proof=format_proof(log.inclusion(index)),
            )
            for index in (2, 4)
        ]
    return evidence.format_contradiction((sides[0], sides[1]))


async def test_what_accuses_nobody_is_not_passed_on(scene: Scene) -> None:
    alice, _bob, _mallory = await scene.cast("alice", "bob", "mallory", mallory=Workbench(deed=lying()))
    job = await alice.order("a ball", builders=2)
    await alice.see(job, lambda seen: [one.state for one in seen.assignments] == ["done", "done"])
    await scene.start("carol")
    await alice.finish(job)
    await until(lambda: bool(findings(alice)))
    (found,) = findings(alice)
    assert not alice.parts.findings.untold(scene.nodes["carol"].id)
    answer = await shown(alice, scene.nodes["carol"], Path(found.evidence).read_bytes())
    assert isinstance(answer, Failure)
    assert answer.code == "not-shared"
    assert STRANGER.origin not in found.detail


async def test_who_knows_better_does_not_believe_in_a_hidden_result(scene: Scene) -> None:
    """Bob and Carol have cosigned that Mallory's promise is open; Alice may know that it is closed."""
    paths = {name: load_identity(scene.paths_of(name)) for name in ("bob", "carol", "mallory")}
    identity = paths["mallory"]
    alice, bob = await scene.cast("alice", "bob")
    late = acceptance().deadline + limits.HIDDEN_GRACE_SECONDS + 1
    file = hidden(identity, [paths["bob"], paths["carol"]], late, scene.directory / "log")
    judgement = alice.parts.passing._judgement
    # Her own copy is empty: she believes what two independent owners have cosigned.
    with scene_setting(alice, replace(judgement, independent=lambda owners: 1)):
        answer = await shown(bob, alice, file)
        assert isinstance(answer, Failure)
        assert "fewer than two voices" in answer.detail
    knows = replace(judgement, closed=lambda origin, index: (origin, index) == (name(identity), 1))
    with scene_setting(alice, knows):
        answer = await shown(bob, alice, file)
        assert isinstance(answer, Failure)
        assert "closed meanwhile" in answer.detail
    assert findings(alice) == []
    assert isinstance(await shown(bob, alice, file), EvidenceSeen)
    (found,) = findings(alice)
    assert (found.kind, found.origin) == (HIDDEN_RESULT, name(identity))
    assert not alice.parts.convictions.of(friend_of(alice, identity)), "silence is no fork"


def name(identity: Identity) -> str:
    return identity.certificate.certificate.origin


def friend_of(node: SceneNode, identity: Identity) -> Friend:
    found = node.parts.friendships.find(identity.node_id)
    assert found is not None
    return found


@contextmanager
def scene_setting(node: SceneNode, judgement: Judgement) -> Iterator[None]:
    before, node.parts.passing._judgement = node.parts.passing._judgement, judgement
    yield
    node.parts.passing._judgement = before


def hidden(identity: Identity, witnesses: list[Identity], time: int, directory: Path) -> bytes:
    """A promise of this node that real witnesses of real owners saw open."""
    payloads: list[entry.Payload] = [entry.NodeCertificate(text=identity.certificate.data), acceptance()]
    nodes = [evidence.read_node(one.certificate.data) for one in witnesses]
    with Log.create(directory, identity.log_key) as log:
        log.append([entry.write(one, identity.statement_key) for one in payloads])
        note = log.checkpoint()
        text = parse_note(note).text
        for witness, node in zip(witnesses, nodes, strict=True):
            key = role_key(witness.seed, Role.WITNESS, node.epoch)
            note = attach(note, [cosign(text, node.witness.name, key, time)])
        proof = replace(log.inclusion(1), checkpoint=note)
        return evidence.format_hidden(
            format_vkey(log.key),
            (log.entry(0), format_proof(log.inclusion(0))),
            evidence.cosigned_proof(proof, log.key, nodes),
            log.entries(1, 2),
            [node.file for node in nodes],
        )


async def test_a_file_that_is_too_large_stays_here(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = await scene.cast("alice", "bob")
    monkeypatch.setattr(limits, "EVIDENCE_SHOWN_BYTES", 10)
    find(alice, of_strangers(7), NodeKeys(7).origin)
    await until(lambda: not alice.parts.findings.untold(bob.id))
    assert findings(bob) == []


async def test_a_friend_who_takes_no_more_is_told_later(scene: Scene) -> None:
    alice, bob = await scene.cast("alice", "bob")
    asked = trio.Event()

    async def full(_peer: str, _request: ShowEvidence) -> Failure:
        asked.set()
        return Failure(code="too-much", detail="")

    heard, bob.parts.exchanges._heard = (
        bob.parts.exchanges._heard,
        replace(bob.parts.exchanges._heard, evidence=full),
    )
    find(alice, of_strangers(7), NodeKeys(7).origin)
    await asked.wait()
    assert len(alice.parts.findings.untold(bob.id)) == 1
    bob.parts.exchanges._heard = heard
    alice.parts.passing.wake()
    await until(lambda: bool(findings(bob)))
    # A link that breaks while it is told is no reason to forget it either.
    await bob.stop()
    find(alice, of_strangers(8), NodeKeys(8).origin)
    await scene.start("bob")
    await until(lambda: len(findings(scene.nodes["bob"])) == 2)
