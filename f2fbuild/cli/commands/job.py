"""`f2fbuild job …`, `cancel`, `retry`, `download`: jobs that were ordered."""

import sys
from pathlib import Path

import click

from f2fbuild.api import replies, requests
from f2fbuild.cli.main import client, command
from f2fbuild.cli.output import Output, marked
from f2fbuild.cli.tree import summary, verdict_line
from f2fbuild.errors import DivergenceError
from f2fbuild.model.vote import ChallengeState


@click.group()
def job() -> None:
    """Jobs that this node ordered."""


@job.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="How many.")
@command
def list_(output: Output, limit: int) -> None:
    """List jobs, newest first."""
    with client() as api:
        found = api.call(requests.ListJobs(limit=limit), replies.Jobs)
    if output.json:
        output.reply(found)
        return
    for item in found.jobs:
        output.line(marked(verdict_line(item)))


@job.command()
@click.argument("job")
@command
def show(output: Output, job: str) -> None:
    """Show JOB: its builders, what each delivered, and the verdict."""
    with client() as api:
        found = api.call(requests.GetJob(job=job), replies.Job)
    _show(output, found)


@job.command()
@click.argument("job")
@command
def explain(output: Output, job: str) -> None:
    """Say what JOB waits for: for every friend why it does or does not build it."""
    with client() as api:
        found = api.call(requests.ExplainJob(job=job), replies.Explanation)
    if output.json:
        output.reply(found)
        return
    output.line(marked(found.waiting_for))
    for item in found.reasons:
        output.line(f"  {marked(item.who):<20} {marked(item.reason)}: {marked(item.detail)}")


@click.command()
@click.argument("job")
@command
def cancel(output: Output, job: str) -> None:
    """Cancel JOB: its builders stop and close their acceptances."""
    with client() as api:
        _show(output, api.call(requests.CancelJob(job=job), replies.Job))


@click.command()
@click.argument("job")
@command
def retry(output: Output, job: str) -> None:
    """Order the same build as JOB again, as a new job."""
    with client() as api:
        found = api.call(requests.RetryJob(job=job), replies.Job)
    _show(output, found)
    output.next_steps(f"f2fbuild watch {found.short}")


@click.command()
@click.argument("job")
@click.argument("builder", default="")
@command
def challenge(output: Output, job: str, builder: str) -> None:
    """Have BUILDER, or all who have a result, show that they hold what they signed for in JOB.

    Each hashes a fresh nonce before its build log and its products. The answer is checked when the bytes are
    here: at once after the reveal, with the reveal before it. Exits with 10 when one fails, which strikes its
    vote.
    """
    with client() as api:
        found = api.call(requests.ChallengeJob(job=job, peer=builder), replies.Job)
    _show(output, found)
    if any(one.challenge is ChallengeState.FAILED for one in found.assignments):
        sys.exit(DivergenceError.exit_code)


@click.command()
@click.argument("job")
@click.option(
    "-o",
    "--output",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="The directory, this one without.",
)
@click.option("--builder", default="", metavar="PEER", help="This builder's products instead of the agreed.")
@click.option("--logs", is_flag=True, help="The build logs too.")
@command
def download(output: Output, *, job: str, directory: Path, builder: str, logs: bool) -> None:
    """Write the agreed products of JOB into a directory, each verified once more."""
    directory.mkdir(parents=True, exist_ok=True)
    request = requests.Download(job=job, directory=str(directory.resolve()), peer=builder, logs=logs)
    with client() as api:
        found = api.call(request, replies.Downloaded)
    if output.json:
        output.reply(found)
        return
    for file in found.files:
        output.line(marked(file))


def _show(output: Output, found: replies.Job) -> None:
    if output.json:
        output.reply(found)
        return
    for line in summary(found):
        output.line(marked(line))
    for assignment in found.assignments:
        if assignment.forked:
            output.line(
                f"  {marked(assignment.alias)}  [red]FORKED[/red]  proved by {marked(assignment.forked)}"
            )
        for product in assignment.products:
            seen = "verified" if product.verified else "claimed"
            output.line(
                f"  {marked(assignment.alias)}  {product.sha256[:16]}  {seen}  {marked(product.name)}"
            )
