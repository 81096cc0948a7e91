"""Where a new epoch says that the log before it ended, against what is held of that log.

A node that lost its log cannot name entries that it does not know any more, and a liar leaves out those that
convict him: both are told, and either way what is held still counts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from f2fbuild.ledger.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeds:
    """The new log begins where the old one ended, or behind what is held of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeavesOut:
    """The last `entries` of the log that is held are not in what the certificate names as its end."""

    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradicts:
    """The log that is held had another root at the `size` that the certificate names."""

    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Skips:
    """Numbers lie between, and the certificate goes on from the log before them: it disowns those epochs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Epochs lie between, and the certificate names the end of one that is not held."""


Succession: TypeAlias = Succeeds | LeavesOut | Contradicts | Skips | Unknown


def decide(
    previous: Checkpoint | None, held: Checkpoint, root_at: Callable[[int], bytes], *, next_epoch: bool
) -> Succession:
    """Return how a new epoch goes on from the log whose head `held` is.

    Args:
        previous: what its certificate says came before.
        held: the newest head of the log of the epoch that was known, its entries held.
        root_at: returns the root that the log had at a size up to that of `held`.
        next_epoch: whether it is the very next epoch by its number.
    """
    if previous is not None and previous.origin == held.origin:
        return _compare_ends(previous, held, root_at) or (Succeeds() if next_epoch else Skips())
    if held.size == 0:
        return Succeeds()
    if previous is None or next_epoch:
        return LeavesOut(entries=held.size)
    return Unknown()


def _compare_ends(
    previous: Checkpoint, held: Checkpoint, root_at: Callable[[int], bytes]
) -> LeavesOut | Contradicts | None:
    """Return what is wrong with the end that a certificate names of the very log that is held."""
    if previous.size > held.size:
        return None
    if root_at(previous.size) != previous.root:
        return Contradicts(size=previous.size)
    left_out = held.size - previous.size
    return LeavesOut(entries=left_out) if left_out else None
