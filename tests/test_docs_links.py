"""Documents lead where they say: links, modules, scripts, decisions, diagrams and changelog fragments."""

import re
import tomllib
from pathlib import Path

import click
import pytest

from f2fbuild.cli.main import program
from f2fbuild.jobs.lifecycle import ASSIGNMENT, JOB, mermaid

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "changelog.d").glob("*.md")])
DECISIONS = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
ROOMS = sorted(path.name for path in (ROOT / "f2fbuild").iterdir() if (path / "__init__.py").exists())


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", document.read_text()):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_named_modules_and_scripts_exist(document: Path) -> None:
    text = document.read_text()
    for module in re.findall(rf"`((?:{'|'.join(ROOMS)})/[\w/]+\.py|(?:{'|'.join(ROOMS)})/[\w/]*/?)`", text):
        assert (ROOT / "f2fbuild" / module).exists(), module
    for script in re.findall(r"\bscript/[\w-]+", text):
        assert (ROOT / script).exists(), script


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_named_commands_exist(document: Path) -> None:
    text = document.read_text()
    for line in re.findall(r"(?:`|^)f2fbuild ([a-z][^`\n]*)", text, flags=re.MULTILINE):
        if re.search(r"[ /]v?1$", line):  # the head of a file or hash, such as `f2fbuild commit/1`
            continue
        command: click.Command = program
        words = line.split()
        while isinstance(command, click.Group) and words and re.fullmatch(r"[a-z-]+", words[0]):
            found = command.get_command(click.Context(command), words.pop(0))
            assert found is not None, line
            command = found
        assert command is not program, line


@pytest.mark.parametrize("drawn", [mermaid(JOB), mermaid(ASSIGNMENT)], ids=["job", "assignment"])
def test_the_diagrams_of_states_are_drawn_from_the_tables(drawn: str) -> None:
    assert f"```mermaid\n{drawn}```" in (ROOT / "docs/architecture.md").read_text()


def test_the_architecture_has_every_floor() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (floors,) = (contract["layers"] for contract in contracts if contract["id"] == "floors")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    places = []
    for floor in floors:
        named = [
            number for number, row in enumerate(rows) if all(f"`{one}`" in row for one in floor.split(" | "))
        ]
        assert named, floor
        places.append(named[0])
    assert places == sorted(places)


def test_decisions_are_numbered_and_listed() -> None:
    assert [path.name[:4] for path in DECISIONS] == [f"{n:04}" for n in range(1, len(DECISIONS) + 1)]
    listed = re.findall(
        r"^\| \[(\d{4})\]\(([^)]+)\)", (ROOT / "docs/adr/README.md").read_text(), re.MULTILINE
    )
    assert listed == [(path.name[:4], path.name) for path in DECISIONS]


@pytest.mark.parametrize("decision", DECISIONS, ids=name_of)
def test_a_decision_follows_the_template(decision: Path) -> None:
    def sections(path: Path) -> list[str]:
        return re.findall(r"^## (.*)$", path.read_text(), flags=re.MULTILINE)

    text = decision.read_text()
    assert text.startswith(f"# {decision.name[:4]}: ")
    assert re.search(r"^Status: (accepted|replaced by )", text, flags=re.MULTILINE)
    assert sections(decision) == sections(decision.parent / "template.md")
    alternatives = text.partition("\n## Alternatives\n")[2].partition("\n## ")[0]
    assert len(re.findall(r"^\* \*\*", alternatives, flags=re.MULTILINE)) >= 2, "a decision has rivals"


def test_changelog_fragments_are_of_a_kind_that_is_known() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]
    kinds = {kind["directory"] for kind in settings["type"]}
    assert "wire" in kinds
    for fragment in (ROOT / settings["directory"]).glob("*.md"):
        if fragment.name != "README.md":
            assert fragment.name.split(".")[-2] in kinds, fragment.name
