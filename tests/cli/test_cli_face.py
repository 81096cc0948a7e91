"""What all commands have in common: help, near misses, plain text without a terminal, no text that steers."""

import os
import pty
import string
from collections.abc import Iterator
from importlib.metadata import version

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.api import replies, requests
from f2fbuild.cli.main import _ALIASES, program
from f2fbuild.cli.output import printable, printable_lines
from f2fbuild.errors import RefusedError
from f2fbuild.model.verdict import VerdictKind
from tests.api.api_samples import BOB, CHUNK, SHORT, assignment, job, peer, verdict
from tests.cli.cli_runs import Home, beside, home, whole_node

HOSTILE = "\x1b[31mred\x1b]0;title\x07\x9b2J\u202egnp.exe\rover\x08[bold]loud[/bold] :warning: [/red]"
STEERING = ("\x1b", "\x07", "\x9b", "\u202e", "\r", "\x08")


@pytest.fixture
def place() -> Iterator[Home]:
    with home() as found:
        yield found


def all_commands() -> Iterator[tuple[str, click.Command]]:
    """Every command and group by its whole name."""

    def below(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
        yield name, command
        if isinstance(command, click.Group):
            context = click.Context(command)
            for sub in command.list_commands(context):
                found = command.get_command(context, sub)
                assert found is not None
                yield from below(f"{name} {sub}".strip(), found)

    return below("", program)


COMMANDS = dict(all_commands())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_word_is_explained(place: Home, name: str) -> None:
    result = place.run(*name.split(), "--help")
    command = COMMANDS[name]
    assert result.exit_code == 0
    assert (command.help or "").strip()
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name
        else:
            shown = parameter.make_metavar(click.Context(command)).strip("[].")
            assert shown in (command.help or ""), f"{shown} is not explained"


@pytest.mark.parametrize("name", [n for n, c in COMMANDS.items() if not isinstance(c, click.Group)])
def test_every_command_has_json(name: str) -> None:
    assert "--json" in [option for parameter in COMMANDS[name].params for option in parameter.opts]


def test_aliases_are_hidden_and_lead_somewhere(place: Home) -> None:
    shown = place.run("--help").stdout
    for alias in _ALIASES:
        assert alias not in shown
        assert place.run(alias, "--help").exit_code == 0


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("staus", "status"), ("leger", "ledger"), ("peer lst", "list"), ("dowload", "download")],
)
def test_near_misses(place: Home, typed: str, meant: str) -> None:
    result = place.run(*typed.split())
    assert result.exit_code == 2
    assert "Did you mean" in result.stderr
    assert meant in result.stderr


def test_no_near_miss_and_unknown_options(place: Home) -> None:
    nothing, option = place.run("xyzzyx"), place.run("--xyzzyx")
    assert (nothing.exit_code, option.exit_code) == (2, 2)
    assert "no such command `xyzzyx`." in nothing.stderr
    assert "mean" not in nothing.stderr
    assert "--xyzzyx" in option.stderr


def test_version(place: Home) -> None:
    assert place.run("--version").stdout == f"f2fbuild, version {version('f2fbuild')}\n"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [("--help", 0), ("", 2), ("staus", 2), ("status --nonsense", 2), ("job list --limit 0", 2)],
)
def test_the_program_itself(place: Home, arguments: str, code: int) -> None:
    with place.start(*arguments.split()) as process:
        output, errors = process.communicate(timeout=120)
    assert process.returncode == code
    assert "Traceback" not in errors
    assert output or errors


def test_a_reader_who_has_seen_enough(place: Home) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with beside(place, whole_node()), place.start("job", "list", stdout=writing) as process:
        os.close(writing)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "Traceback" not in errors


def on_terminal(place: Home, *arguments: str, **environment: str) -> bytes:
    """Return what the program writes to a terminal."""
    main, end = pty.openpty()
    try:
        with place.start(*arguments, stdout=end, TERM="xterm-256color", **environment) as process:
            os.close(end)
            written = b""
            while True:
                try:
                    piece = os.read(main, 65536)
                except OSError:
                    # Linux: EIO when the last end is closed.
                    break
                if not piece:
                    break
                written += piece
            process.communicate(timeout=120)
        assert process.returncode == 0
        return written
    finally:
        os.close(main)


@pytest.mark.parametrize("arguments", ["status", f"watch {SHORT}", "peer list"])
def test_colour_is_for_terminals_that_want_it(place: Home, arguments: str) -> None:
    with beside(place, whole_node()):
        colourful = on_terminal(place, *arguments.split())
        plain = on_terminal(place, *arguments.split(), NO_COLOR="1")
        dumb = on_terminal(place, *arguments.split(), TERM_PROGRAM="x", NO_COLOR="yes")
        piped = place.run(*arguments.split())
    assert b"\x1b[" in colourful
    assert b"\x1b" not in plain + dumb
    assert plain.replace(b"\r\n", b"\n").decode() == piped.stdout


