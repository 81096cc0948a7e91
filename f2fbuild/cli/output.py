"""What a command prints: results on stdout, progress and hints on stderr, JSON when asked for.

Text from peers is stripped of terminal controls before it is shown. Without a terminal, or with `NO_COLOR`,
no escape sequence is printed at all: no colour, no bold, and no picture that is drawn again and again.
"""

import os
import sys
import unicodedata
from dataclasses import dataclass
from typing import Literal

import msgspec
from rich.console import Console
from rich.markup import escape

from f2fbuild.api.failures import to_reply
from f2fbuild.api.replies import Reply
from f2fbuild.errors import F2FError


def printable(text: str) -> str:
    """Return `text` without control and format characters, so that no peer can steer a terminal.

    Newlines become spaces; characters of Unicode category C (controls, bidirectional overrides, unassigned)
    become U+FFFD.
    """
    flat = text.replace("\r", " ").replace("\n", " ").replace("\t", " ")
    return "".join("\ufffd" if unicodedata.category(c).startswith("C") else c for c in flat)


def printable_lines(text: str) -> str:
    """Return `text` like `printable`, but its lines stay lines and its tabs tabs: what build logs need."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join("\t".join(printable(cell) for cell in line.split("\t")) for line in lines)


def marked(text: str) -> str:
    """Return hostile `text` for a rich console: printable, and with rich's own markup escaped."""
    return escape(printable(text))


@dataclass(frozen=True, slots=True)
class Output:
    """Where a command prints. With `json` true, replies go out as they are, one a line."""

    json: bool
    stdout: Console
    stderr: Console

    @classmethod
    def open(cls, *, json: bool) -> "Output":
        """Return the output of this process."""
        return cls(json, _console(), _console(stderr=True))

    @property
    def live(self) -> bool:
        """Whether a picture may be drawn again and again."""
        return not self.json and self.stdout.is_terminal and self.stdout.color_system is not None

    def reply(self, reply: Reply) -> None:
        """Print a reply as JSON."""
        sys.stdout.write(msgspec.json.encode(reply).decode() + "\n")
        sys.stdout.flush()

    def line(self, text: str = "") -> None:
        """Print one line of result."""
        self.stdout.print(text)

    def hint(self, text: str) -> None:
        """Print one line for people; never part of the result."""
        if not self.json:
            self.stderr.print(text)

    def next_steps(self, *commands: str) -> None:
        """Print at most two commands that make sense now."""
        for command in commands[:2]:
            self.hint(f"Next: [bold]{escape(command)}[/bold]")

    def error(self, error: F2FError) -> None:
        """Print an error: its headline, what, where and what to do next."""
        if self.json:
            self.reply(to_reply(error))
            return
        self.stderr.print(f"[bold red]{escape(error.headline())}[/bold red]")
        where = f"{printable(error.where)}: " if error.where else ""
        self.stderr.print(escape(f"  {where}{printable(error.what)}"))
        if error.hint:
            self.stderr.print(escape(f"  {printable(error.hint)}"))


def _console(*, stderr: bool = False) -> Console:
    colours: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
    return Console(stderr=stderr, color_system=colours, highlight=False, soft_wrap=True, emoji=False)
