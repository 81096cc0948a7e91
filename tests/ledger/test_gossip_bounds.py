"""What is remembered of a friend and of a log is bounded whatever is said, and honest friends converge."""

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from f2fbuild import limits
from f2fbuild.errors import FormatError
from f2fbuild.ledger.checkpoint import Checkpoint, open_checkpoint
from f2fbuild.ledger.gossip import swaps, talk, vectors
from f2fbuild.ledger.gossip.books import Book
from f2fbuild.ledger.gossip.sides import Question, Sides
from f2fbuild.ledger.gossip.spread import Gossip
from f2fbuild.ledger.gossip.talk import Given, Have
from f2fbuild.ledger.gossip.vectors import Lines, pack, unpack
from tests.ledger.gossip_plays import (
    ANNA,
    BERT,
    CARL,
    DORA,
    ME,
    Play,
    announced,
    having,
    head,
    linked,
    log_of,
    vector,
    with_friends,
)
from tests.ledger.ledger_helpers import NodeKeys

ONE, TWO, THREE = [b"1"], [b"1", b"2"], [b"1", b"2", b"3"]
AUTHORS = [NodeKeys(number) for number in range(20, 26)]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """Two logs for each friend, two friends for each log, two heads for each answer."""
    monkeypatch.setattr(limits, "ORIGINS_PER_FRIEND", 2)
    monkeypatch.setattr(vectors, "ORIGINS_PER_FRIEND", 2)
    monkeypatch.setattr(limits, "SWAP_HEADS", 2)
    monkeypatch.setattr("f2fbuild.ledger.gossip.sides.SIDES", 2)
    return 2


def test_a_book_has_so_many_pages(few: int) -> None:
    book = Book(log_of(ANNA))
    lines = [having(author, ONE, 1) for author in AUTHORS]
    for line in lines:
        book.note(line)
    assert [book.holds(line.log) == line for line in lines] == [True] * few + [False] * 4
    book.hold(lines, whole=True)
    assert list(book.has) == lines[:few]
    # What was shown last counts; what is said to be had replaces it, as far as there is room.
    assert [book.holds(line.log) == line for line in lines] == [True] * few + [False] * 4
    newer = [having(author, TWO, 1) for author in AUTHORS]
    book.push(line.log for line in lines)
    assert [book.wants(line) for line in newer] == [True] * few + [True, True, False, False]
    assert not book.wants(newer[2]), "a log is introduced once"


def test_a_friend_says_no_more_than_its_bucket_holds() -> None:
    book = Book(log_of(ANNA))
    assert book.spend(limits.HEADS_AT_ONCE, 100.0)
    assert not book.spend(1, 100.0)
    assert not book.spend(limits.HEADS_PER_SECOND + 1, 101.0)
    assert book.spend(limits.HEADS_PER_SECOND, 101.0)
    assert not book.spend(1, 90.0), "a clock set back fills no bucket"


def test_heads_of_one_log_pause_unless_they_were_asked_for() -> None:
    book = Book(log_of(ANNA))
    log, now = log_of(BERT), 1_000.0
    assert book.may_speak_of(log, now, asked=False)
    book.heard(log, now)
    assert not book.may_speak_of(log, now + 1, asked=False)
    assert book.may_speak_of(log, now + 1, asked=True)
    assert book.may_speak_of(log, now + limits.HEAD_SECONDS, asked=False)
    book.ask(now)
    assert book.may_speak_of(log, now + 1, asked=False)


def test_more_logs_than_a_friend_may_name_are_not_taken_from_it(few: int) -> None:
    book = Book(log_of(ANNA))
    for author in AUTHORS[:few]:
        book.heard(log_of(author), 0.0)
    assert not book.may_speak_of(log_of(AUTHORS[few]), 0.0, asked=True)


def test_only_so_many_friends_wait_to_be_compared(few: int) -> None:
    sides = Sides(ANNA.vkey, open_checkpoint, ANNA.head(ONE))
    for peer in ("bert", "carl", "dora"):
        sides.show(peer, ANNA.head(TWO))
    questions = 0
    while (question := sides.compare()) is not None:
        assert isinstance(question, Question)
        assert (question.old, question.new) == (1, 2)
        questions += 1
        sides.answer(None)
    assert questions == few


def test_a_head_that_says_nothing_new_is_passed_over() -> None:
    sides = Sides(ANNA.vkey, open_checkpoint, ANNA.head(TWO))
    sides.show("bert", ANNA.head(TWO) + "— somebody.example AAAAAAAA\n".encode())
    assert sides.compare() is None
    assert sides.proved == ANNA.head(TWO)
    assert sides.answer(None) is None, "nothing was asked"


