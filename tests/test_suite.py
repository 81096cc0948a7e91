"""What the suite does not ask of the machine that it runs on."""

import subprocess  # noqa: TID251 - what a shell starts in the background is the subject
import sys
from pathlib import Path

from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
LOOK = "import signal; print(getattr(signal.getsignal(signal.SIGINT), '__name__', 'ignored'))"
START = f"import subprocess, sys; {{}}subprocess.run([sys.executable, '-c', {LOOK!r}], check=True)"


def in_the_background(code: str) -> str:
    """Run Python as a shell does that does not let Ctrl-C through."""
    command = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def test_a_slow_example_is_no_failure() -> None:
    assert settings.default is not None
    assert settings.default.deadline is None


def test_programs_can_be_interrupted_when_the_suite_runs_in_the_background() -> None:
    assert in_the_background(START.format("")) == "ignored"
    assert in_the_background(START.format("import tests.conftest; ")) == "default_int_handler"
