"""`f2fbuild ledger checkpoint` and `witness`: who cosigned a head, and what this node cosigned."""

import click

from f2fbuild.api import ledger_replies, requests
from f2fbuild.api.cosigned import Cosigned
from f2fbuild.cli import records
from f2fbuild.cli.commands.ledger.entries import verbatim
from f2fbuild.cli.commands.ledger.which import KeptLog, find, log_argument, vkey_option
from f2fbuild.cli.main import client, command
from f2fbuild.cli.output import Output, marked
from f2fbuild.errors import NodeNotRunningError
from f2fbuild.ledger import reading
from f2fbuild.ledger.checkpoint import open_checkpoint
from f2fbuild.ledger.cosignature import cosignatures
from f2fbuild.model.times import format_time
from f2fbuild.model.vkey import VerifierKey, parse_vkey


@click.command()
@log_argument
@vkey_option
@command
def checkpoint(output: Output, *, which: str, vkey: str) -> None:
    """Print the newest signed head of LOG with the cosignatures that are held of it, all of them verified.

    The head goes to stdout as it is signed, who cosigned it and when to stderr. Without a running node, and
    with --vkey, it is the log's own signature alone.
    """
    kept, key = find(which, vkey)
    note, said = reading.read_head(kept.directory, key).note, list[Cosigned]()
    if not vkey:
        note, said = _cosigned(output, kept, key, note)
    head = open_checkpoint(note, key)
    if output.json:
        output.reply(
            records.LedgerCheckpoint(
                origin=kept.origin,
                size=head.size,
                root=head.root.hex(),
                note=note.decode(),
                cosigned=tuple(said),
            )
        )
        return
    verbatim(note)
    for one in said:
        output.hint(f"cosigned  {_line(one)}")


@click.command()
@command
def witness(output: Output) -> None:
    """Show who cosigned this node's own log, and what this node cosigned of others' logs.

    Lines `by` are cosignatures of the own log: whose, as witness or as mirror, of how many entries, when.
    Lines `for` are what this node's two keys said last of each log. Witnesses that are asked over HTTP and do
    not cosign follow with the reason.
    """
    with client() as api:
        found = api.call(requests.GetWitnessing(), ledger_replies.Witnessing)
    if output.json:
        output.reply(found)
        return
    for role, key in zip(("witness", "mirror"), found.keys, strict=True):
        output.line(f"key  {role:<8}  {marked(key)}")
    for one in found.cosigned:
        output.line(f"by   {_line(one)}")
    for one in found.given:
        output.line(f"for  {_line(one)}")
    for problem in found.problems:
        output.line(f"[red]not[/red]  {marked(problem)}")
    if not found.cosigned:
        output.hint("nobody has cosigned this log: friends do to whom the right `witness` was given by them")


def _cosigned(output: Output, kept: KeptLog, key: VerifierKey, note: bytes) -> tuple[bytes, list[Cosigned]]:
    """Return the head as the node holds it, and the cosignatures of exactly that head, verified here."""
    try:
        with client() as api:
            found = api.call(requests.GetWitnessing(origin=kept.origin), ledger_replies.Witnessing)
    except NodeNotRunningError:
        output.hint("the node is not running: cosignatures are not shown")
        return note, []
    if not found.note:
        return note, []
    held = found.note.encode()
    open_checkpoint(held, key, where=kept.title)
    keys = {parse_vkey(one.vkey): one for one in found.cosigned}
    verified = cosignatures(held, keys, where=kept.title)
    return held, [keys[one.key] for one in verified]


def _line(one: Cosigned) -> str:
    name = marked(one.name or one.origin)
    fault = "  [red]FORKED[/red]" if one.forked else ""
    return f"{name:<24}  {marked(one.role):<8}  {one.size:>8} entries  {format_time(one.time)}{fault}"
