"""Friends learn of renewed certificates and new epochs over the link, and a new epoch hides nothing."""

from dataclasses import replace
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner

from f2fbuild import limits
from f2fbuild.audit.found import EQUIVOCATION, LEFT_OUT, REPEATED_EPOCH, Found
from f2fbuild.cli.main import program
from f2fbuild.ledger import evidence
from f2fbuild.ledger.checkpoint import log_vkey
from f2fbuild.ledger.mirror import Mirror
from f2fbuild.model.encoding import encode_base64
from f2fbuild.model.friend import Friend
from f2fbuild.model.signing import Role, SigningKey
from f2fbuild.model.tree import range_root
from f2fbuild.net.ledger_messages import CertificateSeen, RenewCertificate
from f2fbuild.net.messages import Failure
from f2fbuild.net.wire import Message
from f2fbuild.node import clock, epochs
from f2fbuild.node.identity import load_identity
from f2fbuild.trust.armor import Block, armor
from f2fbuild.trust.certificate_file import CertificateFile, parse_file, proof_message
from f2fbuild.trust.certificates import NodeCertificate, Previous, format_certificate
from f2fbuild.trust.node_keys import draft, role_key
from tests.scenes.scene_node import Scene, SceneNode, until
from tests.scenes.scene_talk import ask, pair, scratch
from tests.scenes.test_scene_evidence import fork
from tests.trust.trust_people import Person

NOBODYS = "f2fbuild.invalid/log/" + "0" * 64


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificates may come one behind the other."""
    monkeypatch.setattr(limits, "RENEWAL_SECONDS", 0)


def friend(node: SceneNode, other: SceneNode) -> Friend:
    found = node.parts.friendships.find(other.id)
    assert found is not None
    return found


def held(node: SceneNode, other: SceneNode) -> CertificateFile:
    found = node.parts.friendships.certificate_file(other.id)
    assert found is not None
    return found


def copy(node: SceneNode, vkey: str) -> Mirror:
    mirror = node.parts.follower.kept(vkey)
    assert mirror is not None
    return mirror


def seed(node: SceneNode) -> bytes:
    return node.parts.identity.seed


def drafted(node: SceneNode, epoch: int, previous: Previous | None = None, **fields: int) -> NodeCertificate:
    now = clock.now()
    times = {"not_before": now, "not_after": now + 1000} | fields
    own = node.parts.identity.certificate.certificate
    return draft(seed(node), owner=own.owner, node=own.node, epoch=epoch, previous=previous, **times)


def signed(certificate: NodeCertificate, person: Person, keys: list[SigningKey]) -> bytes:
    """The file of any certificate at all: whoever has the keys can write one."""
    text = format_certificate(certificate)
    proofs = [encode_base64(key.sign(proof_message(text))) for key in keys]
    roles = ("statements", "log", "witness", "mirror")
    lines = "".join(f"proof {role} {proof}\n" for role, proof in zip(roles, proofs, strict=True))
    signature = armor(Block.SIGNATURE, person.gnupg.sign(person.fingerprint, text))
    return b"\n".join([text, lines.encode(), signature.encode()])


def keys_of(node_seed: bytes, epoch: int) -> list[SigningKey]:
    roles = (Role.STATEMENTS, Role.LOG, Role.WITNESS, Role.MIRROR)
    return [role_key(node_seed, role, epoch) for role in roles]


def certified(scene: Scene, node: SceneNode, certificate: NodeCertificate, by: str = "") -> bytes:
    return signed(certificate, scene.town.people[by or node.name], keys_of(seed(node), certificate.epoch))


async def sent(one: SceneNode, other: SceneNode, file: bytes) -> Message:
    return await ask(one, other, RenewCertificate(certificate=file))


async def build(alice: SceneNode, builder: SceneNode, text: str) -> None:
    """Let a job be built, and wait until Alice has what the builder's log says of it."""
    job = await scratch(alice, text)
    assert (await alice.finish(job)).state == "succeeded"
    log = builder.parts.log
    # The builder announces its heads, and those of a friend are taken at once.
    await until(lambda: alice.parts.follower.mirror(friend(alice, builder)).head == log.head)


async def test_friends_learn_of_a_new_epoch_and_build_on(scene: Scene) -> None:
    alice, bob = await pair(scene, "bob")
    await build(alice, bob, "a ball")
    old, head = friend(alice, bob).vkey, bob.parts.log.head
    await bob.stop()
    begun = await trio.to_thread.run_sync(epochs.begin, bob.paths)
    assert begun.previous == Previous(origin=head.origin, size=head.size, root=head.root.hex())
    bob = await scene.start("bob")
    await until(lambda: friend(alice, bob).vkey != old)
    assert held(alice, bob).data == load_identity(bob.paths).certificate.data
    await build(alice, bob, "another ball")
    assert copy(alice, friend(alice, bob).vkey).key.name == begun.origin
    assert copy(alice, old).head == head, "what it said before still counts"
    assert alice.parts.findings.list() == []


