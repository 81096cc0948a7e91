"""`f2fbuild ledger export`, `import`, `proof` and the searches of `log`, on real logs."""

import csv
import hashlib
import io
import json
import sqlite3
import tarfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from f2fbuild.api import ledger_replies, replies, requests
from f2fbuild.ledger import entry
from f2fbuild.ledger.cosigned import write_cosigned
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.proof import parse_proof
from f2fbuild.model.outcome import ClosingReason, Product, Succeeded
from f2fbuild.model.vkey import format_vkey
from tests.api.api_node import nobody_listening
from tests.api.api_samples import peer
from tests.cli.cli_runs import Home, beside, home, records, whole_node
from tests.ledger.ledger_helpers import (
    ALICE,
    BOB,
    DEFINITION,
    SOME,
    NodeKeys,
    acceptance,
    commitment,
    failure,
    outcome,
    product,
)


@pytest.fixture
def place() -> Iterator[Home]:
    with home() as found:
        yield found


def history(node: NodeKeys, result: bytes) -> list[entry.Payload]:
    return [
        node.certificate(),
        acceptance(),
        commitment(node, acceptance(), 1, product(result)),
        outcome(node.origin, product(result), 1),
        acceptance(),
        entry.Closing(acceptance=4, reason=ClosingReason.INFRA),
        acceptance(),
        commitment(node, acceptance(), 6, failure()),
        outcome(node.origin, failure(), 6),
        acceptance(),
        entry.Unknown(payload_type="application/octet-stream", payload=b"\xff\x00"),
        entry.Unknown(payload_type="text/plain", payload=b"words"),
    ]


SEALED = commitment(ALICE, acceptance(), 6, failure()).digest


def write(directory: Path, node: NodeKeys, *more: bytes, result: bytes = b"product") -> Path:
    with Log.create(directory, node.log) as log:
        log.append([*node.write(*history(node, result)), *more])
    return directory


@pytest.fixture
def kept(place: Home) -> tuple[str, ...]:
    directory = write(place.directory / "alice", ALICE)
    return str(directory), "--vkey", format_vkey(ALICE.vkey)


def log_view(node: NodeKeys, name: str, directory: Path) -> ledger_replies.Log:
    return ledger_replies.Log(
        origin=node.origin,
        owner=name.upper() * 8,
        node=name,
        vkey=format_vkey(node.vkey),
        statement_key=node.statements.public.hex(),
        path=str(directory),
        size=0,
        frozen=False,
    )


@pytest.fixture
def two(place: Home) -> Iterator[Home]:
    """A user whose node keeps its own log, Alice's, and Bob's, who had another result."""
    views = (
        log_view(ALICE, "oak", write(place.directory / "alice", ALICE)),
        log_view(BOB, "elm", write(place.directory / "bob", BOB, result=b"other")),
    )
    calls = {
        requests.ListLogs: ledger_replies.Logs(logs=views, findings=()),
        requests.ListPeers: replies.Peers(
            peers=(peer(alias="robert", node="elm", origin=BOB.origin),), refused=()
        ),
    }
    with beside(place, whole_node(calls=calls)):
        yield place


def exported(place: Home, *arguments: str) -> bytes:
    result = place.run("ledger", "export", *arguments)
    assert result.exit_code == 0, result.output
    assert result.stdout_bytes == place.run("ledger", "export", *arguments).stdout_bytes
    return result.stdout_bytes


def test_json_lines(place: Home, kept: tuple[str, ...]) -> None:
    lines = [json.loads(line) for line in exported(place, *kept, "--format", "jsonl").splitlines()]
    data = ALICE.write(*history(ALICE, b"product"))
    assert [line["index"] for line in lines] == [*range(12)]
    assert {line["schema"] for line in lines} == {"f2fbuild.entry/1"}
    assert [line["leafHash"] for line in lines] == [hashlib.sha256(b"\0" + one).hexdigest() for one in data]
    assert lines[5]["payload"] == {"acceptance": 4, "reason": "infra"}
    assert lines[3]["payload"]["subject"][0]["name"] == "hello.rpm"
    assert lines[0]["payloadText"].startswith("f2fbuild node certificate v1\n")
    assert (lines[0]["owner"], lines[0]["node"]) == ("A" * 40, "büro")
    assert lines[10]["payloadBase64"] == "/wA="
    assert lines[11]["payloadText"] == "words"


