"""How gossip spreads and how many liars it catches, in simulated networks of up to 10,000 nodes.

`python -m benchmarks.gossip_sim [--smoke] [--docs]`. The machines are the product's own (`ledger.gossip`,
`ledger.monitor`); around them stands `benchmarks.gossip_network`. Every node has 5 to 50 friends; 30 % are
online, and in every round one in fifty of them goes and somebody else comes. A message takes one round, and
every round each node that is there swaps with three random friends.

Measured, for logs whose authors are online: rounds until 99.9 % of those within three hops hold a new head
(over links that are up, from when the log grew until then); then logs that tell
two halves of their friends two stories: the share that is caught. `--docs` writes picture and table.
"""

import argparse
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from msgspec import Struct

from benchmarks.gossip_network import Network, Story
from benchmarks.report import at_least, at_most, emit
from benchmarks.svg import chart
from f2fbuild import limits
from f2fbuild.ledger.gossip import talk
from f2fbuild.net import codec
from f2fbuild.net.ledger_messages import ConsistencyShown, GetConsistency, HeadSeen, HeadsTuned, TuneHeads
from f2fbuild.node.gossip_words import head_request, swap_answer, swap_request

_SIZES: Final = (10, 100, 1_000, 10_000)
_SMOKE_SIZES: Final = (10, 60)
_ONLINE: Final = 0.3
_CHURN: Final = 0.02
_DEGREE: Final = (5, 50)
_LOGS: Final = 5
_MOST_ROUNDS: Final = 60
_LIARS: Final = {10: 2, 60: 5, 100: 20, 1_000: 100, 10_000: 100}
_FRAME_BYTES: Final = 36
"""Length prefix, mux frame, record header and authentication tag of one message."""
_DAY_ROUNDS: Final = 24 * 3600 // limits.SWAP_SECONDS
_DOCS: Final = Path(__file__).parent.parent / "docs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one network showed; `shares` are those who held the head after each round, of the slowest log."""

    size: int
    rounds: int
    shares: tuple[float, ...]
    idle_bytes_day: float
    head_bytes: float
    caught: float
    liars: int
    seconds: float


def _measure(action: talk.Action) -> int:
    """Return the bytes of a message, and of its answer where that is always the same."""
    said: list[Struct] = []
    match action:
        case talk.Announce(head=head):
            said = [head_request(head), HeadSeen()]
        case talk.Swap():
            said = [swap_request(action)]
        case talk.AnswerSwap():
            said = [swap_answer(action)]
        case talk.Tune(graft=graft, prune=prune):
            said = [TuneHeads(graft=list(graft), prune=list(prune)), HeadsTuned()]
        case talk.AskConsistency(old=old, new=new):
            hashes = [bytes(32)] * new.bit_length()
            asked = GetConsistency(origin="x" * 88, old=old, new=new, hops=2)
            said = [asked, ConsistencyShown(prefix_root=bytes(32), hashes=hashes)]
        case _:
            said = []
    return sum(len(codec.encode(cast("Any", one))) + _FRAME_BYTES for one in said)


def _make(size: int, chance: random.Random) -> Network:
    """Make a network whose nodes have 5 to 50 friends, or fewer where there are not so many people."""
    network = Network(size, _measure)
    names = sorted(network.nodes)
    for name in names:
        node, wanted = network.nodes[name], min(chance.randint(*_DEGREE), size - 1)
        while len(node.friends) < wanted:
            other = chance.choice(names)
            if other != name and len(network.nodes[other].friends) < max(_DEGREE[1], wanted):
                network.befriend(name, other)
            elif size <= _DEGREE[1]:
                break
    for name in chance.sample(names, max(3, round(_ONLINE * size))):
        network.start(name)
    return network


def _play(network: Network, chance: random.Random, staying: frozenset[str]) -> None:
    """One round: some go and come, everybody who is there swaps, and what was said last is heard."""
    there = [name for name, node in network.nodes.items() if node.online]
    away = [name for name, node in network.nodes.items() if not node.online]
    moving = round(_CHURN * len(there))
    for name in chance.sample([name for name in there if name not in staying], moving):
        network.stop(name)
    for name in chance.sample(away, min(moving, len(away))):
        network.start(name)
    network.now += limits.SWAP_SECONDS
    network.round()
    for name in there:
        friends = network.online_friends(name)
        if network.nodes[name].online and friends:
            network.tick(name, tuple(chance.sample(friends, min(limits.SWAP_FRIENDS, len(friends)))))


def _within(network: Network, author: str) -> set[str]:
    """Return who is within three hops of an author over links that are up."""
    reached, edge = {author}, {author}
    for _hop in range(limits.HEAD_HOPS):
        edge = {friend for name in edge for friend in network.online_friends(name)} - reached
        reached |= edge
    return reached


def _share(network: Network, names: Iterable[str], log: bytes, size: int) -> float:
    held = [
        (known := network.nodes[name].gossip.head(log)) is not None and known.have.size >= size
        for name in names
    ]
    return sum(held) / len(held) if held else 1.0


