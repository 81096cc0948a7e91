"""`f2fbuild init` and `f2fbuild node …`: the only commands that work without a running node."""

import os
import re
import socket
import sys
from pathlib import Path

import click

from f2fbuild.api import replies
from f2fbuild.cli.main import command
from f2fbuild.cli.output import Output, marked
from f2fbuild.errors import UsageError
from f2fbuild.node.main import run as run_node
from f2fbuild.node.setup import Done, Wishes, set_up
from f2fbuild.store.paths import Paths
from f2fbuild.trust.snapshot import Owner


@click.command()
@click.option("--key", default="", metavar="FINGERPRINT", help="Your OpenPGP key.")
@click.option("--new-key", default="", metavar="'NAME <ADDRESS>'", help="Make a new key for you.")
@click.option("--unprotected", is_flag=True, help="The new key has no passphrase.")
@click.option("--gnupghome", type=click.Path(file_okay=False, path_type=Path), help="Your GnuPG's directory.")
@click.option("--name", default="", help="This machine's name among your friends.")
@click.option("--listen", multiple=True, metavar="ADDRESS:PORT", help="Where to listen; without, dial only.")
@command
def init(
    output: Output,
    *,
    key: str,
    new_key: str,
    unprotected: bool,
    gnupghome: Path | None,
    name: str,
    listen: tuple[str, ...],
) -> None:
    """Set this node up: your key, the node's certificate, its log, and targets from this host's sources.

    Permanent is what the log holds: digests, results, build keys, rounded times, and in entry 0 your
    fingerprint and this node's name. Names of people, packages of the host and reasons are kept in blobs
    that can be deleted. Run it again at any time: nothing is overwritten.
    """
    wishes = Wishes(
        name=name or _host_name(),
        key=key.replace(" ", "").upper(),
        new_key=new_key,
        unprotected=unprotected,
        gnupghome=gnupghome.resolve() if gnupghome else None,
        listen=listen,
    )
    done = set_up(Paths.from_environment(os.environ), wishes, _choose)
    _render(output, done)


@click.group()
def node() -> None:
    """The node's own process."""


@node.command()
@command
def run(output: Output) -> None:
    """Run the node in the foreground until it is interrupted."""
    run_node(Paths.from_environment(os.environ), lambda text: output.hint(marked(text)))


def _choose(keys: tuple[Owner, ...]) -> str:
    if len(keys) == 1:
        return keys[0].fingerprint
    if not sys.stdin.isatty():
        raise UsageError("several OpenPGP keys can sign", hint="give one with --key FINGERPRINT")
    for number, owner in enumerate(keys, start=1):
        # Whose own keys these are knows the names on them, whatever GnuPG has made of their validity.
        names = ", ".join((*owner.user_ids, *owner.claims))
        click.echo(f"{number}  {owner.fingerprint}  {names}", err=True)
    number = click.prompt("Which key is yours", type=click.IntRange(1, len(keys)), err=True)
    return keys[number - 1].fingerprint


def _host_name() -> str:
    name = re.sub(r"[^a-z0-9-]", "-", socket.gethostname().split(".")[0].lower()).strip("-")
    return name[:32] or "node"


def _render(output: Output, done: Done) -> None:
    certificate = done.identity.certificate.certificate
    if output.json:
        output.reply(
            replies.Initialised(
                created=done.created,
                node=certificate.node,
                node_id=certificate.node_id,
                owner=certificate.owner,
                origin=certificate.origin,
                targets=tuple(proposal.target.name for proposal in done.targets),
            )
        )
        return
    output.line(f"{'made' if done.created else 'found'} node [bold]{certificate.node}[/bold]")
    output.line(f"  owner   {certificate.owner}")
    output.line(f"  node    {certificate.node_id}")
    output.line(f"  log     {certificate.origin}")
    for proposal in done.targets:
        output.line(f"  target  {proposal.target.name}")
        for left_out in proposal.left_out:
            output.hint(f"          left out: {marked(left_out)}")
    output.next_steps("f2fbuild node run", "f2fbuild identity card --output me.f2fcard")