@given(st.text())
def test_nothing_steers(text: str) -> None:
    for cleaned in (printable(text), printable_lines(text)):
        allowed = cleaned.replace("\n", "").replace("\t", "")
        assert not any(c in allowed for c in (*map(chr, range(32)), "\x7f", "\x9b", "\u202e", "\ud800"))
        assert printable_lines(cleaned) == cleaned
    assert "\n" not in printable(text)
    assert printable(printable(text)) == printable(text)


@given(st.text(alphabet=string.printable.replace("\r", "").replace("\x0b", "").replace("\x0c", "") + "é漢"))
def test_what_is_harmless_stays(text: str) -> None:
    assert printable_lines(text) == text
    assert printable_lines(text.replace("\n", "\r\n")) == text


HOSTILE_PEER = peer(
    alias=HOSTILE, node=HOSTILE, hints=(HOSTILE,), refusals=(HOSTILE,), path=HOSTILE, rights=("build",)
)
HOSTILE_JOB = job(
    title=HOSTILE,
    reason=HOSTILE,
    verdict=verdict(VerdictKind.DISPUTED, accuses=(BOB,)),
    assignments=(
        assignment(
            HOSTILE, BOB, node=HOSTILE, detail=HOSTILE, outcome=HOSTILE, last_line=HOSTILE, stage=HOSTILE
        ),
    ),
)


@pytest.mark.parametrize(
    "command",
    ["peer list", "peer show x", "job list", f"job show {SHORT}", f"watch {SHORT}", "divergence list"],
)
def test_peers_cannot_steer_the_terminal(place: Home, command: str) -> None:
    node = whole_node(
        calls={
            requests.ListPeers: replies.Peers(peers=(HOSTILE_PEER,), refused=(HOSTILE,)),
            requests.GetPeer: HOSTILE_PEER,
            requests.GetJob: HOSTILE_JOB,
            requests.ListJobs: replies.Jobs(jobs=(HOSTILE_JOB,)),
            requests.ListDivergences: replies.Divergences(
                divergences=(
                    replies.Divergence(
                        job=HOSTILE_JOB.id,
                        title=HOSTILE,
                        verdict=VerdictKind.DISPUTED,
                        environment_differences=(),
                        groups=(),
                        differing=(),
                        evidence=(),
                    ),
                )
            ),
        },
        streams={requests.WatchJob: (HOSTILE_JOB,)},
    )
    with beside(place, node):
        result = place.run(*command.split())
        terminal = b"" if command != f"watch {SHORT}" else on_terminal(place, *command.split(), NO_COLOR="1")
    assert result.exit_code == 0, result.output
    assert not [c for c in STEERING if c in result.output]
    assert "[bold]loud[/bold] :warning: [/red]" in result.stdout
    assert not [c for c in STEERING if c in terminal.decode().replace("\r\n", "\n")]


def test_the_live_picture_is_of_plain_text(place: Home) -> None:
    with beside(place, whole_node(streams={requests.WatchJob: (HOSTILE_JOB,)})):
        drawn = on_terminal(place, "watch", SHORT)
    assert b"\x1b]0;title" not in drawn
    assert b"\x1b[31mred" not in drawn
    assert "\u202e" not in drawn.decode()


def test_hostile_errors(place: Home) -> None:
    refusal = RefusedError(HOSTILE, where=HOSTILE, hint=HOSTILE)
    with beside(place, whole_node(calls={requests.GetStatus: refusal})):
        result = place.run("status")
    assert result.exit_code == 7
    assert not [c for c in STEERING if c in result.stderr]
    assert result.stderr.count("[bold]loud[/bold]") == 3


def test_logs_of_builders(place: Home) -> None:
    def chunk(who: str, data: bytes) -> replies.LogChunk:
        return replies.LogChunk(job=CHUNK.job, who=who, arch="amd64", offset=0, data=data)

    text = "gcc: éx \x1b[1mbold\x1b[0m\ttab\r\n".encode()
    chunks = [chunk("bob@elm", text[:6]), chunk(f"eve{HOSTILE}", b"half a line"), chunk("bob@elm", text[6:])]
    with beside(place, whole_node(streams={requests.ReadLog: chunks})):
        result = place.run("logs", SHORT, "--builder", "bob")
    head = f"==> {CHUNK.job}:amd64:"
    assert result.exit_code == 0
    assert result.stdout == (
        f"{head}bob@elm:build.log <==\ngcc: \n"
        f"{head}eve{printable(HOSTILE)}:build.log <==\nhalf a line\n"
        f"{head}bob@elm:build.log <==\néx \ufffd[1mbold\ufffd[0m\ttab\n"
    )
