"""What happens to gossip, and what it wants done: frozen values, nothing else.

A `log` is the SHA-256 of its public key, the end of its origin; a `peer` is a node id.
"""

from dataclasses import dataclass
from typing import TypeAlias

from f2fbuild.ledger.monitor import Consistency


@dataclass(frozen=True, slots=True, kw_only=True)
class Have:
    """One line of what somebody has: a log, its size, the first 16 bytes of its root, and its hops.

    `hops` are what an announcement by them would say; `limits.HEAD_HOPS` stands for a head not passed on.
    """

    log: bytes
    size: int
    mark: bytes
    hops: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A head as it is passed on: checkpoint, the log's public key, hops travelled."""

    note: bytes
    public: bytes
    hops: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """What one says that one has.

    `have` is what changed since the last time, or all of it if `whole`; `total` the checksum over all that
    the other should remember now. `again` asks for everything: what the other remembers of us differs.
    """

    have: tuple[Have, ...]
    total: bytes
    whole: bool
    again: bool


# What happens


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """A friend that may hear of ledgers is connected; `log` is its own."""

    peer: str
    log: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlinked:
    """A friend is gone for now."""

    peer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A friend is none any more, or may not hear of ledgers."""

    peer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unspoken:
    """A friend's program is older than gossip: it hears of our own log and no others."""

    peer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grew:
    """Our own log has this head."""

    note: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """A friend announced a head."""

    peer: str
    head: Given


@dataclass(frozen=True, slots=True, kw_only=True)
class Swapped:
    """A friend wants to swap; the `AnswerSwap` among the actions is the answer."""

    peer: str
    vector: Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapAnswered:
    """A friend answered our swap with what it has, and with heads that we lack."""

    peer: str
    vector: Vector
    heads: tuple[Given, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """A friend wants news of some logs at once from now on, of others not."""

    peer: str
    graft: tuple[bytes, ...]
    prune: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """What became of an `AskConsistency`; None when nobody gave the proof."""

    log: bytes
    consistency: Consistency | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """Our copy of a log has this head: its entries are here and were computed anew."""

    log: bytes
    note: bytes
    public: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Follows:
    """The logs whose entries are kept in `full`, and those that are `frozen` because they forked."""

    full: frozenset[bytes]
    frozen: frozenset[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Another round: swap with these friends, chosen at random."""

    chosen: tuple[str, ...]


Event: TypeAlias = (
    Linked
    | Unlinked
    | Left
    | Unspoken
    | Grew
    | Announced
    | Swapped
    | SwapAnswered
    | Tuned
    | Proved
    | Fetched
    | Follows
    | Tick
)


# What is wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Announce:
    """Announce this head to a friend."""

    peer: str
    head: Given


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """Swap with a friend."""

    peer: str
    vector: Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSwap:
    """Answer a friend's swap."""

    peer: str
    vector: Vector
    heads: tuple[Given, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tune:
    """Ask a friend for news of some logs at once (`graft`), and no longer of others (`prune`)."""

    peer: str
    graft: tuple[bytes, ...]
    prune: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskConsistency:
    """Ask a friend for the consistency of two sizes of a log; answered by `Proved`, always."""

    peer: str
    log: bytes
    old: int
    new: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """Fetch the entries up to a head from a friend."""

    peer: str
    log: bytes
    note: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Convict:
    """A log has forked; the evidence proves it to anybody."""

    log: bytes
    evidence: bytes


Action: TypeAlias = Announce | Swap | AnswerSwap | Tune | AskConsistency | Pull | Convict
