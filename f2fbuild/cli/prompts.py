"""Questions: what changes trust, publishes or deletes asks on a terminal and needs `--yes` elsewhere."""

import sys

import click

from f2fbuild.cli.output import Output
from f2fbuild.errors import UsageError


def confirmed(output: Output, question: str, *, yes: bool, dry_run: bool) -> bool:
    """Return whether to go on; a dry run prints the question and does not.

    Raises:
        UsageError: there is nobody to ask and `--yes` was not given.
    """
    if dry_run:
        output.hint(question)
        return False
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask on", hint="give --yes, or look with --dry-run")
    output.hint(question)
    return click.confirm("Go on?", default=False, err=True)
