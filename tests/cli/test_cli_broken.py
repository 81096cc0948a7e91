"""A friend whose log is broken or forked is shown as such, whatever words the log brought with it."""

from collections.abc import Iterator

import pytest

from f2fbuild.api import replies, requests
from tests.api.api_samples import peer
from tests.cli.cli_runs import Home, beside, home, whole_node


@pytest.fixture
def place() -> Iterator[Home]:
    with home() as made:
        yield made


def shown(place: Home, found: replies.Peer) -> tuple[str, str]:
    calls = {requests.GetPeer: found, requests.ListPeers: replies.Peers(peers=(found,), refused=())}
    with beside(place, whole_node(calls=calls)):
        return place.run("peer", "show", "bob").stdout, place.run("peer", "list").stdout


def test_a_broken_log_is_shown_with_its_reason(place: Home) -> None:
    one, listed = shown(place, peer(violation="entry 7: [red]closes\x1b[2J no open acceptance (3)"))
    assert "BROKEN" in one.splitlines()[0]
    assert "broken  entry 7: [red]closes\ufffd[2J no open acceptance (3)" in one
    assert "BROKEN" in listed


def test_a_fork_is_worse(place: Home) -> None:
    one, listed = shown(place, peer(frozen=True, violation="entry 7: x"))
    assert "FORKED" in one
    assert "BROKEN" not in listed


def test_a_log_in_order_is_not_remarked_upon(place: Home) -> None:
    one, listed = shown(place, peer())
    assert "BROKEN" not in one + listed
    assert "broken" not in one
