"""`f2fbuild ledger`: real logs on disk, read beside their writers and without any node."""

import base64
import json
import subprocess  # noqa: TID251 - gpg is run as an auditor runs it
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from f2fbuild.api import ledger_replies, replies, requests
from f2fbuild.ledger import entry, evidence, reading
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.proof import format_proof, parse_proof, verify_proof
from f2fbuild.model.digest import short_id
from f2fbuild.model.outcome import ClosingReason
from f2fbuild.model.times import format_time
from f2fbuild.model.vkey import VerifierKey, format_vkey
from tests.api.api_node import SmallNode, nobody_listening
from tests.api.api_samples import peer
from tests.cli.cli_runs import Home, beside, clean_environment, home, records, whole_node
from tests.ledger.ledger_helpers import (
    ALICE,
    BOB,
    SOME,
    NodeKeys,
    acceptance,
    commitment,
    failure,
    outcome,
    product,
)

HOSTILE = entry.Unknown(payload_type="application/x-\x1b[2J[bold]", payload=b"\x1b]0;evil\x07\xff")


@pytest.fixture
def place() -> Iterator[Home]:
    with home() as found:
        yield found


def history(node: NodeKeys, result: bytes = b"product") -> list[entry.Payload]:
    return [
        node.certificate(),
        entry.Order(commit=SOME),
        acceptance(),
        commitment(node, acceptance(), 2, product(result)),
        outcome(node.origin, product(result), 2),
        acceptance(),
        entry.Closing(acceptance=5, reason=ClosingReason.INFRA),
        acceptance(),
        commitment(node, acceptance(), 7, failure()),
        outcome(node.origin, failure(), 7),
        acceptance(),
        HOSTILE,
    ]


def write(directory: Path, node: NodeKeys, entries: list[bytes]) -> Path:
    directory.parent.mkdir(parents=True, exist_ok=True)
    with Log.create(directory, node.log) as log:
        log.append(entries)
    return directory


@pytest.fixture
def kept(place: Home) -> tuple[str, ...]:
    """Alice's log, as the last arguments of a command."""
    directory = write(place.directory / "alice", ALICE, ALICE.write(*history(ALICE)))
    return str(directory), "--vkey", format_vkey(ALICE.vkey)


def at(kept: tuple[str, ...]) -> tuple[str, ...]:
    return ("--log", *kept)


def test_log(place: Home, kept: tuple[str, ...]) -> None:
    result = place.run("ledger", "log", *kept)
    assert result.exit_code == 0
    lines = [line.split(maxsplit=2) for line in result.stdout.splitlines()]
    sealed = [one.digest[:16] for one in history(ALICE) if isinstance(one, entry.Commitment)]
    until = f"job {short_id(SOME)}, until {format_time(1_200_000)}"
    assert lines == [
        ["0", "node-certificate", f"owner {'A' * 40}, node büro, epoch 0"],
        ["1", "order", f"sealed {SOME[:16]}"],
        ["2", "acceptance", until],
        ["3", "commitment", f"of acceptance 2, sealed {sealed[0]}"],
        ["4", "outcome", "succeeded: hello.rpm"],
        ["5", "acceptance", until],
        ["6", "closing", "of acceptance 5: infra"],
        ["7", "acceptance", until],
        ["8", "commitment", f"of acceptance 7, sealed {sealed[1]}"],
        ["9", "outcome", "failed: hello.src.rpm"],
        ["10", "acceptance", until],
        ["11", "unknown", "application/x-\ufffd[2J[bold]"],
    ]
    later = records(place.run("ledger", "log", *kept, "--start", "10", "--json").stdout)
    assert [(line["schema"], line["index"], line["kind"], line["problem"]) for line in later] == [
        ("f2fbuild.ledger-line/1", 10, "acceptance", ""),
        ("f2fbuild.ledger-line/1", 11, "unknown", ""),
    ]


def test_log_of_many_bundles(place: Home) -> None:
    payloads: list[entry.Payload] = [
        ALICE.certificate(),
        *[entry.Order(commit=f"{n:064x}") for n in range(600)],
    ]
    directory = write(place.directory / "long", ALICE, ALICE.write(*payloads))
    where = (str(directory), "--vkey", format_vkey(ALICE.vkey), "--json")
    assert [line["index"] for line in records(place.run("ledger", "log", *where).stdout)] == [*range(601)]
    assert [
        line["index"] for line in records(place.run("ledger", "log", *where, "--start", "511").stdout)
    ] == [*range(511, 601)]
    assert place.run("ledger", "log", *where, "--start", "601").stdout == ""


