"""Friends' logs, followed by a real node over real links, until one of them lies."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from f2fbuild import limits
from f2fbuild.api import ledger_replies, replies, requests
from f2fbuild.audit import accusations
from f2fbuild.audit.found import EQUIVOCATION, Finding
from f2fbuild.audit.overdue import Overdue
from f2fbuild.errors import F2FError, LedgerError, RemoteProtocolError, StorageError
from f2fbuild.ledger import entry, evidence
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.proof import format_proof
from f2fbuild.model.digest import sha256_hex
from f2fbuild.model.friend import Friend
from f2fbuild.model.svr import decode_result
from f2fbuild.model.vkey import format_vkey
from f2fbuild.net.exchange import Exchange
from f2fbuild.net.ledger_messages import GetHead, HeadSeen
from f2fbuild.node.identity import load_identity
from f2fbuild.node.parts import Parts
from tests.ledger.ledger_helpers import ALICE as STRANGER
from tests.ledger.ledger_helpers import acceptance
from tests.scenes.scene_engine import Workbench, lying
from tests.scenes.scene_node import Scene, SceneNode, until


def friend_of(node: SceneNode, other: SceneNode) -> Friend:
    found = node.parts.friendships.find(other.id)
    assert found is not None
    return found


def findings(node: SceneNode) -> list[Finding]:
    return node.parts.findings.list()


def prove(found: Finding) -> evidence.Finding:
    """What anybody can check of a finding."""
    return evidence.check(Path(found.evidence).read_bytes())


def mirrored(node: SceneNode, other: SceneNode) -> int:
    return node.parts.follower.mirror(friend_of(node, other)).size


async def peer_view(node: SceneNode, other: SceneNode) -> replies.Peer:
    view = await node.api(requests.GetPeer(peer=other.id))
    assert isinstance(view, replies.Peer)
    return view


async def log_view(node: SceneNode, other: SceneNode) -> ledger_replies.Log:
    logs = await node.api(requests.ListLogs())
    assert isinstance(logs, ledger_replies.Logs)
    return next(log for log in logs.logs if log.node == other.parts.identity.certificate.certificate.node)


async def test_a_log_is_followed_as_it_grows_and_again_after_a_restart(scene: Scene) -> None:
    alice, bob, _carol = await scene.cast("alice", "bob", "carol")
    await until(lambda: mirrored(alice, bob) == 1)
    await alice.finish(await alice.order("a ball"))
    size = bob.parts.log.size
    assert size == 4, "certificate, acceptance, commitment, outcome"
    await until(lambda: mirrored(alice, bob) == size)
    await until(lambda: mirrored(bob, alice) == alice.parts.log.size)
    mirror = alice.parts.follower.mirror(friend_of(alice, bob))
    assert mirror.entries(0, size) == bob.parts.log.entries(0, size)
    await alice.stop()
    alice = await scene.start("alice")
    await alice.parts.peers.wait_connected(bob.id)
    await alice.parts.follower.follow(friend_of(alice, bob))
    assert findings(alice) == []
    view = await peer_view(alice, bob)
    assert (view.log_size, view.frozen, view.violation) == (size, False, "")


@pytest.mark.parametrize(
    ("entries", "detail"),
    [
        (lambda _bob: STRANGER.write(acceptance()), "entry 1: "),
        (
            lambda bob: bob_writes(bob, entry.Commitment(acceptance=0, digest="00" * 32)),
            "entry 1: commits to",
        ),
        (lambda bob: [*bob_writes(bob, acceptance()), b"{}"], "entry 2: "),
    ],
    ids=["foreign", "promise", "malformed"],
)
async def test_an_entry_that_breaks_the_rules_breaks_the_log(
    scene: Scene, tmp_path: Path, entries: Callable[[SceneNode], list[bytes]], detail: str
) -> None:
    alice, bob = await scene.cast("alice", "bob")
    bob.parts.log.append(entries(bob))
    bob.parts.neighbours.log_grew()
    await until(lambda: bool(findings(alice)))
    (found,) = findings(alice)
    assert (found.kind, found.owner, found.node, found.evidence) == ("violation", bob.owner, bob.id, "")
    assert found.detail.startswith(detail)
    await until(lambda: bool(alice.parts.follower.mirror(friend_of(alice, bob)).violation))
    # Followed on, and still broken: also after a restart, and with nothing recorded twice.
    bob.parts.log.append(bob_writes(bob, acceptance()))
    with pytest.raises(LedgerError, match=found.detail[:7]):
        await alice.parts.follower.follow(friend_of(alice, bob))
    assert mirrored(alice, bob) == bob.parts.log.size
    await alice.stop()
    alice = await scene.start("alice")
    assert (await peer_view(alice, bob)).violation == found.detail
    assert (await log_view(alice, bob)).violation == found.detail
    assert findings(alice) == [found]
    await forget(scene, bob)


def bob_writes(bob: SceneNode, *payloads: entry.Payload) -> list[bytes]:
    return [entry.write(payload, bob.parts.identity.statement_key) for payload in payloads]


async def forget(scene: Scene, *nodes: SceneNode) -> None:
    """Take nodes whose logs were broken on purpose out of the check at the end."""
    for node in nodes:
        await node.stop()
        del scene.paths[node.name]


async def test_a_full_disk_before_the_mirror_remembers(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = await scene.cast("alice", "bob")
    friend = friend_of(alice, bob)
    mirror = alice.parts.follower.mirror(friend)

    def full(_directory: Path, _name: str, _data: bytes) -> None:
        raise StorageError("no space left")

    bob.parts.log.append(STRANGER.write(acceptance()))
    with monkeypatch.context() as patched:
        patched.setattr(type(mirror), "_keep", full)
        with pytest.raises(StorageError):
            await alice.parts.follower.follow(friend)
        assert mirror.violation == ""
        assert len(findings(alice)) == 1
    with pytest.raises(LedgerError, match="entry 1"):
        await alice.parts.follower.follow(friend)
    assert mirror.violation == findings(alice)[0].detail
    assert len(findings(alice)) == 1
    await forget(scene, bob)


async def test_a_log_of_a_node_known_by_another_key(scene: Scene) -> None:
    alice, bob = await scene.cast("alice", "bob")
    other = replace(friend_of(alice, bob), statement_key=STRANGER.statements.public)
    alice.parts.follower.close()
    with pytest.raises(LedgerError, match="entry 0: certifies another statement key"):
        await fresh(alice).follow(other)


def fresh(node: SceneNode) -> Any:
    """A follower that has read nothing yet."""
    follower = node.parts.follower
    parts = node.parts
    return type(follower)(
        node.paths.state / "mirrors",
        parts.reach,
        parts.findings,
        accusations.Accusations(parts.database),
        parts.inspector,
        Overdue(parts.findings, list, parts._needs.clock),
        parts.witnessing,
    )


def forks(node: SceneNode) -> list[Finding]:
    return [one for one in findings(node) if one.kind == EQUIVOCATION]


async def test_a_fork_freezes_the_mirror_and_anybody_can_check_why(scene: Scene) -> None:
    alice, bob = await scene.cast("alice", "bob")
    await until(lambda: mirrored(alice, bob) == 1)
    await bob.stop()
    identity = load_identity(bob.paths)
    with Log.open(bob.paths.log, identity.log_key) as log:
        log.append([entry.write(acceptance(), identity.statement_key)])
    bob.paths.log.rename(bob.paths.log.with_name("one"))
    # Let alice see one of two histories …
    with Log.create(bob.paths.log, identity.log_key) as log:
        certificate = entry.NodeCertificate(text=identity.certificate.data)
        log.append([entry.write(certificate, identity.statement_key)])
        log.append([entry.write(replace(acceptance(), deadline=0), identity.statement_key)])
    bob = await scene.start("bob")
    await until(lambda: mirrored(alice, bob) == bob.parts.log.size)
    await bob.stop()
    # … and then the other.
    bob.paths.log.rename(bob.paths.log.with_name("two"))
    bob.paths.log.with_name("one").rename(bob.paths.log)
    bob = await scene.start("bob", signing=False)
    await until(lambda: bool(forks(alice)))
    (found,) = forks(alice)
    assert found.node == bob.id
    proved = prove(found)
    assert isinstance(proved, evidence.EquivocationFinding)
    assert proved.origin == bob.parts.identity.origin
    await until(lambda: alice.parts.follower.mirror(friend_of(alice, bob)).evidence != b"")
    assert (await peer_view(alice, bob)).frozen
    assert (await log_view(alice, bob)).frozen
    with pytest.raises(LedgerError, match="forked"):
        await alice.parts.follower.follow(friend_of(alice, bob))
    await forget(scene, bob)


class Serves:
    """A log that serves other bytes than it holds."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def resource(self, path: str) -> bytes | None:
        data = self._log.resource(path)
        return data and data[:-1] + bytes([data[-1] ^ 1])


