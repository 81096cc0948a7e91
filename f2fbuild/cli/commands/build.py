"""`f2fbuild build`: order a build from friends."""

import os
import sys
from pathlib import Path

import click

from f2fbuild.api import replies, requests
from f2fbuild.cli.commands.watch import follow
from f2fbuild.cli.main import client, command
from f2fbuild.cli.output import Output, marked
from f2fbuild.errors import FormatError, UsageError
from f2fbuild.model.job import JobClass
from f2fbuild.model.times import format_time, parse_time


@click.command()
@click.argument("target")
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--class",
    "job_class",
    type=click.Choice([str(one) for one in JobClass]),
    default=str(JobClass.TESTING),
    show_default=True,
    help="How much agreement it needs.",
)
@click.option("--builders", type=click.IntRange(1, 100), help="How many friends to ask at first.")
@click.option("--agree", type=click.IntRange(1, 100), help="How many of them must agree.")
@click.option("--deadline", type=click.IntRange(1, 20160), default=1440, help="Minutes.", show_default=True)
@click.option(
    "--embargo-until",
    metavar="TIME",
    help="Keep all results back until then (2026-01-31T12:00:00Z, within 14 days).",
)
@click.option("--wait/--nowait", default=None, help="Wait for the end, or return at once.")
@command
def build(
    output: Output,
    *,
    target: str,
    source: Path,
    job_class: str,
    builders: int | None,
    agree: int | None,
    deadline: int,
    embargo_until: str | None,
    wait: bool | None,
) -> None:
    """Build SOURCE (.dsc or .src.rpm) for TARGET at several friends, who must agree.

    In the background or without a terminal it returns at once unless --wait is given; `f2fbuild watch` goes
    on. When it waits, it exits as the job ends: 0 agreed, 4 failed, 8 nobody, 9 given back, 10 diverged.
    """
    request = requests.Submit(
        target=target,
        source=str(source.resolve()),
        job_class=JobClass(job_class),
        builders=builders,
        agree=agree,
        deadline_minutes=deadline,
        embargo_until=_moment(embargo_until) if embargo_until else 0,
    )
    with client() as api:
        job = api.call(request, replies.Job)
        _submitted(output, job)
        if _in_foreground() if wait is None else wait:
            sys.exit(follow(output, api, job.short))


def _moment(text: str) -> int:
    try:
        return parse_time(text)
    except FormatError as error:
        raise UsageError(error.what, where="--embargo-until") from error


def _in_foreground() -> bool:
    try:
        return os.getpgrp() == os.tcgetpgrp(sys.stdin.fileno())
    except OSError:
        # No terminal, or one that does not control this process: nobody waits in front of it.
        return False


def _submitted(output: Output, job: replies.Job) -> None:
    if output.json:
        output.reply(job)
        return
    output.line(
        f"{marked(job.title)}  ->  {marked(job.target)}  {job.arch}      "
        f"want {job.builders} builders, {job.agree} must agree"
    )
    if job.embargo_until:
        output.line(f"results come out at {format_time(job.embargo_until)}")
    output.line(f"job {job.short}")
    output.hint(f"(safe to interrupt; continue with: f2fbuild watch {job.short})")
