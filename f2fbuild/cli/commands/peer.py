"""`f2fbuild peer …`: friends and what they may do."""

from pathlib import Path

import click

from f2fbuild.api import replies, requests
from f2fbuild.cli.files import read_text
from f2fbuild.cli.main import client, command
from f2fbuild.cli.output import Output, marked
from f2fbuild.cli.prompts import confirmed


@click.group()
def peer() -> None:
    """Friends: whose jobs this node takes, and who builds for it."""


@peer.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--allow", default="", metavar="RIGHT,…", help="submit, build, relay, witness, ledger.")
@click.option("--alias", default="", help="The name you call the owner by.")
@click.option("--certify/--no-certify", default=True, help="Certify the owner's key locally, with your key.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Say what would be done.")
@command
def add(
    output: Output, *, file: Path, allow: str, alias: str, certify: bool, yes: bool, dry_run: bool
) -> None:
    """Take the friend card FILE, or change the rights of a friend.

    Nothing is granted but what --allow names. Compare the fingerprint with your friend first.
    """
    rights = tuple(right.strip() for right in allow.split(",") if right.strip())
    request = requests.AddPeer(
        card=read_text(file), rights=rights, certify=certify, alias=alias, dry_run=True
    )
    with client() as api:
        planned = api.call(request, replies.Peer)
        question = (
            f"{marked(planned.alias)}@{marked(planned.node)} of {planned.owner}\n"
            f"may: {', '.join(planned.rights) or 'nothing'}\n"
            f"the owner's key is {'certified locally' if certify else 'not certified'}. Add?"
        )
        if not confirmed(output, question, yes=yes, dry_run=dry_run):
            return
        found = api.call(
            requests.AddPeer(card=request.card, rights=rights, certify=certify, alias=alias), replies.Peer
        )
    _show(output, found)
    output.next_steps(f"f2fbuild trust explain {found.alias}")


@peer.command("list")
@command
def list_(output: Output) -> None:
    """List friends: connected or not, their rights, and what stands in the way."""
    with client() as api:
        found = api.call(requests.ListPeers(), replies.Peers)
    if output.json:
        output.reply(found)
        return
    for item in found.peers:
        _line(output, item)
    for refusal in found.refused:
        output.hint(f"refused  {marked(refusal)}")


@peer.command()
@click.argument("peer")
@command
def show(output: Output, peer: str) -> None:
    """Show PEER, a friend: by alias, alias@node, fingerprint or the start of its id."""
    with client() as api:
        _show(output, api.call(requests.GetPeer(peer=peer), replies.Peer))


@peer.command()
@click.argument("peer")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Say what would be done.")
@command
def remove(output: Output, *, peer: str, yes: bool, dry_run: bool) -> None:
    """End the friendship with PEER: close the session, take all rights back, remember it."""
    with client() as api:
        found = api.call(requests.GetPeer(peer=peer), replies.Peer)
        if confirmed(output, f"Remove {marked(found.alias)}@{marked(found.node)}?", yes=yes, dry_run=dry_run):
            _show(output, api.call(requests.RemovePeer(peer=found.id), replies.Peer))


def _line(output: Output, item: replies.Peer) -> None:
    state = "[green]connected[/green]" if item.connected else "away"
    rights = ",".join(item.rights) or "nothing"
    name = f"{marked(item.alias)}@{marked(item.node)}"
    fault = "  FORKED" if item.frozen else "  BROKEN" if item.violation else ""
    output.line(f"{name:<24} {state:<10} may {rights}  log {item.log_size}{fault}")


def _show(output: Output, item: replies.Peer) -> None:
    if output.json:
        output.reply(item)
        return
    _line(output, item)
    output.line(f"  owner   {item.owner}")
    output.line(f"  node    {item.id}")
    output.line(f"  dial    {', '.join(marked(hint) for hint in item.hints) or '-'}")
    output.line(f"  path    {marked(item.path)}")
    if item.fork:
        output.line(f"  [red]forked[/red]  proved by {marked(item.fork)}")
    if item.violation:
        output.line(f"  [red]broken[/red]  {marked(item.violation)}")
    for refusal in item.refusals:
        output.line(f"  [red]refused[/red] {marked(refusal)}")
