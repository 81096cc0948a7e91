"""How `build --wait` and `watch` end: every exit code that real nodes can bring about."""

import signal
from pathlib import Path

import pytest

from tests.cli.cli_runs import Home
from tests.journeys.journey_people import (
    befriend,
    begun,
    finally_free,
    lines,
    node,
    order,
    source,
    started,
    typed,
    until,
)
from tests.node.node_house import house, init

ENDS = {
    "all agree": ("hello", (3, 2), 0, "agree", 3),
    "all fail": ("broken", (3, 2), 4, "failed", 3),
    "both fail, and so does the tie-breaker": ("broken", (2, 1), 4, "failed", 3),
    "one fails, and so do both tie-breakers": ("broken", (1, 1), 4, "failed", 3),
    "nobody has a mirror": ("infra", (2, 2), 9, "infra", 3),
    "all take too long": ("slow", (1, 1), 9, "infra", 3),
    "all differ": ("whim", (2, 2), 10, "diverged", 3),
    "only metadata differs": ("stamp", (2, 2), 10, "equivalent", 2),
}
"""First word of the source, builders and how many must agree; exit code, verdict, and who had a seat."""


@pytest.mark.parametrize("name", ENDS)
def test_build_and_watch_end_as_the_builders_did(crowd: tuple[Home, ...], name: str) -> None:
    ann, *_ = crowd
    word, (builders, agree), code, kind, seats = ENDS[name]
    built = typed(
        ann, "build", "toy", source(ann, f"{word} {name}"), *order(builders, agree), "--wait", code=code
    )
    assert built["verdict"]["kind"] == kind
    assert len(built["assignments"]) == seats
    assert typed(ann, "watch", built["short"], code=code)["state"] == built["state"]
    typed(ann, "job", "explain", built["short"])


def test_dissent_is_said_though_nobody_is_left_to_break_the_tie(crowd: tuple[Home, ...]) -> None:
    ann, *_ = crowd
    built = ann.run("build", "toy", source(ann, "trap"), *order(3, 2), "--wait")
    assert built.exit_code == 0, built.output
    (line,) = [line for line in built.stderr.splitlines() if line.startswith("dissent")]
    assert "dan@elm" in line
    assert "contradicts the others" not in line, "nobody is accused by one majority alone"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_who_stops_waiting_stops_no_build(crowd: tuple[Home, ...], number: signal.Signals, code: int) -> None:
    """The one who waits is stopped, the job goes on, and the command that was named waits for it again."""
    ann, *_ = crowd
    text = source(ann, f"hang until {code}")
    with (
        started(ann, "build", "toy", text, *order(1, 1), "--wait") as building,
        finally_free(ann, begun(building)) as job,
        started(ann, "watch", job) as watching,
    ):
        next(lines(watching))
        for process in (building, watching):
            process.send_signal(number)
            _, said = process.communicate(timeout=120)
            assert process.returncode == code
            assert f"continue with: f2fbuild watch {job}\n" in said
            assert typed(ann, "job", "show", job)["exit_code"] is None


def test_who_has_no_friends_has_nobody_to_build() -> None:
    with house() as place:
        init(place)
        with node(place):
            text = source(place, "hello")
            said = typed(place, "build", "toy", text, *order(1, 1), "--wait", code=8)
            assert (said["state"], said["assignments"]) == ("expired", [])
            typed(place, "watch", said["short"], code=8)


def test_rights_that_one_of_two_friends_does_not_give_leave_nobody(crowd: tuple[Home, ...]) -> None:
    """Bob has only Ann. First he does not let her build; then he does, and she does not take his jobs."""
    ann, bob, *_ = crowd
    text = source(bob, "hello")
    said = typed(bob, "build", "toy", text, *order(1, 1), "--wait", code=8)
    assert said["assignments"] == []
    (reason,) = typed(bob, "job", "explain", said["short"])["reasons"]
    assert reason["reason"] == "no-right"
    befriend(bob, ann, "build,ledger")
    try:
        said = typed(bob, "build", "toy", text, *order(1, 1), "--wait", code=8)
        (refused,) = said["assignments"]
        assert refused["state"] == "refused"
        # He may do nothing here but build, and that is something; a friend without rights may do nothing.
        typed(ann, "trust", "explain", "bob")
        befriend(bob, ann, "")
        typed(bob, "trust", "explain", "ann", code=7)
    finally:
        befriend(bob, ann, "submit,ledger")


def test_a_card_that_somebody_changed_is_refused_with_7(crowd: tuple[Home, ...], tmp_path: Path) -> None:
    ann, bob, *_ = crowd
    card = tmp_path / "bob.f2fcard"
    assert bob.run("identity", "card", "--output", str(card)).exit_code == 0
    card.write_text(card.read_text().replace("node elm", "node oak"))
    said = typed(ann, "peer", "add", str(card), "--allow", "build", "--yes", code=7)
    assert said["error"] == "RefusedError"


def test_a_log_that_somebody_changed_ends_with_11() -> None:
    """The node that runs finds another head in its log's place, the reader another hash."""
    with house() as place:
        init(place)
        with node(place):
            text = source(place, "hello")
            typed(place, "build", "toy", text, *order(1, 1), "--wait", code=8)
            head = place.log / "checkpoint"
            # Not while the node itself is about to bring the file up to date.
            size = typed(place, "status")["log_size"]
            until(lambda: head.read_text().split("\n")[1] == str(size))
            origin, _, rest = head.read_text().split("\n", 2)
            head.write_text("\n".join((origin, "7", rest)))
            assert (
                typed(place, "build", "toy", text, *order(1, 1), "--wait", code=11)["error"] == "LedgerError"
            )
            said = typed(place, "ledger", "verify", code=11)
            assert said["problems"]
