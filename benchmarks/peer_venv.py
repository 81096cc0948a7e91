"""Programs that benchmarks compare with, from PyPI, each in a venv of its own below the user's cache."""

import os
import subprocess  # noqa: TID251 - pip is run as people run it
import sys
from pathlib import Path

from f2fbuild.store.paths import Paths


def peer_python(requirement: str) -> Path | None:
    """Return the Python of a venv that has `requirement` (`name==version`), made at the first time.

    None when it cannot be installed, as without a network; what pip said goes to standard error.
    """
    venv = Paths.from_environment(os.environ).cache / "benchmarks" / requirement
    python = venv / "bin" / "python"
    stamp = venv / "installed"
    if stamp.exists():
        return python
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True)
    command = [str(python), "-m", "pip", "install", "--quiet", requirement]
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
        return None
    # Only now: a venv that was left half made is made anew.
    stamp.touch()
    return python