def _spread(network: Network, chance: random.Random) -> tuple[int, tuple[float, ...], float]:
    """Let logs grow; return rounds and shares of the slowest, and what each node paid for one head."""
    there = sorted(name for name, node in network.nodes.items() if node.online)
    authors = frozenset(chance.sample(there, min(_LOGS, len(there))))
    for author in authors:
        network.append(author, b"first")
    for _round in range(10):
        _play(network, chance, authors)
    idle = _idle_round(network, chance, authors)
    before = sum(network.bytes.values())
    counted = {author: _within(network, author) for author in authors}
    for author in authors:
        network.append(author, b"news")
    shares: list[float] = []
    while not shares or (shares[-1] < 0.999 and len(shares) < _MOST_ROUNDS):
        _play(network, chance, authors)
        for author, names in counted.items():
            # Who is beyond three hops now, since somebody in between went, cannot be reached.
            names.intersection_update(_within(network, author))
        shares.append(min(_share(network, counted[one], network.nodes[one].log, 2) for one in authors))
    spent = sum(network.bytes.values()) - before - idle * len(shares)
    nodes = sum(len(names) for names in counted.values())
    return len(shares), tuple(shares), max(0.0, spent / nodes)


def _idle_round(network: Network, chance: random.Random, staying: frozenset[str]) -> int:
    before = sum(network.bytes.values())
    _play(network, chance, staying)
    return sum(network.bytes.values()) - before


def _lie(network: Network, chance: random.Random, liars: int) -> tuple[float, int]:
    """Let logs tell two stories; return the share that was caught within 20 rounds, and of how many."""
    able = [
        name
        for name, node in network.nodes.items()
        if node.online and not node.stories and len(network.online_friends(name)) >= 2
    ]
    chosen = chance.sample(sorted(able), min(liars, len(able)))
    for name in chosen:
        friends = network.online_friends(name)
        chance.shuffle(friends)
        one, size = Story(), chance.randint(1, 8)
        one.append(*(b"%d" % number for number in range(size)))
        other = one.otherwise(chance.randrange(size))
        other.append(*(b"other %d" % number for number in range(chance.randint(1, 8))))
        one.append(b"one")
        half = len(friends) // 2
        network.tell_otherwise(name, friends[:half], one)
        network.tell_otherwise(name, friends[half:], other)
    for _round in range(20):
        _play(network, chance, frozenset(chosen))
    caught = sum(network.nodes[name].log in network.convicted for name in chosen)
    return (caught / len(chosen) if chosen else 1.0), len(chosen)


def _run(size: int) -> Measured:
    begun, chance = time.perf_counter(), random.Random(size)
    network = _make(size, chance)
    for _round in range(3):
        _play(network, chance, frozenset())
    idle = _idle_round(network, chance, frozenset()) / size * _DAY_ROUNDS
    rounds, shares, head_bytes = _spread(network, chance)
    caught, liars = _lie(network, chance, _LIARS[size])
    return Measured(
        size=size,
        rounds=rounds,
        shares=shares,
        idle_bytes_day=idle,
        head_bytes=head_bytes,
        caught=caught,
        liars=liars,
        seconds=time.perf_counter() - begun,
    )


def _write_docs(found: list[Measured]) -> None:
    lines = {f"{one.size:,} nodes": [(0.0, 0.0), *enumerate(one.shares, 1)] for one in found}
    picture = chart("Share of nodes within three hops that hold a new head", "rounds", lines)
    (_DOCS / "gossip.svg").write_text(picture)
    table = [
        "| nodes | rounds to 99.9 % | idle, kB a day | bytes for a head | caught | s |",
        "|---|---|---|---|---|---|",
    ]
    table += [
        f"| {one.size:,} | {one.rounds} | {one.idle_bytes_day / 1000:.0f} | {one.head_bytes:.0f} "
        f"| {one.caught:.1%} of {one.liars} | {one.seconds:.1f} |"
        for one in found
    ]
    page = _DOCS / "performance.md"
    head, begin, rest = page.read_text().partition("<!-- gossip_sim begins -->\n")
    end = rest.partition("<!-- gossip_sim ends -->\n")[2]
    page.write_text(head + begin + "\n".join(table) + "\n<!-- gossip_sim ends -->\n" + end)


def main() -> None:
    """Simulate, print, and say whether the bars hold."""
    parser = argparse.ArgumentParser(description="how gossip spreads")
    parser.add_argument("--smoke", action="store_true", help="small networks, to see that it works")
    parser.add_argument("--docs", action="store_true", help="write the picture and table in docs/")
    asked = parser.parse_args()
    found = [_run(size) for size in (_SMOKE_SIZES if asked.smoke else _SIZES)]
    if asked.docs:
        _write_docs(found)
    figures = {
        f"{name}_{one.size}": float(getattr(one, name))
        for one in found
        for name in ("rounds", "idle_bytes_day", "head_bytes", "caught", "liars", "seconds")
    }
    liars = sum(one.liars for one in found)
    caught = sum(one.caught * one.liars for one in found) / max(1, liars)
    emit(
        "gossip_sim",
        {**figures, "caught": caught, "seconds": sum(one.seconds for one in found)},
        [
            at_most("rounds until 99.9 % hold a head", found[-1].rounds, 20, "rounds"),
            at_least("split views that are caught", caught, 0.99, "share"),
        ],
    )


if __name__ == "__main__":
    main()
