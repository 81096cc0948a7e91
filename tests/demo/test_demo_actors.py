"""The people of the demonstration when something goes wrong: commands, nodes and scripts that fail."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trio
import trio.testing

from f2fbuild.api import ledger_replies, replies
from f2fbuild.builder.targets import Format, Repository, Target
from f2fbuild.demo.actor import Actor, free_ports
from f2fbuild.demo.report import SCHEMA, report
from f2fbuild.demo.sources import only_debian, rpm_source, rpm_target
from f2fbuild.demo.story import Outcome
from f2fbuild.errors import ConfigurationError, F2FError, NodeNotRunningError
from tests.api import api_samples as samples

pytestmark = [pytest.mark.unprivileged]


@pytest.fixture
async def ann(tmp_path: Path) -> AsyncIterator[Actor]:
    """Somebody with empty homes."""
    with TemporaryDirectory(prefix="f2f", dir="/tmp") as short:
        (port,) = free_ports(1)
        actor = Actor(
            name="ann", home=tmp_path / "ann", short=Path(short, "ann"), cache=tmp_path / "cache", port=port
        )
        yield actor
        await actor.stop_agent()


def children() -> set[int]:
    """The processes that this one started and that are still to be waited for."""
    return {
        int(pid) for task in Path("/proc/self/task").glob("*/children") for pid in task.read_text().split()
    }


async def test_a_command_that_fails_says_who_typed_what_and_why(ann: Actor) -> None:
    ann.home.mkdir()
    with pytest.raises(F2FError, match=r"ann: `f2fbuild peer list` failed: .*f2fbuild node run"):
        await ann.run("peer", "list")
    with pytest.raises(F2FError, match=r"ann: `f2fbuild peer lost` failed: (?s:.*)No such command"):
        await ann.run("peer", "lost")


async def test_a_node_that_was_never_set_up_ends_with_its_last_words(ann: Actor) -> None:
    ann.home.mkdir()
    with pytest.raises(NodeNotRunningError, match="f2fbuild init"):
        await ann.live()
    assert "f2fbuild init" in (ann.home / "node.log").read_text()


async def test_a_node_lives_until_it_is_cancelled(ann: Actor) -> None:
    await ann.set_up()
    before = children()
    async with trio.open_nursery() as nursery:
        await nursery.start(ann.live)
        status = await ann.run("status")
        assert isinstance(status, replies.Status)
        assert children() > before
        nursery.cancel_scope.cancel()
    assert children() == before
    with pytest.raises(F2FError, match="failed"):
        await ann.run("status")


async def test_a_node_that_ends_by_itself_is_an_error(ann: Actor) -> None:
    await ann.set_up()
    before = children()
    with pytest.RaisesGroup(pytest.RaisesExc(NodeNotRunningError, match="ann: ")):
        async with trio.open_nursery() as nursery:
            await nursery.start(ann.live)
            (node,) = children() - before
            os.kill(node, signal.SIGKILL)
    assert children() == before


async def test_a_node_that_does_not_answer_in_time_is_ended(
    ann: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ann.set_up()
    before = children()
    monkeypatch.setattr("f2fbuild.demo.actor._READY_SECONDS", 0)
    with pytest.raises(NodeNotRunningError, match="ended without a word"):
        await ann.live()
    assert children() == before


async def test_a_node_that_does_not_go_is_killed(ann: Actor, mock_clock: trio.testing.MockClock) -> None:
    mock_clock.rate = 1
    await ann.set_up()
    before = children()
    async with trio.open_nursery() as nursery, trio.open_nursery() as scene:
        await scene.start(ann.live)
        (node,) = children() - before
        # A stopped process takes no SIGTERM.
        os.kill(node, signal.SIGSTOP)

        async def impatient() -> None:
            with trio.CancelScope(shield=True):
                await trio.testing.wait_all_tasks_blocked()
                mock_clock.jump(20)

        nursery.start_soon(impatient)
        scene.cancel_scope.cancel()
    assert children() == before


def test_everybody_listens_somewhere_else() -> None:
    assert len(set(free_ports(20))) == 20


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout without scripts."""
    directory = tmp_path / "script"
    directory.mkdir()
    monkeypatch.setattr("f2fbuild.demo.sources._SCRIPTS", directory)
    return directory


async def test_without_a_checkout_there_is_nothing_to_play(scripts: Path, tmp_path: Path) -> None:
    with pytest.raises(F2FError, match="script/make-demo-srpm is not here"):
        await rpm_source(tmp_path)
    with pytest.raises(F2FError, match="script/make-rpm-distribution is not here"):
        await rpm_target(tmp_path / "cache", tmp_path)


async def test_a_script_that_fails_says_why(scripts: Path, tmp_path: Path) -> None:
    (scripts / "make-demo-srpm").write_text("import sys\nsys.exit('x' * 1000 + ' no rpmbuild here')\n")
    with pytest.raises(F2FError, match=r"script/make-demo-srpm failed: x{400,500} no rpmbuild here\n$"):
        await rpm_source(tmp_path)


def a_target(kind: Format) -> Target:
    repository = Repository(uri="file:/srv", keyring="/srv/key")
    return Target(name=str(kind), format=kind, arch="amd64", repository=(repository,), base=())


def test_the_demonstration_needs_a_debian() -> None:
    rpm, deb = a_target(Format.RPM), a_target(Format.DEB)
    assert only_debian([rpm, deb]) is deb
    with pytest.raises(ConfigurationError, match="no Debian target"):
        only_debian([rpm])


def test_what_was_shown_is_one_object() -> None:
    finding = ledger_replies.Finding(
        kind="divergence", owner="B0", node="elm", evidence="/e", found=1, detail="d"
    )
    outcome = Outcome(
        jobs=[samples.job(), samples.running()],
        caught=[finding],
        refused=[("eve", "no known certificate")],
        logs=list(samples.LOGS.logs),
    )
    found = report(outcome)
    assert found["schema"] == SCHEMA
    done, open_ = found["jobs"]
    assert (done["verdict"], done["agree"], len(done["builders"])) == ("agree", 2, 2)
    assert done["builders"][0]["products"][0]["sha256"] == samples.PRODUCT.sha256
    assert (open_["verdict"], open_["agree"], open_["builders"][0]["products"]) == ("", 0, [])
    assert found["caught"] == [{"owner": "B0", "node": "elm", "evidence": "/e"}]
    assert found["refused"] == [{"peer": "eve", "reason": "no known certificate"}]
    assert [log["vkey"] for log in found["logs"]] == [log.vkey for log in samples.LOGS.logs]
