"""What a copy shows of a log against what friends showed of it: neither hides the other's story."""

import pytest

from f2fbuild.ledger import evidence
from f2fbuild.ledger.checkpoint import open_checkpoint
from f2fbuild.ledger.gossip import talk
from f2fbuild.ledger.gossip.logs import Kept
from f2fbuild.ledger.gossip.sides import Sides
from f2fbuild.ledger.gossip.spread import Gossip
from tests.ledger.gossip_plays import (
    ANNA,
    DORA,
    ME,
    Play,
    announced,
    graft,
    head,
    log_of,
    proof,
    prune,
    with_friends,
)
from tests.ledger.ledger_helpers import NodeKeys

ONE, TWO, THREE, OTHER = [b"1"], [b"1", b"2"], [b"1", b"2", b"3"], [b"1", b"x"]
LONGER = [*OTHER, b"3"]


def full(*keys: NodeKeys) -> talk.Follows:
    return talk.Follows(full=frozenset(log_of(one) for one in keys), frozen=frozenset())


def copied(keys: NodeKeys, entries: list[bytes]) -> talk.Fetched:
    return talk.Fetched(log=log_of(keys), note=keys.head(entries), public=keys.log.public)


def ask(peer: str, keys: NodeKeys, old: int, new: int) -> talk.AskConsistency:
    return talk.AskConsistency(peer=peer, log=log_of(keys), old=old, new=new)


def convicted(play: Play, keys: NodeKeys) -> None:
    (convict,) = [action for action in play.skip() if isinstance(action, talk.Convict)]
    found = evidence.check(convict.evidence)
    assert isinstance(found, evidence.EquivocationFinding)
    assert found.origin == keys.origin


@pytest.mark.parametrize("keys", [ANNA, DORA], ids=["a friend's log", "a log of no friend"])
def test_a_copy_of_another_story_than_a_friend_showed_convicts(keys: NodeKeys) -> None:
    play = with_friends("anna", "bert") >> full(ANNA) >> announced("bert", head(keys, TWO, 1))
    play.skip()
    play >> copied(keys, OTHER)
    convicted(play, keys)


@pytest.mark.parametrize("keys", [ANNA, DORA], ids=["a friend's log", "a log of no friend"])
def test_a_longer_copy_is_compared_by_its_own_proof(keys: NodeKeys) -> None:
    play = with_friends("anna", "bert") >> full(ANNA) >> announced("bert", head(keys, TWO, 1))
    play.skip()
    play >> copied(keys, LONGER)
    play << ask("", keys, 2, 3)
    play >> talk.Proved(log=log_of(keys), consistency=proof(LONGER, 2))
    convicted(play, keys)


def test_a_shorter_copy_is_compared_along_the_way_of_the_longer_head() -> None:
    play = with_friends("anna", "bert") >> announced("bert", head(DORA, LONGER, 1))
    play.skip()
    play >> copied(DORA, TWO) << ask("bert", DORA, 2, 3)
    play >> talk.Proved(log=log_of(DORA), consistency=proof(LONGER, 2))
    convicted(play, DORA)


def test_an_honest_copy_is_proved_and_then_believed_without_proofs() -> None:
    play = with_friends("anna", "bert") >> full(ANNA) >> announced("bert", head(DORA, ONE, 1))
    play.skip()
    play >> copied(DORA, ONE)
    play.end()
    for entries in (TWO, THREE):
        play >> copied(DORA, entries)
        assert not [one for one in play.skip() if isinstance(one, talk.AskConsistency)]
    known = play.gossip.head(log_of(DORA))
    assert known is not None
    assert (known.sides.proved, known.sides.source) == (DORA.head(THREE), "")


def test_a_head_that_a_friend_showed_is_compared_after_a_restart_too() -> None:
    play = with_friends("anna", "bert") >> announced("bert", head(DORA, TWO, 1)) << graft("bert", DORA)
    play.skip()
    (kept,) = play.gossip.kept()
    assert isinstance(kept, Kept)
    again = Gossip(ME.log.public)
    again.restore([kept], {})
    play = Play(again) >> copied(DORA, OTHER)
    convicted(play, DORA)


def test_a_copy_that_is_behind_what_was_computed_is_nothing_new() -> None:
    sides = Sides(DORA.vkey, open_checkpoint)
    for entries in (TWO, ONE):
        sides.prove(DORA.head(entries))
        assert sides.compare() is None
    assert sides.proved == DORA.head(TWO)


def test_news_from_a_friend_is_compared_with_the_copy_and_the_copy_with_it() -> None:
    play = with_friends("anna", "bert") >> announced("anna", head(DORA, ONE, 1)) << graft("anna", DORA)
    play.skip()
    play >> copied(DORA, ONE)
    play >> announced("bert", head(DORA, TWO, 1)) << prune("anna", DORA) << graft("bert", DORA)
    play << ask("bert", DORA, 1, 2)
    play >> talk.Proved(log=log_of(DORA), consistency=proof(TWO, 1))
    play.skip()
    # The head of two entries is hearsay again, so the next copy is held against it.
    play >> copied(DORA, LONGER)
    play << ask("", DORA, 2, 3)
    play >> talk.Proved(log=log_of(DORA), consistency=proof(LONGER, 2))
    convicted(play, DORA)