def test_in_toto_envelopes_are_verbatim(place: Home, kept: tuple[str, ...]) -> None:
    lines = exported(place, *kept, "--format", "in-toto").splitlines()
    data = ALICE.write(*history(ALICE, b"product"))
    assert lines == [data[3], data[8]]


def test_a_table_of_outcomes(place: Home, kept: tuple[str, ...]) -> None:
    rows = list(csv.DictReader(io.StringIO(exported(place, *kept, "--format", "csv").decode())))
    assert [(row["index"], row["result"], row["name"], row["package"], row["stage"]) for row in rows] == [
        ("3", "succeeded", "hello.rpm", "hello.rpm", ""),
        ("8", "failed", "hello.src.rpm", "hello.src.rpm", "build"),
    ]
    assert rows[0]["sha256"] == hashlib.sha256(b"product").hexdigest()
    assert (rows[0]["size"], rows[1]["size"]) == ("7", "")
    assert {row["build_key"] for row in rows} == {DEFINITION.build_key}


def test_a_spreadsheet_runs_no_formula(place: Home) -> None:
    evil = Product(kind="file", name="=1+1", size=1, sha256=SOME, canonical=SOME)
    payloads: list[entry.Payload] = [
        ALICE.certificate(),
        acceptance(),
        outcome(ALICE.origin, Succeeded(products=(evil,)), 1),
    ]
    with Log.create(place.directory / "log", ALICE.log) as log:
        log.append(ALICE.write(*payloads))
    where = (str(place.directory / "log"), "--vkey", format_vkey(ALICE.vkey))
    (row,) = csv.DictReader(io.StringIO(exported(place, *where, "--format", "csv").decode()))
    assert (row["name"], row["package"]) == ("'=1+1", "'=1+1")


def test_a_database(two: Home) -> None:
    file = two.directory / "logs.sqlite"
    said = two.run("ledger", "export", "--all", "--format", "sqlite", "-o", str(file), "--json")
    assert said.exit_code == 0, said.output
    (record,) = records(said.stdout)
    assert (record["schema"], record["format"]) == ("f2fbuild.ledger-exported/1", "sqlite")
    assert record["logs"] == {ALICE.origin: 12, BOB.origin: 12}
    with sqlite3.connect(file) as database:

        def rows(sql: str) -> list[tuple[object, ...]]:
            return database.execute(sql).fetchall()

        assert rows("PRAGMA integrity_check") == [("ok",)]
        assert rows("PRAGMA foreign_key_check") == []
        assert rows("SELECT COUNT(*), MAX(size) FROM log") == [(2, 12)]
        assert rows("SELECT COUNT(*) FROM entry") == [(24,)]
        assert rows("SELECT kind, COUNT(*) FROM entry GROUP BY kind ORDER BY kind")[0] == ("acceptance", 8)
        assert rows("SELECT DISTINCT typeof(payload) FROM entry ORDER BY 1") == [("blob",), ("text",)]
        assert rows("SELECT DISTINCT ended, ended_by FROM acceptance ORDER BY idx") == [
            ("succeeded", 3),
            ("infra", 5),
            ("failed", 8),
            (None, None),
        ]
        assert rows("SELECT idx FROM owed") == [(9,), (9,)]
        assert rows("SELECT name, size FROM subject WHERE package = 'hello.rpm'") == [
            ("hello.rpm", 7),
            ("hello.rpm", 5),
        ]
        assert rows("SELECT DISTINCT name FROM source ORDER BY 1") == [
            ("environment.lock",),
            ("hello.src.rpm",),
        ]
        # Both nodes name one owner in this test's certificates, and that owner says two things.
        assert rows("SELECT owner, digest FROM vote") == [("A" * 40, "self-contradicting")]
        assert rows("SELECT * FROM agreement") == []
    database.close()
    again = two.directory / "again.sqlite"
    assert two.run("ledger", "export", "--all", "--format", "sqlite", "-o", str(again)).exit_code == 0
    assert again.read_bytes() == file.read_bytes()


