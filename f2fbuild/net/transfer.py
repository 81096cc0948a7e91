"""Blobs between friends: every chunk checked alone, the blob's own SHA-256 last, resumable from anybody.

A peer that may not have a blob and a peer that asks for one which is not here get the same answer. A receiver
believes nothing: the size is bounded before room is taken, each chunk is verified under the named root before
it is written, and the finished file must have the SHA-256 that was asked for. What was verified survives a
kill; `store.partial` says how.

Reading, hashing and writing happen in threads, in blocks of a chunk or more for each hop.
"""

import os
from collections.abc import Awaitable, Callable, Sequence
from functools import partial as bind
from pathlib import Path
from typing import TypeAlias

from trio.to_thread import run_sync

from f2fbuild.errors import FormatError, RemoteProtocolError
from f2fbuild.limits import CHUNK_BYTES
from f2fbuild.model.tree import leaf_hash
from f2fbuild.net.chunks import ChunkTree, check_chunk, count_chunks
from f2fbuild.net.exchange import Exchange, ExchangeFinishedError, PeerFailureError
from f2fbuild.net.messages import BlobChunk, BlobManifest, BlobsHeld, Failure, HaveBlobs, NoBlob, WantBlob
from f2fbuild.store.blobs import BlobMissingError, BlobStore
from f2fbuild.store.partial import Partial

OpenExchange: TypeAlias = Callable[[WantBlob | HaveBlobs], Awaitable[Exchange]]
"""Opens an exchange with one peer by sending a request: `Link.open`."""
MayFetch: TypeAlias = Callable[[str, str], bool]
"""(peer, digest) to whether policy lets this peer have this blob now."""
Progress: TypeAlias = Callable[[int, int], None]
"""Called with the bytes verified so far and the blob's size."""

_CHUNKS_PER_HOP = 8
"""Chunks hashed in one thread hop: some 10 ms, so that a cancelled transfer ends soon."""

_CLAIMS = 2
"""Times a blob is asked for: once more when the peer names another chunk root than an earlier peer did, or
when the disk lost chunks that were thought to be held."""


async def serve_blob(exchange: Exchange, request: WantBlob, store: BlobStore, may_fetch: MayFetch) -> None:
    """Answer `request`; who called finishes the exchange.

    The right is asked for before each chunk, so one that is withdrawn meanwhile ends the transfer: the peer
    sees the exchange broken off.

    Raises:
        LinkClosedError, ExchangeResetError: nobody reads any more.
        StorageError: the disk does not give what it holds.
    """
    allowed = bind(may_fetch, exchange.peer, request.digest)
    try:
        file = store.open_blob(request.digest) if allowed() else None
    except BlobMissingError:
        file = None
    if file is None:
        await exchange.send(NoBlob(digest=request.digest))
        return
    with file:
        size = os.fstat(file.fileno()).st_size
        tree = await _tree_over(file.fileno(), count_chunks(size))
        await exchange.send(BlobManifest(size=size, chunks=count_chunks(size), chunk_root=tree.root.hex()))
        for index in range(request.first_chunk, count_chunks(size)):
            data = await run_sync(_read_chunk, file.fileno(), index)
            if not allowed():
                await exchange.aclose()
                return
            await exchange.send(BlobChunk(index=index, data=data, proof=tree.proof(index)))


async def serve_held(exchange: Exchange, request: HaveBlobs, store: BlobStore, may_fetch: MayFetch) -> None:
    """Answer which of the blobs asked for are here and may be fetched by this peer."""
    held = [digest for digest in request.digests if may_fetch(exchange.peer, digest) and store.has(digest)]
    await exchange.send(BlobsHeld(digests=held))


async def ask_held(open_exchange: OpenExchange, digests: Sequence[str]) -> list[str]:
    """Return which of `digests` the peer can send to us, in their order.

    Raises:
        RemoteProtocolError: it names blobs that were not asked for, or names them in another order.
    """
    async with await open_exchange(HaveBlobs(digests=list(digests))) as exchange:
        answer = await exchange.expect(BlobsHeld)
    held = set(answer.digests)
    if [digest for digest in digests if digest in held] != answer.digests:
        raise _broken(exchange, "names blobs other than those asked for")
    return answer.digests