def test_an_entry_that_its_node_did_not_sign(place: Home) -> None:
    entries = [
        *ALICE.write(ALICE.certificate()),
        *BOB.write(acceptance()),
        b"nothing",
        *ALICE.write(acceptance()),
    ]
    directory = write(place.directory / "log", ALICE, entries)
    where = (str(directory), "--vkey", format_vkey(ALICE.vkey))
    listed = place.run("ledger", "log", *where)
    assert listed.exit_code == 11
    assert ["UNREADABLE" in line for line in listed.stdout.splitlines()] == [False, True, True, False]
    assert "2 entries cannot be read" in listed.stderr
    machine = place.run("ledger", "log", *where, "--json")
    assert [bool(line.get("problem")) for line in records(machine.stdout)] == [
        False,
        True,
        True,
        False,
        False,
    ]
    assert place.run("ledger", "show", "1", *at(where)).exit_code == 11
    assert place.run("ledger", "show", "3", *at(where)).exit_code == 0


@pytest.mark.parametrize(
    "entries",
    [
        BOB.write(BOB.certificate()),
        BOB.write(ALICE.certificate()),
        ALICE.write(BOB.certificate()),
        ALICE.write(acceptance()),
        [b"nothing"],
    ],
    ids=["another node's", "stolen", "of another log", "no certificate", "no envelope"],
)
def test_a_log_that_no_certificate_binds(place: Home, entries: list[bytes]) -> None:
    directory = write(place.directory / "log", ALICE, entries)
    for command in (["log"], ["show", "0", "--log"]):
        result = place.run("ledger", *command, str(directory), "--vkey", format_vkey(ALICE.vkey))
        assert result.exit_code == 11
        assert "entry 0" in result.stderr


def test_show(place: Home, kept: tuple[str, ...]) -> None:
    result = place.run("ledger", "show", "6", *at(kept))
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"entry     6  of  {ALICE.origin}",
        "kind      closing  of acceptance 5: infra",
        f"signed    by {ALICE.statements.public.hex()}",
        "payload   application/vnd.f2fbuild.closing+json, 33 bytes",
        '{"acceptance":5,"reason":"infra"}',
    ]
    hostile = place.run("ledger", "show", "11", *at(kept))
    assert hostile.stdout.endswith("\ufffd]0;evil\ufffd\ufffd\n")
    assert "\x1b" not in hostile.stdout
    (record,) = records(place.run("ledger", "show", "11", *at(kept), "--json").stdout)
    assert record["schema"] == "f2fbuild.ledger-entry/1"
    assert base64.b64decode(record["payload"]) == HOSTILE.payload
    assert base64.b64decode(record["entry"]) == ALICE.write(HOSTILE)[0]
    assert record["payload_type"] == HOSTILE.payload_type


def test_a_payload_goes_as_it_was_signed(place: Home, kept: tuple[str, ...]) -> None:
    result = place.run("ledger", "show", "11", *at(kept), "--payload")
    assert result.stdout_bytes == HOSTILE.payload
    result = place.run("ledger", "show", "0", *at(kept), "--payload")
    assert result.stdout_bytes == ALICE.certificate().text


def test_proof(place: Home, kept: tuple[str, ...]) -> None:
    for index, data in enumerate(ALICE.write(*history(ALICE))):
        result = place.run("ledger", "proof", "write", str(index), *at(kept))
        assert result.exit_code == 0
        checkpoint = verify_proof(parse_proof(result.stdout_bytes), data, ALICE.vkey)
        assert checkpoint.size == len(history(ALICE))
    (record,) = records(place.run("ledger", "proof", "write", "3", *at(kept), "--json").stdout)
    assert parse_proof(record["proof"].encode()).index == record["index"] == 3


def test_checkpoint(place: Home, kept: tuple[str, ...]) -> None:
    note = (Path(kept[0]) / "checkpoint").read_bytes()
    assert place.run("ledger", "checkpoint", *kept).stdout_bytes == note
    (record,) = records(place.run("ledger", "checkpoint", *kept, "--json").stdout)
    assert (record["size"], record["note"].encode()) == (len(history(ALICE)), note)


@pytest.mark.parametrize("command", [["show"], ["proof", "write"]])
def test_no_such_entry(place: Home, kept: tuple[str, ...], command: list[str]) -> None:
    result = place.run("ledger", *command, "12", *at(kept))
    assert result.exit_code == 2
    assert "no entry 12 in a log of 12" in result.stderr


