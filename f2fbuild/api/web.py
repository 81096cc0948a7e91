"""HTTP for strangers: an ASGI application behind a bounded number of connections of bounded length.

Hypercorn speaks HTTP; here is only who gets in. One connection too many is closed at once, unanswered; one
that lasts too long is closed whatever it does, so that readers who do not read cannot fill the house.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import trio
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from hypercorn.utils import wrap_app

from f2fbuild import limits
from f2fbuild.errors import ConfigurationError

if TYPE_CHECKING:
    from hypercorn.typing import ASGIFramework


async def open_web(addresses: Sequence[str], *, where: str) -> list[trio.SocketListener]:
    """Open listening sockets; `where` is what an error calls the addresses, each `HOST:PORT`.

    Raises:
        ConfigurationError: an address that cannot be listened on.
    """
    listeners: list[trio.SocketListener] = []
    for address in addresses:
        host, colon, port = address.rpartition(":")
        if not colon or not port.isdecimal() or int(port) > 65_535:
            raise ConfigurationError("not HOST:PORT", where=f"{where}: {address}")
        try:
            listeners += await trio.open_tcp_listeners(int(port), host=host.strip("[]"))
        except OSError as error:
            what = f"cannot listen: {error.strerror or error}"
            raise ConfigurationError(what, where=f"{where}: {address}") from error
    return listeners


async def serve_web(
    application: object,
    listeners: list[trio.SocketListener],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer at `listeners` until cancelled. Containment: one connection.

    Args:
        application: an ASGI application.
        listeners: where; closed at the end.
        task_status: told when connections are answered.
    """
    config = Config()
    config.errorlog = None
    config.h11_max_incomplete_size = limits.WEB_HEAD_BYTES
    config.keep_alive_timeout = config.read_timeout = limits.WEB_IDLE_SECONDS
    config.include_server_header = False
    app, context = wrap_app(cast("ASGIFramework", application), 0, "asgi"), WorkerContext(None)
    taken = trio.CapacityLimiter(limits.WEB_CONNECTIONS)

    async def answer(stream: trio.SocketStream) -> None:
        try:
            taken.acquire_nowait()
        except trio.WouldBlock:
            await trio.aclose_forcefully(stream)
            return
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_close_in_time, stream, nursery.cancel_scope)
                await TCPServer(app, config, context, ConnectionState({}), stream).run()  # type: ignore[arg-type]
                nursery.cancel_scope.cancel()
        finally:
            taken.release()

    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, answer, listeners)
        task_status.started()


async def _close_in_time(stream: trio.SocketStream, scope: trio.CancelScope) -> None:
    await trio.sleep(limits.WEB_CONNECTION_SECONDS)
    # Hypercorn shields what it sends: only closing under it ends that, and then it can be cancelled.
    await trio.aclose_forcefully(stream)
    scope.cancel()
