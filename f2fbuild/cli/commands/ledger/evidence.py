"""`f2fbuild ledger evidence …`: files that prove what a log or an owner did, to anybody."""

from pathlib import Path

import click

from f2fbuild import limits
from f2fbuild.api import ledger_replies, requests
from f2fbuild.cli import records
from f2fbuild.cli.commands.ledger.entries import verbatim
from f2fbuild.cli.commands.ledger.which import find, log_option
from f2fbuild.cli.files import new_file, read_bytes
from f2fbuild.cli.main import client, command
from f2fbuild.cli.output import Output, marked
from f2fbuild.errors import FormatError, LedgerError, UsageError
from f2fbuild.ledger import evidence as proofs
from f2fbuild.model.times import format_time, parse_time


@click.group()
def evidence() -> None:
    """Files that prove what a log or an owner did, to anybody."""


@evidence.command("list")
@command
def list_(output: Output) -> None:
    """List what was found against friends, and the files that prove it."""
    found = _findings()
    if output.json:
        output.reply(found)
        return
    for number, item in enumerate(found.findings, 1):
        whose = f"{marked(item.node)} of {item.owner}" if item.owner else "a log that is followed by others"
        output.line(f"{number:>3}  {format_time(item.found)}  {marked(item.kind)}  {whose}")
        output.line(f"     {marked(item.detail)}")
        output.line(f"     {marked(item.evidence)}")


@evidence.command()
@click.argument("number", type=click.IntRange(1))
@command
def show(output: Output, *, number: int) -> None:
    """Show the finding NUMBER of `ledger evidence list`, its file checked anew."""
    found = _findings().findings
    if number > len(found):
        raise UsageError(f"{len(found)} findings are known", where=str(number), hint="see `evidence list`")
    item = found[number - 1]
    if item.evidence:
        _check(output, Path(item.evidence), None)
    elif output.json:
        output.reply(records.FindingShown(finding=item))
    else:
        output.line(f"{marked(item.kind)}  {marked(item.node)} of {item.owner}  {marked(item.detail)}")
        output.line("  this node saw it itself; there is nothing to prove it to others")


@evidence.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--split",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIRECTORY",
    help="Write the certificates that it rests on as files for `gpg --verify`.",
)
@command
def check_(output: Output, *, file: Path, split: Path | None) -> None:
    """Check the evidence in FILE, believing nothing in it, and say what it proves and against whom.

    Exits 0 when it proves something, and 11 when it proves nothing, is malformed, or a signature in it is
    bad. Neither a node nor a network nor any configuration is needed. That a certificate is its owner's is
    for `gpg --verify` to say, with --split.
    """
    _check(output, file, split)


@evidence.command()
@click.argument("index", type=click.IntRange(0))
@log_option
@click.option("--before", default="", metavar="TIME", help="Show that it is older than 2026-01-31T12:00:00Z.")
@click.option(
    "-o", "--output", "target", type=click.Path(path_type=Path), metavar="FILE", help="Into this new file."
)
@command
def dated(output: Output, *, index: int, which: str, before: str, target: Path | None) -> None:
    """Write evidence that the entry INDEX is older than TIME, or than the earliest time that can be shown.

    Whoever steals a key can date entries back, but not make others have seen them. It is proved by a head
    with this entry that two independent owners, besides the log's own, had cosigned by then; one is kept for
    every day. The file is checked before it is written. Exits 8 when there is no such head, and says what is
    missing.
    """
    limit = _time(before) if before else 0
    origin = find(which, "")[0].origin if which else ""
    with client() as api:
        wanted = requests.DateEntry(origin=origin, index=index, before=limit)
        found = api.call(wanted, ledger_replies.Dated)
    data = found.evidence.encode()
    told = proofs.tell(proofs.check(data, where=found.origin))
    if target is not None:
        with new_file(target) as file:
            file.write(data)
    if output.json:
        output.reply(found)
    elif target is None:
        verbatim(data)
    else:
        output.line(marked(str(target)))
    for line in (told.claim, *told.facts):
        output.hint(marked(line))


def _time(text: str) -> int:
    try:
        return parse_time(text, where="--before")
    except FormatError as error:
        raise UsageError(error.what, where=error.where) from error


def _findings() -> ledger_replies.Logs:
    with client() as api:
        return api.call(requests.ListLogs(), ledger_replies.Logs)


def _check(output: Output, file: Path, split: Path | None) -> None:
    data = read_bytes(file, limits.EVIDENCE_BYTES)
    try:
        told = proofs.tell(proofs.check(data, where=str(file)))
    except FormatError as error:
        # Whoever sent it claims that it proves something.
        raise LedgerError(error.what, where=error.where) from error
    written = _split(told, split) if split else ()
    if output.json:
        output.reply(_record(told, data, written))
        return
    output.line(f"proved: {marked(told.claim)}")
    for fact in told.facts:
        output.line(f"  {marked(fact)}")
    output.line(f"against {told.against}" if told.against else "against nobody by itself")
    for one in told.certificates:
        output.line(f"rests on the certificate of {marked(one.node)} that {one.owner} is said to have signed")
    for text, signature in written:
        output.line(f"  gpg --verify {marked(str(signature))} {marked(str(text))}")
    if told.certificates and not written:
        output.hint("GnuPG must say that they did: use --split DIRECTORY, then `gpg --verify SIGNATURE TEXT`")


def _record(told: proofs.Told, data: bytes, written: tuple[tuple[Path, Path], ...]) -> records.EvidenceProved:
    return records.EvidenceProved(
        kind=proofs.kind_of(data),
        claim=told.claim,
        against=told.against,
        origins=told.origins,
        facts=told.facts,
        certificates=tuple(
            records.EvidenceCertificate(
                owner=one.owner, node=one.node, text=one.text.decode(), signature=one.signature.decode()
            )
            for one in told.certificates
        ),
        files=tuple(str(path) for pair in written for path in pair),
    )


def _split(told: proofs.Told, directory: Path) -> tuple[tuple[Path, Path], ...]:
    """Write text and signature of each certificate, never over other files."""
    directory.mkdir(parents=True, exist_ok=True)
    pairs = []
    for number, one in enumerate(told.certificates, 1):
        text, signature = (directory / f"certificate-{number}{end}" for end in ("", ".asc"))
        for path, data in ((text, one.text), (signature, one.signature)):
            try:
                with path.open("xb") as file:
                    file.write(data)
            except FileExistsError as error:
                raise UsageError(
                    "is there already", where=str(path), hint="name another directory"
                ) from error
        pairs.append((text, signature))
    return tuple(pairs)
