"""`f2fbuild status`: who this node is and how it is."""

import click

from f2fbuild.api import replies, requests
from f2fbuild.cli.main import client, command
from f2fbuild.cli.output import Output, marked


@click.command()
@command
def status(output: Output) -> None:
    """Show who this node is, whom it is connected to and what it does."""
    with client() as api:
        found = api.call(requests.GetStatus(), replies.Status)
    if output.json:
        output.reply(found)
        return
    output.line(f"[bold]{marked(found.node)}[/bold]  of {marked(found.owner_name)}  {found.owner}")
    output.line(f"friends   {found.connected} of {found.friends} connected")
    output.line(f"work      {found.jobs_running} jobs running, {found.builds_running} builds for friends")
    output.line(f"ledger    {found.log_size} entries  {found.origin}")
    if found.held:
        output.line(f"waiting   {marked(found.held)}")
    output.line(f"listens   {marked(', '.join(found.listen)) or 'nowhere (dials out only)'}")
    for notice in found.notices:
        output.line(f"notice    {marked(notice)}")
