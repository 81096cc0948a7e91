"""`f2fbuild init` as people see it: the question for the key, the name of the host, and what is printed."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from f2fbuild.builder.hostsources import Proposal
from f2fbuild.builder.targets import Format, Repository, Target
from f2fbuild.node import config, setup
from tests.cli.cli_runs import Home
from tests.cli.test_cli_terminal import talk
from tests.node.node_house import NEW, gnupg, house, init, paths


@pytest.fixture
def place() -> Iterator[Home]:
    with house() as made:
        yield made


@pytest.mark.parametrize("typed", ["2\n", "0\n3\nmine\n2\n"], ids=["at once", "after mistakes"])
def test_at_a_terminal_the_owner_chooses_among_several_keys(place: Home, typed: str) -> None:
    for name in ("a", "b"):
        gnupg(place).generate(f"{name} <{name}@example.org>", protect=False)
    code, seen = talk(place, ["init", "--name", "elm"], "Which key is yours", typed)
    assert code == 0, seen
    listed = re.findall(r"^(\d)  ([0-9A-F]{40})  (\w) <\w@example.org>", seen, re.MULTILINE)
    assert [number for number, _, _ in listed] == ["1", "2"]
    assert {name for _, _, name in listed} == {"a", "b"}
    assert config.load(paths(place).config_file).owner.fingerprint == listed[1][1]


def test_what_was_made_is_said_and_found_the_second_time(
    place: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keyring = tmp_path / "keyring.gpg"
    keyring.touch()
    repository = Repository(uri="http://deb.example/", keyring=str(keyring), suite="bookworm/")
    target = Target(name="oak", format=Format.DEB, arch="amd64", repository=(repository,), base=())
    proposal = Proposal(target=target, left_out=("a.list: no [signed-by]",))
    monkeypatch.setattr(setup, "propose_targets", lambda: (proposal,))
    made, found = place.run("init", *NEW), place.run("init")
    assert (made.exit_code, found.exit_code) == (0, 0)
    said = init(place, "--name", "elm")
    assert made.stdout.splitlines() == [
        "made node elm",
        f"  owner   {said['owner']}",
        f"  node    {said['node_id']}",
        f"  log     {said['origin']}",
        "  target  oak",
    ]
    assert "left out: a.list: no [signed-by]" in made.stderr
    assert "Next: f2fbuild node run" in made.stderr
    assert found.stdout.splitlines()[0] == "found node elm"


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("elm", "elm"),
        ("Elm.example.org", "elm"),
        ("my_host", "my-host"),
        ("-é-", "node"),
        ("a" * 60, "a" * 32),
    ],
)
def test_a_node_is_named_after_its_host(
    place: Home, monkeypatch: pytest.MonkeyPatch, host: str, name: str
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    assert init(place, "--new-key", "Ann <ann@example.org>", "--unprotected")["node"] == name


def test_a_node_that_was_not_set_up_does_not_run(place: Home) -> None:
    result = place.run("node", "run")
    assert result.exit_code == 3
    assert "f2fbuild init" in result.stderr