@pytest.mark.parametrize(
    "command", [["log"], ["checkpoint"], ["verify"], ["show", "0", "--log"], ["proof", "write", "0", "--log"]]
)
def test_another_key_and_no_log(place: Home, kept: tuple[str, ...], command: list[str]) -> None:
    other = place.run("ledger", *command, kept[0], "--vkey", format_vkey(BOB.vkey))
    nothing = place.run("ledger", *command, str(place.directory), "--vkey", kept[2])
    garbage = place.run("ledger", *command, kept[0], "--vkey", "garbage")
    assert (other.exit_code, nothing.exit_code) == (11, 11)
    assert garbage.exit_code != 0
    assert "no log here" in nothing.stdout + nothing.stderr


def test_a_vkey_needs_a_directory(place: Home) -> None:
    assert place.run("ledger", "log", "--vkey", format_vkey(ALICE.vkey)).exit_code == 2


def test_verify(place: Home, kept: tuple[str, ...]) -> None:
    result = place.run("ledger", "verify", *kept)
    assert result.exit_code == 0
    assert result.stdout.startswith("ok  ")
    assert "12 entries  acceptance 4, closing 1, commitment 2, node-certificate 1" in result.stdout
    assert "1 acceptances are open" in result.stdout
    (record,) = records(place.run("ledger", "verify", *kept, "--json").stdout)
    assert (record["schema"], record["size"], record["open"]) == ("f2fbuild.ledger-report/1", 12, [10])
    assert record["problems"] == []


def test_verify_finds_every_damaged_file(place: Home, kept: tuple[str, ...]) -> None:
    directory = Path(kept[0])
    for file in [path for path in directory.rglob("*") if path.is_file()]:
        whole = file.read_bytes()
        file.write_bytes(whole[:-2] + bytes([whole[-2] ^ 1]) + whole[-1:])
        result = place.run("ledger", "verify", *kept)
        machine = place.run("ledger", "verify", *kept, "--json")
        file.write_bytes(whole)
        assert (result.exit_code, machine.exit_code) == (11, 11), file
        assert "VIOLATED" in result.stdout
        assert records(machine.stdout)[0]["problems"]
    assert place.run("ledger", "verify", *kept).exit_code == 0


def test_beside_a_writer(place: Home, kept: tuple[str, ...]) -> None:
    with Log.open(Path(kept[0]), ALICE.log) as log:
        for command in (
            ["log"],
            ["checkpoint"],
            ["verify"],
            ["proof", "write", "3", "--log"],
            ["show", "3", "--log"],
        ):
            assert place.run("ledger", *command, *kept).exit_code == 0
            log.append(ALICE.write(acceptance()))


def log_view(node: NodeKeys, name: str, directory: Path, *, frozen: bool = False) -> ledger_replies.Log:
    return ledger_replies.Log(
        origin=node.origin,
        owner=name.upper() * 8,
        node=name,
        vkey=format_vkey(node.vkey),
        statement_key=node.statements.public.hex(),
        path=str(directory),
        size=0,
        frozen=frozen,
    )


def with_logs(*logs: ledger_replies.Log) -> dict[type[requests.Request], replies.Reply]:
    friend = peer(alias="robert", node="elm", origin=BOB.origin)
    nothing = ledger_replies.Witnessing(
        origin=BOB.origin, note="", keys=("", ""), cosigned=(), given=(), problems=()
    )
    return {
        requests.GetWitnessing: nothing,
        requests.ListLogs: ledger_replies.Logs(logs=logs, findings=()),
        requests.ListPeers: replies.Peers(peers=(friend,), refused=()),
    }