async def test_a_friend_who_was_away_learns_of_it_when_she_comes(scene: Scene) -> None:
    bob = await scene.start("bob")
    await bob.stop()
    await trio.to_thread.run_sync(epochs.begin, bob.paths)
    alice, bob = await pair(scene, "bob")
    await until(lambda: held(alice, bob).data == bob.parts.identity.certificate.data)
    await build(alice, bob, "a ball")
    assert alice.parts.findings.list() == []


@pytest.mark.usefixtures("unhurried")
async def test_a_renewed_certificate_takes_the_place_of_the_old_one(scene: Scene) -> None:
    alice, bob = await pair(scene, "bob")
    before = friend(alice, bob)
    file = certified(scene, bob, drafted(bob, 0))
    assert await sent(bob, alice, file) == CertificateSeen()
    assert held(alice, bob).data == file
    assert friend(alice, bob) == before, "the log is the same"
    assert await sent(bob, alice, bob.parts.identity.certificate.data) == CertificateSeen()


@pytest.mark.usefixtures("unhurried")
async def test_what_is_no_renewal_is_refused_and_changes_nothing(scene: Scene) -> None:
    alice, bob = await pair(scene, "bob")
    before, now = held(alice, bob).data, clock.now()
    new = drafted(bob, 1)
    other = draft(b"o" * 32, owner=bob.owner, node="bob-box", not_before=now, not_after=now + 9, epoch=1)
    carol = scene.town.people["carol"].fingerprint
    wrong = {
        "malformed": b"nonsense",
        "another-node": signed(other, scene.town.people["bob"], keys_of(b"o" * 32, 1)),
        "another-owner": certified(scene, bob, replace(new, owner=carol), by="carol"),
        "another-session-key": certified(scene, bob, replace(new, noise=other.noise)),
        "not-in-force": certified(scene, bob, drafted(bob, 1, not_before=now + 900)),
        "not-signed": certified(scene, bob, new, by="carol"),
        "other-keys": signed(
            replace(drafted(bob, 0), witness=other.witness),
            scene.town.people["bob"],
            [*keys_of(seed(bob), 0)[:2], role_key(b"o" * 32, Role.WITNESS, 1), keys_of(seed(bob), 0)[3]],
        ),
    }
    for code, file in wrong.items():
        answer = await sent(bob, alice, file)
        assert isinstance(answer, Failure), code
        assert answer.code == code
        assert held(alice, bob).data == before
    assert alice.parts.findings.list() == []
    # Every one of them was refused for what is wrong with it alone.
    assert await sent(bob, alice, certified(scene, bob, new)) == CertificateSeen()
    assert held(alice, bob).certificate == new


@pytest.mark.usefixtures("unhurried")
async def test_an_epoch_that_is_over_does_not_come_back(scene: Scene) -> None:
    alice, bob = await pair(scene, "bob")
    assert await sent(bob, alice, certified(scene, bob, drafted(bob, 2))) == CertificateSeen()
    now = held(alice, bob).data
    for epoch in (0, 1):
        assert await sent(bob, alice, certified(scene, bob, drafted(bob, epoch))) == CertificateSeen()
        assert held(alice, bob).data == now


