"""What a node says to its friends about logs, line by line."""

import pytest

from f2fbuild import limits
from f2fbuild.ledger import evidence
from f2fbuild.ledger.checkpoint import origin_of
from f2fbuild.ledger.gossip import talk
from f2fbuild.ledger.gossip.spread import Gossip
from f2fbuild.ledger.gossip.talk import Given
from f2fbuild.ledger.note import format_note, open_note, sign
from tests.ledger.gossip_plays import (
    ANNA,
    BERT,
    CARL,
    DORA,
    ME,
    NAMES,
    Play,
    announced,
    graft,
    having,
    head,
    linked,
    log_of,
    proof,
    prune,
    vector,
    with_friends,
)

ONE, TWO, THREE = [b"1"], [b"1", b"2"], [b"1", b"2", b"3"]
OTHER, LONGER = [b"1", b"x"], [b"1", b"x", b"3"]
FIRST, SECOND = sorted(NAMES, key=lambda name: log_of(NAMES[name]) > log_of(ME))[:: len(NAMES) - 1]
"""A friend whose log is before ours, so that it asks for the first swap, and one whose log is after ours."""


def full(*keys: object) -> talk.Follows:
    return talk.Follows(full=frozenset(log_of(one) for one in keys), frozen=frozenset())  # type: ignore[arg-type]


def test_two_friends_meet_and_one_of_them_asks_for_a_swap() -> None:
    assert log_of(NAMES[FIRST]) < log_of(ME) < log_of(NAMES[SECOND])
    play = Play() >> linked(FIRST) << graft(FIRST, NAMES[FIRST])
    play >> linked(SECOND) << graft(SECOND, NAMES[SECOND])
    (play << talk.Swap(peer=SECOND, vector=vector(whole=True))).end()


def test_our_own_log_grows_and_every_friend_hears_of_it_once() -> None:
    play = with_friends("anna", "bert") >> talk.Grew(note=ME.head(ONE))
    play << talk.Announce(peer="anna", head=head(ME, ONE, 0))
    play << talk.Announce(peer="bert", head=head(ME, ONE, 0))
    # From now on it is told at once to who asked for that, and to others by swaps.
    play >> talk.Tuned(peer="anna", graft=(log_of(ME),), prune=())
    play >> talk.Grew(note=ME.head(TWO)) << talk.Announce(peer="anna", head=head(ME, TWO, 0))
    play >> talk.Tuned(peer="anna", graft=(), prune=(log_of(ME),)) >> talk.Grew(note=ME.head(THREE))
    play.end()


def test_a_head_is_passed_on_with_one_hop_more_and_no_further_than_three() -> None:
    play = with_friends("anna", "bert", "carl")
    play >> announced("anna", head(DORA, ONE, 1)) << graft("anna", DORA)
    play << talk.Announce(peer="bert", head=head(DORA, ONE, 2))
    (play << talk.Announce(peer="carl", head=head(DORA, ONE, 2))).end()
    far = with_friends("anna", "bert") >> announced("anna", head(DORA, ONE, 2)) << graft("anna", DORA)
    far.end()
    known = far.gossip.head(log_of(DORA))
    assert known is not None
    assert known.have == having(DORA, ONE, limits.HEAD_HOPS)
    # Who has heard of a head by the last hop passes it on in no other way either.
    (
        far
        >> talk.Tuned(peer="bert", graft=(log_of(DORA),), prune=())
        >> talk.Swapped(peer="bert", vector=vector())
    )
    (answer,) = far.skip()
    assert isinstance(answer, talk.AnswerSwap)
    assert answer.heads == ()
    assert answer.vector.have == (having(DORA, ONE, limits.HEAD_HOPS),)


def test_a_shorter_way_is_passed_on_too() -> None:
    play = with_friends("anna", "bert", "carl")
    play >> announced("anna", head(DORA, ONE, 2)) << graft("anna", DORA)
    (
        play
        >> announced("bert", head(DORA, ONE, 1))
        << graft("bert", DORA)
        << talk.Tune(peer="anna", graft=(), prune=(log_of(DORA),))
    )
    (play << talk.Announce(peer="carl", head=head(DORA, ONE, 2))).end()
    (play >> announced("carl", head(DORA, ONE, 2))).end()


@pytest.mark.parametrize("hops", [-1, 0, 3])
def test_only_its_author_is_at_the_beginning_of_a_log(hops: int) -> None:
    play = with_friends("anna", "bert") >> announced("anna", head(DORA, ONE, hops))
    play.end()
    assert play.gossip.head(log_of(DORA)) is None


