"""`f2fbuild ledger show`: what stands in a log, verbatim."""

import sys
from pathlib import Path

import click

from f2fbuild.cli import records
from f2fbuild.cli.commands.ledger.describe import describe
from f2fbuild.cli.commands.ledger.which import KeptLog, find, log_option, vkey_option
from f2fbuild.cli.main import command
from f2fbuild.cli.output import Output, marked, printable_lines
from f2fbuild.errors import FormatError, LedgerError, UsageError
from f2fbuild.ledger import reading
from f2fbuild.ledger.entry import Entry, NodeCertificate, read
from f2fbuild.ledger.proof import Proof
from f2fbuild.model.envelope import unseal
from f2fbuild.model.vkey import VerifierKey


@click.command()
@click.argument("index", type=click.IntRange(0))
@log_option
@vkey_option
@click.option("--payload", "only_payload", is_flag=True, help="Only what was signed, byte for byte.")
@click.option("--entry", "only_entry", is_flag=True, help="Only the entry as the log holds it: the envelope.")
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
    output: Output,
    *,
    index: int,
    which: str,
    vkey: str,
    only_payload: bool,
    only_entry: bool,
    split: Path | None,
) -> None:
    """Show the entry INDEX, proved to be in the log and signed by its node.

    `f2fbuild ledger show 0 --payload --split` begins an audit by hand: gpg then says who vouches for this
    node. On a terminal control characters are replaced; into a file or pipe a payload goes as it is.
    """
    kept, key = find(which, vkey)
    data, _ = proved(kept, key, index)
    statement_key = statement_key_of(kept, key)
    found = read_signed(data, statement_key, index)
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
    elif only_payload or only_entry:
        verbatim(envelope.payload if only_payload else data)
    else:
        output.line(f"entry     {index}  of  {kept.origin}")
        output.line(f"kind      {found.kind}  {marked(describe(found.payload))}")
        output.line(f"signed    by {statement_key.hex()}")
        output.line(f"payload   {marked(envelope.payload_type)}, {len(envelope.payload)} bytes")
        click.echo(printable_lines(envelope.payload.decode("utf-8", "replace")))


def statement_key_of(kept: KeptLog, key: VerifierKey) -> bytes:
    """Return the key that signs this log's entries: by its entry 0, never by what somebody says."""
    try:
        return reading.bound_statement_key(kept.directory, key)
    except IndexError as error:
        raise UsageError("this log is empty", where=kept.title) from error


def proved(kept: KeptLog, key: VerifierKey, index: int) -> tuple[bytes, Proof]:
    """Return the entry at `index` and its proof, verified.

    Raises:
        UsageError: the log has no such entry.
        F2FError: its files are not those of the signed tree.
    """
    try:
        return reading.read_proved(kept.directory, key, index)
    except IndexError as error:
        raise UsageError(str(error), where=kept.title) from error


def read_signed(data: bytes, statement_key: bytes, index: int) -> Entry:
    """Return the entry that this log's node signed.

    Raises:
        LedgerError: it did not, or its payload is malformed.
    """
    try:
        return read(data, statement_key, where=f"entry {index}")
    except FormatError as error:
        # What stands in a signed tree and is not readable is a broken promise of the log.
        raise LedgerError(error.what, where=error.where) from error


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


def verbatim(data: bytes) -> None:
    """Print signed bytes as they are; on a terminal without what could steer it."""
    if sys.stdout.isatty():
        click.echo(printable_lines(data.decode("utf-8", "replace")))
    else:
        click.echo(data, nl=False)
