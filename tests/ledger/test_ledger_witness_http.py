"""A witness's answers over HTTP: each refusal has its status, and nothing that comes back is believed."""

import pytest

from f2fbuild.ledger.cosignature import Cosignature, cosign, format_cosignature, witness_vkey
from f2fbuild.ledger.note import parse_note
from f2fbuild.ledger.witness import Refusal, Refused
from f2fbuild.ledger.witness_http import SIZE_TYPE, Conflict, Declined, Reply, hear, refuse, reply_to
from f2fbuild.model.signing import SigningKey
from tests.ledger.ledger_helpers import ALICE, BOB

WITNESS, OTHER = (SigningKey.from_seed(bytes([number]) * 32) for number in (1, 2))
KEY = witness_vkey(WITNESS.public)
NOTE = ALICE.head([b"one", b"two"])


def said(note: bytes = NOTE, key: SigningKey = WITNESS, time: int = 1_700_000_000) -> Cosignature:
    return cosign(parse_note(note).text, witness_vkey(key.public).name, key, time)


def lines(*cosignatures: Cosignature) -> Reply:
    body = "".join(format_cosignature(one) for one in cosignatures)
    return Reply(status=200, media_type="text/plain", body=body.encode())


def test_a_cosignature_comes_back_as_it_was_made() -> None:
    reply = reply_to(said())
    assert (reply.status, reply.body) == (200, format_cosignature(said()).encode())
    assert hear(reply, NOTE, KEY) == said()


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (Refusal.MALFORMED, 400),
        (Refusal.OLD_IS_NEWER, 400),
        (Refusal.UNTRUSTED, 403),
        (Refusal.UNKNOWN_ORIGIN, 404),
        (Refusal.BAD_PROOF, 422),
        (Refusal.CLOCK_BEHIND, 503),
    ],
)
def test_each_refusal_has_the_status_of_the_specification(refusal: Refusal, status: int) -> None:
    reply = reply_to(Refused(refusal=refusal, size=7))
    assert reply.status == status
    heard = hear(reply, NOTE, KEY)
    assert heard == Declined(why=f"status {status}: {refusal.value}")


@pytest.mark.parametrize("refusal", [Refusal.CONFLICT, Refusal.FORKED])
def test_a_conflict_names_the_size(refusal: Refusal) -> None:
    reply = reply_to(Refused(refusal=refusal, size=7))
    assert reply == Reply(status=409, media_type=SIZE_TYPE, body=b"7\n")
    assert hear(reply, NOTE, KEY) == Conflict(size=7)


def test_every_refusal_has_a_status() -> None:
    assert all(reply_to(Refused(refusal=refusal)).status >= 400 for refusal in Refusal)


def test_lines_of_other_keys_are_passed_over() -> None:
    assert hear(lines(said(key=OTHER), said()), NOTE, KEY) == said()
    assert hear(lines(said(key=OTHER)), NOTE, KEY) == Declined(
        why="answered without a cosignature of its key"
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n",
        b"thanks\n",
        b"\xff\n",
        lines(said(BOB.head([b"one"]))).body,
        lines(said(ALICE.head([b"one"]))).body,
        lines(said()).body + b"\n",
        lines(said()).body[:-1],
        b"\n" + lines(said()).body,
        lines(said()).body * 200,
    ],
)
def test_a_success_without_a_good_line_is_none(body: bytes) -> None:
    assert isinstance(hear(Reply(status=200, media_type="", body=body), NOTE, KEY), Declined)


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("text/plain", b"7\n"),
        (SIZE_TYPE, b""),
        (SIZE_TYPE, b"07\n"),
        (SIZE_TYPE, b"-7\n"),
        (SIZE_TYPE, b"7\n\n"),
        (SIZE_TYPE, b"\xff\n"),
        (SIZE_TYPE, b"9" * 30),
    ],
)
def test_a_conflict_without_a_size_is_a_refusal(media_type: str, body: bytes) -> None:
    assert isinstance(hear(Reply(status=409, media_type=media_type, body=body), NOTE, KEY), Declined)


def test_parameters_of_the_media_type_change_nothing() -> None:
    reply = Reply(status=409, media_type=f"{SIZE_TYPE}; charset=utf-8", body=b"7")
    assert hear(reply, NOTE, KEY) == Conflict(size=7)


def test_words_of_a_stranger_are_short_and_steer_no_terminal() -> None:
    heard = hear(refuse(500, "\x1b[31mred\r\n" + "x" * 10_000), NOTE, KEY)
    assert isinstance(heard, Declined)
    assert heard.why.isprintable()
    assert len(heard.why) < 130
