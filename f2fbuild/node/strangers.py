"""Logs of nodes that are no friends: fetched when this node's owner asks for one, and never by themselves.

Their heads are known by gossip. The entries come from a friend who keeps them, and go through what a friend's
log goes through: the tree computed anew, every signature, every promise; what is wrong with them is held
against their owner. Who they are is certified first (`audit.ondemand`). What lies here is shown to friends;
for friends nothing is fetched.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from f2fbuild import limits
from f2fbuild.audit.ondemand import Unread, Why, author, called, certified, room, vouched
from f2fbuild.errors import F2FError, FormatError, LedgerError, RemoteProtocolError, StorageError
from f2fbuild.ledger import tiles
from f2fbuild.ledger.checkpoint import parse_checkpoint
from f2fbuild.ledger.mirror import Fetch, Mirror
from f2fbuild.ledger.monitor import Violation
from f2fbuild.ledger.note import parse_note
from f2fbuild.model.friend import Friend
from f2fbuild.net.ledger_messages import GetHead, GetLogResource, Head
from f2fbuild.net.log_resource import receive_resource
from f2fbuild.node.copies import certificate_in
from f2fbuild.trust.certificate_file import CertificateFile, parse_file
from f2fbuild.trust.policy import Gate, decide

if TYPE_CHECKING:
    from f2fbuild.node.parts import Parts

_ORIGIN = re.compile(r"f2fbuild\.invalid/log/([0-9a-f]{64})", re.ASCII)


class _TooLongError(F2FError):
    """A log is longer than is kept of a node that is no friend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A log of no friend whose entries are here; `giver` brought them now, empty when nobody could."""

    author: Friend
    giver: str


class Strangers:
    """Reads logs of nodes that are no friends."""

    def __init__(self, parts: "Parts", clock: Callable[[], int]) -> None:
        """Ask the friends of these parts; `clock` returns unix seconds."""
        self._parts = parts
        self._clock = clock
        self._authors: dict[str, Friend] = {}
        self._one_at_a_time = trio.Lock()

    def author(self, origin: str) -> Friend | None:
        """Return whose log an origin names if a copy of it is here and its node is no friend."""
        if origin == self._parts.identity.origin or self._parts.friendships.author(origin):
            return None
        if origin not in self._authors and (file := self._certificate(origin)):
            # For ever: an origin belongs to the owner in its first entry.
            self._authors[origin] = author(file.certificate)
        return self._authors.get(origin)

    def _certificate(self, origin: str) -> CertificateFile | None:
        """Return the certificate in the first entry of the copy of a log, None when there is no such copy."""
        match = _ORIGIN.fullmatch(origin)
        if match is None:
            return None
        try:
            file = parse_file(certificate_in(self._parts.paths.mirrors / match[1]).text)
        except (F2FError, OSError, IndexError):
            return None
        return file if file.certificate.origin == origin else None

    def all(self) -> list[Friend]:
        """Return the authors of all such logs that are kept here."""
        mirrors = self._parts.paths.mirrors
        names = sorted(place.name for place in mirrors.iterdir()) if mirrors.exists() else []
        found = (self.author(f"f2fbuild.invalid/log/{name}") for name in names)
        return [one for one in found if one is not None]

    def copy(self, one: Friend) -> Mirror | None:
        """Return the copy of a log, None when there is none or it is damaged."""
        try:
            return self._parts.follower.kept(one.vkey)
        except F2FError:
            return None

    async def read(self, wanted: str) -> Read | Unread:
        """Bring the log that is called `wanted` here, or to its newest head that a friend has.

        Raises:
            StorageError: the disk is full or fails.
        """
        # One at a time: what is told of one log must not take the memory of many.
        async with self._one_at_a_time:
            held = [_origin(one) for one in self.all()]
            origin = called(wanted, {*held, *self._parts.gossiping.origins()})
            if isinstance(origin, Unread):
                return origin
            # What the owner imported a moment ago counts.
            await self._parts.friendships.refresh()
            return await self._read(origin, held)

    async def _read(self, origin: str, held: list[str]) -> Read | Unread:
        unread = Unread(why=Why.NOBODY)
        for giver in self._parts.gossiping.givers(origin)[: limits.ON_DEMAND_GIVERS]:
            with trio.move_on_after(limits.FOLLOW_SECONDS):
                try:
                    found = await self._read_from(giver, origin, held)
                except _TooLongError:
                    found = Unread(why=Why.TOO_LONG, detail="too many bytes")
                except (FormatError, LedgerError, RemoteProtocolError) as error:
                    found = Unread(why=Why.SPOILED, detail=str(error))
                except StorageError:
                    raise
                except F2FError:
                    # The link ended: the next friend is asked.
                    continue
                if isinstance(found, Friend):
                    return Read(author=found, giver=giver)
                unread = found or unread
        one = self.author(origin)
        return Read(author=one, giver="") if one else unread

    async def _read_from(self, giver: str, origin: str, held: list[str]) -> Friend | Unread | None:
        """Take the log in from one friend; None when he does not have it."""
        async with await self._parts.peers.call(giver, GetHead(origin=origin)) as exchange:
            answer = await exchange.receive()
        if not isinstance(answer, Head):
            return None
        size = parse_checkpoint(parse_note(answer.checkpoint).text).size
        full = room(origin, size, held)
        if full is not None or size == 0:
            return full
        supply = _Supply(self._fetch_from(giver, origin))
        one = await self._admit(origin, size, supply)
        return await self._take(one, answer.checkpoint, supply) if isinstance(one, Friend) else one

    async def _admit(self, origin: str, size: int, supply: "_Supply") -> Friend | Unread:
        """Return the author of a log by its first entry: that of the copy, else asked for before others."""
        file = self._certificate(origin) or await self._offered(origin, size, supply)
        if isinstance(file, Unread):
            return file
        friendships = self._parts.friendships
        key = decide(Gate.KEY, file.certificate.owner, None, friendships.known, self._clock())
        return vouched(key, await friendships.check(file), str(self._parts.paths.keyring))

    async def _offered(self, origin: str, size: int, supply: "_Supply") -> CertificateFile | Unread:
        path = tiles.format_path(tiles.Bundle(index=0, width=min(size, limits.TILE_WIDTH)))
        try:
            first, *_ = tiles.split_bundle(await supply.fetch(path))
        except (FormatError, ValueError) as error:
            return Unread(why=Why.SPOILED, detail=str(error))
        return certified(first, origin)

    async def _take(self, one: Friend, note: bytes, supply: "_Supply") -> Friend | Unread:
        """Take a head of an admitted log in, as a friend's is taken."""
        follower = self._parts.follower
        mirror = follower.mirror(one)
        supply.left -= await trio.to_thread.run_sync(mirror.prunable_bytes)
        try:
            meant = await follower.take(one, note, supply.fetch)
        except LedgerError as error:
            if mirror.evidence or mirror.violation:
                # That is recorded, and what is here is read as it is.
                return one
            return Unread(why=Why.SPOILED, detail=str(error))
        if isinstance(meant, Violation):
            return Unread(why=Why.SPOILED, detail=f"{meant.reason}: {meant.detail}")
        return one

    def _fetch_from(self, giver: str, origin: str) -> Fetch:
        async def fetch(path: str) -> bytes:
            request = GetLogResource(origin=origin, path=path)
            async with await self._parts.peers.call(giver, request) as exchange:
                return await receive_resource(exchange)

        return fetch


class _Supply:
    """What one friend gives of one log: so many bytes, and of each path the same bytes as the first time.

    The second is what makes the certificate that was looked at the one that is in the tree.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._first: tuple[str, bytes] | None = None
        self.left = limits.ON_DEMAND_BYTES

    async def fetch(self, path: str) -> bytes:
        if self._first is not None and self._first[0] == path:
            return self._first[1]
        data = await self._fetch(path)
        self.left -= len(data)
        if self.left < 0:
            raise _TooLongError("too many bytes", where=path)
        self._first = self._first or (path, data)
        return data


def _origin(one: Friend) -> str:
    return one.vkey.partition("+")[0]
