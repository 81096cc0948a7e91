"""`f2fbuild identity …`: this node's identity."""

from pathlib import Path

import click

from f2fbuild.api import replies, requests
from f2fbuild.cli.commands.renewing import renew
from f2fbuild.cli.main import client, command
from f2fbuild.cli.output import Output, marked


@click.group()
def identity() -> None:
    """This node's identity and its friend card."""


identity.add_command(renew)


@identity.command()
@click.option("--dial", multiple=True, metavar="HOST:PORT", help="Where friends can reach this node.")
@click.option("--output", "file", type=click.Path(path_type=Path), help="Write the card to this file.")
@command
def card(output: Output, dial: tuple[str, ...], file: Path | None) -> None:
    """Print the friend card that a friend takes with `f2fbuild peer add`.

    A card holds no secret, but who changes it on the way can put himself in your place: give it over a
    channel that you trust, or compare the fingerprints.
    """
    with client() as api:
        found = api.call(requests.GetCard(dial=dial), replies.Card)
    if file is not None:
        file.write_text(found.text, encoding="utf-8", newline="\n")
    if output.json:
        output.reply(found)
    elif file is None:
        click.echo(found.text, nl=False)
    else:
        output.hint(f"wrote {marked(str(file))}")
        output.next_steps(f"f2fbuild peer add {file.name}   (on the friend's machine)")


@identity.command()
@command
def show(output: Output) -> None:
    """Show the owner, the node and the keys that auditors need."""
    with client() as api:
        found = api.call(requests.GetStatus(), replies.Status)
    if output.json:
        output.reply(found)
        return
    output.line(f"owner      {found.owner}")
    output.line(f"node       {marked(found.node)}  {found.node_id}")
    output.line(f"log        {found.vkey}")
    output.line(f"statements {found.statement_key}")
