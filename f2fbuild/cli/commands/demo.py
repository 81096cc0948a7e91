"""`f2fbuild demo`: the whole idea on one machine."""

import json
import os
import shutil
from pathlib import Path

import click
import trio
from rich.live import Live

from f2fbuild.api import replies
from f2fbuild.cli.main import command
from f2fbuild.cli.output import Output, marked
from f2fbuild.cli.tree import summary, tree
from f2fbuild.demo.report import report
from f2fbuild.demo.story import play
from f2fbuild.errors import UsageError
from f2fbuild.store.paths import Paths


class _Stage:
    """Shows the demonstration: scenes and facts as lines, a job as a live tree on a terminal."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._console = output.stderr if output.json else output.stdout
        self._live: Live | None = None
        self._shown: set[str] = set()

    def scene(self, text: str) -> None:
        self.close()
        self._console.print(f"\n[bold]{marked(text)}[/bold]")

    def fact(self, text: str) -> None:
        self.close()
        self._console.print(f"  {marked(text)}")

    def job(self, job: replies.Job) -> None:
        if not self._output.live:
            for line in summary(job):
                if line not in self._shown:
                    self._shown.add(line)
                    self._console.print(f"  {marked(line)}")
            return
        if self._live is None:
            self._live = Live(console=self._console, refresh_per_second=8)
            self._live.start()
        self._live.update(tree(job))

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


@click.command()
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="Keep the nodes' homes here.")
@command
def demo(output: Output, keep: Path | None) -> None:
    """Let friends build two real packages, catch one who lies, and check every log.

    Everything runs on loopback in separate processes; downloads and environments go into your cache, so the
    second run is much faster. The nodes' homes are kept in --keep or below your state directory.
    """
    paths = Paths.from_environment(os.environ)
    directory = _empty(keep.resolve() if keep else None, paths)
    stage = _Stage(output)
    try:
        outcome = trio.run(play, directory, paths.cache.parent, stage)
    finally:
        stage.close()
    if output.json:
        click.echo(json.dumps(report(outcome), separators=(",", ":")))
        return
    output.line(f"\nkept in {directory}")


def _empty(keep: Path | None, paths: Paths) -> Path:
    """Return the directory to play in; the default one is emptied, a named one must be empty."""
    if keep is None:
        directory = paths.state / "demo"
        if directory.exists():
            shutil.rmtree(directory)
    else:
        directory = keep
        if directory.exists() and any(directory.iterdir()):
            raise UsageError("is not empty", where=str(directory), hint="name a new directory with --keep")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory
