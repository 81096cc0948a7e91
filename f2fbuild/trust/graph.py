"""The web of trust as a graph: paths that explain, and how many voices are independent.

Owners are vertices, verified certifications are edges. GnuPG's validity says that a key is its owner's; it
does not say how many people stand behind it. Ten owners known through one introducer are one voice:
independent votes are counted as the most owners that vertex-disjoint paths reach (Menger's theorem, by
maximum flow), where whoever votes himself uses up his own place on a path.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

import networkx as nx
from networkx.algorithms.flow import edmonds_karp

from f2fbuild.limits import PATH_STEPS, PATHS_SHOWN
from f2fbuild.trust.snapshot import Certification, TrustSnapshot

Edge: TypeAlias = tuple[str, str]
"""(certifier, certified), both fingerprints."""

_VOTES = "votes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Independence:
    """How many voices there are, and one largest set of owners (sorted) who are these voices."""

    count: int
    owners: tuple[str, ...]


def standing(snapshot: TrustSnapshot, now: int) -> tuple[Certification, ...]:
    """Return the certifications that count at `now`: unexpired, by an owner neither revoked nor expired."""
    return tuple(edge for edge in snapshot.certifications if _stands(edge, snapshot, now))


def edges(certifications: Iterable[Certification]) -> frozenset[Edge]:
    """Return who certified whom."""
    return frozenset((one.certifier, one.certified) for one in certifications)


def trust_paths(me: str, owner: str, certified: Collection[Edge]) -> tuple[tuple[str, ...], ...]:
    """Return up to `PATHS_SHOWN` paths from `me` to `owner`, shortest first, of at most `PATH_STEPS` edges.

    A path is its owners' fingerprints, `me` first and `owner` last.
    """
    graph = _graph(certified)
    if me == owner or me not in graph or owner not in graph:
        return ()
    return tuple(islice(_short_paths(graph, me, owner), PATHS_SHOWN))


def independent(me: str, owners: Collection[str], certified: Collection[Edge]) -> Independence:
    """Return how many of `owners` are independent voices for `me`.

    Args:
        me: the fingerprint of who counts; his own vote, if he is among `owners`, needs no path.
        owners: fingerprints of those who voted.
        certified: the edges of `edges(standing(…))`.
    """
    own = (me,) if me in owners else ()
    others = sorted(set(owners) - {me})
    network = nx.DiGraph()
    network.add_nodes_from([_leaving(me), _VOTES])
    for name in sorted({name for edge in certified for name in edge} - {me}):
        network.add_edge(_entering(name), _leaving(name), capacity=1)
    for certifier, subject in sorted(certified):
        if subject != me:
            network.add_edge(_leaving(certifier), _entering(subject), capacity=1)
    for name in others:
        network.add_edge(_leaving(name), _VOTES, capacity=1)
    count, flow = nx.maximum_flow(network, _leaving(me), _VOTES, flow_func=edmonds_karp)
    voices = [name for name in others if flow[_leaving(name)][_VOTES]]
    return Independence(count=count + len(own), owners=tuple(sorted([*own, *voices])))


def _stands(edge: Certification, snapshot: TrustSnapshot, now: int) -> bool:
    certifier = snapshot.owners[edge.certifier]
    if certifier.revoked or certifier.expired(now):
        return False
    return edge.expires is None or edge.expires > now


def _graph(certified: Collection[Edge]) -> nx.DiGraph:
    graph = nx.DiGraph()
    graph.add_edges_from(sorted(certified))
    return graph


def _short_paths(graph: nx.DiGraph, me: str, owner: str) -> Iterator[tuple[str, ...]]:
    """Yield simple paths by length. Yen's algorithm: each costs polynomial time, however dense the graph."""
    try:
        for path in nx.shortest_simple_paths(graph, me, owner):
            if len(path) - 1 > PATH_STEPS:
                return
            yield tuple(path)
    except nx.NetworkXNoPath:
        return


def _entering(name: str) -> tuple[str, str]:
    return ("in", name)


def _leaving(name: str) -> tuple[str, str]:
    return ("out", name)
