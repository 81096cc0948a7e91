"""How a divergence is shown."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.audit.groups import FactDifference, differing_products, fact_differences, groups
from f2fbuild.model.outcome import Product, Succeeded, result_digest
from f2fbuild.model.vote import Vote
from tests.audit.audit_ballots import BAD, FAILED, GOOD, OTHER_METADATA, made, vote

RESULTS = (GOOD, OTHER_METADATA, BAD, FAILED)
VOTES = st.builds(
    vote,
    st.sampled_from(("ann", "bob", "cat", "dan")),
    st.sampled_from(RESULTS),
    facts=st.dictionaries(st.sampled_from(("kernel", "ram")), st.sampled_from(("1", "2", ""))),
)


def test_the_largest_group_comes_first_and_a_success_before_a_failure() -> None:
    votes = [vote("ann", FAILED), vote("bob", BAD), vote("dan", GOOD), vote("cat", GOOD)]
    found = groups(votes)
    assert [(group.digest, group.owners, group.success) for group in found] == [
        (result_digest(GOOD), ("cat", "dan"), True),
        (result_digest(BAD), ("bob",), True),
        (result_digest(FAILED), ("ann",), False),
    ]


def test_an_owner_stands_in_a_group_once() -> None:
    (group,) = groups([vote("ann", GOOD), vote("ann", GOOD, node="two")])
    assert group.owners == ("ann",)
    assert [one.node for one in group.votes] == ["ann-one", "ann-two"]


@given(st.lists(VOTES, max_size=8))
def test_every_statement_stands_in_the_group_of_its_result(votes: list[Vote]) -> None:
    found = groups(votes)
    assert sum(len(group.votes) for group in found) == len(votes)
    assert all(result_digest(one.result) == group.digest for group in found for one in group.votes)
    sizes = [len(group.owners) for group in found]
    assert sizes == sorted(sizes, reverse=True)


def test_facts_that_separate_the_groups_come_first() -> None:
    found = groups(
        [
            vote("ann", GOOD, facts={"cpus": "8", "kernel": "6.1", "ram": "16", "zone": "UTC"}),
            vote("bob", GOOD, facts={"cpus": "8", "kernel": "6.2", "ram": "32", "zone": "UTC"}),
            vote("cat", BAD, facts={"kernel": "6.12", "ram": "16", "zone": "UTC"}),
        ]
    )
    assert fact_differences(found) == (
        FactDifference(fact="kernel", values=(("6.1", "6.2"), ("6.12",)), separates=True),
        FactDifference(fact="cpus", values=(("8",), ("",)), separates=False),
        FactDifference(fact="ram", values=(("16", "32"), ("16",)), separates=False),
    )


def test_products_that_differ_or_are_missing_are_named() -> None:
    shared = Product(kind="file", name="same", size=1, sha256="ee" * 32, canonical="ee" * 32)
    extra = replace(shared, name="only here")
    first = Succeeded(products=(*made("11").products, shared))
    second = Succeeded(products=(*made("22").products, extra, shared))
    found = groups([vote("ann", first), vote("bob", second), vote("cat", FAILED)])
    assert differing_products(found) == ("a.rpm", "only here")
    assert differing_products(groups([vote("ann", first), vote("cat", FAILED)])) == ()
    assert differing_products(()) == ()
