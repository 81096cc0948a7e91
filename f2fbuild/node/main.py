"""The node as a process: started in order, in one nursery, until it is interrupted or terminated.

The log is opened and trust is read, then friends are let in, then the API answers. When the rollback guard
has asked friends and lets the log be signed, what a crash left open is closed first; only then new jobs are
taken. A second node on the same directories is refused by the log's lock.
"""

import signal
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, cast

import trio
from hypercorn.config import Config
from hypercorn.trio import serve

from f2fbuild.api.app import create_app
from f2fbuild.api.tiles import create_tiles_app
from f2fbuild.api.web import open_web, serve_web
from f2fbuild.api.witness import create_witness_app
from f2fbuild.errors import ConfigurationError
from f2fbuild.net.hints import parse_hint
from f2fbuild.node import clock, config
from f2fbuild.node.engine import make_engine
from f2fbuild.node.handlers import NodeHandlers
from f2fbuild.node.identity import load_identity
from f2fbuild.node.kept import MakeEngine, Needs
from f2fbuild.node.parts import Parts
from f2fbuild.node.services import by_the_clock, open_parts, services
from f2fbuild.node.shelves import shelf_of
from f2fbuild.store.files import private_directory
from f2fbuild.store.paths import Paths

if TYPE_CHECKING:
    from hypercorn.typing import ASGIFramework


def run(paths: Paths, tell: Callable[[str], None], engine: MakeEngine = make_engine) -> None:
    """Run the node of `paths` until it is interrupted or terminated.

    Args:
        paths: where `init` made it.
        tell: is given lines that its owner may want to read; "ready" once it answers.
        engine: makes what builds.

    Raises:
        F2FError: it cannot start.
    """
    needs = Needs(
        paths=paths,
        settings=config.load(paths.config_file),
        identity=load_identity(paths),
        tell=tell,
        clock=clock.now,
    )
    trio.run(_run, needs, engine)


async def _run(needs: Needs, engine: MakeEngine) -> None:
    with ExitStack() as stack:
        parts = Parts(needs, engine, stack)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_stop_on_signal, nursery.cancel_scope)
            await _start(parts, nursery, needs)


async def _start(parts: Parts, nursery: trio.Nursery, needs: Needs) -> None:
    await open_parts(parts)
    listeners = await _listen(parts.settings.node.listen)
    nursery.start_soon(parts.peers.run, listeners)
    for service in (*services(parts, needs.tell), *by_the_clock(parts)):
        nursery.start_soon(service)
    for_everybody = await open_web(parts.settings.ledger.serve, where="ledger.serve")
    if for_everybody:
        parts.guard.note_followed()
        await nursery.start(serve_web, create_tiles_app(shelf_of(parts).find), for_everybody)
    for_logs = await open_web(parts.settings.ledger.witness_listen, where="ledger.witness_listen")
    if for_logs:
        witness = create_witness_app(parts.witnessing.door.answer, needs.clock)
        await nursery.start(serve_web, witness, for_logs)
    socket = needs.paths.socket
    private_directory(socket.parent)
    settings = Config()
    settings.bind = [f"unix:{socket}"]
    settings.umask = 0o177
    settings.errorlog = None
    application = cast("ASGIFramework", create_app(NodeHandlers(parts)))
    await nursery.start(partial(serve, application, settings, shutdown_trigger=trio.sleep_forever))
    needs.tell(f"ready  {socket}")


async def _listen(addresses: tuple[str, ...]) -> list[trio.SocketListener]:
    """Open the listening sockets.

    Raises:
        ConfigurationError: an address that cannot be listened on.
    """
    listeners: list[trio.SocketListener] = []
    for address in addresses:
        hint = parse_hint(address, where="node.listen")
        try:
            listeners += await trio.open_tcp_listeners(hint.port, host=hint.host)
        except OSError as error:
            what = f"cannot listen: {error.strerror or error}"
            raise ConfigurationError(what, where=address, hint="see node.listen in config.toml") from error
    return listeners


async def _stop_on_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
            return