def test_owners_in_a_database(place: Home) -> None:
    results = {1: b"one", 2: b"one", 3: b"two"}
    views = []
    for number, result in results.items():
        node = NodeKeys(number)
        certificate = entry.NodeCertificate(
            text=node.certificate().text.replace(b"A" * 40, f"{number:X}".encode() * 40)
        )
        payloads: list[entry.Payload] = [certificate, acceptance(), outcome(node.origin, product(result), 1)]
        with Log.create(place.directory / f"log{number}", node.log) as log:
            log.append(node.write(*payloads))
        views.append(log_view(node, f"n{number}", place.directory / f"log{number}"))
    calls = {
        requests.ListLogs: ledger_replies.Logs(logs=tuple(views), findings=()),
        requests.ListPeers: replies.Peers(peers=(), refused=()),
    }
    file = place.directory / "logs.sqlite"
    with beside(place, whole_node(calls=calls)):
        assert place.run("ledger", "export", "--all", "--format", "sqlite", "-o", str(file)).exit_code == 0
    with sqlite3.connect(file) as database:
        found = database.execute("SELECT owners, who FROM agreement ORDER BY owners").fetchall()
        assert found == [(1, "3" * 40), (2, " ".join(("1" * 40, "2" * 40)))]
        assert database.execute("SELECT results, owners FROM contradicted").fetchall() == [(2, 3)]
    database.close()


def test_several_logs_in_one_archive(two: Home) -> None:
    file = two.directory / "stick.tar"
    said = two.run("ledger", "export", "--all", "-o", str(file))
    assert (said.exit_code, said.stdout) == (0, f"{file}\n")
    assert f"{ALICE.origin}  12 entries" in said.stderr
    with tarfile.open(file) as archive:
        heads = [name for name in archive.getnames() if name.endswith("/checkpoint")]
    assert heads == sorted(f"{one.origin.rpartition('/')[2]}/checkpoint" for one in (ALICE, BOB))
    assert two.run("ledger", "export", "oak", "robert").stdout_bytes == file.read_bytes()
    only = two.run("ledger", "export", "robert", "--json", "-o", str(two.directory / "bob.tar"))
    assert records(only.stdout)[0]["logs"] == {BOB.origin: 12}


def test_nothing_is_written_over_and_nothing_left_behind(place: Home, kept: tuple[str, ...]) -> None:
    file = place.directory / "stick.tar"
    file.write_bytes(b"precious")
    for kind in ("tar", "jsonl", "sqlite"):
        said = place.run("ledger", "export", *kept, "--format", kind, "-o", str(file))
        assert (said.exit_code, file.read_bytes()) == (2, b"precious")
        assert "exists already" in said.stderr
    missing = place.run("ledger", "export", *kept, "-o", str(place.directory / "no" / "stick.tar"))
    assert missing.exit_code == 1
    assert place.run("ledger", "export", *kept, "--format", "sqlite").exit_code == 2
    other = place.run("ledger", "export", kept[0], "--vkey", format_vkey(BOB.vkey), "-o", str(file) + "2")
    assert other.exit_code == 11
    assert {path.name for path in place.directory.iterdir()} == {"alice", "stick.tar"}


@pytest.mark.parametrize("kind", ["jsonl", "csv", "in-toto", "sqlite"])
def test_an_entry_that_cannot_be_read_is_told(place: Home, kind: str) -> None:
    bad = BOB.write(acceptance())
    directory = write(place.directory / "log", ALICE, *bad, *ALICE.write(acceptance()))
    file = place.directory / "out"
    where = (str(directory), "--vkey", format_vkey(ALICE.vkey), "--format", kind, "-o", str(file))
    said = place.run("ledger", "export", *where)
    assert said.exit_code == 11
    assert "unreadable  entry 12" in said.stderr
    assert file.stat().st_size > 0