def test_what_the_author_says_of_its_own_log_is_wanted_from_nobody_else() -> None:
    play = with_friends("anna", "bert") >> announced("anna", head(ANNA, ONE, 0))
    play << talk.Announce(peer="bert", head=head(ANNA, ONE, 1))
    (play >> announced("bert", head(ANNA, TWO, 1)) << ask("bert", ANNA, 1, 2)).end()


def ask(peer: str, keys: object, old: int, new: int) -> talk.AskConsistency:
    return talk.AskConsistency(peer=peer, log=log_of(keys), old=old, new=new)  # type: ignore[arg-type]


def test_news_of_our_own_log_are_none() -> None:
    (with_friends("anna") >> announced("anna", head(ME, ONE, 1))).end()


def test_who_is_not_there_says_nothing() -> None:
    play = Play() >> announced("anna", head(ANNA, ONE, 0)) >> talk.Swapped(peer="anna", vector=vector())
    play >> talk.SwapAnswered(peer="anna", vector=vector(), heads=(head(ANNA, ONE, 0),))
    play >> talk.Tuned(peer="anna", graft=(log_of(ME),), prune=()) >> talk.Unlinked(peer="anna")
    play >> talk.Left(peer="anna") >> talk.Unspoken(peer="anna") >> talk.Tick(chosen=("anna",))
    play >> talk.Proved(log=log_of(ANNA), consistency=None)
    play.end()
    assert len(play.gossip) == 0


def test_the_fastest_friend_tells_at_once_and_the_others_by_swaps() -> None:
    play = with_friends("anna", "bert")
    play >> announced("anna", head(DORA, ONE, 1)) << graft("anna", DORA)
    play << talk.Announce(peer="bert", head=head(DORA, ONE, 2))
    play.later(limits.HEAD_SECONDS)
    play >> announced("bert", head(DORA, TWO, 1)) << graft("bert", DORA) << prune("anna", DORA)
    play << ask("bert", DORA, 1, 2)
    # Anna was told once that there is such a log; what is new in it she hears when she swaps, or asks.
    play >> talk.Tuned(peer="anna", graft=(log_of(DORA),), prune=())
    (play << talk.Announce(peer="anna", head=head(DORA, TWO, 2))).end()


def test_when_the_fastest_is_gone_another_is_asked() -> None:
    play = with_friends("anna", "bert", "carl")
    play >> announced("anna", head(DORA, ONE, 1))
    play.skip()
    play >> announced("bert", head(DORA, ONE, 2)) >> announced("carl", head(DORA, ONE, 1))
    play >> talk.Unlinked(peer="anna") << graft("carl", DORA)
    play >> talk.Unlinked(peer="carl") << graft("bert", DORA) >> talk.Unlinked(peer="bert")
    play.end()
    # And the first who comes back and has it is wanted again, without having to say so.
    play >> talk.Linked(peer="bert", log=log_of(BERT))
    grafts = [one for one in play.skip() if isinstance(one, talk.Tune)]
    assert grafts == [graft("bert", BERT)], "what it had is not known any more once it was gone"


def test_a_swap_tells_what_changed_and_gives_what_is_lacking() -> None:
    play = (
        with_friends("anna")
        >> talk.Grew(note=ME.head(ONE))
        << talk.Announce(peer="anna", head=head(ME, ONE, 0))
    )
    mine, theirs = having(ME, ONE, 0), having(DORA, ONE, 1)
    play >> talk.Swapped(peer="anna", vector=vector(theirs))
    # That she has it counts when she says so: what was announced may have been lost with a link.
    play << talk.AnswerSwap(peer="anna", vector=vector(mine), heads=())
    again = vector(remembered=[theirs])
    play >> talk.Swapped(peer="anna", vector=again)
    play << talk.AnswerSwap(peer="anna", vector=vector(remembered=[mine]), heads=())
    play >> talk.Unlinked(peer="anna") >> linked("anna")
    play.skip()
    play >> talk.Swapped(peer="anna", vector=again)
    (answer,) = play.skip()
    assert isinstance(answer, talk.AnswerSwap)
    assert answer.heads == (head(ME, ONE, 0),)


