"""What the auditor needs of the rest of the node: a way to friends, and somebody who cosigns."""

from typing import Protocol

from f2fbuild.ledger.known import Known
from f2fbuild.model.friend import Friend
from f2fbuild.net.exchange import Exchange
from f2fbuild.net.messages import Request


class Reach(Protocol):
    """Friends as the auditor needs them."""

    def find(self, peer: str) -> Friend | None:
        """Return a friend by node id."""
        ...

    async def call(self, peer: str, request: Request) -> Exchange:
        """Open an exchange; raises when there is no link."""
        ...


class Witness(Protocol):
    """Who says of heads that they were seen."""

    def known(self) -> Known:
        """Return the cosigners whose lines are wanted with a head."""
        ...

    def followed(self, friend: Friend, note: bytes) -> None:
        """Take note of a head that a friend's log was followed to, with the lines that came under it."""
        ...