def test_import_says_what_became_of_each_log(place: Home) -> None:
    file = place.directory / "stick.tar"
    file.write_bytes(b"x")
    good = ledger_replies.ImportedLog(origin="o1", name="bob@elm", state="advanced", size=7, detail="")
    evil = ledger_replies.ImportedLog(origin="o2\x1b[2J", name="", state="forked", size=3, detail="forked")
    for logs, code in (((good,), 0), ((good, evil), 11)):
        calls = {requests.ImportLogs: ledger_replies.Imported(logs=logs)}
        with beside(place, whole_node(calls=calls)) as node:
            said = place.run("ledger", "import", str(file))
            machine = place.run("ledger", "import", str(file), "--json")
            asked = node.asked[0]
        assert (said.exit_code, machine.exit_code) == (code, code)
        assert asked == requests.ImportLogs(file=str(file))
        assert "advanced           7 entries  bob@elm" in said.stdout
        assert "\x1b" not in said.stdout
        assert records(machine.stdout)[0]["schema"] == "f2fbuild.imported/1"


def test_import_needs_the_node(place: Home, kept: tuple[str, ...]) -> None:
    with nobody_listening():
        code = place.run("ledger", "import", str(Path(kept[0]) / "checkpoint")).exit_code
    assert code == 6


def test_a_policy(two: Home) -> None:
    said = two.run("ledger", "export", "--format", "tlog-policy")
    assert (said.exit_code, said.stdout) == (0, "log x\nquorum none\n")
    assert two.run("ledger", "export", "robert", "--format", "tlog-policy").exit_code == 0
    assert two.run("ledger", "export", "robert", "oak", "--format", "tlog-policy").exit_code == 2


def test_a_proof_has_the_lines_that_are_held_of_its_head(place: Home, kept: tuple[str, ...]) -> None:
    directory, _, vkey = kept
    proof, one = place.directory / "3.tlog-proof", place.directory / "3.entry"
    note = (Path(directory) / "checkpoint").read_bytes()
    lines = note + "— example.org/witness AAAAAAAAAAAAAAAA\n".encode()
    write_cosigned(Path(directory), lines)
    assert place.run("ledger", "proof", "write", "3", "--log", *kept, "-o", str(proof)).exit_code == 0
    assert parse_proof(proof.read_bytes()).checkpoint == lines
    one.write_bytes(place.run("ledger", "show", "3", "--entry", "--log", *kept).stdout_bytes)
    assert place.run("ledger", "proof", "check", str(proof), str(one), "--vkey", vkey).exit_code == 0
    write_cosigned(Path(directory), ALICE.head([b"another"]))
    bare = place.run("ledger", "proof", "write", "3", "--log", *kept)
    assert parse_proof(bare.stdout_bytes).checkpoint == note


