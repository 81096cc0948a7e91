"""What the workshop of jobs needs of friends: who they are, and a way to talk to them."""

from pathlib import Path
from typing import Protocol

from f2fbuild.errors import F2FError
from f2fbuild.model.friend import Friend
from f2fbuild.net.exchange import Exchange, ExchangeFinishedError, ExchangeResetError, LinkClosedError
from f2fbuild.net.messages import Request
from f2fbuild.net.peers import NotConnectedError

BROKEN = (LinkClosedError, ExchangeResetError, ExchangeFinishedError, NotConnectedError)
"""A conversation broke off; to be taken up again when the friend is back."""


class NotGivenError(F2FError):
    """A friend does not hand over what it should have."""


class Friends(Protocol):
    """The friends of this node and its links to them."""

    def find(self, peer: str) -> Friend | None:
        """Return a friend by node id; None for strangers and tombstones."""
        ...

    async def wait_connected(self, peer: str) -> None:
        """Return when there is a link to the peer."""
        ...

    async def call(self, peer: str, request: Request) -> Exchange:
        """Open an exchange with `request`.

        Raises:
            NotConnectedError, LinkClosedError: there is no link now.
        """
        ...

    async def fetch(self, peer: str, digest: str, size: int) -> Path:
        """Return the file of a blob, fetched from the peer unless it is here, of at most `size` bytes.

        Raises:
            NotGivenError: the peer does not give it.
            RemoteProtocolError: what came is not it.
            LinkClosedError, ExchangeResetError, NotConnectedError: the peer went away.
            StorageError: there is no room for it here.
        """
        ...
