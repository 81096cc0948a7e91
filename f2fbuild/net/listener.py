"""The node's port: friends come in, a stranger gets nothing.

Whatever a stranger sends, no byte is answered, little is read, and the connection closes at the same moment
after it was accepted; so a scanner cannot tell this program from a dead port, nor one failure from another.
"""

import os
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import trio

from f2fbuild import limits
from f2fbuild.net.admission import Admission, source_of
from f2fbuild.net.handshake import Gate, Identity, Secured, respond

OnSecured: TypeAlias = Callable[[trio.abc.Stream, Secured], Awaitable[None]]
"""Takes over the stream of a peer that was let in, for as long as the link lives."""


async def serve(
    listeners: Sequence[trio.SocketListener],
    *,
    identity: Identity,
    gate: Gate,
    on_secured: OnSecured,
    seconds: float = limits.STRANGER_SECONDS,
) -> None:
    """Accept connections until cancelled.

    Args:
        listeners: open TCP listeners.
        identity: who we are.
        gate: who is let in.
        on_secured: is called for each peer that was; what it raises ends the service.
        seconds: when every connection closes that did not authenticate.
    """
    admission = Admission()

    async def receive(stream: trio.SocketStream) -> None:
        source = source_of(_peer_host(stream))
        if not admission.enter(source, trio.current_time()):
            await trio.aclose_forcefully(stream)
            return
        try:
            secured = await admit(stream, identity=identity, gate=gate, seconds=seconds)
        finally:
            admission.leave(source)
        if secured is not None:
            await on_secured(stream, secured)

    await trio.serve_listeners(receive, list(listeners))


async def admit(stream: trio.abc.Stream, *, identity: Identity, gate: Gate, seconds: float) -> Secured | None:
    """Return the session with a friend, or None after `seconds`, with the stream closed, for a stranger."""
    deadline = trio.current_time() + seconds
    secured = None
    try:
        with trio.CancelScope(deadline=deadline):
            secured = await respond(stream, identity=identity, ephemeral=os.urandom(32), gate=gate)
            if secured is None:
                await _read_away(stream)
                await trio.sleep_forever()
    finally:
        if secured is None:
            await trio.aclose_forcefully(stream)
    return secured


async def _read_away(stream: trio.abc.Stream) -> None:
    """Take a stranger's further bytes, up to the limit, so that the close looks the same for all."""
    read = 0
    try:
        while read < limits.STRANGER_BYTES and (data := await stream.receive_some(4 * limits.KIB)):
            read += len(data)
    except trio.BrokenResourceError:
        return


def _peer_host(stream: trio.SocketStream) -> str:
    """Return the address at the other end; a connection that is gone already counts as of nowhere."""
    try:
        host: str = stream.socket.getpeername()[0]
    except OSError:
        return "0.0.0.0"  # noqa: S104 - a name for "nowhere", not an address to bind
    return host
