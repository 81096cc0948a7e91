"""Reading from package mirrors: http, https, file and copy, never more bytes than announced.

A mirror is a place, not an authority: everything read here is checked against signed metadata by the caller.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import unquote, urlsplit

import httpx
import trio

from f2fbuild.errors import F2FError
from f2fbuild.limits import FETCH_SECONDS, MIB


class MirrorError(F2FError):
    """A mirror does not have what it should have, or does not answer."""


Client: TypeAlias = httpx.AsyncClient

_LOCAL: Final = frozenset({"file", "copy"})


@asynccontextmanager
async def open_client() -> AsyncIterator[httpx.AsyncClient]:
    """Yield the HTTP client for mirrors: bounded waiting, redirects followed, proxies as the host's."""
    async with httpx.AsyncClient(timeout=FETCH_SECONDS, follow_redirects=True, max_redirects=5) as client:
        yield client


async def read(client: Client, uri: str, *, most: int) -> bytes:
    """Return the bytes at `uri`, at most `most` of them.

    Raises:
        MirrorError: not there, no answer, or larger than `most`.
    """
    async with aclosing(_pieces(client, uri, most)) as pieces:
        return b"".join([piece async for piece in pieces])


async def download(client: Client, uri: str, path: Path, *, most: int) -> None:
    """Write the bytes at `uri` into the new file `path`, at most `most` of them.

    Raises:
        MirrorError: not there, no answer, or larger than `most`; `path` may hold a part.
    """
    async with aclosing(_pieces(client, uri, most)) as pieces, await trio.open_file(path, "xb") as file:
        async for piece in pieces:
            await file.write(piece)


async def _pieces(client: Client, uri: str, most: int) -> AsyncGenerator[bytes, None]:
    total = 0
    source = _local(uri) if urlsplit(uri).scheme in _LOCAL else _remote(client, uri)
    async with aclosing(source) as pieces:
        async for piece in pieces:
            total += len(piece)
            if total > most:
                raise MirrorError(f"is larger than {most} bytes", where=uri)
            yield piece


async def _local(uri: str) -> AsyncGenerator[bytes, None]:
    try:
        async with await trio.open_file(unquote(urlsplit(uri).path), "rb") as file:
            while piece := await file.read(MIB):
                yield piece
    except OSError as error:
        raise MirrorError(f"cannot be read: {error.strerror}", where=uri) from error


async def _remote(client: Client, uri: str) -> AsyncGenerator[bytes, None]:
    try:
        async with client.stream("GET", uri) as response:
            if response.status_code != httpx.codes.OK:
                raise MirrorError(f"the mirror answers {response.status_code}", where=uri)
            async with aclosing(response.aiter_bytes(MIB)) as pieces:  # type: ignore[type-var]  # is a generator, typed as iterator
                async for piece in pieces:
                    yield piece
    except httpx.HTTPError as error:
        raise MirrorError(f"the mirror does not answer: {error!r}", where=uri) from error
