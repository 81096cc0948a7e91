"""Running the command line: in this process, and as a program of its own."""

import json
import os
import signal
import subprocess  # noqa: TID251 - the program is run as people run it
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from f2fbuild.cli.main import program
from tests.api.api_node import SmallNode, serving, short_directory
from tests.api.api_samples import CALLS, STREAMS


@dataclass(frozen=True)
class Home:
    """A user's directories, and the environment that names them."""

    directory: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.directory),
            "XDG_RUNTIME_DIR": str(self.directory / "run"),
            "XDG_DATA_HOME": str(self.directory / "data"),
            "XDG_CONFIG_HOME": str(self.directory / "config"),
            "XDG_STATE_HOME": str(self.directory / "state"),
            "XDG_CACHE_HOME": str(self.directory / "cache"),
            "GNUPGHOME": str(self.directory / "gnupg"),
        }

    @property
    def socket(self) -> Path:
        return self.directory / "run" / "f2fbuild" / "api.sock"

    @property
    def log(self) -> Path:
        return self.directory / "data" / "f2fbuild" / "log"

    def run(self, *arguments: str, typed: str | None = None, **environment: str) -> Result:
        """Run a command in this process, without a terminal."""
        return CliRunner(env=self.environment | environment).invoke(program, arguments, input=typed)

    def start(
        self, *arguments: str, stdout: int = subprocess.PIPE, **environment: str
    ) -> subprocess.Popen[str]:
        """Start the program."""
        return subprocess.Popen(
            [sys.executable, "-m", "f2fbuild", *arguments],
            env=clean_environment() | self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )


def interrupted(process: subprocess.Popen[str], number: signal.Signals = signal.SIGINT) -> str:
    """Interrupt a program until it has ended, and return what it said on stderr.

    Python sees a signal that comes just before it reads only after it has read: people press Ctrl-C again.
    """
    try:
        for _ in range(20):
            process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                return process.communicate(timeout=10)[1]
    finally:
        process.kill()
    raise AssertionError(f"{process.args!r} does not end")


def clean_environment() -> dict[str, str]:
    leaked = ("NO_COLOR", "FORCE_COLOR", "TERM", "COLUMNS")
    return {name: value for name, value in os.environ.items() if name not in leaked}


@contextmanager
def home() -> Iterator[Home]:
    with short_directory() as directory:
        yield Home(directory)


def whole_node(**changes: Any) -> SmallNode:
    """A node that answers everything with its sample; `calls` and `streams` replace some."""
    calls = {kind: reply for kind, (_, reply) in CALLS.items()}
    streams: dict[Any, Sequence[Any]] = {kind: answers for kind, (_, answers) in STREAMS.items()}
    return SmallNode(
        calls=calls | dict(changes.get("calls", {})), streams=streams | dict(changes.get("streams", {}))
    )


@contextmanager
def beside(place: Home, node: SmallNode) -> Iterator[SmallNode]:
    """The node of this user."""
    place.socket.parent.parent.mkdir(mode=0o700, exist_ok=True)
    with serving(node, place.socket):
        yield node


def records(text: str) -> list[Mapping[str, Any]]:
    """Return NDJSON."""
    return [json.loads(line) for line in text.splitlines()]
