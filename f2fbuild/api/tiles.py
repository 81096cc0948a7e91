"""Logs over HTTP, for strangers: a static tlog-tiles layout, read-only, nothing but GET and HEAD.

What is served is public by nature (it is what friends get too) and is never taken from the request but by
`find`, which parses a path in its one spelling. The application knows no cookie, query, body or redirect.
"""

from collections.abc import Callable
from enum import Enum
from typing import Protocol

import trio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from f2fbuild import limits
from f2fbuild.errors import F2FError


class Lasting(Enum):
    """How long an answer may be kept: the header that says so."""

    MOVING = "no-cache"
    FOR_NOW = "public, max-age=300"
    FOR_EVER = "public, max-age=31536000, immutable"


class Found(Protocol):
    """The bytes at a path."""

    @property
    def data(self) -> bytes:
        """The bytes."""
        ...

    @property
    def lasting(self) -> Enum:
        """One of the names of `Lasting`."""
        ...


def create_tiles_app(find: Callable[[str], Found | None]) -> Starlette:
    """Return the ASGI application that serves what `find` returns for a path, run in a thread."""

    async def endpoint(http: Request) -> Response:
        try:
            found = await trio.to_thread.run_sync(find, http.path_params["path"])
        except F2FError:
            # What is wrong with the log is its owner's to read; a stranger learns that it is not to be had.
            return Response("cannot be read now\n", 503, media_type="text/plain")
        if found is None:
            return Response("not here\n", 404, media_type="text/plain", headers={"Cache-Control": "no-cache"})
        lasting = Lasting[found.lasting.name]
        kind = "text/plain" if lasting is Lasting.MOVING else "application/octet-stream"
        headers = {
            "Cache-Control": lasting.value,
            "Access-Control-Allow-Origin": "*",
            "X-Content-Type-Options": "nosniff",
        }
        return Response(found.data, media_type=kind, headers=headers)

    return Starlette(
        routes=[Route("/{path:path}", endpoint, methods=["GET"])], middleware=[Middleware(_Bounded)]
    )


class _Bounded:
    """Few answers in flight: each is up to an entry bundle in memory, until its reader has taken it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._limiter = trio.CapacityLimiter(limits.TILES_ANSWERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._limiter:
            await self._app(scope, receive, send)