def test_a_proof_is_written_and_checked_without_a_log(place: Home, kept: tuple[str, ...]) -> None:
    directory, _, vkey = kept
    proof, one = place.directory / "3.tlog-proof", place.directory / "3.entry"
    said = place.run("ledger", "proof", "write", "3", "--log", *kept, "-o", str(proof))
    assert (said.exit_code, said.stdout) == (0, f"{proof}\n")
    assert parse_proof(proof.read_bytes()).index == 3
    shown = place.run("ledger", "show", "3", "--entry", "--log", *kept)
    one.write_bytes(shown.stdout_bytes)
    assert shown.stdout_bytes == ALICE.write(*history(ALICE, b"product"))[3]
    (Path(directory) / "checkpoint").unlink()
    check = ("ledger", "proof", "check", str(proof), str(one), "--vkey")
    good = place.run(*check, vkey)
    (record,) = records(place.run(*check, vkey, "--json").stdout)
    assert good.exit_code == 0
    assert good.stdout.splitlines() == [
        f"proved    entry 3 of 12  of  {ALICE.origin}",
        "kind      outcome  succeeded: hello.rpm",
        f"signed    by {ALICE.statements.public.hex()}",
    ]
    assert (record["schema"], record["index"], record["size"]) == ("f2fbuild.ledger-proved/1", 3, 12)
    assert place.run(*check, format_vkey(BOB.vkey)).exit_code == 1
    one.write_bytes(ALICE.write(acceptance())[0])
    other = place.run(*check, vkey)
    assert (other.exit_code, "does not prove" in other.stderr) == (11, True)
    again = place.run("ledger", "proof", "write", "3", "--log", *kept, "-o", str(proof))
    assert again.exit_code != 0


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        (["--hash", hashlib.sha256(b"other").hexdigest()], [(BOB, 3)]),
        (["--hash", SEALED.upper(), "--kind", "commitment"], [(ALICE, 7)]),
        (["--package", "hello.rpm"], [(ALICE, 3), (BOB, 3)]),
        (["--package", "hello*", "--builder", "robert@elm"], [(BOB, 3), (BOB, 8)]),
        (["--build-key", DEFINITION.build_key, "--owner", "OAK" * 8], [(ALICE, 3), (ALICE, 8)]),
        (["--build-key", DEFINITION.build_key, "--owner", "robert"], [(BOB, 3), (BOB, 8)]),
        (["--kind", "closing"], [(ALICE, 5), (BOB, 5)]),
        (["--kind", "vsa"], []),
        (
            ["--since", "1970-01-01T00:20:00Z", "--builder", "oak", "--kind", "acceptance"],
            [(ALICE, 4), (ALICE, 6), (ALICE, 9)],
        ),
        (["--since", "2026-01-31"], []),
    ],
)
def test_search(two: Home, conditions: list[str], found: list[tuple[NodeKeys, int]]) -> None:
    said = two.run("ledger", "log", *conditions, "--json")
    assert said.exit_code == 0, said.output
    assert [(line["origin"], line["index"]) for line in records(said.stdout)] == [
        (node.origin, index) for node, index in found
    ]
    shown = two.run("ledger", "log", *conditions).stdout.splitlines()
    assert len(shown) == len(found)


def test_conditions_that_cannot_be_meant(two: Home) -> None:
    for conditions in (["--hash", "123"], ["--since", "yesterday"], ["--owner", "nobody"], ["--kind", "x"]):
        assert two.run("ledger", "log", *conditions).exit_code == 2


def test_what_is_found_is_verified(place: Home) -> None:
    forged = BOB.write(outcome(ALICE.origin, product(b"forged"), 9))
    directory = write(place.directory / "log", ALICE, *forged)
    where = (str(directory), "--vkey", format_vkey(ALICE.vkey))
    said = place.run("ledger", "log", *where, "--hash", hashlib.sha256(b"forged").hexdigest())
    assert said.exit_code == 11
    assert "UNREADABLE" in said.stdout


def served(place: Home, *arguments: str) -> Iterator[str]:
    """Run `ledger serve` as a program and give its URL."""
    process = place.start("ledger", "serve", *arguments, "--listen", "127.0.0.1:0")
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()
        assert process.wait(timeout=120) == 0
    finally:
        process.kill()
        process.communicate()


def test_serve_as_a_program(place: Home, kept: tuple[str, ...]) -> None:
    for url in served(place, *kept):
        head = httpx.get(f"{url}checkpoint")
        bundle = httpx.get(f"{url}tile/entries/000.p/12")
        below = httpx.get(f"{url}{ALICE.origin.rpartition('/')[2]}/checkpoint")
        escape = httpx.get(f"{url}..%2f..%2fetc/passwd")
    assert head.content == below.content == (Path(kept[0]) / "checkpoint").read_bytes()
    assert bundle.content == (Path(kept[0]) / "tile/entries/000.p/12").read_bytes()
    assert bundle.headers["content-type"] == "application/octet-stream"
    assert escape.status_code == 404


def test_serve_all_logs(two: Home) -> None:
    for url in served(two, "oak", "--all"):
        mine, theirs = (httpx.get(f"{url}{one.origin.rpartition('/')[2]}/checkpoint") for one in (ALICE, BOB))
        root = httpx.get(f"{url}checkpoint")
    assert root.content == mine.content == (two.directory / "alice" / "checkpoint").read_bytes()
    assert theirs.content == (two.directory / "bob" / "checkpoint").read_bytes()


def test_serve_where_nobody_can_listen(place: Home, kept: tuple[str, ...]) -> None:
    said = place.run("ledger", "serve", *kept, "--listen", "192.0.2.1:80")
    assert said.exit_code == 3
    assert "cannot listen" in said.stderr
