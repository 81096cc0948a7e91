"""Who said the same: statements grouped by result, and how the groups' hosts and products differ.

This is what people see of a divergence. It counts nothing; `audit.compare` alone judges.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from f2fbuild.model.outcome import Result, Succeeded, result_digest
from f2fbuild.model.vote import Vote


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Statements with one result; `votes` are sorted by origin and index."""

    digest: str
    result: Result
    votes: tuple[Vote, ...]

    @property
    def owners(self) -> tuple[str, ...]:
        """The fingerprints of those who said so, each once, sorted."""
        return tuple(sorted({vote.owner for vote in self.votes}))

    @property
    def success(self) -> bool:
        """Whether the package was built."""
        return isinstance(self.result, Succeeded)


@dataclass(frozen=True, slots=True, kw_only=True)
class FactDifference:
    """A fact in which the groups differ; `values` are, for each group in order, what its hosts say, sorted.

    `separates` tells that no value occurs in two groups: the fact could explain the divergence by itself.
    """

    fact: str
    values: tuple[tuple[str, ...], ...]
    separates: bool


def groups(votes: Iterable[Vote]) -> tuple[Group, ...]:
    """Return the statements grouped by result digest.

    The group with most owners comes first; of equal ones a success before a failure, then by digest.
    """
    found: dict[str, list[Vote]] = {}
    for vote in votes:
        found.setdefault(result_digest(vote.result), []).append(vote)
    return tuple(sorted((_group(digest, alike) for digest, alike in found.items()), key=_rank))


def fact_differences(found: Sequence[Group]) -> tuple[FactDifference, ...]:
    """Return the facts in which the groups differ, those first that separate the groups."""
    names = sorted({fact for group in found for vote in group.votes for fact in vote.facts})
    differences = (_difference(fact, found) for fact in names)
    real = [one for one in differences if len(set(one.values)) > 1]
    return tuple(sorted(real, key=lambda one: (not one.separates, one.fact)))


def differing_products(found: Sequence[Group]) -> tuple[str, ...]:
    """Return, sorted, the names of products that are not the same in all groups that succeeded."""
    made = [
        {product.name: (product.canonical, product.size) for product in group.result.products}
        for group in found
        if isinstance(group.result, Succeeded)
    ]
    names = {name for products in made for name in products}
    return tuple(sorted(name for name in names if len({products.get(name) for products in made}) > 1))


def _group(digest: str, votes: list[Vote]) -> Group:
    ordered = sorted(votes, key=lambda vote: (vote.origin, vote.index))
    return Group(digest=digest, result=ordered[0].result, votes=tuple(ordered))


def _rank(group: Group) -> tuple[int, bool, str]:
    return -len(group.owners), not group.success, group.digest


def _difference(fact: str, found: Sequence[Group]) -> FactDifference:
    values = tuple(tuple(sorted({vote.facts.get(fact, "") for vote in group.votes})) for group in found)
    everything = [value for of_group in values for value in of_group]
    separates = len(everything) == len(set(everything)) and "" not in everything
    return FactDifference(fact=fact, values=values, separates=separates)
