"""Sneaker-net: logs that somebody carried here are taken in as if their nodes had sent them.

Whoever brought the archive is nobody: a log counts only when the certificate of its node is held, and what
is wrong with one log says nothing of the others.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, assert_never

from f2fbuild.errors import F2FError, LedgerError
from f2fbuild.ledger.carried import Carried, digits
from f2fbuild.ledger.checkpoint import parse_log_vkey
from f2fbuild.ledger.mirror import Fetch, Mirror
from f2fbuild.ledger.monitor import Advanced, Older, Unchanged, Violation
from f2fbuild.model.friend import Friend


class Brought(StrEnum):
    """What became of one log of an archive."""

    ADVANCED = "advanced"
    UNCHANGED = "unchanged"
    OLDER = "older"
    UNKNOWN = "unknown"
    """No certificate of its node is held here: it was not even read."""
    OWN = "own"
    """This node's own log, which nobody brings it."""
    FORKED = "forked"
    """It signed two histories: the evidence is recorded."""
    VIOLATION = "violation"
    """Its entries, which it signed, break the rules of a log."""
    UNUSABLE = "unusable"
    """The archive does not hold what the signed head speaks of; that accuses nobody but who wrote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One log of an archive; `friend` is None for one that is not known."""

    log: str
    friend: Friend | None
    brought: Brought
    size: int = 0
    detail: str = ""


class Taker(Protocol):
    """The follower as the importer needs it."""

    def mirror(self, friend: Friend) -> Mirror:
        """Return the copy of a friend's log."""
        ...

    async def take(
        self, friend: Friend, note: bytes, fetch: Fetch
    ) -> Advanced | Unchanged | Older | Violation:
        """Take in a head."""
        ...


async def take_in(carried: Carried, own: str, friends: Iterable[Friend], follower: Taker) -> list[Taken]:
    """Take in every log of an archive.

    Args:
        carried: the archive.
        own: the origin of this node's own log.
        friends: the nodes whose certificates are held.
        follower: keeps their logs.
    """
    known = {digits(parse_log_vkey(friend.vkey)): friend for friend in friends}
    taken = []
    for log in carried.logs:
        friend = known.get(log)
        if friend is not None:
            taken.append(await _take(carried, log, friend, follower))
        else:
            brought = Brought.OWN if own.endswith(f"/{log}") else Brought.UNKNOWN
            taken.append(Taken(log=log, friend=None, brought=brought))
    return taken


async def _take(carried: Carried, log: str, friend: Friend, follower: Taker) -> Taken:
    async def fetch(path: str) -> bytes:
        return carried.resource(log, path)

    detail = ""
    try:
        meant = await follower.take(friend, carried.checkpoint(log), fetch)
    except LedgerError as error:
        brought, detail = _wrong(follower, friend), error.what
    except F2FError as error:
        brought, detail = Brought.UNUSABLE, str(error)
    else:
        brought = _brought(meant)
        detail = f"{meant.reason}: {meant.detail}" if isinstance(meant, Violation) else ""
    try:
        size = follower.mirror(friend).size
    except F2FError as error:
        size, detail = 0, str(error)
    return Taken(log=log, friend=friend, brought=brought, size=size, detail=detail)


def _wrong(follower: Taker, friend: Friend) -> Brought:
    return Brought.FORKED if follower.mirror(friend).evidence else Brought.VIOLATION


def _brought(meant: Advanced | Unchanged | Older | Violation) -> Brought:
    match meant:
        case Advanced():
            return Brought.ADVANCED
        case Unchanged():
            return Brought.UNCHANGED
        case Older():
            return Brought.OLDER
        case Violation():
            return Brought.UNUSABLE
        case _:
            assert_never(meant)
