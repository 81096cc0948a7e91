"""`f2fbuild ledger proof`: that an entry is in a log, in one file that outlives the log's next heads."""

from dataclasses import replace
from pathlib import Path

import click

from f2fbuild import limits
from f2fbuild.cli import records
from f2fbuild.cli.commands.ledger.describe import describe
from f2fbuild.cli.commands.ledger.entries import proved, verbatim
from f2fbuild.cli.commands.ledger.which import find, log_option, vkey_option
from f2fbuild.cli.files import new_file, read_bytes
from f2fbuild.cli.main import command
from f2fbuild.cli.output import Output, marked
from f2fbuild.ledger.checkpoint import parse_log_vkey
from f2fbuild.ledger.cosigned import read_cosigned
from f2fbuild.ledger.entry import decode
from f2fbuild.ledger.proof import format_proof, parse_proof, verify_proof
from f2fbuild.model.envelope import unseal

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def proof() -> None:
    """Proofs that an entry is in a log (C2SP tlog-proof), for people who have neither log nor node."""


@proof.command("write")
@click.argument("index", type=click.IntRange(0))
@log_option
@vkey_option
@click.option(
    "-o", "--output", "target", type=click.Path(path_type=Path), metavar="FILE", help="Into this new file."
)
@command
def write_(output: Output, *, index: int, which: str, vkey: str, target: Path | None) -> None:
    """Write the proof that the entry INDEX is in the log, verified before it is written.

    With `ledger show INDEX --entry` it is all that `ledger proof check` needs. The head in it has the
    cosignatures that are held of it, if the log is this node's own: what `ledger export --format tlog-policy`
    asks for.
    """
    kept, key = find(which, vkey)
    _, found = proved(kept, key, index)
    note = read_cosigned(kept.directory, key, found.checkpoint)
    text = format_proof(replace(found, checkpoint=note))
    if target is not None:
        with new_file(target) as file:
            file.write(text)
    if output.json:
        output.reply(records.LedgerProof(origin=kept.origin, index=index, proof=text.decode()))
    elif target is None:
        verbatim(text)
    else:
        output.line(marked(str(target)))


@proof.command("check")
@click.argument("file", type=_file)
@click.argument("entry", type=_file)
@click.option("--vkey", required=True, metavar="VKEY", help="The verifier key of the log that is meant.")
@command
def check_(output: Output, *, file: Path, entry: Path, vkey: str) -> None:
    """Check with FILE, a tlog-proof, that the log of VKEY holds ENTRY; no node or network is needed.

    Exits 0 when it does, 11 when it is not proved, and 1 when something is malformed or badly signed.
    The entry's own signature is verified too; whose key signed it only the log's entry 0 can tell.
    """
    key = parse_log_vkey(vkey, where="--vkey")
    found = parse_proof(read_bytes(file, limits.PROOF_BYTES), where=str(file))
    data = read_bytes(entry, limits.ENTRY_BYTES)
    head = verify_proof(found, data, key, where=str(file))
    envelope = unseal(data, where=str(entry))
    decoded = decode(envelope.payload_type, envelope.payload, where=str(entry))
    if output.json:
        output.reply(
            records.LedgerProved(
                origin=key.name,
                index=found.index,
                size=head.size,
                kind=decoded.kind,
                statement_key=envelope.public.hex(),
            )
        )
        return
    output.line(f"proved    entry {found.index} of {head.size}  of  {key.name}")
    output.line(f"kind      {decoded.kind}  {marked(describe(decoded.payload))}")
    output.line(f"signed    by {envelope.public.hex()}")
