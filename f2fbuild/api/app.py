"""The API over HTTP: one POST path a call, JSON both ways, streams as one JSON text a line.

The socket is a Unix socket in a directory that only its user may enter; whoever can open it is the owner.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Protocol

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from f2fbuild import limits
from f2fbuild.api.calls import CALLS, STREAMS
from f2fbuild.api.failures import to_reply
from f2fbuild.api.replies import Reply
from f2fbuild.api.requests import Request
from f2fbuild.errors import F2FError, UsageError

MEDIA_TYPE = "application/json"
STREAM_MEDIA_TYPE = "application/x-ndjson"


class Handlers(Protocol):
    """What a node answers."""

    async def call(self, request: Request) -> Reply:
        """Return the reply to a request of `api.calls.CALLS`; raise F2FError to refuse."""
        ...

    def stream(self, request: Request) -> AsyncIterator[Reply]:
        """Return the replies to a request of `api.calls.STREAMS`."""
        ...


def create_app(handlers: Handlers) -> Starlette:
    """Return the ASGI application that answers by `handlers`."""

    def call_route(name: str, kind: type[Request]) -> Route:
        async def endpoint(http: HttpRequest) -> Response:
            try:
                reply = await handlers.call(await _read(http, kind))
            except F2FError as error:
                return Response(msgspec.json.encode(to_reply(error)), 400, media_type=MEDIA_TYPE)
            return Response(msgspec.json.encode(reply), media_type=MEDIA_TYPE)

        return Route(f"/v1/{name}", endpoint, methods=["POST"])

    def stream_route(name: str, kind: type[Request]) -> Route:
        async def endpoint(http: HttpRequest) -> Response:
            try:
                request = await _read(http, kind)
            except F2FError as error:
                return Response(msgspec.json.encode(to_reply(error)), 400, media_type=MEDIA_TYPE)
            return StreamingResponse(_lines(handlers.stream(request)), media_type=STREAM_MEDIA_TYPE)

        return Route(f"/v1/{name}", endpoint, methods=["POST"])

    calls = [call_route(name, kind) for name, kind in CALLS.items()]
    streams = [stream_route(name, kind) for name, kind in STREAMS.items()]
    return Starlette(routes=[*calls, *streams])


async def _lines(replies: AsyncIterator[Reply]) -> AsyncIterator[bytes]:
    try:
        async for reply in replies:
            yield msgspec.json.encode(reply) + b"\n"
    except F2FError as error:
        yield msgspec.json.encode(to_reply(error)) + b"\n"


async def _read(http: HttpRequest, kind: type[Request]) -> Request:
    body = bytearray()
    async with aclosing(http.stream()) as pieces:
        async for piece in pieces:
            body += piece
            if len(body) > limits.API_REQUEST_BYTES:
                raise UsageError(f"a request has at most {limits.API_REQUEST_BYTES} bytes")
    try:
        return msgspec.json.decode(bytes(body) or b"{}", type=kind)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise UsageError(str(error), where=http.url.path) from error
