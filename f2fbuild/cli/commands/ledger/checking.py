"""`f2fbuild ledger verify` and `evidence`: is all true that was signed, and if not, what proves it."""

import sys
from pathlib import Path

import click

from f2fbuild import limits
from f2fbuild.api import replies, requests
from f2fbuild.cli import records
from f2fbuild.cli.commands.ledger.which import KeptLog, all_logs, find, log_argument, vkey_option
from f2fbuild.cli.files import read_bytes
from f2fbuild.cli.main import client, command
from f2fbuild.cli.output import Output, marked
from f2fbuild.errors import F2FError, LedgerError
from f2fbuild.ledger import check, reading
from f2fbuild.ledger import evidence as proofs
from f2fbuild.ledger.checkpoint import parse_log_vkey
from f2fbuild.model.times import format_time


@click.command()
@log_argument
@vkey_option
@command
def verify(output: Output, *, which: str, vkey: str) -> None:
    """Compute LOG anew, every file, hash, signature and promise; without LOG all logs kept here.

    Exits 0 when all is as it was signed, and 11 on any violation; a fork is one.
    """
    kept = [find(which, vkey)[0]] if which or vkey else all_logs(output)
    reports = []
    for one in kept:
        report = _verify(one)
        reports.append(report)
        if output.json:
            output.reply(report)
        else:
            _show_report(output, one, report)
    if any(report.problems for report in reports):
        sys.exit(LedgerError.exit_code)


@click.group()
def evidence() -> None:
    """Files that prove what a log or a builder did, to anybody."""


@evidence.command("list")
@command
def list_(output: Output) -> None:
    """List what was found against friends, and the files that prove it."""
    with client() as api:
        found = api.call(requests.ListLogs(), replies.Logs)
    if output.json:
        output.reply(found)
        return
    for item in found.findings:
        output.line(f"{format_time(item.found)}  {marked(item.kind)}  {marked(item.node)} of {item.owner}")
        output.line(f"  {marked(item.detail)}")
        output.line(f"  {marked(item.evidence)}")


@evidence.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@command
def check_(output: Output, file: Path) -> None:
    """Check the evidence in FILE, believing nothing in it, and say what it proves.

    Exits 0 when it proves something, 11 when it is whole but proves nothing, and 1 when it is malformed or
    a signature in it is bad. Neither a node nor a network is needed.
    """
    found = proofs.check(read_bytes(file, limits.EVIDENCE_BYTES), where=str(file))
    match found:
        case proofs.EquivocationFinding(origin=origin, log=vkey, sizes=sizes, roots=(old, new)):
            roots = (old.hex(), new.hex())
            record: replies.Reply = records.EquivocationProved(
                origin=origin, vkey=vkey, sizes=sizes, roots=roots
            )
            said = [
                f"proved: the log {origin} signed two heads that cannot both be true",
                *(f"  size {size}  root {root}" for size, root in zip(sizes, roots, strict=True)),
            ]
        case proofs.DivergenceFinding(build_key=build_key, origins=origins, results=results):
            record = records.DivergenceProved(build_key=build_key, origins=origins, results=results)
            said = [
                f"proved: two logs hold different results of the build {build_key}",
                *(f"  {result}  {origin}" for result, origin in zip(results, origins, strict=True)),
            ]
    if output.json:
        output.reply(record)
        return
    for line in said:
        output.line(marked(line))


def _verify(kept: KeptLog) -> records.LedgerReport:
    """Return what is right and wrong with a log; a log that cannot be read at all is a problem too."""
    where, size, kinds, open_ = str(kept.directory), 0, dict[str, int](), tuple[int, ...]()
    problems = []
    try:
        key = parse_log_vkey(kept.vkey, where="vkey")
        # A friend's log of which nothing has come yet has no head; a directory that somebody names must.
        if reading.read_head(kept.directory, key).note or not kept.names:
            report = check.verify(kept.directory, key)
            size, open_ = report.head.size, report.open
            kinds = {str(kind): count for kind, count in report.kinds.items()}
            problems = [records.LedgerProblem(where=one.where, what=one.what) for one in report.problems]
    except F2FError as error:
        problems.append(records.LedgerProblem(where=error.where, what=error.what))
    if kept.frozen:
        fork = "it has signed two histories; see `f2fbuild ledger evidence list`"
        problems.append(records.LedgerProblem(where="checkpoint", what=fork))
    return records.LedgerReport(
        origin=kept.origin, path=where, size=size, kinds=kinds, open=open_, problems=tuple(problems)
    )


def _show_report(output: Output, kept: KeptLog, report: records.LedgerReport) -> None:
    verdict = "[red]VIOLATED[/red]" if report.problems else "[green]ok[/green]"
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(report.kinds.items()))
    output.line(f"{verdict}  {marked(kept.title)}  {report.size} entries  {kinds}")
    output.line(f"  {marked(report.origin)}")
    if report.open:
        output.line(f"  {len(report.open)} acceptances are open")
    for problem in report.problems:
        output.line(f"  {marked(problem.where)}: {marked(problem.what)}")
