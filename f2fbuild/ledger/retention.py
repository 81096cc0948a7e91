"""Which entry bundles of others' logs may go (pure). Tiles, heads and evidence stay for ever.

Only whole bundles go, and never the first one: entry 0 is the certificate that binds the log to its owner.
With the tiles every inclusion proof can still be made, and one that was handed out stays good.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from f2fbuild.limits import TILE_WIDTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """For how many seconds entries of logs that nobody here follows are kept, and how many bytes of them."""

    seconds: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A copy of another's log.

    `followed`: its node is a friend of this one. `size` counts entries, `pruned` is the index of the first
    bundle behind those that went (0 when all are here), `bytes` are those of the bundles that may go, `moved`
    the unix second at which its head moved last.
    """

    origin: str
    followed: bool
    size: int
    pruned: int
    bytes: int
    moved: int


def prunable(size: int) -> range:
    """Return the indices of the bundles that may go from a log of `size` entries."""
    return range(1, max(1, size // TILE_WIDTH))


def to_prune(copies: Sequence[Kept], keeping: Keeping, now: int) -> tuple[str, ...]:
    """Return the origins of the copies whose bundles go now, the longest unmoved first.

    Logs of friends are kept in full. Of the others those go that have not moved for so long, and then more of
    them, as long as what is left is too much.
    """
    candidates = sorted(
        (
            one
            for one in copies
            if not one.followed and max(1, one.pruned) < prunable(one.size).stop and one.bytes
        ),
        key=lambda one: (one.moved, one.origin),
    )
    left = sum(one.bytes for one in candidates)
    chosen = []
    for one in candidates:
        if one.moved + keeping.seconds <= now or left > keeping.size:
            chosen.append(one.origin)
            left -= one.bytes
    return tuple(chosen)
