"""`f2fbuild watch` and `f2fbuild logs`: follow a job until it has ended."""

import codecs
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import click
from rich.live import Live

from f2fbuild.api import replies, requests
from f2fbuild.api.client import Client
from f2fbuild.cli.main import client, command
from f2fbuild.cli.output import Output, marked, printable, printable_lines
from f2fbuild.cli.tree import dissents, summary, tree
from f2fbuild.errors import NodeNotRunningError


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
    request = requests.ReadLog(job=job, peer=builder, follow=following)
    options = ["--follow"] * following + ["--builder", builder] * bool(builder)
    with client() as api, _interruptible(output, shlex.join(["f2fbuild", "logs", *options, job])):
        chunks = api.stream(request, replies.LogChunk)
        if output.json:
            for chunk in chunks:
                output.reply(chunk)
            return
        for text in _interleaved(chunks):
            click.echo(text, nl=False)


def follow(output: Output, api: Client, job: str) -> int:
    """Show a job until it has ended; return the exit code of its end. Who dissents is said on stderr."""
    seen: replies.Job | None = None
    with _interruptible(output, f"f2fbuild watch {job}"), _screen(output) as show:
        for seen in api.stream(requests.WatchJob(job=job), replies.Job):
            show(seen)
    if seen is None or seen.exit_code is None:
        raise NodeNotRunningError(
            "the node ended the answer before the job has", hint=f"continue with: f2fbuild watch {job}"
        )
    for line in dissents(seen):
        output.hint(marked(line))
    return seen.exit_code


@contextmanager
def _screen(output: Output) -> Iterator[Callable[[replies.Job], None]]:
    """Give a function that shows a job as it is now: as a live tree, JSON, or the lines that are new."""
    if output.json:
        yield output.reply
    elif output.live:
        with Live(console=output.stdout, refresh_per_second=8) as live:
            yield lambda job: live.update(tree(job))
    else:
        yield _Lines(output).show


class _Lines:
    def __init__(self, output: Output) -> None:
        self._output = output
        self._known: list[str] = []

    def show(self, job: replies.Job) -> None:
        fresh = summary(job)
        for line in fresh:
            if line not in self._known:
                self._output.line(marked(line))
        self._known = fresh


def _interleaved(chunks: Iterable[replies.LogChunk]) -> Iterator[str]:
    """Yield the text of several logs, a header wherever another one goes on.

    A chunk may end inside a character, or a line: the character is kept until its log goes on, the line is
    ended when another log's header follows.
    """
    decoders: dict[str, codecs.IncrementalDecoder] = {}
    last, ended = "", True
    for chunk in chunks:
        header = printable(f"==> {chunk.job}:{chunk.arch}:{chunk.who}:build.log <==")
        if header != last:
            yield header + "\n" if ended else f"\n{header}\n"
            last = header
        decoder = decoders.setdefault(header, codecs.getincrementaldecoder("utf-8")("replace"))
        text = printable_lines(decoder.decode(chunk.data))
        ended = text.endswith("\n") if text else ended
        yield text


@contextmanager
def _interruptible(output: Output, again: str) -> Iterator[None]:
    """Say, when a wait is interrupted or terminated, which command goes on; the job itself goes on anyway."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        output.hint(f"continue with: {marked(again)}")
        raise
