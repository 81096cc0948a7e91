"""Every command against a node behind a real socket: what it asks, prints, and prints as JSON."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from f2fbuild.api import replies, requests
from f2fbuild.api.requests import Request
from f2fbuild.errors import RefusedError
from f2fbuild.model.job import JobClass
from f2fbuild.model.verdict import VerdictKind
from tests.api.api_node import nobody_listening
from tests.api.api_samples import (
    BOB,
    CALLS,
    SHORT,
    STREAMS,
    TRUST,
    assignment,
    job,
    peer,
    verdict,
)
from tests.cli.cli_runs import Home, beside, home, records, whole_node

ASKS: list[tuple[str, type[Request], tuple[str, ...]]] = [
    (
        "status",
        requests.GetStatus,
        ("oak", "Alice <alice@example.org>", "1 of 2 connected", "[fe80::1]:8595"),
    ),
    ("identity show", requests.GetStatus, ("oak", "11" * 32)),
    ("identity card --dial a:1", requests.GetCard, ("f2fbuild friend card v1\n",)),
    ("peer list", requests.ListPeers, ("bob@elm", "connected", "may build,ledger")),
    ("peer show bob", requests.GetPeer, (BOB, "[fe80::1]:8595", "the key has expired (rule 2)")),
    ("peer remove bob --yes", requests.RemovePeer, ("bob@elm", "away")),
    (
        "trust explain bob",
        requests.ExplainTrust,
        ("B0B0 B0B0 B0B0 B0B0 B0B0  B0B0", "YES   rule 3", "NO", "you -> dave -> bob", "2027-01-15"),
    ),
    ("target list", requests.ListTargets, ("bookworm", "amd64", "1 keys")),
    ("target show bookworm", requests.GetTarget, ('name = "bookworm"\n', "# key /etc/key.gpg")),
    ("job list --limit 5", requests.ListJobs, (SHORT, "succeeded", "agree 2/2 (2 verified)", "amd64=9c9c")),
    (f"job show {SHORT}", requests.GetJob, ("bob@elm", "carol@elm", "verified  hello.deb")),
    (f"job explain {SHORT}", requests.ExplainJob, ("second builder", "no-target: no target f45")),
    (f"cancel {SHORT}", requests.CancelJob, ("cancelled",)),
    (f"retry {SHORT}", requests.RetryJob, ("running", "bob@elm")),
    ("divergence list", requests.ListDivergences, ("hello_2.10-3", "diverged", "bob | carol")),
    (
        f"divergence show {SHORT}",
        requests.GetDivergence,
        ("kernel: 6.1 | 6.2", "hello.deb  differs", "failed in build (nonzero)", "/home/alice/evidence/1"),
    ),
    ("ledger evidence list", requests.ListLogs, ("equivocation", "two heads", "/home/alice/evidence/1")),
]
IDS = [command for command, _, _ in ASKS]


@pytest.fixture
def place() -> Iterator[Home]:
    with home() as found:
        yield found


@pytest.mark.parametrize(("command", "kind", "shown"), ASKS, ids=IDS)
def test_what_people_read(place: Home, command: str, kind: type[Request], shown: tuple[str, ...]) -> None:
    with beside(place, whole_node()) as node:
        result = place.run(*command.split())
    assert result.exit_code == 0, result.output
    for part in shown:
        assert part in result.stdout
    assert "\x1b" not in result.output
    assert type(node.asked[-1]) is kind


@pytest.mark.parametrize(("command", "kind", "shown"), ASKS, ids=IDS)
def test_what_programs_read(place: Home, command: str, kind: type[Request], shown: tuple[str, ...]) -> None:
    with beside(place, whole_node()):
        result = place.run(*command.split(), "--json")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.count("\n") == 1
    reply = CALLS[kind][1]
    assert json.loads(result.stdout) == json.loads(msgspec.json.encode(reply))
    assert json.loads(result.stdout)["schema"].startswith("f2fbuild.")


@pytest.mark.parametrize("command", IDS)
def test_without_a_node(place: Home, command: str) -> None:
    with nobody_listening():
        human = place.run(*command.split())
        machine = place.run(*command.split(), "--json")
        codes = human.exit_code, machine.exit_code
        texts = human.stdout, human.stderr, machine.stdout
        del human, machine
    assert codes == (6, 6)
    assert texts[0] == ""
    assert "The node is not running." in texts[1]
    assert "f2fbuild node run" in texts[1]
    (error,) = records(texts[2])
    assert (error["schema"], error["error"]) == ("f2fbuild.error/1", "NodeNotRunningError")


@pytest.mark.parametrize(
    ("alias", "command"),
    [
        (f"watch-task {SHORT}", f"watch {SHORT}"),
        (f"watch-logs {SHORT}", f"logs {SHORT}"),
        (f"cancel-task {SHORT}", f"cancel {SHORT}"),
        ("list-builds", "job list"),
    ],
)
def test_spellings_of_koji_and_copr(place: Home, alias: str, command: str) -> None:
    with beside(place, whole_node()) as node:
        ours, theirs = place.run(*command.split()), place.run(*alias.split())
    assert theirs.exit_code == ours.exit_code == 0
    assert theirs.output == ours.output
    assert node.asked[0] == node.asked[1]


def test_download(place: Home, tmp_path: Path) -> None:
    with beside(place, whole_node()) as node:
        for name in ("download", "download-build"):
            result = place.run(name, SHORT, "-o", str(tmp_path / "new" / "er"), "--builder", "bob", "--logs")
            assert (result.exit_code, result.stdout) == (0, "/d/hello.deb\n")
    wanted = requests.Download(job=SHORT, directory=str(tmp_path / "new" / "er"), peer="bob", logs=True)
    assert node.asked == [wanted, wanted]
    assert (tmp_path / "new" / "er").is_dir()


def test_what_is_ordered(place: Home, tmp_path: Path) -> None:
    source = tmp_path / "hello.dsc"
    source.touch()
    options = ["--class", "release", "--builders", "3", "--agree", "2", "--deadline", "60", "--nowait"]
    with beside(place, whole_node()) as node:
        result = place.run("build", "bookworm", str(source), *options)
        background = place.run("build", "bookworm", str(source), "--json")
    assert (result.exit_code, background.exit_code) == (0, 0)
    assert result.stdout == (
        f"hello_2.10-3  ->  bookworm  amd64      want 2 builders, 2 must agree\njob {SHORT}\n"
    )
    assert f"continue with: f2fbuild watch {SHORT}" in result.stderr
    assert [record["schema"] for record in records(background.stdout)] == ["f2fbuild.job/1"]
    assert node.asked[0] == requests.Submit(
        target="bookworm",
        source=str(source),
        job_class=JobClass.RELEASE,
        builders=3,
        agree=2,
        deadline_minutes=60,
    )


def test_who_waits_for_a_build_gets_its_end(place: Home, tmp_path: Path) -> None:
    source = tmp_path / "hello.dsc"
    source.touch()
    end = job(verdict=verdict(VerdictKind.DIVERGED), exit_code=10)
    with beside(place, whole_node(streams={requests.WatchJob: (end,)})) as node:
        result = place.run("build", "bookworm", str(source), "--wait", "--json")
    assert result.exit_code == 10
    assert [record["exit_code"] for record in records(result.stdout)] == [None, 10]
    assert node.asked[1] == requests.WatchJob(job=SHORT)


def test_a_card_in_a_file(place: Home, tmp_path: Path) -> None:
    card = tmp_path / "me.f2fcard"
    with beside(place, whole_node()):
        result = place.run("identity", "card", "--output", str(card))
        nowhere = place.run("identity", "card", "--output", str(tmp_path / "no" / "card"))
    assert (result.exit_code, result.stdout) == (0, "")
    assert card.read_bytes() == b"f2fbuild friend card v1\n"
    assert "Next: f2fbuild peer add me.f2fcard" in result.stderr
    assert nowhere.exit_code == 1
    assert f"{tmp_path / 'no' / 'card'}: No such file or directory" in nowhere.stderr


def test_peer_add(place: Home, tmp_path: Path) -> None:
    card = tmp_path / "bob.f2fcard"
    card.write_text("card é", encoding="utf-8")
    with beside(place, whole_node()) as node:
        result = place.run("peer", "add", str(card), "--allow", "build, ledger", "--yes", "--no-certify")
    assert result.exit_code == 0
    assert "Next: f2fbuild trust explain bob" in result.stderr
    planned, done = node.asked
    wanted = requests.AddPeer(card="card é", rights=("build", "ledger"), certify=False)
    assert (planned, done) == (msgspec.structs.replace(wanted, dry_run=True), wanted)


@pytest.mark.parametrize("command", ["peer add FILE", "target add FILE"])
def test_files_that_are_no_text(place: Home, tmp_path: Path, command: str) -> None:
    file = tmp_path / "file"
    large = tmp_path / "large"
    file.write_bytes(b"\xff\xfe")
    large.write_bytes(b"x" * (4 * 1024 * 1024 + 1))
    with beside(place, whole_node()) as node:
        binary = place.run(*command.replace("FILE", str(file)).split(), "--yes")
        huge = place.run(*command.replace("FILE", str(large)).split(), "--yes")
        missing = place.run(*command.replace("FILE", str(tmp_path / "no")).split(), "--yes")
    assert (binary.exit_code, huge.exit_code, missing.exit_code) == (2, 2, 2)
    assert f"{file}: is not a text in UTF-8" in binary.stderr
    assert "larger than" in huge.stderr
    assert node.asked == []


ASKING = {
    "peer remove bob": requests.RemovePeer,
    "peer add FILE": requests.AddPeer,
    "target add FILE": requests.AddTarget,
}


@pytest.mark.parametrize(("command", "kind"), ASKING.items())
def test_what_changes_trust_needs_yes(place: Home, tmp_path: Path, command: str, kind: type[Request]) -> None:
    file = tmp_path / "[red]file"
    file.write_text("text")
    arguments = [part.replace("FILE", str(file)) for part in command.split()]
    with beside(place, whole_node()) as node:
        unasked = place.run(*arguments)
        typed = place.run(*arguments, typed="y\n")
        dry = place.run(*arguments, "--dry-run")
        dry_anyway = place.run(*arguments, "--dry-run", "--yes")
        assert not any(type(asked) is kind and not getattr(asked, "dry_run", False) for asked in node.asked)
        done = place.run(*arguments, "--yes")
    assert type(node.asked[-1]) is kind
    assert (unasked.exit_code, typed.exit_code) == (2, 2)
    assert "give --yes, or look with --dry-run" in unasked.stderr
    assert (dry.exit_code, dry.stdout, dry_anyway.exit_code, done.exit_code) == (0, "", 0, 0)
    assert "?" in dry.stderr
    assert str(file) in dry.stderr or "FILE" not in command or "peer" in command


def test_who_may_do_nothing_is_refused(place: Home) -> None:
    answers = tuple(msgspec.structs.replace(answer, allowed=False) for answer in TRUST.answers)
    trust = msgspec.structs.replace(TRUST, answers=answers)
    with beside(place, whole_node(calls={requests.ExplainTrust: trust})):
        for options in ([], ["--json"]):
            assert place.run("trust", "explain", "bob", *options).exit_code == 7


def test_doctor_names_what_does_not_hold(place: Home) -> None:
    held = replies.Protections(
        protections=(replies.Protection(name="build", holds=True, by="uid 1000 of this host", hint=""),)
    )
    with beside(place, whole_node()):
        failing, machine = place.run("doctor"), place.run("doctor", "--json")
    with beside(place, whole_node(calls={requests.GetProtections: held})):
        holding = place.run("doctor")
    assert (failing.exit_code, machine.exit_code, holding.exit_code) == (1, 1, 0)
    assert "holds  build" in failing.stdout
    assert "FAILS  install" in failing.stdout
    assert "see subuid(5)" in failing.stderr
    assert json.loads(machine.stdout)["schema"] == "f2fbuild.protections/1"


def test_what_the_node_refuses(place: Home) -> None:
    refusal = RefusedError("rule 5 says no", where="bob", hint="ask bob")
    with beside(place, whole_node(calls={requests.GetPeer: refusal})):
        human, machine = place.run("peer", "show", "bob"), place.run("peer", "show", "bob", "--json")
    assert (human.exit_code, machine.exit_code) == (7, 7)
    lines = ["Refused by trust, policy or key.", "  bob: rule 5 says no", "  ask bob"]
    assert human.stderr.splitlines() == lines
    (record,) = records(machine.stdout)
    assert record == {
        "schema": "f2fbuild.error/1",
        "error": "RefusedError",
        "exit_code": 7,
        "what": "rule 5 says no",
        "where": "bob",
        "hint": "ask bob",
    }


def test_ids_of_divergences_are_the_ones_that_are_taken(place: Home) -> None:
    with beside(place, whole_node()):
        listed = place.run("divergence", "list").stdout.split()[0]
    assert listed == SHORT == job().short


def test_forked_friends_and_claimed_products_stand_out(place: Home) -> None:
    claimed = tuple(msgspec.structs.replace(p, verified=False) for p in assignment("bob", BOB).products)
    found = job(assignments=(assignment("bob", BOB, products=claimed),))
    calls: dict[type[Request], replies.Reply] = {
        requests.GetPeer: peer(frozen=True),
        requests.GetJob: found,
    }
    with beside(place, whole_node(calls=calls)):
        assert "FORKED" in place.run("peer", "show", "bob").stdout
        assert "claimed  hello.deb" in place.run("job", "show", SHORT).stdout


def test_streams_as_ndjson(place: Home) -> None:
    with beside(place, whole_node()):
        watched = place.run("watch", SHORT, "--json")
        logged = place.run("logs", SHORT, "--follow", "--json")
    for result, kind in ((watched, requests.WatchJob), (logged, requests.ReadLog)):
        expected = [json.loads(msgspec.json.encode(reply)) for reply in STREAMS[kind][1]]
        assert records(result.stdout) == expected
        assert result.exit_code == 0