async def test_served_nonsense_is_a_finding_and_breaks_nothing(scene: Scene) -> None:
    def spoil(parts: Parts) -> None:
        parts.exchanges._log = Serves(parts.log)  # type: ignore[assignment]  # stands in for the log

    alice = await scene.start("alice")
    bob = await scene.start("bob", alter=spoil)
    await until(lambda: bool(findings(alice)))
    assert {one.kind for one in findings(alice)} == {"violation"}
    assert findings(alice)[0].detail.startswith("bad-entries")
    assert mirrored(alice, bob) == 0
    bob.parts.exchanges._log = bob.parts.log
    await alice.parts.follower.follow(friend_of(alice, bob))
    assert mirrored(alice, bob) == bob.parts.log.size
    assert (await peer_view(alice, bob)).violation == ""


async def test_who_knows_no_such_log_is_not_followed(scene: Scene) -> None:
    alice, bob = await scene.cast("alice", "bob")
    other = replace(friend_of(alice, bob), vkey=format_vkey(STRANGER.vkey))
    await alice.parts.follower.follow(other)
    assert alice.parts.follower.mirror(other).size == 0


async def test_an_answer_to_another_question(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = await scene.cast("alice", "bob")

    async def confused(_peer: str, _request: GetHead, exchange: Exchange) -> None:
        await exchange.send(HeadSeen())

    monkeypatch.setitem(bob.parts.exchanges._table, GetHead, (None, confused))
    with pytest.raises(RemoteProtocolError, match="bob@bob-box"):
        await alice.parts.follower.follow(friend_of(alice, bob))


async def test_strangers_and_the_absent_are_let_be(scene: Scene) -> None:
    alice, bob = await scene.cast("alice", "bob")
    await until(lambda: mirrored(alice, bob) == 1)
    await bob.stop()
    alice.parts.follower.want("00" * 32)
    alice.parts.follower.want(bob.id)
    await until(lambda: not alice.parts.follower._waiting)
    with pytest.raises(F2FError):
        await alice.parts.follower.follow(friend_of(alice, bob))
    assert findings(alice) == []


async def test_a_friend_that_never_answers_costs_its_turn_only(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob, carol = await scene.cast("alice", "bob", "carol")
    await until(lambda: mirrored(alice, bob) == mirrored(alice, carol) == 1)
    asked = trio.Event()

    async def silent(_peer: str, _request: GetHead, _exchange: Exchange) -> None:
        asked.set()
        await trio.sleep_forever()

    monkeypatch.setattr(limits, "FOLLOW_SECONDS", 0.2)
    monkeypatch.setitem(bob.parts.exchanges._table, GetHead, (None, silent))
    alice.parts.follower.want(bob.id)
    await asked.wait()
    carol.parts.log.append(bob_writes(carol, acceptance()))
    carol.parts.neighbours.log_grew()
    await until(lambda: mirrored(alice, carol) == 2)
    assert mirrored(alice, bob) == 1


async def test_a_damaged_copy_costs_its_own_comparison_only(scene: Scene) -> None:
    alice, bob, carol = await scene.cast("alice", "bob", "carol")
    await until(lambda: mirrored(alice, bob) == mirrored(alice, carol) == 1)
    friend = alice.parts.friendships.resolve("bob")
    await alice.stop()
    (alice.parts.follower.directory(friend) / "checkpoint").write_bytes(b"not a note\n")
    alice = await scene.start("alice")
    await alice.parts.peers.wait_connected(carol.id)
    alice.parts.follower.compare(friend, format_proof(bob.parts.log.inclusion(0)))
    carol.parts.log.append(bob_writes(carol, acceptance()))
    carol.parts.neighbours.log_grew()
    await until(lambda: mirrored(alice, carol) == 2)
    assert bob.id not in {one.node for one in findings(alice)}, "a damaged copy accuses nobody"


async def test_a_contradiction_becomes_evidence(scene: Scene) -> None:
    alice, _bob, mallory = await scene.cast("alice", "bob", "mallory", mallory=Workbench(deed=lying()))
    job = await alice.order("a ball", builders=2)
    await alice.see(job, lambda view: [one.state for one in view.assignments] == ["done", "done"])
    assert findings(alice) == [], "nobody is accused before a tie-breaker"
    await scene.start("carol")
    await alice.finish(job)
    await until(lambda: bool(findings(alice)))
    (found,) = findings(alice)
    assert (found.kind, found.owner, found.node) == ("divergence", mallory.owner, mallory.id)
    proved = prove(found)
    assert isinstance(proved, evidence.DivergenceFinding)
    view = await alice.api(requests.GetDivergence(job=job.id))
    assert isinstance(view, replies.Divergence)
    assert view.evidence == (found.evidence,)
    await until(lambda: alice.entries()[-1].kind is entry.Kind.SVR)
    heads, result = alice.entries()[-2:]
    assert heads.kind is entry.Kind.SEEN_HEADS
    assert isinstance(result.payload, entry.AuditResult)
    said = decode_result(result.payload.statement)
    assert said.properties == ("F2FBUILD_DIVERGENT_RESULTS_PROVED",)
    assert said.subjects[0].sha256 == sha256_hex(Path(found.evidence).read_bytes())


async def test_no_evidence_without_both_logs(scene: Scene) -> None:
    alice, bob = await scene.cast("alice", "bob")
    await until(lambda: mirrored(alice, bob) == 1)
    here = accusations.Testimony(peer=bob.id, outcome=b"", proof=b"", products=b"")
    unknown = replace(here, peer="00" * 32)
    for number, (accused, majority) in enumerate(((here, unknown), (unknown, here))):
        alice.parts.follower.accuse(
            accusations.Accusation(job=f"{number:064}", title="t", accused=accused, majority=majority)
        )
    await until(lambda: not alice.parts.follower._accusations.open())
    assert findings(alice) == []
