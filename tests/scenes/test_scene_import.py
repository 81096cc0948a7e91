"""Sneaker-net: Bob's log reaches Alice on a stick, without any link between their nodes."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from f2fbuild.api import ledger_replies, requests
from f2fbuild.errors import FormatError, NobodyError, StorageError, UsageError
from f2fbuild.ledger import entry as entries
from f2fbuild.ledger import evidence
from f2fbuild.ledger.carried import Shipment, pack
from f2fbuild.ledger.checkpoint import log_vkey
from f2fbuild.node.identity import load_identity
from f2fbuild.store.paths import Paths
from tests.scenes.scene_node import Scene, SceneNode
from tests.scenes.scene_town import open_log


def grow(paths: Paths, *commits: str) -> None:
    """Let a node that does not run sign orders."""
    key = load_identity(paths).statement_key
    with open_log(paths) as log:
        log.append([entries.write(entries.Order(commit=commit.zfill(64)), key) for commit in commits])


def stick(file: Path, *people: Paths, start: int = 0) -> Path:
    """Write the logs of nodes that do not run into an archive."""
    keys = [load_identity(paths).log_key.public for paths in people]
    shipments = [
        Shipment(directory=paths.log, key=log_vkey(key), start=start)
        for paths, key in zip(people, keys, strict=True)
    ]
    with file.open("xb") as output:
        pack(output, shipments)
    return file


async def bring(node: SceneNode, file: Path) -> tuple[ledger_replies.ImportedLog, ...]:
    found = await node.api(requests.ImportLogs(file=str(file)))
    assert isinstance(found, ledger_replies.Imported)
    return found.logs


async def test_a_log_comes_and_grows_on_sticks_alone(scene: Scene, tmp_path: Path) -> None:
    bob = scene.paths_of("bob")
    grow(bob, "a", "b")
    alice = await scene.start("alice")
    (first,) = await bring(alice, stick(tmp_path / "1.tar", bob))
    assert (first.name, first.state, first.size, first.detail) == ("bob@bob-box", "advanced", 3, "")
    (again,) = await bring(alice, tmp_path / "1.tar")
    grow(bob, "c")
    (more,) = await bring(alice, stick(tmp_path / "2.tar", bob, start=3))
    (older,) = await bring(alice, tmp_path / "1.tar")
    assert [(one.state, one.size) for one in (again, more, older)] == [
        ("unchanged", 3),
        ("advanced", 4),
        ("older", 4),
    ]
    logs = await alice.api(requests.ListLogs())
    assert isinstance(logs, ledger_replies.Logs)
    (kept,) = [log for log in logs.logs if log.node == "bob-box"]
    for file in (path for path in bob.log.rglob("*") if path.is_file()):
        assert (Path(kept.path) / file.relative_to(bob.log)).read_bytes() == file.read_bytes()
    assert alice.parts.findings.list() == []


async def test_only_logs_whose_certificate_is_held_are_looked_at(scene: Scene, tmp_path: Path) -> None:
    # Bob knows Alice; Carol, whom he does not know, is on the stick too, and so is his own log.
    people = [scene.paths_of(name) for name in ("alice", "bob", "carol")]
    bob = await scene.start("bob")
    found = await bring(bob, stick(tmp_path / "all.tar", *people))
    by_state = {one.state: one for one in found}
    assert set(by_state) == {"advanced", "own", "unknown"}
    assert by_state["advanced"].name == "alice@alice-box"
    assert (by_state["own"].origin, by_state["own"].size) == (bob.parts.identity.origin, 0)
    mirrors = [path.name for path in people[1].mirrors.iterdir()]
    assert by_state["unknown"].origin.rpartition("/")[2] not in mirrors


async def test_a_fork_on_a_stick_is_evidence(scene: Scene, tmp_path: Path) -> None:
    bob = scene.paths_of("bob")
    shutil.copytree(bob.log, tmp_path / "before")
    grow(bob, "a", "b")
    alice = await scene.start("alice")
    await bring(alice, stick(tmp_path / "one.tar", bob))
    shutil.rmtree(bob.log)
    shutil.copytree(tmp_path / "before", bob.log)
    grow(bob, "c", "d", "e")
    (forked,) = await bring(alice, stick(tmp_path / "other.tar", bob))
    assert (forked.state, forked.detail) == ("forked", "the log has forked")
    (finding,) = alice.parts.findings.list()
    assert finding.kind == "equivocation"
    proved = evidence.check(Path(finding.evidence).read_bytes())
    assert isinstance(proved, evidence.EquivocationFinding)
    assert sorted(proved.sizes) == [3, 4]
    (frozen,) = await bring(alice, tmp_path / "one.tar")
    assert frozen.state == "forked"


def flip(data: bytes, where: bytes) -> bytes:
    at = data.index(where)
    return data[: at + 100] + bytes([data[at + 100] ^ 1]) + data[at + 101 :]


@pytest.mark.parametrize(
    "alter",
    [
        lambda data: flip(data, b'{"payload"'),
        lambda data: data.replace(b"/tile/entries/000.p/3", b"/tile/entries/000.p/2"),
        lambda data: data.replace(b"\n3\n", b"\n4\n"),
    ],
    ids=["another entry", "no bundle", "another head"],
)
async def test_a_stick_that_lies_accuses_nobody(
    scene: Scene, tmp_path: Path, alter: Callable[[bytes], bytes]
) -> None:
    bob = scene.paths_of("bob")
    grow(bob, "a", "b")
    alice = await scene.start("alice")
    good = stick(tmp_path / "good.tar", bob)
    bad = tmp_path / "bad.tar"
    bad.write_bytes(resealed(alter(good.read_bytes())))
    (found,) = await bring(alice, bad)
    assert (found.state, found.size) == ("unusable", 0)
    assert found.detail
    assert alice.parts.findings.list() == []
    (found,) = await bring(alice, good)
    assert (found.state, found.size) == ("advanced", 3)


def resealed(data: bytes) -> bytes:
    """Make the headers of an altered tar whole again."""
    blocks = [data[at : at + 512] for at in range(0, len(data), 512)]
    for number, block in enumerate(blocks):
        if block[257:262] == b"ustar":
            total = sum(block[:148]) + 8 * 0x20 + sum(block[156:])
            blocks[number] = block[:148] + b"%06o\0 " % total + block[156:]
    return b"".join(blocks)


async def test_a_range_that_begins_too_late_is_of_no_use(scene: Scene, tmp_path: Path) -> None:
    bob = scene.paths_of("bob")
    grow(bob, *(f"{number:x}" for number in range(300)))
    alice = await scene.start("alice")
    (found,) = await bring(alice, stick(tmp_path / "late.tar", bob, start=256))
    assert (found.state, found.size) == ("unusable", 0)
    assert "not in this archive" in found.detail
    (found,) = await bring(alice, stick(tmp_path / "whole.tar", bob))
    assert (found.state, found.size) == ("advanced", 301)


async def test_a_log_that_breaks_its_rules_is_broken_here_too(scene: Scene, tmp_path: Path) -> None:
    bob = scene.paths_of("bob")
    key = load_identity(bob).statement_key
    with open_log(bob) as log:
        log.append([entries.write(entries.Commitment(acceptance=7, digest="a" * 64), key)])
    alice = await scene.start("alice")
    (found,) = await bring(alice, stick(tmp_path / "stick.tar", bob))
    assert found.state == "violation"
    assert "commits to no open acceptance" in found.detail
    (finding,) = alice.parts.findings.list()
    assert finding.kind == "violation"
    with open_log(bob) as log:
        # The curtain checks every log of the scene: this one is thrown away.
        assert log.size == 2
    shutil.rmtree(bob.log)
    shutil.copytree(scene.town.directory / "bob" / "data" / "log", bob.log)


async def test_what_is_no_archive_is_refused(scene: Scene, tmp_path: Path) -> None:
    alice = await scene.start("alice")
    (tmp_path / "text").write_text("hello " * 500)
    (tmp_path / "link").symlink_to(tmp_path / "text")
    with pytest.raises(FormatError, match="not a tar"):
        await bring(alice, tmp_path / "text")
    for other in (tmp_path / "link", tmp_path, tmp_path / "nothing"):
        with pytest.raises(StorageError):
            await bring(alice, other)


async def test_the_policy_of_a_log_names_the_friends_that_may_witness_it(scene: Scene) -> None:
    alice = await scene.start("alice")
    found = await alice.api(requests.GetTlogPolicy())
    assert isinstance(found, ledger_replies.TlogPolicy)
    lines = found.text.splitlines()
    assert lines[0].startswith(f"log {alice.parts.identity.origin}+")
    assert [line.split()[0] for line in lines].count("witness") == 4
    assert lines[-2].startswith("group witnesses 2 ")
    assert len(lines[-2].split()) == 3 + 4
    assert lines[-1] == "quorum witnesses"
    bob = await scene.start("bob")
    other = await alice.api(requests.GetTlogPolicy(origin=bob.parts.identity.origin))
    assert isinstance(other, ledger_replies.TlogPolicy)
    # Bob is no witness of his own log, and Alice is one of all others.
    assert other.text.count("witness ") == 4
    assert bob.owner not in other.text
    assert alice.owner in other.text
    assert alice.owner not in found.text
    with pytest.raises(NobodyError, match="1 independent witnesses"):
        await bob.api(requests.GetTlogPolicy(origin=bob.parts.identity.origin))
    with pytest.raises(UsageError, match="no such log"):
        await bob.api(requests.GetTlogPolicy(origin="f2fbuild.invalid/log/x"))
