"""Programs of the host that the builder asks something or has do something: gpgv, apt, dnf, dpkg-deb, rpm.

They read bytes from peers and mirrors, so they run in a sandbox: nobody in particular, without network,
without the host's configuration and without any file of the node or its user.
"""

from collections.abc import Mapping
from typing import Final

from f2fbuild.builder import process
from f2fbuild.builder.exits import ProcessLimits
from f2fbuild.builder.hosttools import host_programs
from f2fbuild.builder.sandbox import Command, Identity, Mount, Sandbox
from f2fbuild.errors import F2FError
from f2fbuild.limits import TOOL_DISK_BYTES, TOOL_MEMORY_BYTES, TOOL_OUTPUT_BYTES, TOOL_SECONDS

ENVIRONMENT: Final = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/tmp",  # noqa: S108  (the sandbox's own)
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
}
TOOL_LIMITS: Final = ProcessLimits(
    wall_seconds=TOOL_SECONDS,
    memory_bytes=TOOL_MEMORY_BYTES,
    disk_bytes=TOOL_DISK_BYTES,
    output_bytes=TOOL_OUTPUT_BYTES,
)


_WORDS: Final = 700
"""Bytes of a program's last words in an error: what it complained about fits, and a message stays one."""


class ToolError(F2FError):
    """A program that the builder needs failed."""


def with_tools(*mounts: Mount, identity: Identity = Identity.BUILD) -> Sandbox:
    """Return a sandbox of the host's programs and `mounts`."""
    return Sandbox(identity=identity, mounts=(*host_programs(), *mounts))


async def run_tool(
    sandbox: Sandbox, *argv: str, stdin: bytes = b"", env: Mapping[str, str] = ENVIRONMENT
) -> bytes:
    """Run a program that has to succeed and return its output.

    Raises:
        ToolError: it failed; its last words are in the message.
    """
    command = Command(argv=argv, env=env)
    ended, output, errors = await process.capture(sandbox, command, limits=TOOL_LIMITS, stdin=stdin)
    if not ended.ok:
        # Complaints before chatter, for whoever keeps only the beginning.
        words = b"\n".join((errors[-_WORDS:], output[-_WORDS:])).decode(errors="replace").strip()
        raise ToolError(f"{ended.cause} {ended.code or ended.signal or ''}: {words}", where=argv[0])
    return output
