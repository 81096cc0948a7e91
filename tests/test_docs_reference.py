"""The reference says what the program has: every command, exit code, setting and path."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import trio

from f2fbuild import errors
from f2fbuild.errors import F2FError
from f2fbuild.model.verdict import EXIT_CODE, VerdictKind
from f2fbuild.node.config import Settings
from f2fbuild.store.paths import Paths

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs/reference"
EXIT_CODES = (REFERENCE / "exit-codes.md").read_text()
FILES = (REFERENCE / "files.md").read_text()


def rows(text: str) -> list[list[str]]:
    """The cells of every row of a document's tables."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]


def codes_of_rooms() -> Iterator[tuple[str, int]]:
    """Every class below f2fbuild/ that sets an exit code of its own, wherever it is defined."""
    for path in sorted((ROOT / "f2fbuild").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                for line in node.body:
                    match line:
                        case ast.Assign(
                            targets=[ast.Name(id="exit_code")], value=ast.Constant(value=int(code))
                        ):
                            yield node.name, code


async def test_the_command_reference_is_what_the_program_says(tmp_path: Path) -> None:
    made = tmp_path / "commands.md"
    await trio.run_process([sys.executable, str(ROOT / "script/make-command-reference"), str(made)])
    hint = "run script/make-command-reference"
    assert made.read_text() == (REFERENCE / "commands.md").read_text(), hint


def test_every_error_class_has_its_exit_code() -> None:
    public = {
        kind.__name__: kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, F2FError)
    }
    expected = public | dict(codes_of_rooms())
    documented = {
        row[1].strip("`"): int(row[0])
        for row in rows(EXIT_CODES)
        if len(row) == 3 and row[1].endswith("Error`")
    }
    assert documented == expected


def test_every_exit_code_is_in_the_table_in_order() -> None:
    codes = [int(row[0]) for row in rows(EXIT_CODES) if row[0].isdigit()]
    assert codes == sorted(codes)
    assert set(codes) == set(range(13)) | {130, 143}


@pytest.mark.parametrize("kind", VerdictKind)
def test_every_verdict_has_its_exit_code(kind: VerdictKind) -> None:
    (said,) = (row[1] for row in rows(EXIT_CODES) if row[0] == f"`{kind}`")
    assert int(said.split(",")[0]) == EXIT_CODE[kind]


def settings() -> Iterator[tuple[str, object]]:
    """Every setting by its whole name, with its default as the file would have it."""
    for section in msgspec.structs.fields(Settings):
        for field in msgspec.structs.fields(section.type):
            yield f"{section.name}.{field.name}", field.default


@pytest.mark.parametrize(("name", "default"), list(settings()))
def test_every_setting_has_its_default(name: str, default: object) -> None:
    (said,) = (row[1] for row in rows(FILES) if row[0] == f"`{name}`")
    match default:
        case msgspec.NODEFAULT:
            assert said.startswith("(")
        case ():
            assert said == "`[]`"
        case "":
            assert said == '`""`'
        case _:
            assert said == str(default)


def test_no_setting_is_made_up() -> None:
    sections = "|".join(field.name for field in msgspec.structs.fields(Settings))
    configuration = FILES.partition("\n## Data")[0]
    names = {row[0].strip("`") for row in rows(configuration)}
    said = {name for name in names if re.fullmatch(rf"({sections})\.[a-z_]+", name)}
    assert said == {name for name, _ in settings()}


def test_every_path_of_a_node_is_told() -> None:
    paths = Paths.from_environment({"HOME": "/home/someone", "XDG_RUNTIME_DIR": "/run/user/1000"})
    named = {name for name, value in vars(Paths).items() if isinstance(value, property)}
    told = {row[0].strip("`").split("/")[0].rstrip("/") for row in rows(FILES)}
    for name in named:
        assert getattr(paths, name).name in told, name
