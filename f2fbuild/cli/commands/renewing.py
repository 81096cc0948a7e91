"""`f2fbuild identity renew`: the node's certificate is signed anew before it ends."""

import os

import click

from f2fbuild.api import replies, requests
from f2fbuild.cli.main import client, command
from f2fbuild.cli.output import Output, marked
from f2fbuild.cli.prompts import confirmed
from f2fbuild.errors import NodeNotRunningError
from f2fbuild.model.times import format_time
from f2fbuild.node.certifying import issue_renewal
from f2fbuild.store.paths import Paths


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@command
def renew(output: Output, *, yes: bool, dry_run: bool) -> None:
    """Renew this node's certificate for another year.

    Your GnuPG signs it. A running node logs it and shows it to its friends; one that is stopped does so when
    it starts. Keys, log and friends stay what they are. Certificates end after a year: `status` warns 30 days
    before.
    """
    question = "your GnuPG signs another certificate for this node, and the node logs it for ever"
    if not confirmed(output, question, yes=yes, dry_run=dry_run):
        return
    certificate = issue_renewal(Paths.from_environment(os.environ)).certificate
    found = replies.Renewed(
        node=certificate.node,
        origin=certificate.origin,
        epoch=certificate.epoch,
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        in_force=False,
    )
    try:
        with client() as api:
            found = api.call(requests.TakeRenewal(), replies.Renewed)
    except NodeNotRunningError:
        output.hint("the node is not running: it takes the certificate when it starts")
    if output.json:
        output.reply(found)
        return
    output.line(f"node      {marked(found.node)}")
    output.line(f"until     {format_time(found.not_after)}")
    output.line(f"in force  {'yes' if found.in_force else 'when the node has started'}")
