"""`f2fbuild watch` and `f2fbuild logs`: follow a job until it has ended."""

import sys

import click
from rich.live import Live

from f2fbuild.api import replies, requests
from f2fbuild.api.client import Client
from f2fbuild.cli.main import client, command
from f2fbuild.cli.output import Output
from f2fbuild.cli.tree import summary, tree


@click.command()
@click.argument("job")
@command
def watch(output: Output, job: str) -> None:
    """Follow JOB until it has ended; exits as the job ended (0 agreed, 4 failed, 10 diverged, …)."""
    with client() as api:
        sys.exit(follow(output, api, job))


@click.command()
@click.argument("job")
@click.option("-f", "--follow", "following", is_flag=True, help="Go on until the builds have ended.")
@click.option("--builder", default="", metavar="PEER", help="Only this builder's log.")
@command
def logs(output: Output, *, job: str, following: bool, builder: str) -> None:
    """Print the build logs of JOB as the builders write them."""
    last = ""
    with client() as api:
        request = requests.ReadLog(job=job, peer=builder, follow=following)
        for chunk in api.stream(request, replies.LogChunk):
            if output.json:
                output.reply(chunk)
                continue
            header = f"==> {chunk.job}:{chunk.arch}:{chunk.who}:build.log <=="
            if header != last:
                click.echo(header)
                last = header
            click.echo(_clean(chunk.data), nl=False)


def follow(output: Output, api: Client, job: str) -> int:
    """Show a job until it has ended; return the exit code of its end."""
    replies_ = api.stream(requests.WatchJob(job=job), replies.Job)
    seen: replies.Job | None = None
    if output.stdout.is_terminal and not output.json:
        with Live(console=output.stdout, refresh_per_second=8) as live:
            for seen in replies_:
                live.update(tree(seen))
    else:
        lines: list[str] = []
        for seen in replies_:
            if output.json:
                output.reply(seen)
                continue
            fresh = summary(seen)
            for line in fresh:
                if line not in lines:
                    output.line(line)
            lines = fresh
    return 0 if seen is None or seen.exit_code is None else seen.exit_code


def _clean(data: bytes) -> str:
    """Return log bytes without terminal controls; lines stay lines."""
    text = data.decode("utf-8", "replace")
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)
