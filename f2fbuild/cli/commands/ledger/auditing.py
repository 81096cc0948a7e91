"""`f2fbuild ledger audit`: all that can be checked of all logs kept here, and who vouches for them."""

import os
import sys
from pathlib import Path

import click

from f2fbuild.audit.vouched import Keyrings, Standing, check_certificates, open_keyrings
from f2fbuild.cli import records
from f2fbuild.cli.commands.ledger.checking import check_log, show_report
from f2fbuild.cli.commands.ledger.which import KeptLog, all_logs, find, log_argument, vkey_option
from f2fbuild.cli.main import command
from f2fbuild.cli.output import Output, marked
from f2fbuild.errors import F2FError, LedgerError
from f2fbuild.ledger.checkpoint import parse_log_vkey
from f2fbuild.store.paths import Paths


@click.command()
@log_argument
@vkey_option
@click.option(
    "--gnupghome",
    "homes",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Keyrings to ask; this node's and your own without.",
)
@command
def audit(output: Output, *, which: str, vkey: str, homes: tuple[Path, ...]) -> None:
    """Check all that can be checked of LOG; without LOG of every log kept here, one's own first.

    What `ledger verify` does (every file, hash, signature and promise), and every node certificate with
    GnuPG: the owner's OpenPGP signature where the owner's key is in a keyring, and the proofs of the keys.
    Exits 11 when anything is wrong. That an owner's key is not at hand is said and is not wrong.
    """
    kept = [find(which, vkey)[0]] if which or vkey else all_logs(output)
    keyrings = open_keyrings(homes or _own_homes())
    audited = [_audit(output, one, keyrings) for one in kept]
    entries, wrong = sum(one.report.size for one in audited), sum(one.wrong for one in audited)
    if output.json:
        output.reply(records.LedgerAudit(logs=tuple(audited), entries=entries, wrong=wrong))
    else:
        owners = {one.owner for log in audited for one in log.certificates if one.standing == Standing.GOOD}
        verdict = (
            f"[red]{wrong} of them with problems[/red]" if wrong else "[green]nothing wrong found[/green]"
        )
        output.line(f"{len(audited)} logs, {entries} entries, {len(owners)} owners vouch; {verdict}")
    if wrong:
        sys.exit(LedgerError.exit_code)


def _own_homes() -> tuple[Path, ...]:
    own = os.environ.get("GNUPGHOME")
    return Paths.from_environment(os.environ).keyring, Path(own) if own else Path.home() / ".gnupg"


def _audit(output: Output, kept: KeptLog, keyrings: Keyrings) -> records.AuditedLog:
    report = check_log(kept)
    certificates: list[records.AuditedCertificate] = []
    why = ""
    try:
        found = check_certificates(kept.directory, parse_log_vkey(kept.vkey, where="vkey"), keyrings)
        certificates = [
            records.AuditedCertificate(index=one.index, owner=one.owner, standing=one.standing, why=one.why)
            for one in found
        ]
    except F2FError as error:
        why = str(error)
    if not output.json:
        show_report(output, kept, report)
        for one in certificates:
            colour = {Standing.GOOD: "green", Standing.BAD: "red"}.get(Standing(one.standing), "yellow")
            output.line(
                f"  certificate {one.index}  [{colour}]{one.standing}[/{colour}]  {marked(one.owner)}"
                f"  {marked(one.why)}"
            )
        if why:
            output.line(f"  {marked(why)}")
    bad = any(one.standing == Standing.BAD for one in certificates)
    return records.AuditedLog(
        report=report, certificates=tuple(certificates), wrong=bool(report.problems or bad or why)
    )
