"""Witnesses over HTTP: published conversations, and our client with our server, on sockets."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from f2fbuild import limits
from f2fbuild.api.web import open_web, serve_web
from f2fbuild.api.witness import create_witness_app
from f2fbuild.ledger import evidence
from f2fbuild.ledger.add_checkpoint import AddCheckpoint, format_request
from f2fbuild.ledger.checkpoint import parse_log_vkey
from f2fbuild.ledger.collected import Collected
from f2fbuild.ledger.cosignature import attach, cosign, verify_cosignature, witness_vkey
from f2fbuild.ledger.cosigner import Cosigner, CosignerRole
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.note import parse_note
from f2fbuild.ledger.witness_http import SIZE_TYPE, Reply
from f2fbuild.model.friend import Friend
from f2fbuild.model.signing import SigningKey
from f2fbuild.model.vkey import KeyKind, VerifierKey, format_vkey, parse_vkey
from f2fbuild.node.outside import OutsideWitness, OutsideWitnesses
from f2fbuild.node.outside_door import OutsideDoor
from f2fbuild.store.database import Database
from f2fbuild.store.schema import MIGRATIONS
from tests.ledger.ledger_helpers import ALICE, BOB, vectors

CONVERSATIONS = vectors("litewitness.json")["conversations"]
WITNESS = SigningKey.from_seed(b"\x07" * 32)
NOW = 1_700_000_000
Answer = Callable[[bytes], Reply]


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[str]:
    listeners = await open_web(["127.0.0.1:0"], where="test")
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_web, create_witness_app(answer, lambda: NOW), listeners)
        yield f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


@dataclass
class House:
    """A witness with its store, and a log with what it collected."""

    witness: Cosigner
    log: Log
    collected: Collected
    accused: list[bytes] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def door(self, friend: Friend | None = None, key: VerifierKey = ALICE.vkey) -> OutsideDoor:
        return OutsideDoor(
            self.witness,
            lambda origin: (friend, ALICE.vkey) if friend and origin == ALICE.origin else None,
            {} if friend else {key.name: (key,)},
            lambda _friend, file: self.accused.append(file),
        )

    def asking(self, *urls: str, key: VerifierKey | None = None) -> OutsideWitnesses:
        witnesses = [OutsideWitness(name="w", key=key or self.witness.vkey, url=url) for url in urls]
        return OutsideWitnesses(self.log, self.collected, witnesses, lambda: NOW, self.told.append)

    async def ask(self, url: str, key: VerifierKey | None = None) -> str:
        asked = OutsideWitness(name="w", key=key or self.witness.vkey, url=url)
        async with httpx.AsyncClient(trust_env=False) as client:
            return await self.asking().ask(client, asked)

    def held(self) -> list[int]:
        """The sizes of the heads whose cosignatures are held."""
        return [one.head.size for one in self.collected.all(ALICE.origin)]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with (
        Database.open(tmp_path / "witness" / "w.sqlite", MIGRATIONS) as witness,
        Database.open(tmp_path / "node" / "n.sqlite", MIGRATIONS) as node,
        Log.create(tmp_path / "log", ALICE.log) as log,
    ):
        log.append([b"zero", b"one", b"two"])
        yield House(
            witness=Cosigner(witness, CosignerRole.WITNESS, WITNESS, lambda: NOW),
            log=log,
            collected=Collected(node),
        )


def friend() -> Friend:
    return Friend(
        node_id="a" * 64,
        owner="A" * 40,
        alias="alice",
        node="n",
        vkey=format_vkey(ALICE.vkey),
        statement_key=bytes(32),
    )


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda c: c["name"])
async def test_published_conversations_over_http(house: House, conversation: dict[str, Any]) -> None:
    if "vkey" in conversation:
        key = parse_vkey(conversation["vkey"])
    else:
        public = bytes.fromhex(conversation["log_public"])
        key = VerifierKey(name=conversation["origin"], kind=KeyKind.ED25519, public=public)
    door = OutsideDoor(house.witness, lambda _: None, {conversation["origin"]: (key,)}, lambda *_: None)
    async with serving(door.answer) as url, httpx.AsyncClient(trust_env=False) as client:
        for exchange in conversation["exchanges"]:
            body = exchange["request"].encode()
            answer = await client.post(f"{url}/add-checkpoint", content=body)
            # An unknown log was 403 in that program, tlog-witness v1.0.0 says 404.
            expected = 404 if exchange["value"] == "unknown log" else exchange["status"]
            assert answer.status_code == expected
            if expected == 200:
                note = body.partition(b"\n\n")[2]
                assert verify_cosignature(note + answer.content, house.witness.vkey) == NOW
            if expected == 409:
                assert answer.headers["content-type"] == SIZE_TYPE
                assert answer.text == exchange["value"]
    (kept,) = house.witness.all()
    assert kept.witnessed.head.size == conversation["stored_size"]


async def test_a_growing_log_is_cosigned_at_every_size(house: House) -> None:
    async with serving(house.door().answer) as url:
        for number in range(5):
            assert await house.ask(url) == ""
            (held,) = house.collected.all(ALICE.origin)
            assert held.head == house.log.head
            note = attach(house.log.checkpoint(), [held.cosignature])
            assert verify_cosignature(note, house.witness.vkey) == NOW
            house.log.append([b"more %d.%d" % (number, n) for n in range(number * 100)] or [b"one more"])
        assert await house.ask(url + "/") == ""
    assert house.held() == [house.log.size]


async def test_a_log_that_forgot_what_was_cosigned_is_told_where_to_start(house: House) -> None:
    async with serving(house.door().answer) as url:
        assert await house.ask(url) == ""
        house.log.append([b"more"])
        house.collected._database.execute("DELETE FROM cosignature")
        assert await house.ask(url) == ""
    assert house.held() == [4]


async def test_a_witness_that_saw_more_than_this_log_has_is_told_to_the_owner(house: House) -> None:
    longer = ALICE.head([b"zero", b"one", b"two", b"three"])
    house.witness.add(AddCheckpoint(old=0, proof=(), note=longer), [ALICE.vkey])
    async with serving(house.door().answer) as url:
        assert "a head of 4 entries, this log has 3" in await house.ask(url)
    assert house.held() == []


async def test_a_log_that_is_not_known_is_refused(house: House) -> None:
    async with serving(house.door(key=BOB.vkey).answer) as url:
        assert "404" in await house.ask(url)


async def test_a_friends_log_is_witnessed_and_its_fork_is_evidence(house: House) -> None:
    other = ALICE.head([b"zero", b"one", b"another"])
    async with serving(house.door(friend()).answer) as url:
        assert await house.ask(url) == ""
        async with httpx.AsyncClient(trust_env=False) as client:
            body = format_request(AddCheckpoint(old=3, proof=(), note=other))
            answer = await client.post(f"{url}/add-checkpoint", content=body)
        assert (answer.status_code, answer.text) == (409, "3\n")
        # From now on it is cosigned no more, in whichever of its stories.
        house.log.append([b"more"])
        assert await house.ask(url) != ""
    (file,) = house.accused
    proved = evidence.check(file)
    assert isinstance(proved, evidence.EquivocationFinding)
    assert (proved.origin, proved.sizes) == (ALICE.origin, (3, 3))
    assert parse_log_vkey(proved.log) == ALICE.vkey


@pytest.mark.parametrize("body", [b"", b"old 1\n", b"old 00\n\nnote", b"old 0\n\nnote", b"\xff" * 100])
async def test_nonsense_is_refused_and_changes_nothing(house: House, body: bytes) -> None:
    async with serving(house.door().answer) as url, httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"{url}/add-checkpoint", content=body)
    assert answer.status_code in (400, 404)
    assert house.witness.all() == []


async def test_a_witness_whose_disk_fails_says_nothing_but_that(house: House) -> None:
    house.witness._database.execute(
        "CREATE TRIGGER full BEFORE INSERT ON witnessed BEGIN SELECT RAISE(ABORT, '/secret/path'); END"
    )
    async with serving(house.door().answer) as url:
        assert await house.ask(url) == "status 503: cannot be stored now"


def _line(house: House, key: SigningKey = WITNESS, time: int = NOW, text: str = "") -> bytes:
    text = text or parse_note(house.log.checkpoint()).text
    said = cosign(text, witness_vkey(key.public).name, key, time)
    return attach(house.log.checkpoint(), [said]).rpartition(b"\n\n")[2].partition(b"\n")[2]


@pytest.mark.parametrize(
    "lie", ["nothing", "other key", "other head", "future", "endless", "other size", "500"]
)
async def test_a_witness_that_lies_is_not_believed(house: House, lie: str) -> None:
    def answer(_body: bytes) -> Reply:
        bodies = {
            "nothing": b"",
            "other key": _line(house, BOB.log),
            "other head": _line(house, text=parse_note(ALICE.head([b"other"])).text),
            "future": _line(house, time=NOW + limits.COSIGNATURE_AHEAD_SECONDS + 1),
            "endless": b"x" * (limits.WITNESS_ANSWER_BYTES + 1),
            "other size": b"2\n",
            "500": b"\x1b[2J",
        }
        status = {"other size": 409, "500": 500}.get(lie, 200)
        return Reply(status=status, media_type=SIZE_TYPE if status == 409 else "text/plain", body=bodies[lie])

    async with serving(answer) as url:
        problem = await house.ask(url)
    assert problem
    assert problem.isprintable()
    assert house.held() == []


async def test_a_good_line_is_taken_from_any_witness(house: House) -> None:
    async with serving(lambda _: Reply(status=200, media_type="", body=_line(house))) as url:
        assert await house.ask(url) == ""
    assert house.held() == [3]


async def test_a_redirect_is_not_followed(house: House) -> None:
    async with serving(lambda _: Reply(status=307, media_type="text/plain", body=b"")) as url:
        assert await house.ask(url) == "status 307:"


async def test_a_witness_that_is_not_there_or_does_not_answer(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(house.door().answer) as url:
        pass
    assert "cannot be reached" in await house.ask(url)
    monkeypatch.setattr(limits, "WITNESS_SECONDS", 0.2)
    silent = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = silent[0].socket.getsockname()[1]
    assert await house.ask(f"http://127.0.0.1:{port}") == "takes too long"
    await silent[0].aclose()


async def test_witnesses_are_asked_again_when_the_log_grows_and_each_for_itself(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WITNESS_PAUSE_SECONDS", 0.01)
    async with serving(house.door().answer) as url, trio.open_nursery() as nursery:
        asking = house.asking(url, "http://127.0.0.1:9")
        nursery.start_soon(asking.run)
        for size in (3, 4, 5):
            with trio.fail_after(60):
                while house.held() != [size]:
                    await trio.sleep(0.01)
            house.log.append([b"more"])
            asking.grew()
        with trio.fail_after(60):
            while house.held() != [6] or not house.told:
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    # The same trouble is told once, however often it is met.
    assert len([words for words in house.told if "cannot be reached" in words]) >= 1