def test_who_remembers_something_else_is_told_everything() -> None:
    play = with_friends("anna") >> talk.Grew(note=ME.head(ONE))
    play.skip()
    mine = having(ME, ONE, 0)
    play >> talk.Swapped(peer="anna", vector=vector(remembered=[having(DORA, ONE, 1)]))
    play << talk.AnswerSwap(peer="anna", vector=vector(mine, again=True), heads=())
    play >> talk.Swapped(peer="anna", vector=vector(having(DORA, ONE, 1), whole=True, again=True))
    play << talk.AnswerSwap(peer="anna", vector=vector(mine, whole=True), heads=())
    # The same when it comes out in the answer.
    play >> talk.Tick(chosen=("anna",)) << talk.Swap(peer="anna", vector=vector(remembered=[mine]))
    play >> talk.SwapAnswered(peer="anna", vector=vector(remembered=[], again=True), heads=())
    (play << talk.Swap(peer="anna", vector=vector(mine, whole=True, again=True))).end()


def test_an_answer_brings_heads_and_takes_others_back() -> None:
    play = with_friends("anna") >> announced("anna", head(DORA, ONE, 1)) << graft("anna", DORA)
    play >> talk.Grew(note=ME.head(ONE)) << talk.Announce(peer="anna", head=head(ME, ONE, 0))
    play >> talk.Unlinked(peer="anna") >> linked("anna")
    play.skip()
    play >> talk.Tick(chosen=("anna", "nobody"))
    play.skip()
    theirs = vector(having(CARL, ONE, 1), remembered=[having(CARL, ONE, 1)], whole=True)
    play >> talk.SwapAnswered(peer="anna", vector=theirs, heads=(head(CARL, ONE, 1),))
    play << talk.Announce(peer="anna", head=head(ME, ONE, 0))
    play << talk.Announce(peer="anna", head=head(DORA, ONE, 2))
    (play << graft("anna", CARL)).end()


def test_an_old_program_hears_of_our_own_log_and_is_asked_for_nothing() -> None:
    play = with_friends("anna", "bert") >> talk.Unspoken(peer="anna")
    play >> talk.Grew(note=ME.head(ONE)) << talk.Announce(peer="anna", head=head(ME, ONE, 0))
    play << talk.Announce(peer="bert", head=head(ME, ONE, 0))
    play >> talk.Grew(note=ME.head(TWO)) << talk.Announce(peer="anna", head=head(ME, TWO, 0))
    play >> announced("bert", head(DORA, ONE, 1)) << graft("bert", DORA)
    (play >> talk.Tick(chosen=("anna",))).end()


def test_cosignatures_are_taken_off() -> None:
    bare = DORA.head(ONE)
    line = format_note(sign(open_note(bare, [DORA.vkey]).text, origin_of(CARL.log.public), CARL.log))
    dressed = bare + line.rsplit(b"\n\n", 1)[1]
    play = with_friends("anna", "bert")
    play >> announced("anna", Given(note=dressed, public=DORA.log.public, hops=1)) << graft("anna", DORA)
    (play << talk.Announce(peer="bert", head=head(DORA, ONE, 2))).end()
    own = with_friends("anna") >> talk.Grew(note=ME.head(ONE) + line.rsplit(b"\n\n", 1)[1])
    own << talk.Announce(peer="anna", head=head(ME, ONE, 0))


@pytest.mark.parametrize(
    "given",
    [
        Given(note=b"", public=DORA.log.public, hops=1),
        Given(note=CARL.head(ONE), public=DORA.log.public, hops=1),
        Given(note=DORA.head(ONE), public=bytes(32), hops=1),
        Given(note=DORA.head(ONE) + b"\xe2\x80\x94 x eA==\n" * 10_000, public=DORA.log.public, hops=1),
        Given(note=DORA.head(ONE) + b"\xe2\x80\x94 x eHh4eHg=\n" * 101, public=DORA.log.public, hops=1),
    ],
    ids=["empty", "another's", "small order", "10,000 signatures", "101 signatures"],
)
def test_what_is_no_head_is_nothing(given: Given) -> None:
    play = with_friends("anna", "bert") >> announced("anna", given)
    play.end()
    assert len(play.gossip) == 0


# Entries


def test_entries_of_a_friend_are_fetched_and_those_of_others_are_not() -> None:
    play = with_friends("anna", "bert") >> full(ANNA)
    play >> announced("anna", head(ANNA, ONE, 0)) << talk.Announce(peer="bert", head=head(ANNA, ONE, 1))
    play << talk.Pull(peer="anna", log=log_of(ANNA), note=ANNA.head(ONE))
    play >> talk.Fetched(log=log_of(ANNA), note=ANNA.head(ONE), public=ANNA.log.public)
    play.end()
    (play >> announced("bert", head(DORA, ONE, 1)) << graft("bert", DORA)).skip()
    assert log_of(DORA) not in play.gossip._full


