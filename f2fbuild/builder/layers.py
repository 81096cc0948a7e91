"""Directories that are made once, named by what they are made of, and shared by all nodes of a host.

Contract. A layer `<key>` appears by rename, complete, or not at all: a crash leaves a `.part` that the next
maker of the same key removes. One process makes a layer while others wait at its lock (flock(2), which a
crash releases). What is in a layer belongs to the sandbox's uids, so it is removed from inside a sandbox.
"""

import fcntl
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from f2fbuild.builder.idmap import host_id_map
from f2fbuild.builder.sandbox import Bind, Identity
from f2fbuild.builder.tools import run_tool, with_tools

MakeLayer = Callable[[Path], Awaitable[None]]


class Layers:
    """The layers below one directory of the node's cache."""

    def __init__(self, directory: Path) -> None:
        """Take `directory`, made when missing, as the place of the layers."""
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory

    def path(self, key: str) -> Path:
        """Return where the layer `key` stands, or would."""
        return self._directory / key

    async def obtain(self, key: str, make: MakeLayer) -> Path:
        """Return the layer `key`; when there is none yet, `make` fills the empty directory it gets."""
        async with self._lock(key):
            path, part = self.path(key), self.path(f"{key}.part")
            if await trio.to_thread.run_sync(path.exists):
                return path
            if await trio.to_thread.run_sync(part.exists):
                await discard(part)
            await trio.to_thread.run_sync(_make_part, part)
            try:
                await make(part)
                # A power cut after the rename must not find a complete name with incomplete files.
                await run_tool(with_tools(Bind(source=part, target="/layer")), "sync", "-f", "/layer")
            except BaseException:
                with trio.CancelScope(shield=True):
                    await discard(part)
                raise
            await trio.to_thread.run_sync(part.rename, path)
            return path

    async def remove(self, key: str) -> None:
        """Remove the layer `key`; nothing happens when there is none. Nobody may be using it."""
        async with self._lock(key):
            path = self.path(key)
            if await trio.to_thread.run_sync(path.exists):
                gone = self.path(f"{key}.part")
                await trio.to_thread.run_sync(path.rename, gone)
                await discard(gone)

    @asynccontextmanager
    async def _lock(self, key: str) -> AsyncIterator[None]:
        descriptor = os.open(self._directory / f"{key}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # Cancelled, the waiting thread is left behind; the lock it gets goes with the closed descriptor.
            await trio.to_thread.run_sync(fcntl.flock, descriptor, fcntl.LOCK_EX, abandon_on_cancel=True)
            yield
        finally:
            os.close(descriptor)


def _make_part(part: Path) -> None:
    part.mkdir()
    part.chmod(0o755)  # whatever the umask of the node: it is looked at from inside a sandbox


def make_owned(path: Path) -> Path:
    """Make the directory `path` and give it to the root of sandboxes; return it."""
    path.mkdir(mode=0o755)
    path.chmod(0o755)
    owner = host_id_map().owner
    if owner != (os.getuid(), os.getgid()):
        os.chown(path, *owner)
    return path


async def discard(path: Path) -> None:
    """Remove a directory, whoever of the sandbox's uids owns what is in it.

    Root can remove it itself, by directory descriptors that no link leads astray; an ordinary user cannot,
    but is root of the sandbox's uids inside.

    Raises:
        ToolError: something in it cannot be removed.
    """
    if os.getuid():
        sandbox = with_tools(Bind(source=path, target="/gone", writable=True), identity=Identity.INSTALL)
        await run_tool(sandbox, "find", "/gone", "-mindepth", "1", "-delete")
    await trio.to_thread.run_sync(shutil.rmtree, path)