def test_logs_by_their_names(place: Home) -> None:
    alice = write(place.directory / "a", ALICE, ALICE.write(*history(ALICE)))
    bob = write(place.directory / "b", BOB, BOB.write(*history(BOB)))
    views = log_view(ALICE, "oak", alice), log_view(BOB, "elm", bob)
    digits = BOB.origin.rpartition("/")[2]
    with beside(place, whole_node(calls=with_logs(*views))):
        for name in ("robert", "robert@elm", "elm", "ELM" * 8, BOB.origin, digits[:10]):
            found = place.run("ledger", "checkpoint", name)
            assert (found.exit_code, found.stdout_bytes) == (0, (bob / "checkpoint").read_bytes()), name
        ambiguous = place.run("ledger", "checkpoint", "f2fbuild.invalid/log/")
        unknown = place.run("ledger", "show", "0", "--log", "robbert")
        nobody = place.run("ledger", "log", "xyzzyx")
        everything = place.run("ledger", "verify")
        (bob / "checkpoint").write_bytes(b"nothing")
        violated = place.run("ledger", "verify", "--json")
    assert (ambiguous.exit_code, unknown.exit_code, nobody.exit_code) == (2, 2, 2)
    assert "2 logs are called so" in ambiguous.stderr
    assert "did you mean robert?" in unknown.stderr
    assert "did you mean" not in nobody.stderr
    assert everything.exit_code == 0
    assert [line.split()[:2] for line in everything.stdout.splitlines() if line.startswith("ok")] == [
        ["ok", "oak"],
        ["ok", "robert@elm"],
    ]
    assert violated.exit_code == 11
    assert [bool(report["problems"]) for report in records(violated.stdout)] == [False, True]


def test_a_friend_of_whom_nothing_came_yet_and_one_who_forked(place: Home) -> None:
    alice = write(place.directory / "a", ALICE, ALICE.write(*history(ALICE)))
    empty = place.directory / "b"
    empty.mkdir()
    (empty / "checkpoint").touch()
    views = log_view(ALICE, "oak", alice, frozen=True), log_view(BOB, "elm", empty)
    with beside(place, whole_node(calls=with_logs(*views))):
        checked = place.run("ledger", "verify", "--json")
        listed = place.run("ledger", "log", "robert")
        shown = place.run("ledger", "show", "0", "--log", "robert")
    forked, nothing = records(checked.stdout)
    assert checked.exit_code == 11
    assert "two histories" in forked["problems"][0]["what"]
    assert (nothing["size"], nothing["problems"]) == (0, [])
    assert (listed.exit_code, listed.stdout, shown.exit_code) == (0, "", 2)


def brought(node: SmallNode) -> list[str]:
    """Which logs a node was asked to bring."""
    return [request.log for request in node.asked if isinstance(request, requests.ReadStrangersLog)]


def test_a_log_of_no_friend_is_brought_by_the_start_of_its_origin(place: Home) -> None:
    alice = write(place.directory / "a", ALICE, ALICE.write(*history(ALICE)))
    bob = write(place.directory / "b", BOB, BOB.write(*history(BOB)))
    own, strangers = log_view(ALICE, "oak", alice), log_view(BOB, "elm", bob)
    strangers = msgspec.structs.replace(strangers, followed=False)
    bring = {requests.ReadStrangersLog: ledger_replies.StrangersLog(log=strangers, giver="")}
    digits = BOB.origin.rpartition("/")[2]
    with beside(place, whole_node(calls={**with_logs(own), **bring})) as node:
        for name in (BOB.origin, digits, digits[:8]):
            shown = place.run("ledger", "show", "3", "--log", name, "--entry")
            assert (shown.exit_code, shown.stdout_bytes) == (0, BOB.write(*history(BOB))[3]), name
        for name in (digits[:7], digits.upper(), f"{digits}0"):
            assert place.run("ledger", "log", name).exit_code != 0, name
        assert place.run("ledger", "log", ALICE.origin).exit_code == 0
    assert brought(node) == [BOB.origin, digits, digits[:8]]
    # One that was brought before has names too, and is brought to its newest head by them.
    with beside(place, whole_node(calls={**with_logs(own, strangers), **bring})) as node:
        for command in (("log", "elm"), ("verify", "ELM" * 8), ("proof", "write", "3", "--log", digits[:8])):
            assert place.run("ledger", *command).exit_code == 0
        everything = place.run("ledger", "verify")
    assert brought(node) == [BOB.origin] * 3
    assert [line.split()[1] for line in everything.stdout.splitlines() if line.startswith("ok")] == [
        "oak",
        "robert@elm",
    ]


def test_the_log_of_a_friends_node_comes_before_those_it_had(place: Home) -> None:
    older = write(place.directory / "a", ALICE, ALICE.write(*history(ALICE)))
    newer = write(place.directory / "b", BOB, BOB.write(*history(BOB)))
    before = msgspec.structs.replace(log_view(ALICE, "elm", older), followed=False)
    with beside(place, whole_node(calls=with_logs(before, log_view(BOB, "elm", newer)))):
        for name in ("elm", "ELM" * 8):
            found = place.run("ledger", "checkpoint", name)
            assert (found.exit_code, found.stdout_bytes) == (0, (newer / "checkpoint").read_bytes())