def test_an_answer_to_a_swap_has_so_many_heads(few: int) -> None:
    play = with_friends("anna")
    for author in AUTHORS:
        play >> talk.Announced(peer="anna", head=head(author, ONE, 1))
        play.skip()
    book = Book(log_of(BERT))
    logs = play.gossip._logs
    assert len(logs) == few
    play >> linked("bert")
    play.skip()
    found = swaps.missing(book, logs)
    assert [known.have.log for known in found] == [log_of(author) for author in reversed(AUTHORS[:few])]


def test_heads_in_an_answer_count_against_the_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    play = with_friends("anna")
    monkeypatch.setattr(limits, "HEADS_AT_ONCE", 1)
    heads = (head(BERT, ONE, 1), head(CARL, ONE, 1))
    play >> talk.SwapAnswered(peer="anna", vector=vector(), heads=heads)
    play.skip()
    assert play.gossip.head(log_of(BERT)) is not None
    assert play.gossip.head(log_of(CARL)) is None


def test_lines_come_back_as_they_were_kept() -> None:
    lines = Lines([having(ANNA, ONE, 0), having(BERT, TWO, limits.HEAD_HOPS)])
    lines.put(having(ANNA, TWO, 1))
    assert len(lines) == 2
    again = Lines(unpack(pack(lines)))
    assert (list(again), again.total) == (list(lines), lines.total)
    lines.clear()
    assert lines.total == Lines().total == bytes(16)


@pytest.mark.parametrize("data", [b"x", pack([having(ANNA, ONE, 0)])[:-1], pack([having(ANNA, ONE, 4)])])
def test_bytes_that_are_no_lines_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        list(unpack(data))


def test_the_same_size_with_another_root_is_news() -> None:
    ours = having(ANNA, [b"1", b"2"], 1)
    assert vectors.lacks(having(ANNA, [b"1", b"x"], 1), ours)
    assert not vectors.lacks(having(ANNA, [b"1", b"2"], 2), ours)
    assert vectors.lacks(having(ANNA, [b"1", b"2"], 3), ours)
    assert not vectors.lacks(having(ANNA, THREE, 2), ours)
    assert vectors.lacks(having(ANNA, THREE, 3), ours), "a fork is compared where its shorter side is nearer"


@pytest.mark.parametrize(
    ("rounds", "is_swapped"), [(10_000, False), (1_000, True)], ids=["announced", "in answers to swaps"]
)
def test_of_a_million_tiny_logs_so_many_are_known_and_passed_on(rounds: int, is_swapped: bool) -> None:
    # Signatures cost the same whoever checks them, so here nobody does.
    sound = [NodeKeys(number).log.public for number in range(100)]
    gossip = Gossip(ME.log.public, lambda note, key: Checkpoint(origin=key.name, size=len(note), root=note))
    now, told = 1_000.0, 0
    for name in ("anna", "bert"):
        gossip.receive(linked(name), now)
    for number in range(rounds):
        publics = [number.to_bytes(4, "big") + public[4:] for public in sound] if number else sound
        heads = tuple(Given(note=b"1" * 32, public=public, hops=1) for public in publics)
        events: list[talk.Event] = [talk.Announced(peer="anna", head=one) for one in heads]
        if is_swapped:
            events = [talk.SwapAnswered(peer="anna", vector=vector(), heads=heads)]
        for event in events:
            now += limits.HEAD_SECONDS
            actions = gossip.receive(event, now)
            told += sum(isinstance(action, talk.Announce) and action.peer == "bert" for action in actions)
    assert len(gossip) == limits.ORIGINS_PER_FRIEND
    assert 0 < told <= limits.ORIGINS_PER_FRIEND
    book = gossip._books["anna"]
    for kept in (book._shown, book._heard, book._introduced, book._pushes, book.has, book.told):
        assert len(kept) <= limits.ORIGINS_PER_FRIEND


# Whatever is said

HEADS = [
    head(keys, entries, hops) for keys in (ANNA, *AUTHORS) for entries in (ONE, TWO) for hops in (0, 1, 2)
]
PEERS = st.sampled_from(["anna", "bert", "carl"])
LINES = st.lists(
    st.builds(
        Have,
        log=st.sampled_from([log_of(author) for author in AUTHORS]) | st.binary(min_size=32, max_size=32),
        size=st.integers(0, 5),
        mark=st.binary(min_size=16, max_size=16),
        hops=st.integers(0, 3),
    ),
    max_size=6,
).map(tuple)
VECTORS = st.builds(
    talk.Vector,
    have=LINES,
    total=st.binary(min_size=16, max_size=16),
    whole=st.booleans(),
    again=st.booleans(),
)
GIVEN = st.sampled_from(HEADS)
LOGS = st.lists(st.sampled_from([log_of(author) for author in AUTHORS]), max_size=4).map(tuple)
EVENTS = st.one_of(
    st.builds(linked, PEERS),
    st.builds(talk.Unlinked, peer=PEERS),
    st.builds(announced, PEERS, GIVEN),
    st.builds(talk.Swapped, peer=PEERS, vector=VECTORS),
    st.builds(talk.SwapAnswered, peer=PEERS, vector=VECTORS, heads=st.lists(GIVEN, max_size=4).map(tuple)),
    st.builds(talk.Tuned, peer=PEERS, graft=LOGS, prune=LOGS),
    st.builds(talk.Tick, chosen=st.lists(PEERS, max_size=3).map(tuple)),
)


