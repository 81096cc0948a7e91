"""`f2fbuild ledger verify`: is all true that was signed."""

import sys

import click

from f2fbuild.cli import records
from f2fbuild.cli.commands.ledger.which import KeptLog, all_logs, find, log_argument, vkey_option
from f2fbuild.cli.main import command
from f2fbuild.cli.output import Output, marked
from f2fbuild.errors import F2FError, LedgerError
from f2fbuild.ledger import check, reading
from f2fbuild.ledger.checkpoint import parse_log_vkey
from f2fbuild.limits import TILE_WIDTH

_MEND = """\
  A file below tile/ is the same in every later copy of the log, unless it is the last of its row: bring it
  back from a backup, an export or a mirror. A copy of a friend's log may be removed: it is fetched again."""


@click.command()
@log_argument
@vkey_option
@click.option("--hashes", is_flag=True, help="Compare files with the signed tree only; read no entry.")
@command
def verify(output: Output, *, which: str, vkey: str, hashes: bool) -> None:
    """Compute LOG anew, every file, hash, signature and promise; without LOG all logs kept here.

    Each damaged file is named. Exits 0 when all is as it was signed, and 11 on any violation; a fork is one.
    """
    kept = [find(which, vkey)[0]] if which or vkey else all_logs(output)
    reports = []
    for one in kept:
        report = check_log(one, hashes_only=hashes)
        reports.append(report)
        if output.json:
            output.reply(report)
        else:
            show_report(output, one, report)
    if any(report.problems for report in reports):
        sys.exit(LedgerError.exit_code)


def check_log(kept: KeptLog, *, hashes_only: bool = False) -> records.LedgerReport:
    """Return what is right and wrong with a log; a log that cannot be read at all is a problem too."""
    where, size, kinds, open_ = str(kept.directory), 0, dict[str, int](), tuple[int, ...]()
    problems, pruned = [], 0
    try:
        key = parse_log_vkey(kept.vkey, where="vkey")
        # A friend's log of which nothing has come yet has no head; a directory that somebody names must.
        if reading.read_head(kept.directory, key).note or not kept.names:
            report = check.verify(kept.directory, key, hashes_only=hashes_only)
            size, open_, pruned = report.head.size, report.open, report.pruned
            kinds = {str(kind): count for kind, count in report.kinds.items()}
            problems = [records.LedgerProblem(where=one.where, what=one.what) for one in report.problems]
    except F2FError as error:
        problems.append(records.LedgerProblem(where=error.where, what=error.what))
    if kept.frozen:
        fork = "it has signed two histories; see `f2fbuild ledger evidence list`"
        problems.append(records.LedgerProblem(where="checkpoint", what=fork))
    return records.LedgerReport(
        origin=kept.origin,
        path=where,
        size=size,
        kinds=kinds,
        open=open_,
        problems=tuple(problems),
        pruned=pruned,
        hashes_only=hashes_only,
    )


def show_report(output: Output, kept: KeptLog, report: records.LedgerReport) -> None:
    """Print what was found of a log."""
    verdict = "[red]VIOLATED[/red]" if report.problems else "[green]ok[/green]"
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(report.kinds.items()))
    output.line(f"{verdict}  {marked(kept.title)}  {report.size} entries  {kinds}")
    output.line(f"  {marked(report.origin)}")
    if report.pruned:
        last = TILE_WIDTH + report.pruned - 1
        output.line(f"  entries {TILE_WIDTH} to {last} are pruned: their hashes are here, not what they say")
    if report.hashes_only:
        output.line("  by hashes only: no entry was read, no signature but the head's was verified")
    if report.open:
        output.line(f"  {len(report.open)} acceptances are open")
    for problem in report.problems:
        output.line(f"  {marked(problem.where)}: {marked(problem.what)}")
    if any(problem.where.startswith("tile/") for problem in report.problems):
        output.line(_MEND)