def equivocation() -> bytes:
    entries = ALICE.write(*history(ALICE))
    return evidence.format_equivocation(
        format_vkey(ALICE.vkey), ALICE.head(entries), ALICE.head([*entries[:-1], b"other"])
    )


def divergence(place: Home, *results: bytes) -> bytes:
    sides = []
    for number, (node, result) in enumerate(zip((ALICE, BOB), results, strict=True)):
        entries = node.write(*history(node, result))
        directory = write(place.directory / f"side{number}", node, entries)
        with Log.open(directory, node.log) as log:
            certificate, build = (format_proof(log.inclusion(index)) for index in (0, 4))
        sides.append(
            evidence.Side(
                log=format_vkey(node.vkey),
                certificate=entries[0],
                certificate_proof=certificate,
                outcome=entries[4],
                outcome_proof=build,
            )
        )
    return evidence.format_divergence((sides[0], sides[1]))


def test_evidence(place: Home) -> None:
    file = place.directory / "evidence"
    file.write_bytes(equivocation())
    forked = place.run("ledger", "evidence", "check", str(file))
    (record,) = records(place.run("ledger", "evidence", "check", str(file), "--json").stdout)
    assert forked.exit_code == 0
    assert f"the log {ALICE.origin} signed two heads that cannot both be true" in forked.stdout
    assert (record["schema"], record["kind"]) == ("f2fbuild.evidence-proved/1", "equivocation")
    assert (record["against"], record["origins"]) == (ALICE.origin, [ALICE.origin])
    assert f"against {ALICE.origin}" in forked.stdout
    assert all(fact.startswith("size 12  root ") for fact in record["facts"])
    file.write_bytes(divergence(place, b"one", b"two"))
    differs = place.run("ledger", "evidence", "check", str(file))
    (record,) = records(place.run("ledger", "evidence", "check", str(file), "--json").stdout)
    assert differs.exit_code == 0
    assert (record["kind"], record["against"]) == ("divergent-results", "")
    assert record["origins"] == [ALICE.origin, BOB.origin]
    assert "against nobody by itself" in differs.stdout
    assert len(set(record["facts"])) == 2
    assert all(fact in differs.stdout for fact in record["facts"])


def test_evidence_that_proves_nothing(place: Home) -> None:
    file = place.directory / "evidence"
    whole = equivocation()
    head = ALICE.head(ALICE.write(acceptance()))
    same = evidence.format_equivocation(format_vkey(ALICE.vkey), head, head)
    for data, code in (
        (same, 11),
        (divergence(place, b"one", b"one"), 11),
        (whole[:-10], 11),
        (whole.replace(b"-----BEGIN OLD-----\n", b"-----BEGIN OLD-----\nAAAA"), 11),
        (b"", 11),
    ):
        file.write_bytes(data)
        result = place.run("ledger", "evidence", "check", str(file))
        assert (result.exit_code, result.stdout) == (code, "")
        (record,) = records(place.run("ledger", "evidence", "check", str(file), "--json").stdout)
        assert record["schema"] == "f2fbuild.error/1"


