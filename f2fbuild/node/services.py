"""The services of a node: what runs side by side as long as it lives, in any order."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

from f2fbuild.node.parts import Parts

Service: TypeAlias = Callable[[], Awaitable[None]]


async def open_parts(parts: Parts) -> None:
    """Open the log and read trust, before any service runs.

    Raises:
        F2FError: the log is in use or damaged, or trust cannot be read.
    """
    # The lock, and whatever is wrong with the log, come before all else.
    _ = parts.log
    await parts.friendships.refresh()
    parts.friendships.on_change(parts.neighbours.trust_changed)


def services(parts: Parts, tell: Callable[[str], None]) -> list[Service]:
    """Return what deals with friends and jobs; `tell` is given words for the owner."""
    return [
        parts.neighbours.run,
        parts.gossiping.run,
        parts.follower.run,
        parts.earlier.run,
        parts.witnessing.cosigning.run,
        parts.witnessing.returning.run,
        parts.witnessing.outside.run,
        parts.passing.run,
        parts.notes.run,
        parts.guard.run,
        partial(_fulfil, parts),
        parts.conductor.run,
        partial(parts.journal.run, tell),
    ]


def by_the_clock(parts: Parts) -> list[Service]:
    """Return what looks now and then whether the time has come."""
    return [parts.friendships.watch, parts.certifying.run, parts.tidying.run, parts.reminding.run]


async def _fulfil(parts: Parts) -> None:
    """Take and fulfil jobs from the moment on at which the log may be signed."""
    await parts.guard.wait()
    await parts.certifying.start()
    await parts.fulfilment.recover()
    parts.guard.go_on()
    await parts.fulfilment.run()