async def test_other_certificates_are_taken_one_a_minute_and_the_known_one_always(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GnuPG signs in between, which may itself take a minute on a slow machine.
    monkeypatch.setattr(limits, "RENEWAL_SECONDS", 10**6)
    alice, bob = await pair(scene, "bob")
    own = bob.parts.identity.certificate.data
    for _ in range(3):
        assert await sent(bob, alice, own) == CertificateSeen()
    assert isinstance(await sent(bob, alice, b"nonsense"), Failure)
    answer = await sent(bob, alice, certified(scene, bob, drafted(bob, 1)))
    assert isinstance(answer, Failure)
    assert answer.code == "too-much"
    assert held(alice, bob).data == own
    assert await sent(bob, alice, own) == CertificateSeen()


async def test_a_certificate_of_who_is_no_friend_is_not_taken(scene: Scene) -> None:
    alice, bob = await pair(scene, "bob")
    request = RenewCertificate(certificate=bob.parts.identity.certificate.data)
    answer = await alice.parts.renewing.heard("00" * 32, request)
    assert isinstance(answer, Failure)
    assert answer.code == "not-a-friend"


async def test_a_second_log_in_one_epoch_convicts_its_owner(scene: Scene) -> None:
    alice, bob = await pair(scene, "bob")
    before = held(alice, bob).data
    log = role_key(seed(bob), Role.LOG, 7)
    second = replace(drafted(bob, 0), log=log_vkey(log.public))
    keys = keys_of(seed(bob), 0)
    file = signed(second, scene.town.people["bob"], [keys[0], log, *keys[2:]])
    answer = await sent(bob, alice, file)
    assert isinstance(answer, Failure)
    assert answer.code == "repeated-epoch"
    assert held(alice, bob).data == before
    (finding,) = alice.parts.findings.list()
    assert (finding.kind, finding.owner, finding.node) == (REPEATED_EPOCH, bob.owner, bob.id)
    proved = evidence.check(Path(finding.evidence).read_bytes())
    assert isinstance(proved, evidence.EpochFinding)
    assert set(proved.origins) == {bob.parts.identity.origin, second.origin}
    checked = CliRunner().invoke(program, ["ledger", "evidence", "check", finding.evidence])
    assert checked.exit_code == 0, checked.output
    assert alice.parts.convictions.of(friend(alice, bob)) == finding.evidence


async def test_a_second_log_that_the_owner_did_not_sign_accuses_nobody(scene: Scene) -> None:
    alice, bob = await pair(scene, "bob")
    log = role_key(seed(bob), Role.LOG, 7)
    second = replace(drafted(bob, 0), log=log_vkey(log.public))
    keys = keys_of(seed(bob), 0)
    answer = await sent(bob, alice, signed(second, scene.town.people["carol"], [keys[0], log, *keys[2:]]))
    assert isinstance(answer, Failure)
    assert answer.code == "not-signed"
    assert alice.parts.findings.list() == []


def ending(mirror: Mirror, size: int, root: bytes = b"") -> Previous:
    root = root or range_root(0, size, mirror.read_hash)
    return Previous(origin=mirror.key.name, size=size, root=root.hex())


@pytest.mark.parametrize("what", ["part", "all", "other", "root"])
async def test_a_new_epoch_that_leaves_out_entries_is_found_out(scene: Scene, what: str) -> None:
    alice, bob = await pair(scene, "bob")
    await build(alice, bob, "a ball")
    old = friend(alice, bob).vkey
    mirror = copy(alice, old)
    head = mirror.head
    previous, words = {
        "part": (ending(mirror, 1), f"epoch 1 leaves out the last {head.size - 1} of {head.size} entries"),
        "all": (None, f"epoch 1 leaves out the last {head.size} of {head.size} entries"),
        "other": (
            Previous(origin=NOBODYS, size=0, root="0" * 64),
            f"epoch 1 leaves out the last {head.size} of {head.size} entries",
        ),
        "root": (ending(mirror, 1, b"r" * 32), "epoch 1 names another root than the log had at 1 entries"),
    }[what]
    file = certified(scene, bob, drafted(bob, 1, previous))
    assert await sent(bob, alice, file) == CertificateSeen()
    (finding,) = alice.parts.findings.list()
    assert (finding.kind, finding.owner, finding.node) == (LEFT_OUT, bob.owner, bob.id)
    assert finding.detail.startswith(words)
    assert finding.origin == bob.parts.identity.origin
    assert held(alice, bob).data == file
    assert copy(alice, old).head == head, "the copy is kept"


async def test_an_epoch_that_disowns_those_between_is_found_out(scene: Scene) -> None:
    alice, bob = await pair(scene, "bob")
    await build(alice, bob, "a ball")
    mirror = copy(alice, friend(alice, bob).vkey)
    file = certified(scene, bob, drafted(bob, 2, ending(mirror, mirror.size)))
    assert await sent(bob, alice, file) == CertificateSeen()
    (finding,) = alice.parts.findings.list()
    assert (finding.kind, finding.owner, finding.node) == (LEFT_OUT, bob.owner, bob.id)
    assert finding.detail.startswith("epoch 2 goes on from epoch 0; what was logged in between is disowned")
    assert held(alice, bob).data == file


async def test_who_missed_epochs_accuses_nobody_and_is_told(scene: Scene) -> None:
    alice, bob = await pair(scene, "bob")
    await build(alice, bob, "a ball")
    file = certified(scene, bob, drafted(bob, 5, Previous(origin=NOBODYS, size=3, root="0" * 64)))
    assert await sent(bob, alice, file) == CertificateSeen()
    assert alice.parts.findings.list() == []
    assert any("lie between 0 and 5" in words for words in alice.told)
    assert held(alice, bob).data == file


async def test_a_damaged_copy_keeps_nobody_from_a_new_epoch(scene: Scene) -> None:
    alice, bob = await pair(scene, "bob")
    await build(alice, bob, "a ball")
    alice.parts.follower.close()
    (alice.parts.follower.directory(friend(alice, bob)) / "checkpoint").write_bytes(b"not a note\n")
    file = certified(scene, bob, drafted(bob, 1))
    assert await sent(bob, alice, file) == CertificateSeen()
    assert held(alice, bob).data == file
    assert any("cannot be compared" in words for words in alice.told)


async def test_a_conviction_goes_with_the_owner_into_a_new_epoch(scene: Scene) -> None:
    alice, bob = await pair(scene, "bob")
    origin = bob.parts.identity.origin
    finding = alice.parts.findings.record(
        Found(
            kind=EQUIVOCATION,
            owner=bob.owner,
            node=bob.id,
            evidence=fork(bob.parts.identity),
            detail="two heads",
            origin=origin,
            subject=origin,
        )
    )
    file = certified(scene, bob, drafted(bob, 1))
    assert await sent(bob, alice, file) == CertificateSeen()
    assert parse_file(file).certificate.origin == friend(alice, bob).vkey.partition("+")[0] != origin
    assert alice.parts.convictions.of(friend(alice, bob)) == finding.evidence
