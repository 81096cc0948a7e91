"""How errors end a command: the first cause out of a nursery, a file's trouble in words, bugs as they are."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from f2fbuild.cli.main import command
from f2fbuild.cli.output import Output
from f2fbuild.errors import LedgerError, RefusedError

REFUSED = RefusedError("rule 5 says no")


def fail_with(error: BaseException) -> Result:
    @click.command()
    @command
    def failing(_output: Output) -> None:
        raise error

    return CliRunner().invoke(failing, [])


@pytest.mark.parametrize(
    "error",
    [
        REFUSED,
        ExceptionGroup("nursery", [REFUSED]),
        ExceptionGroup("nursery", [ExceptionGroup("inner", [REFUSED]), LedgerError("later")]),
    ],
    ids=["plain", "in a nursery", "deeper, and not alone"],
)
def test_the_first_cause_is_told(error: Exception) -> None:
    result = fail_with(error)
    assert result.exit_code == 7
    assert "rule 5 says no" in result.stderr
    assert "later" not in result.stderr


def test_a_files_trouble_in_words(tmp_path: Path) -> None:
    result = fail_with(PermissionError(13, "Permission denied", str(tmp_path)))
    assert result.exit_code == 1
    assert result.stderr.splitlines()[1] == f"  {tmp_path}: Permission denied"


@pytest.mark.parametrize(
    "error",
    [ValueError("bug"), ExceptionGroup("nursery", [REFUSED, ValueError("bug")])],
    ids=["plain", "beside an error"],
)
def test_bugs_stay_bugs(error: Exception) -> None:
    assert fail_with(error).exception is error
