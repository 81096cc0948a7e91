"""A small node behind a real socket: it answers what a test says, and remembers what it was asked."""

import gc
import shutil
import tempfile
import threading
import warnings
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import trio
from hypercorn.config import Config
from hypercorn.trio import serve

from f2fbuild.api.app import create_app
from f2fbuild.api.replies import Reply
from f2fbuild.api.requests import Request
from f2fbuild.store.files import private_directory

if TYPE_CHECKING:
    from hypercorn.typing import ASGIFramework


class Hang:
    """In a stream of answers: from here on nothing comes, and the stream stays open."""


@dataclass
class SmallNode:
    """Fulfils `api.app.Handlers`. `ended` counts streams that were left, by either side."""

    calls: Mapping[type[Request], Reply | Exception] = field(default_factory=dict)
    streams: Mapping[type[Request], Sequence[Reply | Exception | Hang]] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)
    ended: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    async def call(self, request: Request) -> Reply:
        self.asked.append(request)
        answer = self.calls[type(request)]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def stream(self, request: Request) -> AsyncIterator[Reply]:
        self.asked.append(request)
        try:
            for answer in self.streams[type(request)]:
                if isinstance(answer, Exception):
                    raise answer
                if isinstance(answer, Hang):
                    await trio.sleep_forever()
                else:
                    yield answer
        finally:
            self.ended.release()


@contextmanager
def short_directory() -> Iterator[Path]:
    """A directory whose path leaves room for a socket's name."""
    directory = Path(tempfile.mkdtemp(prefix="f2f", dir="/tmp"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


@contextmanager
def nobody_listening() -> Iterator[None]:
    """Around a client that finds nobody: httpcore leaves the socket that could not connect to the collector.

    No reference to the client's error may outlive this.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


@contextmanager
def serving(node: SmallNode, socket: Path) -> Iterator[None]:
    """Answer at `socket`, as `node.main` does, in a thread of its own."""
    ready = threading.Event()
    stop: list[trio.CancelScope] = []
    token: list[trio.lowlevel.TrioToken] = []

    async def run() -> None:
        private_directory(socket.parent)
        settings = Config()
        settings.bind = [f"unix:{socket}"]
        settings.umask = 0o177
        settings.errorlog = None
        application = cast("ASGIFramework", create_app(node))
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(serve, application, settings, shutdown_trigger=trio.sleep_forever))
            stop.append(nursery.cancel_scope)
            token.append(trio.lowlevel.current_trio_token())
            ready.set()

    thread = threading.Thread(target=trio.run, args=(run,))
    thread.start()
    try:
        assert ready.wait(30)
        yield
    finally:
        token[0].run_sync_soon(stop[0].cancel)
        thread.join()
