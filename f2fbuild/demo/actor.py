"""One person of the demonstration: a home, an OpenPGP key, a node process, and the commands typed there."""

import os
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import trio

from f2fbuild.api import requests
from f2fbuild.api.any_reply import AnyReply
from f2fbuild.api.client import Client
from f2fbuild.api.replies import ErrorReply, Status
from f2fbuild.errors import F2FError, NodeNotRunningError
from f2fbuild.store.paths import Paths

_PROGRAM = (sys.executable, "-m", "f2fbuild")
_LIAR = (sys.executable, "-m", "f2fbuild.demo.liar")
_READY_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A person with a machine.

    `home` is kept after the demonstration; `short` holds what needs short paths (GnuPG's home and sockets)
    and goes with it. `liar` runs Mallory's node instead of an ordinary one.
    """

    name: str
    home: Path
    short: Path
    cache: Path
    port: int
    liar: bool = False

    @property
    def environment(self) -> dict[str, str]:
        """The environment of everything this person starts: ours, with other homes."""
        return {
            **os.environ,
            "HOME": str(self.home),
            "GNUPGHOME": str(self.short / "gnupg"),
            "NO_COLOR": "1",
            "XDG_CACHE_HOME": str(self.cache),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "XDG_DATA_HOME": str(self.home / "data"),
            "XDG_RUNTIME_DIR": str(self.short),
            "XDG_STATE_HOME": str(self.home / "state"),
        }

    @property
    def paths(self) -> Paths:
        """Where this person's node keeps its things."""
        return Paths.from_environment(self.environment)

    def client(self) -> Client:
        """Return a client of this person's node."""
        return Client(self.paths.socket)

    async def run(self, *arguments: str) -> Any:
        """Run a command of f2fbuild with `--json` and return its last reply.

        Raises:
            F2FError: the command failed; says what it printed.
        """
        command = [*_PROGRAM, *arguments, "--json"]
        done = await trio.run_process(
            command, env=self.environment, capture_stdout=True, capture_stderr=True, check=False
        )
        lines = done.stdout.decode().splitlines()
        if done.returncode or not lines:
            said = lines[-1] if lines else done.stderr.decode(errors="replace").strip()
            raise F2FError(f"`f2fbuild {' '.join(arguments)}` failed: {said}", where=self.name)
        reply: AnyReply = msgspec.json.decode(lines[-1], type=AnyReply)
        if isinstance(reply, ErrorReply):
            raise F2FError(reply.what, where=self.name)
        return reply

    async def set_up(self) -> None:
        """Make the homes, a key without passphrase and the node."""
        for directory in (self.home, self.short, self.short / "gnupg"):
            directory.mkdir(mode=0o700, parents=True)
        person = f"{self.name.capitalize()} <{self.name}@example.org>"
        await self.run(
            "init",
            "--new-key",
            person,
            "--unprotected",
            "--name",
            f"{self.name}-box",
            "--listen",
            self.address,
        )

    @property
    def address(self) -> str:
        """Where the node listens."""
        return f"127.0.0.1:{self.port}"

    async def live(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run the node until cancelled; started when it answers. What it says goes to `node.log`.

        Raises:
            NodeNotRunningError: it ended by itself, or did not answer in time.
        """
        command = [*_LIAR] if self.liar else [*_PROGRAM, "node", "run"]
        with (self.home / "node.log").open("ab") as log:
            process = await trio.lowlevel.open_process(
                command, env=self.environment, stdin=None, stdout=log, stderr=log, start_new_session=True
            )
            try:
                with trio.fail_after(_READY_SECONDS):
                    while not await trio.to_thread.run_sync(self._answers):
                        if process.poll() is not None:
                            raise self._ended()
                        await trio.sleep(0.1)
                task_status.started()
                await process.wait()
                raise self._ended()
            except trio.TooSlowError as error:
                raise self._ended() from error
            finally:
                with trio.CancelScope(shield=True):
                    await _end(process)

    async def stop_agent(self) -> None:
        """End this person's gpg-agent."""
        command = ["gpgconf", "--homedir", str(self.short / "gnupg"), "--kill", "all"]
        await trio.run_process(command, check=False, capture_stderr=True)

    def _answers(self) -> bool:
        # Asked ten times a second: as long as there is no socket, no connection need be tried.
        if not self.paths.socket.exists():
            return False
        try:
            with self.client() as client:
                client.call(requests.GetStatus(), Status)
        except NodeNotRunningError:
            return False
        return True

    def _ended(self) -> NodeNotRunningError:
        log = self.home / "node.log"
        last = log.read_text(errors="replace").splitlines()[-5:]
        return NodeNotRunningError(" / ".join(last) or "ended without a word", where=f"{self.name}: {log}")


async def _end(process: trio.Process) -> None:
    """Terminate a node; kill it when it does not go."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with trio.move_on_after(10):
            await process.wait()
        if process.poll() is None:
            process.kill()
            await process.wait()


def free_ports(number: int) -> list[int]:
    """Return so many TCP ports of loopback that nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
