"""What a packager types: Ann orders builds from Bob and Cyd, each with a node process of their own."""

from pathlib import Path

import pytest

from tests.cli.cli_runs import Home, records
from tests.journeys.journey_people import hanging, order, source, typed
from tests.node.node_house import house, init


def test_a_build_is_agreed_shown_and_downloaded(people: tuple[Home, ...], tmp_path: Path) -> None:
    ann, *_ = people
    built = ann.run("build", "toy", source(ann, "hello"), *order(1, 1), "--wait")
    assert built.exit_code == 0, built.output
    job = built.stdout.split("job ")[1].split()[0]
    assert f"f2fbuild watch {job}" in built.stderr
    assert typed(ann, "job", "show", job)["state"] == "succeeded"
    assert ann.run("watch", job).exit_code == 0
    assert "==>" in ann.run("logs", job).stdout
    typed(ann, "download", job, "--output", str(tmp_path))
    (product,) = tmp_path.glob("*.deb")
    product.write_bytes(b"mine")
    ann.run("download", job, "--output", str(tmp_path))
    assert product.read_bytes() == b"mine", "what is there is not overwritten"
    assert typed(ann, "ledger", "verify")["problems"] == []


@pytest.mark.parametrize("agree", [1, 2])
def test_a_failure_that_too_few_owners_sign_ends_with_10(people: tuple[Home, ...], agree: int) -> None:
    """Two asked: a success needs two whatever was ordered, a failure one owner more, and there is none."""
    ann, *_ = people
    text = source(ann, f"broken {agree}")
    said = typed(ann, "build", "toy", text, *order(2, agree), "--wait", code=10)
    assert said["verdict"].items() >= {"kind": "inconclusive", "agree": 2, "needed": 3}.items()


def test_without_terminal_build_returns_at_once_and_cancel_ends_the_watch_with_5(
    people: tuple[Home, ...],
) -> None:
    ann, *_ = people
    with hanging(ann, "at once") as job:
        assert typed(ann, "job", "explain", job)["job"] == typed(ann, "job", "show", job)["id"]
        assert typed(ann, "cancel", job)["state"] == "cancelled"
        assert typed(ann, "watch", job, code=5)["state"] == "cancelled"


def test_unknown_things_are_usage_errors(people: tuple[Home, ...]) -> None:
    ann, *_ = people
    assert typed(ann, "job", "show", "zzzzzzzz", code=2)["schema"] == "f2fbuild.error/1"
    typed(ann, "build", "nowhere", source(ann, "hello"), code=2)


def test_a_node_that_does_not_run_is_6() -> None:
    with house() as place:
        init(place)
        asked = place.start("job", "list", "--json")
        said, _ = asked.communicate(timeout=120)
        assert asked.returncode == 6
        assert records(said)[-1]["schema"] == "f2fbuild.error/1"