@settings(max_examples=60, deadline=None)
@given(events=st.lists(EVENTS, max_size=30))
def test_nothing_grows_without_bound_and_no_head_goes_too_far(events: list[talk.Event]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "ORIGINS_PER_FRIEND", 2)
        patch.setattr(vectors, "ORIGINS_PER_FRIEND", 2)
        gossip = Gossip(ME.log.public)
        heard: set[bytes] = set()
        for number, event in enumerate(events):
            for given_head in _heads_of(event):
                heard.add(given_head.note)
            for action in gossip.receive(event, 1_000.0 + number):
                for told in _heads_of(action):
                    assert told.hops < limits.HEAD_HOPS
                    assert told.note in heard, "nobody said this"
        assert len(gossip) <= 3 * 2
        for peer in gossip.peers:
            assert all(len(lines) <= 2 for lines in gossip.lines(peer))


def _heads_of(said: object) -> list[Given]:
    one = getattr(said, "head", None)
    return [*getattr(said, "heads", ()), *([one] if isinstance(one, Given) else [])]


# Friends among themselves

CAST = [NodeKeys(number) for number in range(40, 48)]


def deliver(nodes: list[Gossip], out: deque[tuple[int, talk.Action]], now: float) -> None:
    """Carry what nodes say to one another until they are silent; peers are named by their numbers."""
    while out:
        sender, action = out.popleft()
        event: talk.Event
        match action:
            case talk.Announce(peer=peer, head=given_head):
                event = talk.Announced(peer=str(sender), head=given_head)
            case talk.Swap(peer=peer, vector=told):
                event = talk.Swapped(peer=str(sender), vector=told)
            case talk.AnswerSwap(peer=peer, vector=told, heads=heads):
                event = talk.SwapAnswered(peer=str(sender), vector=told, heads=heads)
            case talk.Tune(peer=peer, graft=graft, prune=prune):
                event = talk.Tuned(peer=str(sender), graft=graft, prune=prune)
            case _:
                continue
        receiver = int(peer)
        out.extend((receiver, one) for one in nodes[receiver].receive(event, now))


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_everybody_within_three_hops_holds_the_head_and_nobody_else(data: st.DataObject) -> None:
    count = len(CAST)
    links = {(data.draw(st.integers(0, later - 1)), later) for later in range(1, count)}
    links |= set(
        data.draw(st.lists(st.sampled_from([(a, b) for b in range(count) for a in range(b)]), max_size=4))
    )
    nodes = [Gossip(keys.log.public) for keys in CAST]
    out: deque[tuple[int, talk.Action]] = deque()
    now = 1_000.0
    for a, b in sorted(links):
        for one, other in ((a, b), (b, a)):
            friend = talk.Linked(peer=str(other), log=log_of(CAST[other]))
            out.extend((one, action) for action in nodes[one].receive(friend, now))
    deliver(nodes, out, now)
    author = data.draw(st.integers(0, count - 1))
    note = CAST[author].head(TWO)
    out.extend((author, action) for action in nodes[author].receive(talk.Grew(note=note), now))
    deliver(nodes, out, now)
    for _ in range(4):
        now += limits.HEAD_SECONDS
        for number, node in enumerate(nodes):
            chosen = tuple(str(a if b == number else b) for a, b in sorted(links) if number in (a, b))
            out.extend((number, action) for action in node.receive(talk.Tick(chosen=chosen), now))
        deliver(nodes, out, now)
    near = within(links, author, limits.HEAD_HOPS)
    for number, node in enumerate(nodes):
        known = node.head(log_of(CAST[author]))
        assert (known is not None) == (number in near), (number, near)
        if known is not None:
            assert known.note == note


def within(links: set[tuple[int, int]], start: int, hops: int) -> set[int]:
    found = {start}
    for _ in range(hops):
        found |= {b for a, b in links if a in found} | {a for a, b in links if b in found}
    return found


def test_a_friend_that_left_is_no_way_any_more() -> None:
    play = Play() >> linked("dora")
    play.skip()
    play >> announced("dora", head(DORA, ONE, 0))
    play.skip()
    play >> talk.Unlinked(peer="dora")
    play.skip()
    assert play.gossip.peers == {"dora"}
    known = play.gossip.head(log_of(DORA))
    assert known is not None
    assert known.parent == ""
    play >> linked("dora")
    play.skip()
    assert known.parent == "dora"
