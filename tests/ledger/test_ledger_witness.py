"""What a witness answers: published conversations, every refusal, and what no order of requests can bring."""

import hashlib
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.errors import FormatError
from f2fbuild.ledger.add_checkpoint import AddCheckpoint, format_request, parse_request
from f2fbuild.ledger.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from f2fbuild.ledger.cosignature import attach, cosign
from f2fbuild.ledger.note import format_note, parse_note, sign
from f2fbuild.ledger.witness import Answer, Cosign, Refusal, Refused, Witnessed, decide
from f2fbuild.limits import ADD_CHECKPOINT_BYTES, PROOF_HASHES
from f2fbuild.model.encoding import encode_base64
from f2fbuild.model.signing import SigningKey
from f2fbuild.model.vkey import KeyKind, VerifierKey, parse_vkey
from tests.ledger.ledger_helpers import ALICE, BOB, naive_consistency, naive_root, vectors

CONVERSATIONS = vectors("litewitness.json")["conversations"]
STATUS = {
    Refusal.MALFORMED: 400,
    Refusal.OLD_IS_NEWER: 400,
    Refusal.UNTRUSTED: 403,
    # litewitness answers 403 here; tlog-witness v1.0.0 says 404 (as do we).
    Refusal.UNKNOWN_ORIGIN: 403,
    Refusal.CONFLICT: 409,
    Refusal.FORKED: 409,
    Refusal.BAD_PROOF: 422,
}
STORY = [f"entry {number}".encode() for number in range(20)]
OTHER = [*STORY[:5], b"another", *STORY[6:]]
KEYS = [ALICE.vkey]
NOW = 1_700_000_000


def ask(
    new: int,
    old: int = 0,
    *,
    story: Sequence[bytes] = STORY,
    proof: Sequence[bytes] | None = None,
) -> AddCheckpoint:
    if proof is None:
        proof = naive_consistency(old, story[:new]) if 0 < old <= new else []
    return AddCheckpoint(old=old, proof=tuple(proof), note=ALICE.head(story[:new]))


def after(size: int, *, story: Sequence[bytes] = STORY, fork: bytes = b"") -> Witnessed:
    note = ALICE.head(story[:size])
    return Witnessed(head=open_checkpoint(note, ALICE.vkey), note=note, fork=fork)


def answer(request: AddCheckpoint, witnessed: Witnessed | None = None, **times: int) -> Answer:
    return decide(request, KEYS, witnessed, last=times.get("last", 0), now=times.get("now", NOW))


def refusal(given: Answer) -> Refusal:
    assert isinstance(given, Refused)
    return given.refusal


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda c: c["name"])
def test_published_conversations(conversation: dict[str, Any]) -> None:
    if "vkey" in conversation:
        key = parse_vkey(conversation["vkey"])
    else:
        public = bytes.fromhex(conversation["log_public"])
        assert conversation["origin"].endswith(hashlib.sha256(public).hexdigest())
        key = VerifierKey(name=conversation["origin"], kind=KeyKind.ED25519, public=public)
    witnessed: Witnessed | None = None
    for exchange in conversation["exchanges"]:
        request = parse_request(exchange["request"].encode())
        keys = [key] if request.origin == conversation["origin"] else []
        given = decide(request, keys, witnessed, last=0, now=NOW)
        if isinstance(given, Cosign):
            assert exchange["status"] == 200
            witnessed = given.witnessed
        else:
            assert STATUS[given.refusal] == exchange["status"]
            if exchange["status"] == 409:
                assert f"{given.size}\n" == exchange["value"]
    assert witnessed is not None
    assert witnessed.head.size == conversation["stored_size"]


def test_the_published_requests_read_back() -> None:
    for conversation in CONVERSATIONS:
        for exchange in conversation["exchanges"]:
            data = exchange["request"].encode()
            assert format_request(parse_request(data)) == data


