"""`f2fbuild divergence …`: builds on which builders did not agree."""

import click

from f2fbuild.api import replies, requests
from f2fbuild.cli.main import client, command
from f2fbuild.cli.output import Output, marked
from f2fbuild.model.digest import short_id


@click.group()
def divergence() -> None:
    """Builds on which builders did not agree, and who said what."""


@divergence.command("list")
@command
def list_(output: Output) -> None:
    """List all divergences, newest first.

    First those of jobs that were ordered here, then verdicts of friends against results of this node.
    """
    with client() as api:
        found = api.call(requests.ListDivergences(), replies.Divergences)
    if output.json:
        output.reply(found)
        return
    for item in found.divergences:
        sides = " | ".join(", ".join(marked(owner) for owner in group.owners) for group in item.groups)
        output.line(f"{short_id(item.job)}  {marked(item.title):<32} {item.verdict:<12} {sides}")


@divergence.command()
@click.argument("job")
@command
def show(output: Output, job: str) -> None:
    """Show the divergence of JOB: environments first, then the products that differ, then the evidence."""
    with client() as api:
        found = api.call(requests.GetDivergence(job=job), replies.Divergence)
    if output.json:
        output.reply(found)
        return
    output.line(f"[bold]{marked(found.title)}[/bold]  {found.verdict}")
    output.line("environments")
    for difference in found.environment_differences or ("no difference is known",):
        output.line(f"  {marked(difference)}")
    for group in found.groups:
        owners = ", ".join(marked(owner) for owner in group.owners)
        output.line(f"[bold]{group.result[:16] or '-'}[/bold]  {marked(group.outcome)}  {owners}")
        for product in group.products:
            mark = "differs" if product.name in found.differing else ""
            output.line(f"  {product.canonical[:16]}  {product.size:>10}  {marked(product.name)}  {mark}")
    for file in found.evidence:
        output.line(f"evidence  {marked(file)}")
