"""`f2fbuild ledger log`, `show`, `proof` and `checkpoint`: what stands in a log."""

import sys
from pathlib import Path

import click

from f2fbuild.cli import records
from f2fbuild.cli.commands.ledger.describe import describe
from f2fbuild.cli.commands.ledger.which import KeptLog, find, log_argument, log_option, vkey_option
from f2fbuild.cli.main import command
from f2fbuild.cli.output import Output, marked, printable_lines
from f2fbuild.errors import FormatError, LedgerError, UsageError
from f2fbuild.ledger import reading
from f2fbuild.ledger.entry import Entry, NodeCertificate, read
from f2fbuild.ledger.proof import Proof, format_proof
from f2fbuild.model.envelope import unseal
from f2fbuild.model.vkey import VerifierKey


@click.command()
@log_argument
@vkey_option
@click.option("--start", type=click.IntRange(0), default=0, show_default=True, help="The first index.")
@command
def log(output: Output, *, which: str, vkey: str, start: int) -> None:
    """List the entries of LOG, each read and its signature verified; exits 11 when one cannot be read."""
    kept, key = find(which, vkey)
    if not reading.read_head(kept.directory, key).checkpoint.size:
        output.hint("this log is empty")
        return
    unread, statement_key = 0, _statement_key(kept, key)
    for index, data in reading.read_all(kept.directory, key, start):
        line = _line(kept, index, data, statement_key)
        unread += bool(line.problem)
        if output.json:
            output.reply(line)
        elif line.problem:
            output.line(f"{index:>6}  [red]{'UNREADABLE':<16}[/red]  {marked(line.problem)}")
        else:
            output.line(f"{index:>6}  {line.kind:<16}  {marked(line.line)}")
    if unread:
        raise LedgerError(f"{unread} entries cannot be read", where=str(kept.directory))


@click.command()
@click.argument("index", type=click.IntRange(0))
@log_option
@vkey_option
@click.option("--payload", "only_payload", is_flag=True, help="Only what was signed, byte for byte.")
@click.option(
    "--split",
    type=click.Path(file_okay=False, path_type=Path),
    is_flag=False,
    flag_value=".",
    metavar="[DIRECTORY]",
    help="Write a node certificate's text and signature as files for `gpg --verify`.",
)
@command
def show(
    output: Output, *, index: int, which: str, vkey: str, only_payload: bool, split: Path | None
) -> None:
    """Show the entry INDEX, proved to be in the log and signed by its node.

    `f2fbuild ledger show 0 --payload --split` begins an audit by hand: gpg then says who vouches for this
    node. On a terminal control characters are replaced; into a file or pipe a payload goes as it is.
    """
    kept, key = find(which, vkey)
    data, _ = _proved(kept, key, index)
    statement_key = _statement_key(kept, key)
    found = _read(data, statement_key, index)
    envelope = unseal(data)
    if split is not None:
        _split(output, found, split)
    elif output.json:
        output.reply(
            records.LedgerEntry(
                origin=kept.origin,
                index=index,
                kind=found.kind,
                statement_key=statement_key.hex(),
                payload_type=envelope.payload_type,
                payload=envelope.payload,
                entry=data,
            )
        )
    elif only_payload:
        _verbatim(envelope.payload)
    else:
        output.line(f"entry     {index}  of  {kept.origin}")
        output.line(f"kind      {found.kind}  {marked(describe(found.payload))}")
        output.line(f"signed    by {statement_key.hex()}")
        output.line(f"payload   {marked(envelope.payload_type)}, {len(envelope.payload)} bytes")
        click.echo(printable_lines(envelope.payload.decode("utf-8", "replace")))


@click.command()
@click.argument("index", type=click.IntRange(0))
@log_option
@vkey_option
@command
def proof(output: Output, *, index: int, which: str, vkey: str) -> None:
    """Print the proof (C2SP tlog-proof) that the entry INDEX is in the log, verified before it is printed."""
    kept, key = find(which, vkey)
    _, found = _proved(kept, key, index)
    text = format_proof(found)
    if output.json:
        output.reply(records.LedgerProof(origin=kept.origin, index=index, proof=text.decode()))
    else:
        _verbatim(text)


@click.command()
@log_argument
@vkey_option
@command
def checkpoint(output: Output, *, which: str, vkey: str) -> None:
    """Print the newest signed head of LOG, its signature verified."""
    kept, key = find(which, vkey)
    head = reading.read_head(kept.directory, key)
    if output.json:
        output.reply(
            records.LedgerCheckpoint(
                origin=kept.origin,
                size=head.checkpoint.size,
                root=head.checkpoint.root.hex(),
                note=head.note.decode(),
            )
        )
    else:
        _verbatim(head.note)


def _statement_key(kept: KeptLog, key: VerifierKey) -> bytes:
    """Return the key that signs this log's entries: by its entry 0, never by what somebody says."""
    try:
        return reading.bound_statement_key(kept.directory, key)
    except IndexError as error:
        raise UsageError("this log is empty", where=kept.title) from error


def _proved(kept: KeptLog, key: VerifierKey, index: int) -> tuple[bytes, Proof]:
    try:
        return reading.read_proved(kept.directory, key, index)
    except IndexError as error:
        raise UsageError(str(error), where=kept.title) from error


def _read(data: bytes, statement_key: bytes, index: int) -> Entry:
    try:
        return read(data, statement_key, where=f"entry {index}")
    except FormatError as error:
        # What stands in a signed tree and is not readable is a broken promise of the log.
        raise LedgerError(error.what, where=error.where) from error


def _line(kept: KeptLog, index: int, data: bytes, statement_key: bytes) -> records.LedgerLine:
    try:
        found = _read(data, statement_key, index)
    except LedgerError as error:
        return records.LedgerLine(origin=kept.origin, index=index, kind="", line="", problem=error.what)
    line = describe(found.payload)
    return records.LedgerLine(origin=kept.origin, index=index, kind=found.kind, line=line, problem="")


def _split(output: Output, found: Entry, directory: Path) -> None:
    """Write the two files that gpg takes, never over others."""
    if not isinstance(found.payload, NodeCertificate):
        raise UsageError(f"this entry is no node certificate but {found.kind}", hint="entry 0 is one")
    text, signature = directory / "certificate.txt", directory / "certificate.txt.asc"
    directory.mkdir(parents=True, exist_ok=True)
    for path, data in zip((text, signature), reading.split_certificate(found.payload), strict=True):
        with path.open("xb") as file:
            file.write(data)
    if output.json:
        output.reply(records.LedgerSplit(text=str(text), signature=str(signature)))
        return
    output.line(marked(str(text)))
    output.line(marked(str(signature)))
    output.next_steps(f"gpg --verify {signature} {text}")


def _verbatim(data: bytes) -> None:
    """Print signed bytes as they are; on a terminal without what could steer it."""
    if sys.stdout.isatty():
        click.echo(printable_lines(data.decode("utf-8", "replace")))
    else:
        click.echo(data, nl=False)
