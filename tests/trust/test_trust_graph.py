from collections.abc import Collection
from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.limits import PATH_STEPS, PATHS_SHOWN
from f2fbuild.trust.graph import Edge, edges, independent, standing, trust_paths
from f2fbuild.trust.snapshot import Certification, Owner, TrustSnapshot, Validity
from tests.trust.trust_people import NOW, fingerprint

ME = "me"
NAMES = [ME, "ann", "bob", "eve", "dan", "fay"]


def simple_paths(start: str, end: str, certified: Collection[Edge]) -> list[tuple[str, ...]]:
    """Every path without repetition, by plain search."""
    found: list[tuple[str, ...]] = []
    open_ends: list[tuple[str, ...]] = [(start,)]
    while open_ends:
        path = open_ends.pop()
        if path[-1] == end:
            found.append(path)
            continue
        open_ends += [(*path, b) for a, b in certified if a == path[-1] and b not in path]
    return found


def can_all_vote(voters: tuple[str, ...], certified: Collection[Edge], used: frozenset[str]) -> bool:
    """Whether each voter has a path of his own, by trying every combination of paths."""
    if not voters:
        return True
    for path in simple_paths(ME, voters[0], certified):
        mine = frozenset(path) - {ME}
        if not mine & used and can_all_vote(voters[1:], certified, used | mine):
            return True
    return False


def oracle(owners: Collection[str], certified: Collection[Edge]) -> int:
    """The largest set of voters with paths that share nobody, by trying every set."""
    others = sorted(set(owners) - {ME})
    own = 1 if ME in owners else 0
    for size in range(len(others), 0, -1):
        if any(can_all_vote(some, certified, frozenset()) for some in combinations(others, size)):
            return size + own
    return own


@given(
    certified=st.frozensets(
        st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)).filter(lambda edge: edge[0] != edge[1]),
        max_size=14,
    ),
    owners=st.frozensets(st.sampled_from([*NAMES, "stranger"])),
)
def test_independent_is_what_trying_everything_finds(
    certified: frozenset[Edge], owners: frozenset[str]
) -> None:
    found = independent(ME, owners, certified)
    assert found.count == oracle(owners, certified) == len(found.owners)
    assert set(found.owners) <= owners
    voters = tuple(name for name in found.owners if name != ME)
    assert can_all_vote(voters, certified, frozenset())


def test_ten_sybils_behind_one_introducer_are_one_voice() -> None:
    sybils = [f"sybil{number}" for number in range(10)]
    certified = {(ME, "eve"), *(("eve", one) for one in sybils), *((one, "eve") for one in sybils)}
    assert independent(ME, sybils, certified).count == 1
    assert independent(ME, [*sybils, "eve"], certified).count == 1


def test_a_voting_introducer_uses_his_own_place() -> None:
    certified = {(ME, "ann"), ("ann", "bob")}
    assert independent(ME, ["ann", "bob"], certified).count == 1
    assert independent(ME, ["ann", "bob"], {*certified, (ME, "bob")}).count == 2


def test_everybody_is_on_one_path_only() -> None:
    """Two edges lead to bob and two away, but he is one person."""
    certified = {(ME, "ann"), (ME, "eve"), ("ann", "bob"), ("eve", "bob"), ("bob", "dan"), ("bob", "fay")}
    assert independent(ME, ["dan", "fay"], certified).count == 1


def test_flow_is_needed_where_greed_fails() -> None:
    """Whoever sends bob through ann first, loses dan, whom only ann knows."""
    certified = {(ME, "ann"), (ME, "eve"), ("ann", "bob"), ("ann", "dan"), ("eve", "bob")}
    found = independent(ME, ["bob", "dan"], certified)
    assert (found.count, found.owners) == (2, ("bob", "dan"))


def test_nobody_is_independent_of_nothing() -> None:
    assert independent(ME, [], set()).count == 0
    assert independent(ME, ["ann"], set()).count == 0
    assert independent(ME, [ME], set()).owners == (ME,)


@given(
    st.frozensets(
        st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)).filter(lambda edge: edge[0] != edge[1]),
        max_size=20,
    )
)
def test_paths_are_the_shortest_ones(certified: frozenset[Edge]) -> None:
    found = trust_paths(ME, "fay", certified)
    wanted = [path for path in simple_paths(ME, "fay", certified) if len(path) - 1 <= PATH_STEPS]
    assert set(found) <= set(wanted)
    assert [len(path) for path in found] == sorted(len(path) for path in wanted)[:PATHS_SHOWN]


def test_long_paths_are_not_shown_and_dense_graphs_do_not_stop_the_search() -> None:
    chain = [ME, *(f"n{number}" for number in range(PATH_STEPS)), "end"]
    assert trust_paths(ME, "end", list(pairwise(chain))) == ()
    crowd = [ME, *(f"n{number}" for number in range(40)), "end"]
    dense = [(a, b) for a in crowd for b in crowd if a != b]
    found = trust_paths(ME, "end", dense)
    assert len(found) == PATHS_SHOWN
    assert found[0] == (ME, "end")


def test_no_path_to_oneself_or_to_strangers() -> None:
    assert trust_paths(ME, ME, [(ME, "ann")]) == ()
    assert trust_paths(ME, "bob", [(ME, "ann")]) == ()
    assert trust_paths(ME, "ann", []) == ()
    assert trust_paths(ME, "ann", [("ann", ME)]) == ()


def test_certifications_that_no_longer_stand() -> None:
    ann, bob, eve, dan = (fingerprint(number) for number in range(4))
    validities = {ann: Validity.FULL, bob: Validity.REVOKED, eve: Validity.EXPIRED, dan: Validity.UNKNOWN}
    owners = {
        name: Owner(fingerprint=name, validity=validity, expires=None, user_ids=(), claims=())
        for name, validity in validities.items()
    }
    by_whom = [(ann, None), (ann, NOW), (ann, NOW + 1), (bob, None), (eve, None)]
    all_of_them = tuple(
        Certification(certifier=name, certified=dan, made=number, expires=expires, local=False)
        for number, (name, expires) in enumerate(by_whom)
    )
    snapshot = TrustSnapshot(me=ann, owners=owners, certifications=all_of_them, digest="", taken=NOW)
    left = standing(snapshot, NOW)
    assert [one.made for one in left] == [0, 2]
    assert edges(left) == {(ann, dan)}
    assert snapshot.next_change() == NOW + 1
