"""Whether a log may go on: what is remembered of it, what friends hold of it, and what follows."""

from dataclasses import replace

import pytest

from f2fbuild.ledger.checkpoint import Checkpoint, log_vkey, sign_checkpoint
from f2fbuild.ledger.guard import (
    Agrees,
    Answer,
    AskFriends,
    Blocked,
    Decision,
    Knows,
    Remembered,
    Retired,
    RolledBack,
    SignNow,
    Silent,
    Situation,
    Unsure,
    decide,
    last_known,
    weigh,
)
from f2fbuild.model.signing import SigningKey
from f2fbuild.model.tree import EMPTY_ROOT
from tests.ledger.ledger_helpers import naive_root

KEY = SigningKey.from_seed(b"l" * 32)
OTHER = SigningKey.from_seed(b"o" * 32)
ENTRIES = [b"%d" % number for number in range(9)]
ORIGIN = log_vkey(KEY.public).name
UNTIL = 110.0


def head(size: int, twist: bytes = b"") -> Checkpoint:
    entries = [*ENTRIES[: size - 1], ENTRIES[size - 1] + twist] if size else []
    return Checkpoint(origin=ORIGIN, size=size, root=naive_root(entries))


def knows(size: int, twist: bytes = b"") -> Knows:
    return Knows(head=head(size, twist), note=sign_checkpoint(head(size, twist), KEY))


def root_at(size: int) -> bytes:
    return naive_root(ENTRIES[:size])


REMEMBERED = Remembered(before=head(5), following=head(6), followed=True)


def situation(
    size: int = 5,
    remembered: Remembered | None = REMEMBERED,
    *,
    friends: str = "abc",
    connected: str = "",
    **answers: Answer,
) -> Situation:
    return Situation(
        head=head(size),
        remembered=remembered,
        answers=answers,
        friends=frozenset(friends),
        connected=frozenset(connected),
        until=UNTIL,
    )


# --- what a friend's answer is worth


@pytest.mark.parametrize("size", [0, 1, 4, 5])
def test_a_head_that_is_a_state_of_ours_agrees(size: int) -> None:
    assert weigh(sign_checkpoint(head(size), KEY), log_vkey(KEY.public), head(5), root_at) == Agrees()


def test_a_larger_head_is_known_to_a_friend_alone() -> None:
    note = sign_checkpoint(head(6), KEY)
    assert weigh(note, log_vkey(KEY.public), head(5), root_at) == Knows(head=head(6), note=note)


@pytest.mark.parametrize("size", [1, 4, 5])
def test_a_head_of_another_history_is_none_of_ours(size: int) -> None:
    note = sign_checkpoint(head(size, b"!"), KEY)
    found = weigh(note, log_vkey(KEY.public), head(5), root_at)
    assert found == Knows(head=head(size, b"!"), note=note)


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"nonsense",
        sign_checkpoint(replace(head(9), origin=log_vkey(OTHER.public).name), OTHER),
        sign_checkpoint(head(9), OTHER),
    ],
    ids=["nothing", "nonsense", "another log", "forged"],
)
def test_what_our_key_has_not_signed_says_nothing(note: bytes) -> None:
    assert weigh(note, log_vkey(KEY.public), head(5), root_at) == Silent()


# --- the decision


@pytest.mark.parametrize("size", [5, 6])
def test_a_log_at_either_head_of_the_last_signing_asks_for_a_while_and_signs(size: int) -> None:
    assert decide(situation(size), 100) == AskFriends(until=UNTIL)
    assert decide(situation(size), UNTIL) == SignNow()


def test_a_log_that_nobody_saw_signs_at_once() -> None:
    for size in (0, 5, 6, 9):
        assert decide(situation(size, replace(REMEMBERED, followed=False)), 0) == SignNow()


def test_where_all_seems_well_one_friend_is_enough() -> None:
    assert decide(situation(a=Agrees(), connected="a"), 100) == SignNow()


