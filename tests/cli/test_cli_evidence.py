"""`f2fbuild ledger evidence`: what a file proves, said in words, without a node."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from f2fbuild import limits
from f2fbuild.api import ledger_replies, requests
from f2fbuild.ledger import evidence
from tests.cli.cli_runs import Home, beside, home, records, whole_node
from tests.ledger.evidence_people import SIGNED, Node
from tests.ledger.ledger_helpers import acceptance, product

ELM, OAK, ANN, BEN = Node("A", 1), Node("A", 2), Node("B", 3), Node("C", 4)
LATE = acceptance().deadline + limits.HIDDEN_GRACE_SECONDS + 1


@pytest.fixture
def place() -> Iterator[Home]:
    with home() as found:
        yield found


def kept(place: Home, data: bytes) -> Path:
    file = place.directory / "file.evidence"
    file.write_bytes(data)
    return file


def contradiction() -> bytes:
    mine, theirs = ELM.built(product(b"good")), OAK.built(product(b"evil"))
    return evidence.format_contradiction((ELM.side(mine), OAK.side(theirs)))


def hidden() -> bytes:
    entries = ELM.write(ELM.certificate(), acceptance())
    return ELM.hidden(1, entries, ((ANN, LATE), (BEN, LATE)))


def test_who_is_accused_and_what_gpg_has_to_say(place: Home) -> None:
    file = kept(place, contradiction())
    done = place.run("ledger", "evidence", "check", str(file))
    assert done.exit_code == 0
    assert f"proved: the owner {'A' * 40} signed different results" in done.stdout
    assert f"against {'A' * 40}" in done.stdout
    assert done.stdout.count(f"certificate of elm that {'A' * 40} is said to have signed") == 2
    assert "gpg --verify" in done.stderr
    (record,) = records(place.run("ledger", "evidence", "check", str(file), "--json").stdout)
    assert (record["kind"], record["against"]) == ("self-contradiction", "A" * 40)
    assert [one["owner"] for one in record["certificates"]] == ["A" * 40] * 2
    assert record["certificates"][0]["text"].startswith("f2fbuild node certificate v1\nowner AAAA")


def test_certificates_are_written_for_gpg_and_never_over_files(place: Home) -> None:
    file, directory = kept(place, hidden()), place.directory / "split"
    done = place.run("ledger", "evidence", "check", str(file), "--split", str(directory))
    assert done.exit_code == 0
    texts = [directory / f"certificate-{number}" for number in (1, 2, 3)]
    for number, (text, node) in enumerate(zip(texts, (ELM, ANN, BEN), strict=True), 1):
        assert text.read_bytes() == node.file().partition(b"\n\n")[0] + b"\n"
        assert text.with_suffix(".asc").read_bytes() == SIGNED
        assert f"certificate-{number}.asc" in done.stdout
    assert done.stdout.count("gpg --verify") == 3
    again = place.run("ledger", "evidence", "check", str(file), "--split", str(directory))
    assert (again.exit_code, again.stdout) == (2, "")
    assert "is there already" in again.stderr


def test_a_hidden_result_says_who_saw_it_and_when(place: Home) -> None:
    done = place.run("ledger", "evidence", "check", str(kept(place, hidden())))
    assert f"the log {ELM.origin} has not closed what it accepted at 1" in done.stdout
    assert f"of {'B' * 40}" in done.stdout
    assert f"of {'C' * 40}" in done.stdout


def with_findings(*findings: ledger_replies.Finding) -> dict[object, object]:
    return {requests.ListLogs: ledger_replies.Logs(logs=(), findings=findings)}


def finding(**changes: object) -> ledger_replies.Finding:
    fields = {"kind": "violation", "owner": "B" * 40, "node": "elm", "evidence": "", "found": 600}
    return ledger_replies.Finding(**{**fields, "detail": "entry 3: \x1b[31mred", **changes})  # type: ignore[arg-type]


def test_findings_are_numbered_and_shown_with_their_proof(place: Home) -> None:
    file = kept(place, contradiction())
    known = finding(kind="self-contradiction", evidence=str(file))
    stranger = finding(kind="equivocation", owner="", node="", detail="two heads")
    with beside(place, whole_node(calls=with_findings(finding(), known, stranger))):
        listed = place.run("ledger", "evidence", "list")
        alone = place.run("ledger", "evidence", "show", "1")
        alone_json = place.run("ledger", "evidence", "show", "1", "--json")
        proved = place.run("ledger", "evidence", "show", "2")
        none = place.run("ledger", "evidence", "show", "4")
    assert [line[:3].strip() for line in listed.stdout.splitlines()[::3]] == ["1", "2", "3"]
    assert "\x1b" not in listed.stdout
    assert "a log that is followed by others" in listed.stdout
    assert "nothing to prove it to others" in alone.stdout
    (record,) = records(alone_json.stdout)
    assert (record["schema"], record["finding"]["kind"]) == ("f2fbuild.finding-shown/1", "violation")
    assert "proved: the owner" in proved.stdout
    assert none.exit_code == 2
    assert "3 findings are known" in none.stderr


def dated(before: int) -> str:
    entries = ELM.write(ELM.certificate(), acceptance())
    return ELM.dated(1, entries, before, ((ANN, before - 2), (BEN, before - 1))).decode()


def replied(text: str) -> dict[type[requests.Request], ledger_replies.Dated]:
    reply = ledger_replies.Dated(origin=ELM.origin, index=1, before=1_700_000_000, evidence=text)
    return {requests.DateEntry: reply}


def test_how_old_an_entry_is_goes_into_a_file_that_the_checker_takes(place: Home) -> None:
    file = place.directory / "dated.evidence"
    with beside(place, whole_node(calls=replied(dated(1_700_000_000)))) as node:
        done = place.run(
            "ledger", "evidence", "dated", "1", "--before", "2023-11-14T22:13:20Z", "-o", str(file)
        )
        assert node.asked[-1] == requests.DateEntry(index=1, before=1_700_000_000)
        machine = place.run("ledger", "evidence", "dated", "1", "--json")
        assert node.asked[-1] == requests.DateEntry(index=1)
        again = place.run("ledger", "evidence", "dated", "1", "-o", str(file))
        shown = place.run("ledger", "evidence", "dated", "1")
    assert done.exit_code == machine.exit_code == shown.exit_code == 0
    assert done.stdout == f"{file}\n"
    assert "is older than 2023-11-14T22:13:20Z" in done.stderr
    assert again.exit_code == 2
    checked = place.run("ledger", "evidence", "check", str(file))
    assert checked.exit_code == 0
    assert "older than 2023-11-14T22:13:20Z" in checked.stdout
    assert shown.stdout_bytes == file.read_bytes()
    (record,) = records(machine.stdout)
    assert (record["schema"], record["before"]) == ("f2fbuild.ledger-dated/1", 1_700_000_000)


def test_the_word_of_the_node_that_an_entry_is_old_is_not_enough(place: Home) -> None:
    file = place.directory / "dated.evidence"
    false = dated(1_700_000_000).replace("-----BEGIN BEFORE-----\nMTcw", "-----BEGIN BEFORE-----\nMTYw")
    with beside(place, whole_node(calls=replied(false))):
        done = place.run("ledger", "evidence", "dated", "1", "-o", str(file))
    assert done.exit_code == 11
    assert not file.exists()


def test_a_time_is_given_in_one_spelling(place: Home) -> None:
    done = place.run("ledger", "evidence", "dated", "1", "--before", "yesterday")
    assert (done.exit_code, "2026-01-31T12:00:00Z" in done.stderr) == (2, True)