def test_evidence_is_bounded(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("f2fbuild.limits.EVIDENCE_BYTES", 100)
    file = place.directory / "evidence"
    file.write_bytes(b"x" * 101)
    assert place.run("ledger", "evidence", "check", str(file)).exit_code == 2


@pytest.fixture(scope="module")
def initialised() -> Iterator[Home]:
    """A node as `init` makes it, with a real OpenPGP key; it does not run."""
    with home() as found:
        gnupg = found.directory / "gnupg"
        gnupg.mkdir(mode=0o700)
        try:
            process = found.start(
                "init", "--new-key", "Ann <ann@example.org>", "--unprotected", "--name", "oak", "--json"
            )
            output, errors = process.communicate(timeout=240)
            assert process.returncode == 0, errors
            assert json.loads(output)["schema"] == "f2fbuild.init/1"
            yield found
        finally:
            subprocess.run(["gpgconf", "--homedir", str(gnupg), "--kill", "all"], check=False)


def test_an_audit_begins_with_gpg(initialised: Home, tmp_path: Path) -> None:
    result = initialised.run("ledger", "show", "0", "--payload", "--split", str(tmp_path / "audit"))
    assert result.exit_code == 0, result.output
    text, signature = (Path(line) for line in result.stdout.splitlines())
    assert (text.name, signature.name) == ("certificate.txt", "certificate.txt.asc")
    gpg = ["gpg", "--homedir", str(initialised.directory / "gnupg"), "--verify", str(signature), str(text)]
    good = subprocess.run(gpg, capture_output=True, text=True, check=False)
    assert good.returncode == 0
    assert "Good signature" in good.stderr
    assert result.stderr == f"Next: gpg --verify {signature} {text}\n"
    payload = initialised.run("ledger", "show", "0", "--payload").stdout_bytes
    assert payload.startswith(text.read_bytes() + b"\nproof ")
    assert payload.endswith(signature.read_bytes())
    text.write_bytes(text.read_bytes().replace(b"node oak", b"node elm"))
    assert subprocess.run(gpg, capture_output=True, check=False).returncode == 1


def test_split_here_and_never_over_files(initialised: Home, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "f2fbuild", "ledger", "show", "0", "--split", "--json"]
    environment = clean_environment() | initialised.environment
    runs = [
        subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        for _ in range(2)
    ]
    assert [run.returncode for run in runs] == [0, 1]
    assert json.loads(runs[0].stdout) == {
        "schema": "f2fbuild.ledger-split/1",
        "text": "certificate.txt",
        "signature": "certificate.txt.asc",
    }
    assert json.loads(runs[1].stdout)["what"] == "File exists"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["certificate.txt", "certificate.txt.asc"]


def test_only_certificates_are_split(place: Home, kept: tuple[str, ...]) -> None:
    target = place.directory / "split"
    assert place.run("ledger", "show", "1", *at(kept), "--split", str(target)).exit_code == 2
    # The helper's certificate has no signature: a text that is not a whole file.
    assert place.run("ledger", "show", "0", *at(kept), "--split", str(target)).exit_code == 1
    assert not target.exists() or not list(target.iterdir())


def test_the_own_log_without_a_node(initialised: Home) -> None:
    listed = initialised.run("ledger", "log")
    with nobody_listening():
        checked = initialised.run("ledger", "verify")
    proof = initialised.run("ledger", "proof", "write", "0")
    assert (listed.exit_code, checked.exit_code, proof.exit_code) == (0, 0, 0)
    assert "node oak, epoch 0" in listed.stdout
    assert checked.stdout.startswith("ok  own  1 entries  node-certificate 1\n")
    assert "the node is not running: only its own log is checked" in checked.stderr
    certificate = (initialised.log.parent / "certificate").read_bytes()
    keys = entry.certificate_keys(entry.NodeCertificate(text=certificate))
    verified = initialised.run("ledger", "verify", str(initialised.log), "--vkey", keys.log)
    assert verified.exit_code == 0
    assert keys.log.partition("+")[0] in verified.stdout


def test_nothing_is_here(place: Home) -> None:
    for command in (["log"], ["verify"], ["show", "0"], ["checkpoint"]):
        with nobody_listening():
            result = place.run("ledger", *command)
            code, said = result.exit_code, result.stderr
            del result
        assert code == 3
        assert "f2fbuild init" in said


def test_a_head_that_moves_under_a_reader(
    place: Home, kept: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    heads: list[int] = []

    def read_then_move(directory: Path, key: VerifierKey) -> reading.Head:
        head = read_head(directory, key)
        if not heads:
            # The narrower partial files go away between the head and the files that it speaks of.
            log.append(ALICE.write(acceptance()))
            log.publish()
        heads.append(head.checkpoint.size)
        return head

    read_head = reading.read_head
    monkeypatch.setattr(reading, "read_head", read_then_move)
    with Log.open(Path(kept[0]), ALICE.log) as log:
        result = place.run("ledger", "proof", "write", "3", *at(kept))
    assert result.exit_code == 0
    assert parse_proof(result.stdout_bytes).checkpoint == (Path(kept[0]) / "checkpoint").read_bytes()
    assert heads == [12, 13, 13]


def test_a_damaged_file_is_no_moving_head(place: Home, kept: tuple[str, ...]) -> None:
    for bundle in (Path(kept[0]) / "tile" / "entries").rglob("*"):
        if bundle.is_file():
            bundle.write_bytes(bundle.read_bytes()[:-1])
    for command in (["log"], ["show", "3", "--log"], ["proof", "write", "3", "--log"]):
        result = place.run("ledger", *command, *kept)
        assert result.exit_code == 1
        assert "damaged" in result.stderr
