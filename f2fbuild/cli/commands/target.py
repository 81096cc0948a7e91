"""`f2fbuild target …`: the recipes for environments."""

from pathlib import Path

import click

from f2fbuild.api import replies, requests
from f2fbuild.cli.files import read_text
from f2fbuild.cli.main import client, command
from f2fbuild.cli.output import Output, marked
from f2fbuild.cli.prompts import confirmed


@click.group()
def target() -> None:
    """Targets: named recipes for build environments, with the keys you trust for them."""


@target.command("list")
@command
def list_(output: Output) -> None:
    """List the targets of this node."""
    with client() as api:
        found = api.call(requests.ListTargets(), replies.Targets)
    if output.json:
        output.reply(found)
        return
    for item in found.targets:
        output.line(f"{marked(item.name):<20} {item.format:<6} {item.arch:<10} {len(item.keys)} keys")


@target.command()
@click.argument("name")
@command
def show(output: Output, name: str) -> None:
    """Show the target NAME as its TOML file, and its keys."""
    with client() as api:
        _show(output, api.call(requests.GetTarget(name=name), replies.Target))


@target.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Say what would be done.")
@command
def add(output: Output, *, file: Path, yes: bool, dry_run: bool) -> None:
    """Add the target that FILE describes; its keyrings are named in it.

    From then on, packages signed by those keys may enter environments on this node.
    """
    question = f"Trust the keyrings that {marked(str(file))} names for its target?"
    if not confirmed(output, question, yes=yes, dry_run=dry_run):
        return
    with client() as api:
        _show(output, api.call(requests.AddTarget(text=read_text(file)), replies.Target))


def _show(output: Output, item: replies.Target) -> None:
    if output.json:
        output.reply(item)
        return
    click.echo(item.text, nl=False)
    for key in item.keys:
        output.line(f"# key {marked(key)}")
