"""A witness over HTTP, for logs that ask: one path, a bounded body, a deadline, a pace for each caller."""

from collections.abc import Callable
from contextlib import aclosing

import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from f2fbuild import limits
from f2fbuild.api.pace import Pace
from f2fbuild.ledger.witness_http import PATH, Reply, refuse


def create_witness_app(answer: Callable[[bytes], Reply], clock: Callable[[], int]) -> Starlette:
    """Return the ASGI application that answers a request's body by `answer`; `clock` returns unix seconds."""
    pace = Pace(
        clock,
        window=limits.WITNESS_WINDOW_SECONDS,
        each=limits.WITNESS_REQUESTS,
        callers=limits.WITNESS_CALLERS,
    )

    async def endpoint(http: Request) -> Response:
        reply = await _reply(http, pace, answer)
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        if reply.status in (408, 413):
            # What is left of the body is not read.
            headers["Connection"] = "close"
        return Response(reply.body, reply.status, headers | {"Content-Type": reply.media_type})

    return Starlette(routes=[Route(PATH, endpoint, methods=["POST"])])


async def _reply(http: Request, pace: Pace, answer: Callable[[bytes], Reply]) -> Reply:
    if not pace.admits(http.client.host if http.client else ""):
        return refuse(429, "too many requests")
    with trio.move_on_after(limits.WITNESS_BODY_SECONDS):
        body = await _read(http)
        return refuse(413, "too large") if body is None else answer(body)
    return refuse(408, "too slow")


async def _read(http: Request) -> bytes | None:
    """Return the body, None as soon as it is known to be too large."""
    body = bytearray()
    async with aclosing(http.stream()) as pieces:
        async for piece in pieces:
            body += piece
            if len(body) > limits.ADD_CHECKPOINT_BYTES:
                return None
    return bytes(body)
