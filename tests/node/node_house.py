"""A user with a GnuPG home and a node that is set up and run as a program."""

import json
import signal
import stat
import subprocess  # noqa: TID251 - the program is run as people run it
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from click.testing import Result

from f2fbuild.ledger.check import verify
from f2fbuild.ledger.checkpoint import parse_log_vkey
from f2fbuild.model.vkey import format_vkey
from f2fbuild.node.identity import load_identity
from f2fbuild.store.paths import Paths
from f2fbuild.trust.gpg import Gnupg
from tests.cli.cli_runs import Home, home

NEW = ("--new-key", "Ann Example <ann@example.org>", "--unprotected", "--name", "elm")


@contextmanager
def house() -> Iterator[Home]:
    """A user's directories with an empty GnuPG home, whose agent ends with it."""
    with home() as place:
        for name in ("gnupg", "run"):
            (place.directory / name).mkdir(mode=0o700)
        try:
            yield place
        finally:
            Gnupg(place.directory / "gnupg", agent=True).stop()


def gnupg(place: Home) -> Gnupg:
    return Gnupg(place.directory / "gnupg", agent=True)


def paths(place: Home) -> Paths:
    return Paths.from_environment(place.environment)


def init(place: Home, *arguments: str) -> Mapping[str, Any]:
    """Set the node up and return what it says."""
    result: Result = place.run("init", *(arguments or NEW), "--json")
    assert result.exit_code == 0, result.stderr
    said: Mapping[str, Any] = json.loads(result.stdout)
    return said


def contents(place: Home) -> dict[str, tuple[int, bytes]]:
    """Mode and bytes of every file of the node."""
    found = {}
    for base in ("config", "data", "state"):
        for path in sorted((place.directory / base).rglob("*")):
            data = path.read_bytes() if path.is_file() else b""
            found[str(path)] = (stat.S_IMODE(path.lstat().st_mode), data)
    return found


@contextmanager
def running(place: Home) -> Iterator[subprocess.Popen[str]]:
    """The node as a process that has said that it is ready."""
    process = place.start("node", "run")
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("ready  "), line + process.stderr.read()
        yield process
    finally:
        process.kill()
        process.communicate()


def stop(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> tuple[int, str]:
    """Signal a node and return how it ended and what it said."""
    process.send_signal(number)
    _, said = process.communicate(timeout=120)
    return process.returncode, said


def refused(place: Home) -> tuple[int, str]:
    """Start a node that will not start; return its exit code and its words."""
    process = place.start("node", "run")
    try:
        _, said = process.communicate(timeout=120)
    finally:
        process.kill()
    return process.returncode, said


def log_size(place: Home) -> int:
    """Compute the node's own log anew; return its size."""
    certificate = load_identity(paths(place)).certificate.certificate
    report = verify(paths(place).log, parse_log_vkey(format_vkey(certificate.log)))
    assert report.problems == ()
    return report.head.size


def write(path: Path, text: str) -> None:
    path.write_text(text)
