"""Friends as the workshops see them: who they are, and a way to talk to them and fetch from them."""

from pathlib import Path

import trio

from f2fbuild.jobs.friends import NotGivenError
from f2fbuild.model.friend import Friend
from f2fbuild.net import transfer
from f2fbuild.net.exchange import Exchange
from f2fbuild.net.messages import Request
from f2fbuild.net.peers import Peers
from f2fbuild.node.friendships import Friendships
from f2fbuild.store.blobs import BlobStore


class Reach:
    """Fulfils `jobs.friends.Friends` and `audit.others.Reach`."""

    def __init__(self, friendships: Friendships, peers: Peers, blobs: BlobStore) -> None:
        """Find friends in `friendships`, talk through `peers`, keep what is fetched in `blobs`."""
        self._friendships = friendships
        self._peers = peers
        self._blobs = blobs
        self._fetching: dict[str, trio.Lock] = {}

    def find(self, peer: str) -> Friend | None:
        """Return a friend by node id."""
        return self._friendships.find(peer)

    def friends(self) -> frozenset[str]:
        """Return the node ids of all friends."""
        return frozenset(friend.node_id for friend, _, _ in self._friendships.all())

    def connected(self) -> frozenset[str]:
        """Return the friends that there is a link with."""
        return self._peers.connected()

    async def wait_connected(self, peer: str) -> None:
        """Return when there is a link to the peer."""
        await self._peers.wait_connected(peer)

    async def call(self, peer: str, request: Request) -> Exchange:
        """Open an exchange; raises when there is no link."""
        return await self._peers.call(peer, request)

    async def fetch(self, peer: str, digest: str, size: int) -> Path:
        """Return a blob's file, fetched from the peer unless it is here.

        Raises:
            NotGivenError: the peer does not give it. Else as `net.transfer.fetch_blob`.
        """
        # Several builders often deliver the same bytes: one transfer serves them all.
        lock = self._fetching.setdefault(digest, trio.Lock())
        try:
            async with lock:
                return await self._fetch(peer, digest, size)
        finally:
            if not lock.locked():
                self._fetching.pop(digest, None)

    async def _fetch(self, peer: str, digest: str, size: int) -> Path:
        if self._blobs.has(digest):
            return self._blobs.path(digest)

        async def open_exchange(request: Request) -> Exchange:
            return await self._peers.call(peer, request)

        path = await transfer.fetch_blob(open_exchange, digest, self._blobs, max_size=size)
        if path is None:
            raise NotGivenError("does not give this blob", where=digest)
        return path