@given(
    old=st.integers(0, 2**53 - 1),
    proof=st.lists(st.binary(min_size=32, max_size=32), max_size=PROOF_HASHES).map(tuple),
)
def test_a_request_reads_back(old: int, proof: tuple[bytes, ...]) -> None:
    request = AddCheckpoint(old=old, proof=proof, note=ALICE.head(STORY))
    assert parse_request(format_request(request)) == request
    assert request.origin == ALICE.origin


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"old 0\n",
        b"old 0\nnote",
        b"old 00\n\nnote",
        b"old -1\n\nnote",
        b"old +1\n\nnote",
        b"old 1 \n\nnote",
        b"old\n\nnote",
        b"new 1\n\nnote",
        b"old 9007199254740992\n\nnote",
        b"old 1\nAAAA\n\nnote",
        b"old 1\n" + encode_base64(bytes(32)).rstrip("=").encode() + b"\n\nnote",
        b"old 1\n" + encode_base64(bytes(32))[:-2].encode() + b"B=\n\nnote",
        "old 1\n\u00e9\n\nnote".encode(),
        b"old 1\n" + (encode_base64(bytes(32)).encode() + b"\n") * (PROOF_HASHES + 1) + b"\nnote",
        b"old 1\n\n" + b"x" * ADD_CHECKPOINT_BYTES,
    ],
)
def test_what_is_no_request_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_request(data)


def test_a_first_line_that_is_no_text_is_no_origin() -> None:
    assert AddCheckpoint(old=0, proof=(), note=b"\xff\n0\n").origin == ""


def test_the_first_head_needs_no_proof() -> None:
    given = answer(ask(3))
    assert isinstance(given, Cosign)
    assert given.witnessed == after(3)
    assert given.text == parse_note(ALICE.head(STORY[:3])).text
    assert given.at == NOW


def test_a_first_head_with_a_proof_is_refused() -> None:
    assert refusal(answer(ask(3, proof=[bytes(32)]))) is Refusal.BAD_PROOF


def test_what_continues_is_cosigned() -> None:
    given = answer(ask(7, 3), after(3))
    assert isinstance(given, Cosign)
    assert given.witnessed.head.size == 7


def test_the_empty_tree_is_continued_by_every_other() -> None:
    assert isinstance(answer(ask(0)), Cosign)
    assert isinstance(answer(ask(4, 0), after(0)), Cosign)
    assert refusal(answer(ask(4, 0, proof=[bytes(32)]), after(0))) is Refusal.BAD_PROOF


def test_the_same_head_is_cosigned_again_with_the_new_time() -> None:
    given = answer(ask(3, 3), after(3), last=NOW, now=NOW + 9)
    assert isinstance(given, Cosign)
    assert given.at == NOW + 9


def test_a_log_that_is_not_known_gets_nothing() -> None:
    given = decide(ask(3), [], None, last=0, now=NOW)
    assert given == Refused(refusal=Refusal.UNKNOWN_ORIGIN)


def test_the_signature_of_somebody_else_says_nothing() -> None:
    forged = sign_checkpoint(Checkpoint(origin=ALICE.origin, size=1, root=naive_root(STORY[:1])), BOB.log)
    assert refusal(answer(AddCheckpoint(old=0, proof=(), note=forged))) is Refusal.UNTRUSTED


def test_a_bad_signature_of_the_log_is_refused_before_anything_else_is_said() -> None:
    note = ALICE.head(STORY[:3]).replace(b"\n3\n", b"\n2\n")
    assert refusal(answer(AddCheckpoint(old=9, proof=(), note=note), after(7))) is Refusal.UNTRUSTED


@pytest.mark.parametrize(
    "text",
    [
        f"{ALICE.origin}\n01\n{encode_base64(bytes(32))}\n",
        f"{ALICE.origin}\n1\n{encode_base64(bytes(31))}\n",
        f"{ALICE.origin}\n1\n{encode_base64(bytes(32))}\nextension\n",
        f"{ALICE.origin}\n1\n",
    ],
)
def test_a_head_in_another_spelling_is_malformed_though_the_log_signed_it(text: str) -> None:
    note = format_note(sign(text, ALICE.origin, ALICE.log))
    assert refusal(answer(AddCheckpoint(old=0, proof=(), note=note))) is Refusal.MALFORMED


