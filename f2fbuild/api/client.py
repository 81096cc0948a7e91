"""The client of a node's API, for the command line and for programs.

Synchronous on purpose: a command asks one thing and waits for it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import httpx
import msgspec

from f2fbuild import errors
from f2fbuild.api.calls import CALLS, STREAMS
from f2fbuild.api.replies import AnyReply, ErrorReply, Reply
from f2fbuild.api.requests import Request

_NAMES: dict[type[Request], str] = {kind: name for name, kind in (*CALLS.items(), *STREAMS.items())}
_AnyReply = TypeVar("_AnyReply", bound=Reply)


class Client:
    """A connection to the node behind a Unix socket."""

    def __init__(self, socket: Path) -> None:
        """Take the path of the node's `api.sock`."""
        self._socket = socket
        transport = httpx.HTTPTransport(uds=str(socket))
        timeout = httpx.Timeout(connect=5, read=None, write=30, pool=5)
        self._http = httpx.Client(transport=transport, base_url="http://node/v1/", timeout=timeout)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def call(self, request: Request, kind: type[_AnyReply]) -> _AnyReply:
        """Return the node's reply, which is a `kind`.

        Raises:
            NodeNotRunningError: nobody listens at the socket.
            F2FError: what the node refused or could not do, as the class that the node raised.
        """
        try:
            response = self._http.post(_NAMES[type(request)], content=msgspec.json.encode(request))
        except httpx.TransportError as error:
            raise self._not_running() from error
        return _expect(response.content, kind)

    def stream(self, request: Request, kind: type[_AnyReply]) -> Iterator[_AnyReply]:
        """Yield the node's replies until it ends them; raises like `call`."""
        path, body = _NAMES[type(request)], msgspec.json.encode(request)
        try:
            with self._http.stream("POST", path, content=body) as response:
                for line in response.iter_lines():
                    yield _expect(line.encode(), kind)
        except httpx.TransportError as error:
            raise self._not_running() from error

    def _not_running(self) -> errors.NodeNotRunningError:
        return errors.NodeNotRunningError(
            "nobody answers", where=str(self._socket), hint="start it with `f2fbuild node run`"
        )


def _expect(data: bytes, kind: type[_AnyReply]) -> _AnyReply:
    try:
        reply: AnyReply = msgspec.json.decode(data, type=AnyReply)
    except msgspec.MsgspecError as error:
        raise errors.IncompatibleVersionError(f"the node's reply is not understood: {error}") from error
    if isinstance(reply, ErrorReply):
        raise _error(reply)
    if not isinstance(reply, kind):
        raise errors.IncompatibleVersionError(f"the node answered with {type(reply).__name__}")
    return reply


def _error(reply: ErrorReply) -> errors.F2FError:
    found = getattr(errors, reply.error, errors.F2FError)
    is_error = isinstance(found, type) and issubclass(found, errors.F2FError)
    kind = found if is_error else errors.F2FError
    return kind(reply.what, where=reply.where, hint=reply.hint)
