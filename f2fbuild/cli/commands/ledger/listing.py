"""`f2fbuild ledger log`: the entries of logs, all of them or those that are looked for."""

from collections.abc import Iterator

import click

from f2fbuild.cli import records
from f2fbuild.cli.commands.ledger.describe import describe
from f2fbuild.cli.commands.ledger.entries import read_signed, statement_key_of
from f2fbuild.cli.commands.ledger.which import (
    KeptLog,
    all_logs,
    choose,
    find,
    log_argument,
    vkey_option,
)
from f2fbuild.cli.main import command
from f2fbuild.cli.output import Output, marked
from f2fbuild.errors import FormatError, LedgerError, UsageError
from f2fbuild.ledger import reading
from f2fbuild.ledger.checkpoint import parse_log_vkey
from f2fbuild.ledger.entry import Kind
from f2fbuild.ledger.facts import Query
from f2fbuild.ledger.search import payload_type_of, search
from f2fbuild.model.digest import parse_digest
from f2fbuild.model.times import parse_time
from f2fbuild.model.vkey import VerifierKey

_FOUND_IN_ALL = ("digest", "package", "owner", "builder", "build_key", "kind", "since")


@click.command()
@log_argument
@vkey_option
@click.option("--start", type=click.IntRange(0), default=0, show_default=True, help="The first index.")
@click.option("--hash", "digest", default="", metavar="SHA256", help="That name this digest in any role.")
@click.option("--package", default="", metavar="NAME", help="About a package or file, or a pattern: 'lib*'.")
@click.option("--owner", default="", metavar="WHO", help="In the logs of this owner: fingerprint or alias.")
@click.option("--builder", default="", metavar="LOG", help="In the log of this node: alias@node.")
@click.option("--build-key", default="", metavar="SHA256", help="Outcomes of this build key.")
@click.option("--kind", type=click.Choice([str(kind) for kind in Kind]), default=None, help="Of this kind.")
@click.option("--since", default="", metavar="TIME", help="Made since 2026-01-31 or 2026-01-31T12:00:00Z.")
@command
def log(output: Output, /, *, which: str, vkey: str, start: int, **wanted: str | None) -> None:
    """List the entries of LOG, each read and its signature verified; exits 11 when one cannot be read.

    With a condition and without LOG all logs kept here are searched; of several conditions all must hold.
    An entry that names no time counts as made at the newest time that its log named before.
    """
    query = _query(wanted)
    logs = _logs(output, which, vkey, wanted)
    unread = 0
    for kept, key in logs:
        if not reading.read_head(kept.directory, key).checkpoint.size:
            if len(logs) == 1:
                output.hint("this log is empty")
            continue
        if kept.frozen:
            output.hint(
                f"FORKED: the owner of {marked(kept.title)} tells two stories, see `ledger evidence list`"
            )
        for line in _lines(kept, key, query, start, wanted["kind"] or ""):
            unread += bool(line.problem)
            _show(output, line, f"{marked(kept.title)}  " if len(logs) > 1 else "")
    if unread:
        raise LedgerError(
            f"{unread} entries cannot be read", where=", ".join(str(one.directory) for one, _ in logs)
        )


def _logs(
    output: Output, which: str, vkey: str, wanted: dict[str, str | None]
) -> list[tuple[KeptLog, VerifierKey]]:
    if which or vkey or not any(wanted[name] for name in _FOUND_IN_ALL):
        return [find(which, vkey)]
    logs = all_logs(output)
    if wanted["builder"]:
        logs = [choose(logs, wanted["builder"])]
    if wanted["owner"]:
        owner = wanted["owner"].replace(" ", "")
        logs = [one for one in logs if owner in one.names or owner.upper() in one.names]
        if not logs:
            raise UsageError("no log here is this owner's", where=owner, hint="see `f2fbuild peer list`")
    return [(one, parse_log_vkey(one.vkey, where=one.title)) for one in logs]


def _query(wanted: dict[str, str | None]) -> Query:
    def digest(name: str, option: str) -> str:
        return parse_digest((wanted[name] or "").lower(), where=option) if wanted[name] else ""

    try:
        since = wanted["since"] or ""
        return Query(
            digest=digest("digest", "--hash"),
            build_key=digest("build_key", "--build-key"),
            package=wanted["package"] or "",
            payload_type=payload_type_of(Kind(wanted["kind"])) if wanted["kind"] else "",
            since=parse_time(since if "T" in since else f"{since}T00:00:00Z", where="--since")
            if since
            else 0,
        )
    except FormatError as error:
        raise UsageError(error.what, where=error.where) from error


def _lines(
    kept: KeptLog, key: VerifierKey, query: Query, start: int, kind: str
) -> Iterator[records.LedgerLine]:
    statement_key = statement_key_of(kept, key)
    found = (
        reading.read_all(kept.directory, key, start)
        if query == Query()
        else search(kept.directory, key, query, start)
    )
    for index, data in found:
        line = _line(kept, index, data, statement_key)
        if not kind or line.problem or line.kind == kind:
            yield line


def _line(kept: KeptLog, index: int, data: bytes, statement_key: bytes) -> records.LedgerLine:
    try:
        found = read_signed(data, statement_key, index)
    except LedgerError as error:
        return records.LedgerLine(origin=kept.origin, index=index, kind="", line="", problem=error.what)
    line = describe(found.payload)
    return records.LedgerLine(origin=kept.origin, index=index, kind=found.kind, line=line, problem="")


def _show(output: Output, line: records.LedgerLine, start: str) -> None:
    if output.json:
        output.reply(line)
    elif line.problem:
        output.line(f"{start}{line.index:>6}  [red]{'UNREADABLE':<16}[/red]  {marked(line.problem)}")
    else:
        output.line(f"{start}{line.index:>6}  {line.kind:<16}  {marked(line.line)}")
