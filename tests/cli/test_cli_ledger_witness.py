"""`f2fbuild ledger checkpoint` and `witness`: what the node holds, verified again before it is shown."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from f2fbuild.api import ledger_replies, replies, requests
from f2fbuild.api.cosigned import Cosigned
from f2fbuild.ledger.cosignature import Cosignature, attach, cosign, cosignatures, witness_vkey
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.note import parse_note
from f2fbuild.model.signing import SigningKey
from f2fbuild.model.vkey import format_vkey
from tests.api.api_node import nobody_listening
from tests.api.api_samples import peer
from tests.cli.cli_runs import Home, beside, home, records, whole_node
from tests.ledger.ledger_helpers import BOB, NodeKeys

ONE, TWO = (SigningKey.from_seed(bytes([number]) * 32) for number in (1, 2))
SOME_TIME = 1_700_000_000
ENTRIES = [b"one", b"two"]
NOTE = BOB.head(ENTRIES)


@pytest.fixture
def place() -> Iterator[Home]:
    with home() as found:
        yield found


def said(key: SigningKey, note: bytes = NOTE) -> Cosignature:
    return cosign(parse_note(note).text, witness_vkey(key.public).name, key, SOME_TIME)


def view(key: SigningKey, name: str, **changes: object) -> Cosigned:
    fields = {
        "origin": BOB.origin,
        "name": name,
        "role": "witness",
        "vkey": format_vkey(witness_vkey(key.public)),
        "size": 2,
        "time": SOME_TIME,
    }
    return Cosigned(**(fields | changes))  # type: ignore[arg-type]


def witnessing(note: bytes, *cosigned: Cosigned) -> ledger_replies.Witnessing:
    return ledger_replies.Witnessing(
        origin=BOB.origin,
        note=note.decode(),
        keys=("W", "M"),
        cosigned=cosigned,
        given=(view(TWO, "carol@pine", forked=True),),
        problems=("w: cannot be \x1b[2Jreached",),
    )


def calls(directory: Path, reply: ledger_replies.Witnessing) -> dict[type[requests.Request], replies.Reply]:
    log = ledger_replies.Log(
        origin=BOB.origin,
        owner="ELM" * 8,
        node="elm",
        vkey=format_vkey(BOB.vkey),
        statement_key=BOB.statements.public.hex(),
        path=str(directory),
        size=2,
        frozen=False,
    )
    return {
        requests.GetWitnessing: reply,
        requests.ListLogs: ledger_replies.Logs(logs=(log,), findings=()),
        requests.ListPeers: replies.Peers(
            peers=(peer(alias="robert", node="elm", origin=BOB.origin),), refused=()
        ),
    }


def kept(place: Home, node: NodeKeys = BOB) -> Path:
    with Log.create(place.directory / "bob", node.log) as log:
        log.append(ENTRIES)
    return place.directory / "bob"


def test_a_head_with_its_cosignatures_and_whose_they_are(place: Home) -> None:
    note = attach(NOTE, [said(ONE), said(TWO)])
    older = view(SigningKey.from_seed(b"\x03" * 32), "dave@fir", size=1)
    reply = witnessing(note, view(ONE, "bob[bold]@elm"), view(TWO, "carol@pine"), older)
    with beside(place, whole_node(calls=calls(kept(place), reply))) as node:
        shown = place.run("ledger", "checkpoint", "robert")
        machine = place.run("ledger", "checkpoint", "robert", "--json")
        asked = [one for one in node.asked if isinstance(one, requests.GetWitnessing)]
    assert asked[0] == requests.GetWitnessing(origin=BOB.origin)
    assert (shown.exit_code, shown.stdout_bytes) == (0, note)
    assert [line.split()[:5] for line in shown.stderr.splitlines()] == [
        ["cosigned", "bob[bold]@elm", "witness", "2", "entries"],
        ["cosigned", "carol@pine", "witness", "2", "entries"],
    ]
    (record,) = records(machine.stdout)
    assert record["schema"] == "f2fbuild.ledger-checkpoint/1"
    assert [one["name"] for one in record["cosigned"]] == ["bob[bold]@elm", "carol@pine"]
    keys = [witness_vkey(key.public) for key in (ONE, TWO)]
    assert len(cosignatures(record["note"].encode(), keys)) == 2


def test_the_word_of_the_node_is_not_enough(place: Home) -> None:
    directory = kept(place)
    false = attach(NOTE, [said(ONE, BOB.head([b"other"]))])
    foreign = NodeKeys(9).head(ENTRIES)
    for note in (false, foreign, b"nothing"):
        reply = witnessing(note, view(ONE, "bob@elm"))
        with beside(place, whole_node(calls=calls(directory, reply))):
            assert place.run("ledger", "checkpoint", "robert").exit_code != 0


def test_a_line_that_is_claimed_and_not_there_is_not_shown(place: Home) -> None:
    reply = witnessing(NOTE, view(ONE, "bob@elm"))
    with beside(place, whole_node(calls=calls(kept(place), reply))):
        shown = place.run("ledger", "checkpoint", "robert")
    assert (shown.exit_code, shown.stdout_bytes, shown.stderr) == (0, NOTE, "")


def test_without_a_node_a_head_is_shown_as_its_log_signed_it(place: Home) -> None:
    directory = kept(place)
    with nobody_listening():
        shown = place.run("ledger", "checkpoint", str(directory), "--vkey", format_vkey(BOB.vkey))
    assert (shown.exit_code, shown.stdout_bytes, shown.stderr) == (0, NOTE, "")


def test_who_cosigned_and_what_was_cosigned(place: Home) -> None:
    reply = witnessing(NOTE, view(ONE, "bob@elm"))
    with beside(place, whole_node(calls=calls(kept(place), reply))):
        shown = place.run("ledger", "witness")
        machine = place.run("ledger", "witness", "--json")
    assert shown.exit_code == machine.exit_code == 0
    assert [line.split()[0] for line in shown.stdout.splitlines()] == ["key", "key", "by", "for", "not"]
    assert "bob@elm" in shown.stdout
    assert "FORKED" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert records(machine.stdout)[0]["schema"] == "f2fbuild.witnessing/1"


def test_who_is_cosigned_by_nobody_is_told_what_to_do(place: Home) -> None:
    with beside(place, whole_node(calls=calls(kept(place), witnessing(NOTE)))):
        shown = place.run("ledger", "witness")
    assert "the right `witness`" in shown.stderr


def test_witnesses_are_known_to_a_running_node_only(place: Home) -> None:
    with nobody_listening():
        assert place.run("ledger", "witness").exit_code == 6
