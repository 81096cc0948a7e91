"""`f2fbuild ledger epoch …`: begin another log for this node when its own was set back or lost."""

import os

import click

from f2fbuild.api import replies
from f2fbuild.cli.main import command
from f2fbuild.cli.output import Output
from f2fbuild.cli.prompts import confirmed
from f2fbuild.node import epochs
from f2fbuild.store.paths import Paths


@click.group()
def epoch() -> None:
    """Epochs: the logs that this node has had, one after the other.

    A log that was set back by a restored backup, or lost, is never continued: friends would see two
    stories. A new epoch is another log under new keys, certified by you, that names where the old one ended.
    """


@epoch.command()
@command
def show(output: Output) -> None:
    """Show the epoch that is in force."""
    _render(output, epochs.present(Paths.from_environment(os.environ)))


@epoch.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@command
def new(output: Output, *, yes: bool, dry_run: bool) -> None:
    """Begin a new log for this node; the node must not be running.

    Your GnuPG signs a new certificate. The old log is kept; what it owes stays owed. Jobs that others gave
    to this node are given up. Friends get the new certificate when this node connects to them. Run it again
    if it broke off.
    """
    paths = Paths.from_environment(os.environ)
    plan = epochs.planned(paths)
    previous = plan.previous.size if plan.previous else 0
    question = f"epoch {plan.number} begins a new log; the old one ends for ever at {previous} entries"
    if confirmed(output, question, yes=yes, dry_run=dry_run):
        _render(output, epochs.begin(paths))
        output.next_steps("f2fbuild node run", "f2fbuild identity card --output me.f2fcard")


def _render(output: Output, found: epochs.Epoch) -> None:
    previous = found.previous
    if output.json:
        output.reply(
            replies.Epoch(
                epoch=found.number,
                origin=found.origin,
                previous_origin=previous.origin if previous else "",
                previous_size=previous.size if previous else 0,
                previous_root=previous.root if previous else "",
            )
        )
        return
    output.line(f"epoch     {found.number}")
    output.line(f"log       {found.origin}")
    output.line(f"previous  {f'{previous.size} entries  {previous.origin}' if previous else 'none'}")
