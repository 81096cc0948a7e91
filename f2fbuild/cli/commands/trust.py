"""`f2fbuild trust …`: who may do what, and why."""

import sys

import click

from f2fbuild.api import replies, requests
from f2fbuild.cli.main import client, command
from f2fbuild.cli.output import Output, marked
from f2fbuild.errors import RefusedError


@click.group()
def trust() -> None:
    """The web of trust and the reasons it gives."""


@trust.command()
@click.argument("who")
@command
def explain(output: Output, who: str) -> None:
    """Explain what an owner may do here: every yes and no with its rule.

    WHO is an alias, a fingerprint or the start of a node's id. Exits 0 when the owner may build for you or
    give you jobs, else 7.
    """
    with client() as api:
        found = api.call(requests.ExplainTrust(who=who), replies.Trust)
    if output.json:
        output.reply(found)
    else:
        _render(output, found)
    if not any(answer.allowed for answer in found.answers):
        sys.exit(RefusedError.exit_code)


def _render(output: Output, found: replies.Trust) -> None:
    output.line(
        f"[bold]{marked(found.alias)}[/bold]  {_grouped(found.owner)}  validity {marked(found.validity)}"
    )
    for answer in found.answers:
        said = "[green]YES[/green]" if answer.allowed else f"[red]NO[/red]    {marked(answer.reason)}"
        output.line(f"{marked(answer.question):<22} {said}   {marked(answer.rule)}")
        if answer.detail:
            output.line(f"{'':<22} {marked(answer.detail)}")
    for number, path in enumerate(found.paths, start=1):
        output.line(f"  path {number}  " + " -> ".join(marked(step) for step in path))
    for change in found.would_change:
        output.line(f"  would change if  {marked(change)}")
    for word in found.told_us:
        output.line(f"  told us  {marked(word)}")


def _grouped(fingerprint: str) -> str:
    quads = [fingerprint[i : i + 4] for i in range(0, len(fingerprint), 4)]
    half = len(quads) // 2
    return " ".join(quads[:half]) + "  " + " ".join(quads[half:])
