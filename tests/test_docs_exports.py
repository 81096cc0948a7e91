"""docs/reference/exports.md says what is exported: every column, table and view."""

import re
from pathlib import Path

import click

from f2fbuild.audit.export import COLUMNS
from f2fbuild.audit.sqlite import INDEXES, SCHEMA
from f2fbuild.cli.commands.ledger.exporting import export
from f2fbuild.limits import ARCHIVE_LOGS, ARCHIVE_MEMBERS

TEXT = (Path(__file__).parent.parent / "docs/reference/exports.md").read_text()


def section(name: str) -> str:
    """The text below a heading."""
    return TEXT.partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def test_every_format_has_its_section() -> None:
    (option,) = (one for one in export.params if one.name == "kind")
    assert isinstance(option.type, click.Choice)
    assert re.findall(r"^## (.*)$", TEXT, flags=re.MULTILINE) == list(option.type.choices)


def test_every_column_of_the_table_is_told_in_order() -> None:
    told = re.findall(r"`([a-z_0-9]+)`", section("csv"))
    assert tuple(told) == COLUMNS


def test_every_table_and_view_is_told() -> None:
    made = re.findall(r"CREATE (?:TABLE|VIEW) (\w+)", "\n".join((*SCHEMA, *INDEXES)))
    told = re.findall(r"^\| `(\w+)` \|", section("sqlite"), flags=re.MULTILINE)
    assert sorted(told) == sorted(made)


def test_every_column_of_the_tables_of_outcomes_is_told() -> None:
    for table in SCHEMA:
        name = re.findall(r"CREATE TABLE (\w+)", table)[0]
        (row,) = re.findall(rf"^\| `{name}` \|.*$", section("sqlite"), flags=re.MULTILINE)
        columns = set(re.findall(r"\b([a-z_0-9]+) (?:TEXT|INTEGER|ANY)\b", table)) - {"origin", "idx"}
        if name != "source":
            assert columns <= set(re.findall(r"`([a-z_0-9]+)`", row)), name


def test_the_bounds_of_an_import_are_told() -> None:
    for limit in (ARCHIVE_MEMBERS, ARCHIVE_LOGS):
        assert f"{limit:,}" in section("tar")
