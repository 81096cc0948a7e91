"""`f2fbuild ledger export` and `import`: logs as files, for a USB stick, for people, for other programs."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click

from f2fbuild.api import ledger_replies, requests
from f2fbuild.audit import export as formats
from f2fbuild.audit.sqlite import write_sqlite
from f2fbuild.cli import records
from f2fbuild.cli.commands.ledger.which import all_logs, find, vkey_option
from f2fbuild.cli.files import new_file, output_file
from f2fbuild.cli.main import client, command
from f2fbuild.cli.output import Output, marked
from f2fbuild.errors import LedgerError, UsageError
from f2fbuild.ledger import carried, reading
from f2fbuild.ledger.checkpoint import parse_log_vkey
from f2fbuild.model.vkey import VerifierKey

_Lines = Callable[[Sequence[formats.Source], formats.Unreadable], Iterator[bytes]]
_LINES: dict[str, _Lines] = {
    "jsonl": formats.json_lines,
    "in-toto": formats.in_toto,
    "csv": formats.table,
}
_FORMATS = ("tar", *_LINES, "sqlite", "tlog-policy")


@click.command()
@click.argument("which", metavar="[LOG]...", nargs=-1)
@vkey_option
@click.option("--all", "everything", is_flag=True, help="Every log that is kept here.")
@click.option(
    "--format", "kind", type=click.Choice(_FORMATS), default="tar", show_default=True, help="As what."
)
@click.option(
    "--start", type=click.IntRange(0), default=0, help="tar: leave out entries long before this index."
)
@click.option(
    "-o", "--output", "target", type=click.Path(path_type=Path), metavar="FILE", help="Into this new file."
)
@command
def export(
    output: Output,
    *,
    which: tuple[str, ...],
    vkey: str,
    everything: bool,
    kind: str,
    start: int,
    target: Path | None,
) -> None:
    r"""Write LOGs (this node's own without any) into FILE, which must not exist, or to standard output.

    \b
    tar          what C2SP tlog-tiles serves, for `ledger import` or any tlog client: for a USB stick
    jsonl        one JSON object for every entry, its payload decoded
    in-toto      every in-toto Statement in its DSSE envelope, one a line (name it *.intoto.jsonl)
    csv          a table of outcomes, one line for each product
    sqlite       tables, indexes and views for datasette and SQL
    tlog-policy  which witnesses make a head of LOG believable, for other programs (needs the node)

    Entries are verified on the way. Exits 11, after writing, when one cannot be read.
    """
    if kind == "tlog-policy":
        _policy(output, which, target)
        return
    logs = all_logs(output) if everything else [find(one, vkey)[0] for one in which or ("",)]
    keyed = [(log.directory, parse_log_vkey(log.vkey, where=log.title)) for log in logs]
    if kind == "tar":
        with output_file(target) as file:
            sizes = carried.pack(file, [_shipment(log, start) for log in keyed])
        _say(output, target, kind, sizes)
    else:
        _export(output, keyed, kind, target)


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@command
def import_(output: Output, *, file: Path) -> None:
    """Take in the logs in FILE, an archive that somebody brought, as if their nodes had sent them.

    Nothing in it is believed: only logs whose node certificate is held here are looked at, each head must be
    signed, consistent with what is held and made by the entries. A fork is evidence, as from the network.
    Exits 11 when one is found, or when entries are not those of the signed head.
    """
    with client() as api:
        found = api.call(requests.ImportLogs(file=str(file.absolute())), ledger_replies.Imported)
    if output.json:
        output.reply(found)
    else:
        for log in found.logs:
            output.line(f"{log.state:<10}  {log.size:>8} entries  {marked(log.name or log.origin)}")
            if log.detail:
                output.line(f"  {marked(log.detail)}")
    if any(log.state in {"forked", "violation"} for log in found.logs):
        raise LedgerError(
            "not all is as it was signed", where=str(file), hint="f2fbuild ledger evidence list"
        )


def _policy(output: Output, which: Sequence[str], target: Path | None) -> None:
    if len(which) > 1:
        raise UsageError("a policy is of one log: its owner's witnesses do not count for it")
    with client() as api:
        log = find(which[0], "")[0].origin if which else ""
        found = api.call(requests.GetTlogPolicy(origin=log), ledger_replies.TlogPolicy)
    with output_file(target) as file:
        file.write(found.text.encode())
    _say(output, target, "tlog-policy", {found.origin: 0})


def _shipment(log: tuple[Path, VerifierKey], start: int) -> carried.Shipment:
    directory, key = log
    return carried.Shipment(directory=directory, key=key, start=start)


def _export(output: Output, logs: Sequence[tuple[Path, VerifierKey]], kind: str, target: Path | None) -> None:
    sources = formats.sources_of(logs)
    unread: list[str] = []

    def note(origin: str, index: int, why: str) -> None:
        unread.append(origin)
        output.hint(f"unreadable  entry {index} of {marked(origin)}: {marked(why)}")

    if kind == "sqlite":
        if target is None:
            raise UsageError("a database needs a file", hint="--output FILE")
        with new_file(target) as file:
            write_sqlite(Path(file.name), sources, note)
    else:
        with output_file(target) as file:
            file.writelines(_LINES[kind](sources, note))
    sizes = {one.key.name: reading.read_head(one.directory, one.key).checkpoint.size for one in sources}
    _say(output, target, kind, sizes)
    if unread:
        raise LedgerError(f"{len(unread)} entries cannot be read", where=", ".join(sorted(set(unread))))


def _say(output: Output, target: Path | None, kind: str, sizes: dict[str, int]) -> None:
    """Say what was written where; with standard output nothing is added to it."""
    if target is None:
        return
    if output.json:
        output.reply(records.LedgerExported(path=str(target), format=kind, logs=sizes))
        return
    output.line(marked(str(target)))
    for origin, size in sorted(sizes.items()):
        output.hint(f"  {origin}" + (f"  {size} entries" if size else ""))
