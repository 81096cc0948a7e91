"""Starts programs in sandboxes, and does not return before the last of their processes is dead.

The first process in a sandbox's pid namespace cannot end before all others have: the kernel kills them first
(pid_namespaces(7)). Its pidfd, not an end of output and not bubblewrap's exit, tells that a sandbox is empty.
Nothing is asked of the programs themselves: whatever ends a run early is a SIGKILL to bubblewrap, whose
sandbox dies with it.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from sys import executable

import trio

from f2fbuild.builder import launcher
from f2fbuild.builder.cgroups import Group, own_group
from f2fbuild.builder.exits import Exit, ProcessLimits
from f2fbuild.builder.idmap import host_id_map
from f2fbuild.builder.running import Running, SandboxError
from f2fbuild.builder.sandbox import Bind, Command, Identity, Sandbox, bwrap_arguments, staging
from f2fbuild.builder.seccomp import filter_program
from f2fbuild.limits import DISK_SLACK_BYTES, SANDBOX_OPEN_FILES

OnOutput = Callable[[bytes], None]


async def run(
    sandbox: Sandbox,
    command: Command,
    *,
    limits: ProcessLimits,
    on_output: OnOutput,
    on_error: OnOutput | None = None,
    stdin: bytes = b"",
) -> Exit:
    """Run `command` in `sandbox` to its end and return how it ended.

    `on_output` is given standard output and, without `on_error`, standard error, in order as they come.
    Cancelling kills the whole tree and waits for its end before the cancellation goes on.

    Raises:
        SandboxError: the sandbox could not be made; the command was not started.
        RootRefusedError: this process is root and has no ids for sandboxes.
    """
    with ExitStack() as stack:
        group = stack.enter_context(own_group(memory=limits.memory_bytes, processes=limits.processes))
        given = stack.enter_context(_memory_file(stdin))
        seccomp = stack.enter_context(_memory_file(filter_program()))
        status, status_end = stack.enter_context(_pipe())
        output, output_end = stack.enter_context(_pipe())
        errors, errors_end = stack.enter_context(_pipe()) if on_error else (None, output_end)
        argv = bwrap_arguments(sandbox, command, status_fd=status_end.fileno(), seccomp_fd=seccomp)
        document = stack.enter_context(_memory_file(_document(sandbox, limits, argv, group)))
        process = await trio.lowlevel.open_process(
            [executable, "-I", "-S", launcher.__file__, str(document)],
            stdin=given,
            stdout=output_end.fileno(),
            stderr=errors_end.fileno(),
            pass_fds=(status_end.fileno(), seccomp, document),
            env={"PATH": os.environ.get("PATH", os.defpath)},
            cwd="/",
        )
        for end in (status_end, output_end, errors_end):
            end.close()
        readers = [(output.fileno(), on_output)]
        if errors and on_error:
            readers.append((errors.fileno(), on_error))
        return await Running(process, limits, status.fileno(), group).follow(readers, _written(sandbox))


async def capture(
    sandbox: Sandbox, command: Command, *, limits: ProcessLimits, stdin: bytes = b""
) -> tuple[Exit, bytes, bytes]:
    """Run a program that is asked something; return how it ended, its standard output and its errors."""
    output, errors = bytearray(), bytearray()
    ended = await run(
        sandbox, command, limits=limits, on_output=output.extend, on_error=errors.extend, stdin=stdin
    )
    return ended, bytes(output), bytes(errors)


@contextmanager
def _pipe() -> Iterator[tuple["_End", "_End"]]:
    reading, writing = map(_End, os.pipe())
    try:
        yield reading, writing
    finally:
        reading.close()
        writing.close()


class _End:
    """One end of a pipe; it may be closed early."""

    def __init__(self, fd: int) -> None:
        self._file = os.fdopen(fd, "rb", buffering=0)

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()


@contextmanager
def _memory_file(content: bytes) -> Iterator[int]:
    descriptor = os.memfd_create("f2fbuild")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def _document(sandbox: Sandbox, limits: ProcessLimits, argv: list[str], group: Group) -> bytes:
    ids = host_id_map()
    if sandbox.identity is Identity.INSTALL and not ids.has_range:
        hint = "Install the package uidmap and give this user a range in /etc/subuid and /etc/subgid"
        raise SandboxError("installing packages needs a range of subordinate ids", hint=hint)
    resources = {
        "CORE": 0,
        "FSIZE": limits.disk_bytes + DISK_SLACK_BYTES,
        "MEMLOCK": 0,
        "NOFILE": SANDBOX_OPEN_FILES,
        "NPROC": limits.processes,
    }
    document = {
        "ids": ids.to_json(),
        "groups": group.entrances,
        "limits": resources,
        "cpus": limits.cpus,
        "argv": argv,
    }
    return json.dumps({**document, **staging(sandbox)}).encode()


def _written(sandbox: Sandbox) -> list[Path]:
    layer = sandbox.root.upper if sandbox.root else None
    binds = [mount.source for mount in sandbox.mounts if isinstance(mount, Bind) and mount.writable]
    return [*([layer] if layer else []), *binds]
