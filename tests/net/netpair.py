"""Two ends of a link over a pretend wire, and the identities they need."""

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio
import trio.testing

from f2fbuild.net.connection import Handler, Link, LinkSettings
from f2fbuild.net.exchange import Exchange
from f2fbuild.net.handshake import Gate, Identity, PeerId, Secured, initiate, respond, tai64n
from f2fbuild.net.messages import Request
from f2fbuild.net.noise import PrivateKey


def make_identity(name: str) -> Identity:
    """An identity made from a name, the same every time."""
    seed = hashlib.sha256(name.encode()).digest()
    return Identity(
        node_id=hashlib.sha256(b"node " + seed).hexdigest(),
        static=PrivateKey.from_secret(hashlib.sha256(b"noise " + seed).digest()),
        certificate_digest=hashlib.sha256(b"certificate " + seed).digest(),
    )


ALICE, BOB, EVE = make_identity("alice"), make_identity("bob"), make_identity("eve")


@dataclass
class Friends:
    """Who is let in, with their newest timestamps, as a node's database would keep them."""

    known: list[Identity]
    stamps: dict[PeerId, bytes] = field(default_factory=dict)

    def gate(self) -> Gate:
        return Gate(authenticate=self.authenticate, accept_timestamp=self.accept_timestamp)

    def authenticate(self, noise_public: bytes, certificate_digest: bytes) -> PeerId | None:
        for identity in self.known:
            if (identity.static.public, identity.certificate_digest) == (noise_public, certificate_digest):
                return identity.node_id
        return None

    async def accept_timestamp(self, peer: PeerId, stamp: bytes) -> bool:
        if stamp <= self.stamps.get(peer, b""):
            return False
        self.stamps[peer] = stamp
        return True


async def dial_in(
    stream: trio.abc.Stream, *, identity: Identity = ALICE, remote: Identity = BOB, stamp: bytes = tai64n(1)
) -> Secured:
    return await initiate(
        stream,
        identity=identity,
        ephemeral=os.urandom(32),
        peer=remote.node_id,
        remote=remote.static.public,
        stamp=stamp,
    )


@dataclass
class Recorder:
    """Collects what handlers raised."""

    errors: list[Exception] = field(default_factory=list)

    def report(self, peer: PeerId, error: Exception) -> None:
        self.errors.append(error)


async def no_handler(peer: PeerId, request: Request, exchange: Exchange) -> None:
    raise AssertionError(f"no request expected, but {request}")


def settings(handler: Handler = no_handler, recorder: Recorder | None = None) -> LinkSettings:
    return LinkSettings(handler=handler, report=(recorder or Recorder()).report, spread=lambda: 0.5)


@asynccontextmanager
async def linked(
    alice: LinkSettings,
    bob: LinkSettings,
    streams: tuple[trio.abc.Stream, trio.abc.Stream] | None = None,
) -> AsyncIterator[tuple[Link, Link]]:
    """A ready link from Alice, who dialled, to Bob; both ends are closed afterwards."""
    ours, theirs = streams or trio.testing.memory_stream_pair()
    links: list[Link] = []

    async def answer() -> None:
        secured = await respond(theirs, identity=BOB, ephemeral=os.urandom(32), gate=Friends([ALICE]).gate())
        assert secured is not None
        link = Link(theirs, secured, dialer=False, settings=bob)
        links.append(link)
        await link.run()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        dialled = Link(ours, await dial_in(ours), dialer=True, settings=alice)
        nursery.start_soon(dialled.run)
        await dialled.wait_ready()
        await links[0].wait_ready()
        yield dialled, links[0]
        nursery.cancel_scope.cancel()