async def fetch_blob(
    open_exchange: OpenExchange,
    digest: str,
    store: BlobStore,
    *,
    max_size: int,
    progress: Progress | None = None,
) -> Path | None:
    """Fetch the blob `digest` into `store`, going on where an earlier fetch ended.

    Args:
        open_exchange: asks the peer to fetch from; called once or twice.
        digest: the blob's SHA-256.
        store: where it goes, durable on return.
        max_size: bytes that it may have.
        progress: told after each chunk.

    Returns:
        The blob's file, or None when the peer has no such blob for us.

    Raises:
        RemoteProtocolError: the peer sent what is not the blob. Chunks verified before stay for a later
            fetch; when the chunk root itself was a lie, nothing stays.
        BlobBusyError: the blob is being fetched already, by another task or program.
        StorageError: the disk has no room.
        LinkClosedError, ExchangeResetError, PeerFailureError: the peer or the way to it failed.
    """
    if store.has(digest):
        return store.path(digest)
    first = store.begun(digest)
    for _ in range(_CLAIMS):
        async with await open_exchange(WantBlob(digest=digest, first_chunk=first)) as exchange:
            manifest = await _receive_manifest(exchange, digest, max_size)
            if manifest is None:
                return None
            root = bytes.fromhex(manifest.chunk_root)
            with await run_sync(bind(store.partial, digest, root=root, size=manifest.size)) as partial:
                if partial.held == first:
                    await _receive_chunks(exchange, partial, progress)
                    return await _finish(exchange.peer, partial, store)
                first = partial.held
    raise RemoteProtocolError("names another chunk root each time", where=digest)


async def _receive_manifest(exchange: Exchange, digest: str, max_size: int) -> BlobManifest | None:
    try:
        answer = await exchange.receive()
    except ExchangeFinishedError as error:
        raise _broken(exchange, "finished before it answered") from error
    match answer:
        case Failure():
            raise PeerFailureError(answer, where=exchange.peer)
        case NoBlob(digest=named) if named == digest:
            return None
        case BlobManifest() as manifest:
            if manifest.size > max_size:
                raise _broken(exchange, f"a blob of {manifest.size} bytes where {max_size} are allowed")
            if manifest.chunks != count_chunks(manifest.size):
                raise _broken(exchange, f"{manifest.chunks} chunks for {manifest.size} bytes")
            return manifest
        case other:
            raise _broken(exchange, f"{type(other).__name__} instead of a manifest of this blob")


async def _receive_chunks(exchange: Exchange, partial: Partial, progress: Progress | None) -> None:
    while partial.held < count_chunks(partial.size):
        try:
            chunk = await exchange.expect(BlobChunk)
        except ExchangeFinishedError as error:
            raise _broken(exchange, f"finished before chunk {partial.held}") from error
        if chunk.index != partial.held:
            raise _broken(exchange, f"chunk {chunk.index} where {partial.held} is due")
        try:
            await run_sync(_keep, partial, chunk)
        except FormatError as error:
            raise _broken(exchange, str(error)) from error
        if progress:
            progress(min(partial.held * CHUNK_BYTES, partial.size), partial.size)


async def _finish(peer: str, partial: Partial, store: BlobStore) -> Path:
    if not await run_sync(store.adopt, partial):
        raise RemoteProtocolError("sent other bytes than the blob asked for", where=peer)
    return store.path(partial.digest)


async def _tree_over(descriptor: int, count: int) -> ChunkTree:
    leaves: list[bytes] = []
    for start in range(0, count, _CHUNKS_PER_HOP):
        leaves += await run_sync(_hash_chunks, descriptor, range(start, min(start + _CHUNKS_PER_HOP, count)))
    return ChunkTree.over(leaves)


def _hash_chunks(descriptor: int, indices: range) -> list[bytes]:
    return [leaf_hash(_read_chunk(descriptor, index)) for index in indices]


def _read_chunk(descriptor: int, index: int) -> bytes:
    return os.pread(descriptor, CHUNK_BYTES, index * CHUNK_BYTES)


def _keep(partial: Partial, chunk: BlobChunk) -> None:
    root, size = partial.root, partial.size
    partial.append(chunk.data, check_chunk(chunk.data, chunk.proof, index=chunk.index, size=size, root=root))


def _broken(exchange: Exchange, what: str) -> RemoteProtocolError:
    return RemoteProtocolError(what, where=exchange.peer)