def test_what_was_fetched_by_another_way_is_known_and_told() -> None:
    play = with_friends("anna", "bert") >> full(ANNA, DORA)
    play >> talk.Fetched(log=log_of(ANNA), note=ANNA.head(ONE), public=ANNA.log.public)
    play << talk.Announce(peer="bert", head=head(ANNA, ONE, 1))
    play << talk.Announce(peer="anna", head=head(ANNA, ONE, 1))
    # How far the log of somebody else came is not known, so it goes no further.
    play >> talk.Fetched(log=log_of(DORA), note=DORA.head(ONE), public=DORA.log.public)
    play >> talk.Fetched(log=log_of(DORA), note=DORA.head(TWO), public=DORA.log.public)
    play >> talk.Fetched(log=log_of(DORA), note=DORA.head(ONE), public=DORA.log.public)
    play.end()
    known = play.gossip.head(log_of(DORA))
    assert known is not None
    assert (known.note, known.sides.proved) == (DORA.head(TWO), DORA.head(TWO))


# Two stories


def test_two_heads_of_one_size_convict_at_once() -> None:
    play = with_friends("anna", "bert") >> announced("anna", head(DORA, TWO, 1))
    play.skip()
    play >> announced("bert", head(DORA, OTHER, 1))
    (convict,) = play.skip()
    assert isinstance(convict, talk.Convict)
    found = evidence.check(convict.evidence)
    assert isinstance(found, evidence.EquivocationFinding)
    assert found.origin == DORA.origin
    # From then on nothing is taken of it, or passed on.
    play.later(limits.HEAD_SECONDS) >> announced("anna", head(DORA, THREE, 1))
    play >> talk.Swapped(peer="carl", vector=vector()) >> linked("carl")
    play.skip()
    play >> talk.Swapped(peer="carl", vector=vector(whole=True))
    (answer,) = play.skip()
    assert isinstance(answer, talk.AnswerSwap)
    assert answer.heads == ()


def test_two_heads_of_different_sizes_are_compared_along_the_way_of_the_larger() -> None:
    play = with_friends("anna", "bert") >> announced("anna", head(DORA, TWO, 1))
    play.skip()
    play >> announced("bert", head(DORA, LONGER, 1)) << graft("bert", DORA) << prune("anna", DORA)
    play << ask("bert", DORA, 2, 3)
    play >> talk.Proved(log=log_of(DORA), consistency=proof(LONGER, 2))
    (convict,) = play.skip()
    assert isinstance(convict, talk.Convict)
    assert isinstance(evidence.check(convict.evidence), evidence.EquivocationFinding)


def test_the_smaller_of_two_heads_may_come_last() -> None:
    play = with_friends("anna", "bert") >> announced("anna", head(DORA, LONGER, 1))
    play.skip()
    play >> announced("bert", head(DORA, TWO, 1)) << ask("anna", DORA, 2, 3)
    play >> talk.Proved(log=log_of(DORA), consistency=proof(LONGER, 2))
    (convict,) = play.skip()
    assert isinstance(convict, talk.Convict)


def test_an_honest_log_is_proved_and_convicted_of_nothing() -> None:
    play = with_friends("anna", "bert") >> announced("anna", head(DORA, ONE, 1))
    play.skip()
    play >> announced("anna", head(DORA, TWO, 1)) << ask("anna", DORA, 1, 2)
    play >> announced("bert", head(DORA, THREE, 1)) << graft("bert", DORA) << prune("anna", DORA)
    play >> talk.Proved(log=log_of(DORA), consistency=proof(TWO, 1)) << ask("bert", DORA, 2, 3)
    play >> talk.Proved(log=log_of(DORA), consistency=proof(THREE, 2))
    play.later(limits.HEAD_SECONDS) >> announced("anna", head(DORA, TWO, 1)) << ask("bert", DORA, 2, 3)
    (play >> talk.Proved(log=log_of(DORA), consistency=proof(THREE, 2))).end()
    known = play.gossip.head(log_of(DORA))
    assert known is not None
    assert known.sides.proved == DORA.head(THREE)


def test_a_proof_that_is_not_given_is_asked_for_again_and_in_the_end_let_go() -> None:
    play = with_friends("anna", "bert") >> announced("anna", head(DORA, ONE, 1))
    play.skip()
    play >> announced("anna", head(DORA, TWO, 1)) << ask("anna", DORA, 1, 2)
    for _round in range(limits.PROOF_TRIES):
        (play >> talk.Proved(log=log_of(DORA), consistency=None)).end()
        play >> talk.Tick(chosen=()) << ask("anna", DORA, 1, 2)
    play >> talk.Proved(log=log_of(DORA), consistency=proof([b"no", b"proof"], 1))
    (play >> talk.Tick(chosen=())).end()