def test_but_whoever_is_there_is_heard() -> None:
    assert decide(situation(a=Agrees(), connected="ab"), 100) == AskFriends(until=UNTIL)
    assert decide(situation(a=Agrees(), b=Silent(), connected="ab"), 100) == SignNow()
    assert decide(situation(a=Agrees(), connected="ab"), UNTIL) == SignNow(), "a friend must not stop us"


def test_friends_who_do_not_follow_the_log_prove_nothing() -> None:
    assert decide(situation(a=Silent(), b=Silent(), c=Silent()), 100) == AskFriends(until=UNTIL)
    assert decide(situation(4, a=Silent(), b=Silent(), c=Silent()), 200) == Blocked(why=Unsure.SMALLER)


@pytest.mark.parametrize(
    ("size", "remembered", "why"),
    [
        (5, None, Unsure.MISSING),
        (4, REMEMBERED, Unsure.SMALLER),
        (0, REMEMBERED, Unsure.SMALLER),
        (7, REMEMBERED, Unsure.OTHER),
        (5, replace(REMEMBERED, before=head(5, b"!")), Unsure.OTHER),
    ],
)
def test_a_log_that_is_not_the_remembered_one_waits_for_a_friend(
    size: int, remembered: Remembered | None, why: Unsure
) -> None:
    assert decide(situation(size, remembered), 100) == AskFriends(until=UNTIL)
    assert decide(situation(size, remembered), UNTIL) == Blocked(why=why)
    assert decide(situation(size, remembered), UNTIL * 1000) == Blocked(why=why), "time alone proves nothing"
    assert decide(situation(size, remembered, a=Agrees()), UNTIL) == SignNow()


def test_then_all_friends_are_heard_if_they_can_be_in_time() -> None:
    assert decide(situation(4, a=Agrees(), connected="a"), 100) == AskFriends(until=UNTIL)
    assert decide(situation(4, a=Agrees(), b=Agrees(), c=Silent(), connected="abc"), 100) == SignNow()


@pytest.mark.parametrize("remembered", [None, REMEMBERED, replace(REMEMBERED, followed=False)])
@pytest.mark.parametrize("found", [knows(8), knows(3, b"!")])
def test_a_head_of_ours_that_we_do_not_have_ends_the_epoch(
    remembered: Remembered | None, found: Knows
) -> None:
    asked = situation(5, remembered, a=Agrees(), b=found)
    for now in (0, UNTIL, UNTIL * 1000):
        assert decide(asked, now) == RolledBack(head=found.head)


def test_the_greatest_of_such_heads_is_told() -> None:
    assert decide(situation(5, a=knows(7), b=knows(9), c=knows(8)), 0) == RolledBack(head=head(9))


def test_a_log_that_was_replaced_stays_so_whoever_agrees() -> None:
    back = situation(5, replace(REMEMBERED, retired=True), a=Agrees(), b=Agrees(), c=Agrees())
    for now in (0, UNTIL, UNTIL * 1000):
        assert decide(back, now) == Retired()


def test_every_decision_is_reached() -> None:
    reached: set[type[Decision]] = {
        type(decide(one, now))
        for one in (situation(5), situation(4), situation(5, a=knows(8)))
        for now in (0, UNTIL)
    }
    reached.add(type(decide(situation(5, replace(REMEMBERED, retired=True)), 0)))
    assert reached == {SignNow, AskFriends, Blocked, RolledBack, Retired}


# --- what a new epoch names


@pytest.mark.parametrize(
    ("size", "remembered", "answers", "known"),
    [
        (5, REMEMBERED, {}, 5),
        (6, REMEMBERED, {}, 6),
        (3, REMEMBERED, {}, 5),
        (3, None, {}, 3),
        (3, None, {"a": knows(8), "b": knows(7)}, 8),
        (3, REMEMBERED, {"a": Silent(), "b": Agrees()}, 5),
        (0, None, {}, 0),
    ],
)
def test_the_greatest_head_that_was_certainly_signed_is_the_previous_one(
    size: int, remembered: Remembered | None, answers: dict[str, Answer], known: int
) -> None:
    found = last_known(replace(situation(size, remembered), answers=answers))
    assert found == head(known)
    assert known or found.root == EMPTY_ROOT
