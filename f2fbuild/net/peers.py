"""All links of a node: friends are dialled, let in, counted, and let go.

There is at most one live link with each friend. When both dial at the same moment, both ends keep the link
that the smaller node id dialled; of two links dialled by the same side, the newer is kept.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import trio

from f2fbuild import limits
from f2fbuild.errors import NobodyError
from f2fbuild.net.connection import Link, LinkSettings
from f2fbuild.net.dialer import Friend, UnreachableError, dial, redial_seconds
from f2fbuild.net.exchange import Exchange, LinkClosedError
from f2fbuild.net.frames import GoAwayReason
from f2fbuild.net.handshake import Gate, Identity, PeerId, Secured, tai64n
from f2fbuild.net.listener import serve
from f2fbuild.net.messages import Request

Directory: TypeAlias = Callable[[], Mapping[PeerId, Friend]]
"""Whom to dial now; asked again and again, so it may change."""

_REASONS: Final = {reason: reason.name.lower().replace("_", " ") for reason in GoAwayReason}


class NotConnectedError(NobodyError):
    """A friend is not connected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeersSettings:
    """What a node's links need of the other rooms.

    `clock` gives unix nanoseconds. `loopback` says whether loopback addresses may be dialled. `connected` and
    `disconnected` are told of each friend's coming and going, the latter with the reason; `unreachable` of
    each attempt that failed.
    """

    identity: Identity
    gate: Gate
    directory: Directory
    link: LinkSettings
    clock: Callable[[], int]
    loopback: bool
    connected: Callable[[PeerId], None] = lambda _peer: None
    disconnected: Callable[[PeerId, str], None] = lambda _peer, _why: None
    unreachable: Callable[[UnreachableError], None] = lambda _error: None


@dataclass(slots=True)
class _Attempts:
    """How dialling one friend goes: failures in a row, when to try again, whether it is being tried."""

    failures: int = 0
    next_at: float = 0.0
    under_way: bool = False


class Peers:
    """The node's links, as a service."""

    def __init__(self, settings: PeersSettings) -> None:
        """Prepare; `run` starts."""
        self._settings = settings
        self._links: dict[PeerId, Link] = {}
        self._attempts: dict[PeerId, _Attempts] = {}
        self._last_stamp = 0
        self._changed = trio.lowlevel.ParkingLot()
        self._look_now = trio.Event()

    async def run(self, listeners: Sequence[trio.SocketListener] = ()) -> None:
        """Let friends in through `listeners` and dial them, until cancelled."""
        async with trio.open_nursery() as nursery:
            if listeners:
                nursery.start_soon(self._serve, listeners)
            while True:
                self._dial_who_is_due(nursery)
                with trio.move_on_after(limits.PEERS_POLL_SECONDS):
                    await self._look_now.wait()
                self._look_now = trio.Event()

    def connected(self) -> frozenset[PeerId]:
        """Return who is connected now."""
        return frozenset(peer for peer, link in self._links.items() if link.ended is None)

    async def wait_connected(self, peer: PeerId) -> None:
        """Wait until `peer` is connected."""
        while peer not in self.connected():
            await self._changed.park()

    async def wait_disconnected(self, peer: PeerId) -> None:
        """Wait until `peer` is not connected."""
        while peer in self.connected():
            await self._changed.park()

    async def call(self, peer: PeerId, request: Request) -> Exchange:
        """Send `request` to `peer` in a new exchange.

        Raises:
            NotConnectedError: there is no link.
            LinkClosedError: the link ended meanwhile.
        """
        link = self._links.get(peer)
        if link is None:
            raise NotConnectedError("not connected", where=peer)
        return await link.open(request)

    def refresh(self) -> None:
        """Look now whom to dial: the directory has changed."""
        self._look_now.set()

    def close(self, peer: PeerId, reason: GoAwayReason) -> None:
        """Say goodbye to `peer`, if it is connected; it may come back if the gate lets it."""
        link = self._links.get(peer)
        if link is not None:
            link.close(reason, _REASONS[reason])

    # Links come and go.

    async def _serve(self, listeners: Sequence[trio.SocketListener]) -> None:
        settings = self._settings

        async def on_secured(stream: trio.abc.Stream, secured: Secured) -> None:
            await self._keep(stream, secured, dialer=False)

        await serve(listeners, identity=settings.identity, gate=settings.gate, on_secured=on_secured)

    def _dial_who_is_due(self, nursery: trio.Nursery) -> None:
        directory = self._settings.directory()
        self._attempts = {
            peer: state for peer, state in self._attempts.items() if peer in directory or state.under_way
        }
        for peer, friend in directory.items():
            state = self._attempts.setdefault(peer, _Attempts())
            due = trio.current_time() >= state.next_at and not state.under_way
            if friend.hints and peer not in self._links and due:
                state.under_way = True
                nursery.start_soon(self._dial, friend, state)

    async def _dial(self, friend: Friend, state: _Attempts) -> None:
        begun = None
        try:
            stream, secured = await dial(
                friend,
                identity=self._settings.identity,
                stamp=self._stamp,
                loopback=self._settings.loopback,
            )
            begun = trio.current_time()
            await self._keep(stream, secured, dialer=True)
        except UnreachableError as error:
            self._settings.unreachable(error)
        finally:
            state.under_way = False
            now = trio.current_time()
            lasted = begun is not None and now - begun >= limits.REDIAL_HOLD_SECONDS
            state.failures = 1 if lasted else state.failures + 1
            state.next_at = now + redial_seconds(state.failures, self._settings.link.spread())

    async def _keep(self, stream: trio.abc.Stream, secured: Secured, *, dialer: bool) -> None:
        """Run a new link for as long as it lives."""
        link = Link(stream, secured, dialer=dialer, settings=self._settings.link)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._introduce, link)
            ended = await link.run()
            nursery.cancel_scope.cancel()
        if self._links.get(link.peer) is link:
            del self._links[link.peer]
            self._changed.unpark_all()
            self._settings.disconnected(link.peer, ended.what)
            self._look_now.set()

    async def _introduce(self, link: Link) -> None:
        """Once greeted, make a link the one with its peer, or close it as the second."""
        try:
            await link.wait_ready()
        except LinkClosedError:
            return
        rival = self._links.get(link.peer)
        if rival is None or self._beats(link, rival):
            self._links[link.peer] = link
        if rival is None:
            self._changed.unpark_all()
            self._settings.connected(link.peer)
        elif self._links[link.peer] is link:
            rival.retire()
        else:
            rival.probe()
            link.retire()

    def _beats(self, link: Link, rival: Link) -> bool:
        if rival.ended is not None or link.dialer is rival.dialer:
            return True
        we_are_smaller = self._settings.identity.node_id < link.peer
        return link.dialer is we_are_smaller

    def _stamp(self) -> bytes:
        """Return a TAI64N that is greater than any before, even if the clock stands still."""
        self._last_stamp = max(self._settings.clock(), self._last_stamp + 1)
        return tai64n(self._last_stamp)
