"""`f2fbuild doctor`: what works on this machine, and what to do about what does not."""

import sys

import click

from f2fbuild.api import replies, requests
from f2fbuild.cli.main import client, command
from f2fbuild.cli.output import Output, printable
from f2fbuild.errors import F2FError


@click.command()
@command
def doctor(output: Output) -> None:
    """Try the builder's sandbox on this machine and say which of its protections hold.

    It also says how long the node's certificate is in force.

    Exits 1 when one does not hold: builds of friends then have less between them and this machine.
    """
    with client() as api:
        found = api.call(requests.GetProtections(), replies.Protections)
    if output.json:
        output.reply(found)
    else:
        for one in found.protections:
            said = "holds" if one.holds else "FAILS"
            output.line(f"{said:<6} {printable(one.name):<12} {printable(one.by)}")
            if one.hint:
                output.hint(f"       {printable(one.hint)}")
    if not all(one.holds for one in found.protections):
        sys.exit(F2FError.exit_code)
