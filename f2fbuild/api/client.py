"""The client of a node's API, for the command line and for programs.

Synchronous on purpose: a command asks one thing and waits for it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import httpx
import msgspec

from f2fbuild import errors, limits
from f2fbuild.api.any_reply import AnyReply
from f2fbuild.api.calls import CALLS, STREAMS
from f2fbuild.api.failures import from_reply
from f2fbuild.api.replies import ErrorReply, Reply
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
        body = _encode(request)
        try:
            response = self._http.post(_NAMES[type(request)], content=body)
        except httpx.TransportError as error:
            raise self._not_running() from error
        _check_status(response)
        return _expect(response.content, kind)

    def stream(self, request: Request, kind: type[_AnyReply]) -> Iterator[_AnyReply]:
        """Yield the node's replies until it ends them; raises like `call`."""
        body = _encode(request)
        try:
            with self._http.stream("POST", _NAMES[type(request)], content=body) as response:
                _check_status(response)
                for line in _lines(response.iter_bytes()):
                    yield _expect(line, kind)
        except httpx.TransportError as error:
            raise self._not_running() from error

    def _not_running(self) -> errors.NodeNotRunningError:
        return errors.NodeNotRunningError(
            "nobody answers", where=str(self._socket), hint="start it with `f2fbuild node run`"
        )


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield lines as NDJSON means them: U+2028 and its like, at which `str.splitlines` cuts, end none."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
    if rest:
        yield rest


def _encode(request: Request) -> bytes:
    body = msgspec.json.encode(request)
    if len(body) > limits.API_REQUEST_BYTES:
        # The node would refuse it half-way, and hang up before all of it is sent.
        raise errors.UsageError(f"a request has at most {limits.API_REQUEST_BYTES} bytes")
    return body


def _check_status(response: httpx.Response) -> None:
    match response.status_code:
        case 200 | 400:
            return
        case 404:
            raise errors.IncompatibleVersionError(
                "the running node does not know this request", hint="start it again with this version"
            )
        case code:
            raise errors.LocalProtocolError(f"the node failed to answer (status {code})")


def _expect(data: bytes, kind: type[_AnyReply]) -> _AnyReply:
    try:
        reply: AnyReply = msgspec.json.decode(data, type=AnyReply)
    except msgspec.MsgspecError as error:
        raise errors.IncompatibleVersionError(f"the node's reply is not understood: {error}") from error
    if isinstance(reply, ErrorReply):
        raise from_reply(reply)
    if not isinstance(reply, kind):
        raise errors.IncompatibleVersionError(f"the node answered with {type(reply).__name__}")
    return reply