def on_their_way() -> Play:
    """A play in which Bert has shown a head of Anna's, whose log we keep, and we fetch its entries."""
    play = with_friends("anna", "bert") >> full(ANNA)
    play >> talk.Fetched(log=log_of(ANNA), note=ANNA.head(ONE), public=ANNA.log.public)
    play.skip()
    play >> announced("bert", head(ANNA, TWO, 1))
    wanted = play.skip()
    assert talk.Pull(peer="bert", log=log_of(ANNA), note=ANNA.head(TWO)) in wanted
    assert not any(isinstance(one, talk.AskConsistency) for one in wanted)
    return play


def test_entries_on_their_way_need_no_proof() -> None:
    play = on_their_way() >> talk.Fetched(log=log_of(ANNA), note=ANNA.head(TWO), public=ANNA.log.public)
    (play >> talk.Tick(chosen=())).end()


def test_a_proof_is_asked_for_when_entries_do_not_come() -> None:
    (on_their_way() >> talk.Tick(chosen=()) << ask("bert", ANNA, 1, 2)).end()


def test_nobody_is_asked_who_is_gone() -> None:
    play = with_friends("anna", "bert") >> announced("anna", head(DORA, TWO, 1))
    play.skip()
    play >> talk.Unlinked(peer="anna") << graft("bert", DORA) >> announced("bert", head(DORA, ONE, 1))
    asked = [one for one in play.skip() if isinstance(one, talk.AskConsistency)]
    assert asked == []


def test_a_copy_proves_without_asking_anybody() -> None:
    play = with_friends("anna", "bert") >> full(ANNA)
    play >> talk.Fetched(log=log_of(ANNA), note=ANNA.head(THREE), public=ANNA.log.public)
    play.skip()
    play >> announced("bert", head(ANNA, OTHER, 1)) << ask("", ANNA, 2, 3)
    play >> talk.Proved(log=log_of(ANNA), consistency=proof(THREE, 2))
    (convict,) = play.skip()
    assert isinstance(convict, talk.Convict)


def test_a_log_that_forked_before_is_known_to_have() -> None:
    frozen = talk.Follows(full=frozenset(), frozen=frozenset({log_of(DORA)}))
    play = with_friends("anna", "bert") >> announced("anna", head(CARL, ONE, 1))
    play.skip()
    play >> frozen >> announced("anna", head(DORA, ONE, 1))
    play.skip()
    known, other = play.gossip.head(log_of(DORA)), play.gossip.head(log_of(CARL))
    assert known is not None
    assert other is not None
    assert (known.frozen, other.frozen) == (True, False)


# Friends that leave, and restarts


def test_what_only_a_former_friend_spoke_of_is_forgotten() -> None:
    play = with_friends("anna", "bert") >> full(BERT) >> talk.Grew(note=ME.head(ONE))
    play.skip()
    for peer, keys in (("anna", DORA), ("bert", CARL), ("bert", BERT)):
        play >> announced(peer, head(keys, ONE, 0 if keys is BERT else 1))
        play.skip()
    play >> talk.Left(peer="bert")
    play.skip()
    assert play.gossip.head(log_of(DORA)) is not None
    assert play.gossip.head(log_of(BERT)) is not None, "its entries are kept"
    assert play.gossip.head(log_of(ME)) is not None
    play >> talk.Left(peer="anna")
    play.skip()
    assert play.gossip.head(log_of(DORA)) is None


def test_after_a_restart_everything_is_known_as_before() -> None:
    play = with_friends("anna", "bert") >> announced("anna", head(DORA, TWO, 1))
    play.skip()
    play >> talk.Swapped(peer="anna", vector=vector(having(DORA, TWO, 1)))
    play.skip()
    before = play.gossip
    lines = {peer: before.lines(peer) for peer in ("anna", "bert")}
    after = Gossip(ME.log.public)
    after.restore(before.kept(), lines)
    assert after.kept() == before.kept()
    assert {peer: after.lines(peer) for peer in ("anna", "bert")} == lines
    assert before.kept(before.seq) == []
    again = Play(after) >> linked("anna")
    wanted = again.skip()
    assert graft("anna", ANNA, DORA) in wanted, "anna still has it"
    (
        again
        >> talk.Tick(chosen=("anna",))
        << talk.Swap(peer="anna", vector=vector(remembered=[having(DORA, TWO, 2)]))
    )
    again >> announced("anna", head(DORA, OTHER, 1))
    (convict,) = again.skip()
    assert isinstance(convict, talk.Convict), "and the head from before the restart convicts"
