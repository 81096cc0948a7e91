"""Transfers over TCP between real processes that are killed: at most one chunk is fetched twice."""

import signal
import sys
import textwrap
from pathlib import Path

import pytest
import trio

from f2fbuild.errors import F2FError
from f2fbuild.limits import CHUNK_BYTES
from f2fbuild.net.exchange import Exchange
from f2fbuild.net.transfer import fetch_blob
from f2fbuild.net.wire import Message
from f2fbuild.store.blobs import BlobStore
from tests.net.transfer_wires import Recording, answer, ask, serving, wire

SIZE = 32 * CHUNK_BYTES + 5
"""More than the buffers of a TCP connection over loopback hold."""

FETCHER = """
    import pathlib, sys, trio
    from tests.net.transfer_wires import ask
    from f2fbuild.net.transfer import fetch_blob
    from f2fbuild.store.blobs import BlobStore

    async def main(directory, port, digest):
        async def open_exchange(request):
            return await ask(await trio.open_tcp_stream("127.0.0.1", int(port)), request)

        def tell(done, size):
            print(done, flush=True)

        store = BlobStore.open(pathlib.Path(directory))
        await fetch_blob(open_exchange, digest, store, max_size=1 << 30, progress=tell)

    trio.run(main, *sys.argv[1:])
"""

SERVER = """
    import pathlib, sys, trio
    from tests.net.transfer_wires import answer, serving
    from f2fbuild.store.blobs import BlobStore

    async def main(directory):
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        print(listener.socket.getsockname()[1], flush=True)
        handler = serving(BlobStore.open(pathlib.Path(directory)))
        async def serve(stream):
            await answer(stream, handler)
        await trio.serve_listeners(serve, [listener])

    trio.run(main, *sys.argv[1:])
"""


@pytest.fixture
def theirs(tmp_path: Path) -> BlobStore:
    return BlobStore.open(tmp_path / "theirs")


@pytest.fixture
def digest(theirs: BlobStore) -> str:
    return theirs.put_bytes(b"".join(b"%015d\n" % number for number in range(SIZE // 16)) + b"12345")


async def start(source: str, *arguments: str) -> trio.Process:
    path = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
    command = [sys.executable, "-c", path + textwrap.dedent(source), *arguments]
    return await trio.lowlevel.open_process(command, stdout=-1)


async def kill(process: trio.Process) -> None:
    process.kill()
    assert await process.wait() == -signal.SIGKILL
    assert process.stdout is not None
    await process.stdout.aclose()


async def lines_until(process: trio.Process, wanted: int) -> bytes:
    """Return what the child has said when it has said `wanted` lines."""
    assert process.stdout is not None
    said = b""
    while said.count(b"\n") < wanted:
        some = await process.stdout.receive_some()
        assert some, said
        said += some
    return said


@pytest.mark.parametrize("chunks", [1, 2, 7])
async def test_a_killed_fetcher_goes_on_where_it_was(
    tmp_path: Path, theirs: BlobStore, digest: str, chunks: int
) -> None:
    directory = tmp_path / "ours"
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    handler = Recording(serving(theirs))

    async def serve(stream: trio.SocketStream) -> None:
        await answer(stream, handler)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, listeners)
        port = listeners[0].socket.getsockname()[1]
        process = await start(FETCHER, str(directory), str(port), digest)
        told = await lines_until(process, chunks)
        await kill(process)
        ours = BlobStore.open(directory)
        assert not ours.has(digest)
        assert ours.begun(digest) >= told.count(b"\n")

        async def open_exchange(request: Message) -> Exchange:
            return await ask(await trio.open_tcp_stream("127.0.0.1", port), request)

        assert await fetch_blob(open_exchange, digest, ours, max_size=SIZE)
        nursery.cancel_scope.cancel()
    first, second = handler.first_chunks
    assert first == 0
    assert told.count(b"\n") <= second < SIZE // CHUNK_BYTES
    ours.verify(digest)


async def test_when_a_server_is_killed_another_one_goes_on(
    tmp_path: Path, theirs: BlobStore, digest: str
) -> None:
    ours = BlobStore.open(tmp_path / "ours")
    process = await start(SERVER, str(tmp_path / "theirs"))
    port = int(await lines_until(process, 1))

    async def open_exchange(request: Message) -> Exchange:
        return await ask(await trio.open_tcp_stream("127.0.0.1", port), request)

    def kill_at_third(done: int, size: int) -> None:
        if done == 3 * CHUNK_BYTES:
            process.kill()

    with pytest.raises(F2FError):
        await fetch_blob(open_exchange, digest, ours, max_size=SIZE, progress=kill_at_third)
    await kill(process)
    held = ours.begun(digest)
    assert 3 <= held < SIZE // CHUNK_BYTES
    async with wire("link", handler := Recording(serving(theirs))) as open_link:
        assert await fetch_blob(open_link, digest, ours, max_size=SIZE)
    assert handler.first_chunks == [held]
    ours.verify(digest)
