"""The program: one group of commands, errors as exit codes, near misses answered."""

import difflib
import functools
import importlib
import os
import signal
import sys
from collections.abc import Callable
from typing import Concatenate, NoReturn, ParamSpec

import click

from f2fbuild.api.client import Client
from f2fbuild.cli.output import Output
from f2fbuild.errors import F2FError, StorageError
from f2fbuild.store.paths import Paths

_COMMANDS = {
    "init": "node:init",
    "node": "node:node",
    "status": "status:status",
    "doctor": "doctor:doctor",
    "identity": "identity:identity",
    "peer": "peer:peer",
    "trust": "trust:trust",
    "target": "target:target",
    "build": "build:build",
    "watch": "watch:watch",
    "logs": "watch:logs",
    "job": "job:job",
    "cancel": "job:cancel",
    "retry": "job:retry",
    "challenge": "job:challenge",
    "download": "job:download",
    "divergence": "divergence:divergence",
    "ledger": "ledger:ledger",
    "demo": "demo:demo",
}
_ALIASES = {
    "watch-task": "watch:watch",
    "watch-logs": "watch:logs",
    "download-build": "job:download",
    "list-builds": "job:list_",
    "cancel-task": "job:cancel",
}
"""Koji's and Copr's spellings, hidden."""


class _Program(click.Group):
    """Loads a command's module when it is named, and answers near misses with what was meant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = _COMMANDS.get(cmd_name) or _ALIASES.get(cmd_name)
        if found is None:
            return None
        module, name = found.split(":")
        command: click.Command = getattr(importlib.import_module(f"f2fbuild.cli.commands.{module}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            near = difflib.get_close_matches(args[0], _COMMANDS, n=1)
            meant = f" Did you mean `{near[0]}`?" if near else ""
            ctx.fail(f"no such command `{args[0]}`.{meant}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="f2fbuild", prog_name="f2fbuild")
def program() -> None:
    """Let friends rebuild your packages and agree on what came out.

    Start with `f2fbuild init`, then `f2fbuild node run`; `f2fbuild demo` shows everything on one machine.
    """


P = ParamSpec("P")


def command(function: Callable[Concatenate[Output, P], None]) -> Callable[..., None]:
    """Give a command `--json`, an `Output` as its first argument, and errors as exit codes."""

    @functools.wraps(function)
    def run(*args: P.args, **options: P.kwargs) -> None:
        output = Output.open(json=bool(options.pop("json")))
        try:
            function(output, *args, **options)
        except (F2FError, OSError, BaseExceptionGroup) as error:
            told = _told(error)
            if told is None:
                raise
            output.error(told)
            sys.exit(told.exit_code)

    return click.option("--json", is_flag=True, help="Print versioned JSON.")(run)


def _told(error: BaseException) -> F2FError | None:
    """Return what a person is told of an error; None for a bug, and when the output's reader went away."""
    match error:
        case F2FError():
            return error
        case BrokenPipeError():
            return None
        case OSError():
            # Of a file that the user named; the rooms have words of their own for theirs.
            return StorageError(error.strerror or str(error), where=str(error.filename or ""))
        case BaseExceptionGroup():
            # Nurseries wrap what went wrong in them; a person wants the first cause.
            known, others = error.split(F2FError)
            return _first(known) if known is not None and others is None else None
    return None


def _first(group: BaseExceptionGroup[F2FError]) -> F2FError:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def client() -> Client:
    """Return a client of this user's node."""
    return Client(Paths.from_environment(os.environ).socket)


def main() -> NoReturn:
    """Run the program; exits 130 when interrupted and 143 when terminated."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        program.main(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)
