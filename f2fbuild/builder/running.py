"""One running program: its output read and capped, its tree watched, and its end waited for."""

import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from signal import Signals, pidfd_send_signal
from typing import Final

import trio

from f2fbuild.builder.cgroups import Group
from f2fbuild.builder.exits import Exit, ExitCause, ProcessLimits
from f2fbuild.builder.usage import DiskWatch, memory_available, tree_usage
from f2fbuild.errors import F2FError
from f2fbuild.limits import MEMORY_RESERVE_BYTES, OUTPUT_READ_BYTES, SANDBOX_START_SECONDS, WATCH_SECONDS

TRUNCATED: Final = b"\n[the log ends here: it is longer than is allowed, and the program was ended]\n"
_STATUS_BYTES: Final = 65_536
_LAST_WORDS: Final = 500


class SandboxError(F2FError):
    """A sandbox could not be made on this host."""

    exit_code = 9


class Running:
    """A process that becomes bubblewrap, until all of its sandbox is dead."""

    def __init__(self, process: trio.Process, limits: ProcessLimits, status: int, group: Group) -> None:
        """Take over `process` in `group`; `status` is a descriptor of bubblewrap's JSON status."""
        self._group = group
        self._process = process
        self._limits = limits
        self._status = status
        self._handle = os.pidfd_open(process.pid)
        self._first = -1
        self._said = b""
        self._last_words = b""
        self._output_bytes = 0
        self._cpu = 0.0
        self._started = self._last_output = trio.current_time()
        self._cause: ExitCause | None = None

    async def follow(
        self, readers: Sequence[tuple[int, Callable[[bytes], None]]], written: Sequence[Path]
    ) -> Exit:
        """Give the output to `readers`, weigh what lies in `written`, and return once all is over.

        Raises:
            SandboxError: the program was never started.
        """
        try:
            disk = await trio.to_thread.run_sync(DiskWatch, written, self._limits.disk_bytes)
            async with trio.open_nursery() as watching:
                watching.start_soon(self._watch, disk)
                async with trio.open_nursery() as reading:
                    for descriptor, on_output in readers:
                        reading.start_soon(self._read, descriptor, on_output)
                    await self._read_status()
                    await self._empty()
                watching.cancel_scope.cancel()
            await self._weigh_rest(disk)
        finally:
            await self._bury()
        return self._exit()

    def _end(self, cause: ExitCause) -> None:
        """End the run early; the first cause is the one that counts."""
        self._cause = self._cause or cause
        self._kill()

    def _kill(self) -> None:
        """Kill bubblewrap, and the sandbox's first process, which may not yet have asked to die with it."""
        for handle in (self._handle, self._first):
            if handle >= 0:
                with suppress(ProcessLookupError):
                    pidfd_send_signal(handle, Signals.SIGKILL)

    async def _empty(self) -> None:
        """Wait until bubblewrap and every process in its sandbox are dead."""
        for handle in (self._handle, self._first):
            if handle >= 0:
                await trio.lowlevel.wait_readable(handle)

    async def _bury(self) -> None:
        """Kill what still lives and wait for its end."""
        with trio.CancelScope(shield=True):
            with trio.move_on_after(SANDBOX_START_SECONDS):
                # A first process that is not yet named would wait for ever for a word of the dead one.
                await self._read_status(until_named=True)
            self._kill()
            await trio.lowlevel.wait_readable(self._handle)
            await self._read_status()
            await self._empty()
            await self._process.wait()
        for handle in (self._handle, self._first):
            if handle >= 0:
                os.close(handle)

    async def _read(self, descriptor: int, on_output: Callable[[bytes], None]) -> None:
        os.set_blocking(descriptor, False)
        while True:
            await trio.lowlevel.wait_readable(descriptor)
            data = os.read(descriptor, OUTPUT_READ_BYTES)
            if not data:
                return
            self._last_output = trio.current_time()
            self._last_words = (self._last_words + data)[-_LAST_WORDS:]
            room = max(0, self._limits.output_bytes - self._output_bytes)
            self._output_bytes += len(data)
            if room:
                on_output(data[:room])
            if room < len(data) and self._cause is not ExitCause.LOG_CAPPED:
                on_output(TRUNCATED)
                self._end(ExitCause.LOG_CAPPED)

    async def _read_status(self, *, until_named: bool = False) -> None:
        """Read bubblewrap's status until it closes it, and take hold of the sandbox's first process."""
        os.set_blocking(self._status, False)
        while len(self._said) < _STATUS_BYTES and not (until_named and self._word("child-pid")):
            await trio.lowlevel.wait_readable(self._status)
            data = os.read(self._status, 4_096)
            if not data:
                return
            self._said += data
            child = self._word("child-pid")
            if child is not None and self._first < 0:
                self._first = _pidfd(child)

    def _word(self, key: str) -> int | None:
        """Return what bubblewrap said of `key` in its JSON lines so far."""
        for line in self._said.splitlines():
            try:
                value = json.loads(line).get(key)
            except ValueError:
                return None
            if value is not None:
                return int(value)
        return None

    async def _watch(self, disk: DiskWatch) -> None:
        while True:
            now = trio.current_time()
            if now - self._started > self._limits.wall_seconds:
                self._end(ExitCause.TIMED_OUT)
            if now - self._last_output > self._limits.silence_seconds:
                self._end(ExitCause.SILENT)
            self._weigh()
            await self._weigh_rest(disk)
            await trio.sleep(WATCH_SECONDS)

    def _weigh(self) -> None:
        usage = tree_usage(self._process.pid)
        self._cpu = max(self._cpu, usage.cpu)
        full = usage.memory > self._limits.memory_bytes or memory_available() < MEMORY_RESERVE_BYTES
        if full:
            self._end(ExitCause.MEMORY)
        if usage.processes >= self._limits.processes:
            self._end(ExitCause.PROCESSES)

    async def _weigh_rest(self, disk: DiskWatch) -> None:
        """Look at what is known without the tree: what the kernel refused or killed, and what was written.

        It is looked at once more after the end, since a program may fail of it between two looks.
        """
        if self._group.ran_out_of_memory():
            self._end(ExitCause.MEMORY)
        if self._group.ran_out_of_processes():
            self._end(ExitCause.PROCESSES)
        if await trio.to_thread.run_sync(disk.exceeded):
            self._end(ExitCause.DISK)

    def _exit(self) -> Exit:
        code, signal, cause = 0, 0, self._cause
        if cause is None:
            said = self._word("exit-code")
            if said is None:
                words = " ".join(self._last_words.decode(errors="replace").split())
                raise SandboxError(words or "bubblewrap did not start the program")
            signal = said - 128 if said - 128 in set(Signals) else 0
            code = 0 if signal else said
            cause = ExitCause.SIGNALLED if signal else ExitCause.EXITED
        return Exit(
            cause=cause,
            code=code,
            signal=signal,
            wall_seconds=trio.current_time() - self._started,
            cpu_seconds=self._cpu,
            output_bytes=self._output_bytes,
        )


def _pidfd(pid: int) -> int:
    """Return a descriptor of the process, or -1 where it is dead and reaped."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return -1