@pytest.mark.parametrize("note", [b"", b"\xff\xfe\n\n", b"x\n1\n"])
def test_what_is_no_note_is_malformed(note: bytes) -> None:
    assert refusal(answer(AddCheckpoint(old=0, proof=(), note=note))) is Refusal.MALFORMED


def test_a_smaller_head_is_never_cosigned() -> None:
    for size in range(7):
        for old in (0, size, 7):
            assert isinstance(answer(ask(size, old, proof=()), after(7)), Refused)
    assert refusal(answer(ask(3, 7), after(7))) is Refusal.OLD_IS_NEWER
    assert refusal(answer(ask(3, 3), after(7))) is Refusal.CONFLICT


def test_a_request_that_starts_elsewhere_is_told_where_to_start() -> None:
    given = answer(ask(9, 3), after(5))
    assert given == Refused(refusal=Refusal.CONFLICT, size=5)
    assert answer(ask(9, 3)) == Refused(refusal=Refusal.CONFLICT, size=0)


def test_another_story_is_not_cosigned() -> None:
    assert refusal(answer(ask(12, 7, story=OTHER), after(7))) is Refusal.BAD_PROOF
    assert refusal(answer(ask(12, 7, proof=()), after(7))) is Refusal.BAD_PROOF


def test_two_heads_of_one_size_are_kept_for_ever() -> None:
    second = ask(7, 7, story=OTHER)
    given = answer(second, after(7))
    assert given == Refused(refusal=Refusal.FORKED, size=7, forked=after(7, fork=second.note))
    assert given.forked is not None
    for request in (ask(9, 7), second, ask(7, 7)):
        again = answer(request, given.forked)
        assert again == Refused(refusal=Refusal.FORKED, size=7)


def test_a_fork_is_seen_wherever_the_request_starts() -> None:
    for old in (0, 3, 12):
        given = answer(ask(7, old, story=OTHER, proof=()), after(7))
        assert refusal(given) is Refusal.FORKED


def test_a_clock_that_went_back_signs_nothing() -> None:
    assert refusal(answer(ask(3), last=NOW + 1)) is Refusal.CLOCK_BEHIND
    assert isinstance(answer(ask(3), last=NOW), Cosign)


def test_a_clock_that_went_back_still_sees_a_fork() -> None:
    given = answer(ask(7, 7, story=OTHER), after(7), last=NOW + 1)
    assert refusal(given) is Refusal.FORKED


def test_foreign_signatures_are_neither_asked_for_nor_kept() -> None:
    stranger = SigningKey.from_seed(bytes(32))
    note = ALICE.head(STORY[:3])
    crowded = attach(note, [cosign(parse_note(note).text, "example.org/w", stranger, 1)])
    given = answer(AddCheckpoint(old=0, proof=(), note=crowded))
    assert isinstance(given, Cosign)
    assert given.witnessed.note == note


@given(
    asked=st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 12), st.booleans(), st.integers(-3, 3)), max_size=12
    )
)
def test_no_order_of_requests_makes_a_witness_contradict_itself(
    asked: list[tuple[int, int, bool, int]],
) -> None:
    witnessed: Witnessed | None = None
    last, now, signed = 0, NOW, list[Cosign]()
    for new, old, honest, step in asked:
        story = STORY if honest else OTHER
        now += step
        given = answer(ask(new, old, story=story), witnessed, last=last, now=now)
        if isinstance(given, Cosign):
            witnessed, last = given.witnessed, given.at
            signed.append(given)
        else:
            witnessed = given.forked or witnessed
    sizes = [one.witnessed.head.size for one in signed]
    assert sizes == sorted(sizes)
    assert [one.at for one in signed] == sorted(one.at for one in signed)
    roots = [[naive_root(story[:size]) for size in sizes] for story in (STORY, OTHER)]
    assert [one.witnessed.head.root for one in signed] in roots
