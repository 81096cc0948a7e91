"""Where a new epoch says that the old log ended, against every copy of it that somebody may hold."""

import pytest

from f2fbuild.ledger.checkpoint import Checkpoint
from f2fbuild.ledger.succession import Contradicts, LeavesOut, Skips, Succeeds, Succession, Unknown, decide

LOG = "f2fbuild.invalid/log/" + "1" * 64
OTHER = "f2fbuild.invalid/log/" + "2" * 64


def root(size: int) -> bytes:
    return bytes([size]) * 32


def head(size: int, origin: str = LOG) -> Checkpoint:
    return Checkpoint(origin=origin, size=size, root=root(size))


def forged(size: int) -> Checkpoint:
    return Checkpoint(origin=LOG, size=size, root=b"f" * 32)


@pytest.mark.parametrize(
    ("previous", "held", "next_epoch", "decision"),
    [
        (head(5), head(5), True, Succeeds()),
        (head(5), head(5), False, Skips()),
        (head(9), head(5), False, Skips()),
        (head(5), head(0), False, Skips()),
        (None, head(0), False, Succeeds()),
        (head(9), head(5), True, Succeeds()),
        (head(5), head(0), True, Succeeds()),
        (None, head(0), True, Succeeds()),
        (head(5, OTHER), head(0), True, Succeeds()),
        (head(4), head(5), True, LeavesOut(entries=1)),
        (head(4), head(5), False, LeavesOut(entries=1)),
        (head(0), head(5), True, LeavesOut(entries=5)),
        (None, head(5), True, LeavesOut(entries=5)),
        (None, head(5), False, LeavesOut(entries=5)),
        (head(7, OTHER), head(5), True, LeavesOut(entries=5)),
        (head(7, OTHER), head(5), False, Unknown()),
        (forged(5), head(5), True, Contradicts(size=5)),
        (forged(3), head(5), False, Contradicts(size=3)),
        (forged(0), head(5), True, Contradicts(size=0)),
    ],
)
def test_every_end_that_a_certificate_may_name(
    previous: Checkpoint | None, held: Checkpoint, next_epoch: bool, decision: Succession
) -> None:
    assert decide(previous, held, root, next_epoch=next_epoch) == decision


def test_roots_are_asked_for_only_where_the_copy_has_them() -> None:
    asked = []

    def root_at(size: int) -> bytes:
        asked.append(size)
        return root(size)

    for size in range(9):
        decide(head(size), head(5), root_at, next_epoch=True)
    assert asked == [0, 1, 2, 3, 4, 5]
