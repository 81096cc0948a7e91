"""Every benchmark runs, and ends with one line of the form that `benchmarks.report` promises."""

import json
import subprocess  # noqa: TID251 - benchmarks are run as people run them
import sys
from pathlib import Path

import pytest

from benchmarks.report import SCHEMA

_HERE = Path(__file__).parent
_NO_BENCHMARKS = {
    "__init__",
    "report",
    "gossip_network",
    "gossip_town",
    "gossipsub_hosts",
    "peer_venv",
    "svg",
}
_NAMES = sorted(
    path.stem
    for path in _HERE.glob("*.py")
    if path.stem not in _NO_BENCHMARKS and not path.stem.startswith("test_")
)


def test_there_are_benchmarks() -> None:
    """The list below is not empty."""
    assert {"job", "session"} <= set(_NAMES)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", _NAMES)
def test_its_last_line_is_a_report(name: str) -> None:
    """Figures are numbers, and each bar says whether it holds; that it does is for the full run."""
    command = [sys.executable, "-m", f"benchmarks.{name}", "--smoke"]
    done = subprocess.run(command, cwd=_HERE.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert set(report) == {"schema", "name", "figures", "bars"}
    assert (report["schema"], report["name"]) == (SCHEMA, name)
    assert report["figures"]
    assert all(type(value) in (int, float) for value in report["figures"].values())
    assert report["bars"]
    for bar in report["bars"]:
        assert set(bar) == {"name", "value", "bar", "unit", "holds"}
        assert type(bar["holds"]) is bool
        assert bar["unit"]
