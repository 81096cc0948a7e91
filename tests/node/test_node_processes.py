"""Two people, two node processes and the commands they type: from cards to a link, to its end."""

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
import trio

from f2fbuild.model.vkey import format_vkey
from f2fbuild.node.identity import load_identity
from tests.cli.cli_runs import Home
from tests.node.node_house import gnupg, house, init, log_size, paths, running, stop


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def people() -> Iterator[tuple[Home, Home]]:
    """Ann and Bob, each with a node that runs, which do not know each other."""
    with ExitStack() as stack:
        homes = (stack.enter_context(house()), stack.enter_context(house()))
        for place, name in zip(homes, ("Ann", "Bob"), strict=True):
            who = f"{name} <{name.lower()}@example.org>"
            address = f"127.0.0.1:{free_port()}"
            init(place, "--new-key", who, "--unprotected", "--name", "elm", "--listen", address)
            stack.enter_context(running(place))
        yield homes


def run(place: Home, *arguments: str, code: int = 0) -> Mapping[str, Any]:
    """Type a command; return its answer."""
    result = place.run(*arguments, "--json")
    assert result.exit_code == code, result.output
    said: Mapping[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return said


def meet(one: Home, other: Home, *options: str) -> Mapping[str, Any]:
    """Let one take the card of the other."""
    card = one.directory / "friend.f2fcard"
    card.unlink(missing_ok=True)
    made = other.run("identity", "card", "--output", str(card))
    assert made.exit_code == 0, made.output
    return run(one, "peer", "add", str(card), *options)


async def until_said(
    place: Home, *arguments: str, seen: Callable[[Mapping[str, Any]], bool]
) -> Mapping[str, Any]:
    """Type a command again and again until its answer is the one that is waited for."""
    with trio.fail_after(120):
        while True:
            said = run(place, *arguments)
            if seen(said):
                return said
            await trio.sleep(0.1)


async def wait_for(place: Home, peer: str, **expected: Any) -> None:
    await until_said(place, "peer", "show", peer, seen=lambda said: said.items() >= expected.items())


def may_build(place: Home, peer: str) -> bool:
    answers = run(place, "trust", "explain", peer)["answers"]
    return bool({one["question"]: one["allowed"] for one in answers}["may build for you"])


async def test_a_friendship_from_its_cards_to_its_end(people: tuple[Home, Home]) -> None:
    ann, bob = people
    card = ann.directory / "bob.f2fcard"
    assert bob.run("identity", "card", "--output", str(card)).exit_code == 0
    # Nothing is done without a yes, and a dry run says what would be.
    undecided = ann.run("peer", "add", str(card), "--allow", "build,ledger")
    assert undecided.exit_code == 2
    assert "--yes" in undecided.stderr
    ann.run("peer", "add", str(card), "--allow", "build", "--dry-run")
    assert run(ann, "peer", "list")["peers"] == []
    added = meet(ann, bob, "--allow", "build,ledger", "--yes")
    assert (added["alias"], added["rights"]) == ("bob", ["build", "ledger"])
    meet(bob, ann, "--allow", "submit,ledger", "--yes")
    await wait_for(ann, "bob", connected=True, refusals=[])
    await wait_for(bob, "ann", connected=True, log_size=1)
    assert may_build(ann, "bob")
    # Rights are changed by taking the card again.
    assert meet(ann, bob, "--allow", "ledger", "--yes")["rights"] == ["ledger"]
    assert not may_build(ann, "bob")
    # The end: the session is closed, and Bob hears nothing when he tries again.
    assert ann.run("peer", "remove", "bob").exit_code == 2
    run(ann, "peer", "remove", "bob", "--yes")
    await wait_for(bob, "ann", connected=False)
    await until_said(
        ann, "peer", "list", seen=lambda said: any("was removed" in one for one in said["refused"])
    )
    assert run(ann, "peer", "show", "bob", code=2)["schema"].startswith("f2fbuild.error/")
    assert log_size(ann) == log_size(bob) == 1
    assert len(gnupg(ann).owners()) == 1, "friends' keys stay out of the user's own keyring"


def test_a_node_that_is_set_up_and_run_says_who_it_is() -> None:
    with house() as place:
        said = init(place)
        with running(place) as process:
            status = run(place, "status")
            assert (status["node_id"], status["owner"]) == (said["node_id"], said["owner"])
            assert status["owner_name"] == "Ann Example <ann@example.org>"
            assert run(place, "ledger", "verify")["problems"] == []
            assert stop(process)[0] == 0


async def test_friends_cosign_one_anothers_logs_and_the_owner_sees_it(people: tuple[Home, Home]) -> None:
    ann, bob = people
    meet(ann, bob, "--allow", "ledger,witness", "--yes")
    meet(bob, ann, "--allow", "ledger,witness", "--yes")
    for place, friend in ((ann, "bob@elm"), (bob, "ann@elm")):
        said = await until_said(place, "ledger", "witness", seen=lambda said: len(said["cosigned"]) >= 2)
        assert {(one["name"], one["role"]) for one in said["cosigned"]} == {
            (friend, "witness"),
            (friend, "mirror"),
        }
        assert {one["name"] for one in said["given"]} == {friend}
        shown = await until_said(place, "ledger", "checkpoint", seen=lambda said: len(said["cosigned"]) == 2)
        assert shown["note"].count("\u2014 ") == 3


def settings(place: Home, text: str) -> None:
    """Change what `init` wrote: the tables of `ledger` are given anew."""
    file = paths(place).config_file
    kept = file.read_text().split("[ledger]")[0]
    file.write_text(f"{kept}\n[ledger]\n{text}")


async def test_a_node_asks_another_node_that_is_no_friend_over_http() -> None:
    port = free_port()
    with house() as ann, house() as bob:
        for place, name in ((ann, "Ann"), (bob, "Bob")):
            init(place, "--new-key", f"{name} <{name.lower()}@example.org>", "--unprotected", "--name", "elm")
        log, witness = (load_identity(paths(place)).certificate.certificate for place in (ann, bob))
        settings(
            bob,
            f'witness_listen = ["127.0.0.1:{port}"]\n[[ledger.witnessed]]\n'
            f'origin = "{log.origin}"\nvkeys = ["{format_vkey(log.log)}"]\n',
        )
        settings(
            ann,
            f'[[ledger.witness]]\nname = "bob.example"\nvkey = "{format_vkey(witness.witness)}"\n'
            f'url = "http://127.0.0.1:{port}"\n',
        )
        with running(bob), running(ann):
            said = await until_said(ann, "ledger", "witness", seen=lambda said: bool(said["cosigned"]))
            (one,) = said["cosigned"]
            assert (one["name"], one["role"], one["vkey"]) == (
                "bob.example",
                "witness",
                format_vkey(witness.witness),
            )
            (given,) = run(bob, "ledger", "witness")["given"]
            assert (given["origin"], given["size"]) == (log.origin, one["size"])
