"""The threat model names tests that exist, and answers every threat in one of the allowed ways."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs/threat-model.md").read_text()
FIELDS = ("Who", "Threat", "Mitigation", "Tests", "Not yet", "Not addressed")


def entries() -> dict[str, dict[str, str]]:
    """Every threat by its number, with its fields by name."""
    found = {}
    for part in re.split(r"^### ", TEXT, flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        fields = re.findall(
            r"^\* \*\*([^*:]+):\*\*\s(.*?)(?=^\* \*\*|^## |\Z)", body, re.MULTILINE | re.DOTALL
        )
        assert len(fields) == len(dict(fields)), f"a field twice: {heading}"
        found[heading.split(" ", 1)[0]] = dict(fields)
    return found


THREATS = entries()


@cache
def names_in(path: Path) -> set[str]:
    """The names of the functions in a file, as Python reads it."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)}


def test_numbers_are_unique_and_ascending() -> None:
    headings = re.findall(r"^### (\S+)", TEXT, flags=re.MULTILINE)
    assert headings == [f"T-{number:02}" for number in range(1, len(headings) + 1)]


@pytest.mark.parametrize("number", THREATS)
def test_every_threat_is_answered(number: str) -> None:
    fields = THREATS[number]
    assert fields.keys() <= set(FIELDS)
    assert {"Who", "Threat"} <= fields.keys()
    assert ("Mitigation" in fields) == ("Tests" in fields)
    assert fields.keys() & {"Mitigation", "Not yet", "Not addressed"}
    assert all(text.strip() for text in fields.values())


@pytest.mark.parametrize("number", [number for number, fields in THREATS.items() if "Tests" in fields])
def test_every_named_test_exists(number: str) -> None:
    named = re.findall(r"`([^`]+)`", THREATS[number]["Tests"])
    assert named
    for test in named:
        path, _, name = test.partition("::")
        assert name.startswith("test_"), test
        assert name in names_in(ROOT / path), test


def test_mitigations_name_their_modules() -> None:
    for number, fields in THREATS.items():
        if "Mitigation" in fields:
            assert re.search(r"`[a-z_/]+\.py`", fields["Mitigation"]), number
