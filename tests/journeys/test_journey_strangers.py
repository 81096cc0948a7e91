"""Bob reads the log of Cat, whom he does not know, as Ann keeps it: from the refusal to the proof."""

import os
import re
import subprocess  # noqa: TID251 - what a hint says is run as people run it

from tests.cli.cli_runs import Home
from tests.journeys.journey_people import friends, typed, until
from tests.node.node_house import gnupg


def follow_hint(place: Home, hint: str) -> None:
    """Run the commands of GnuPG that a hint names, in their order, and no others."""
    (place.directory / "gnupg" / "gpg.conf").write_text("batch\nyes\n")
    commands = re.findall(r"gpg (?:--quick-lsign-key|--export-options)[^()]*", hint)
    assert len(commands) == 2, hint
    for command in commands:
        subprocess.run(
            ["/bin/sh", "-c", command],
            env=os.environ | place.environment,
            capture_output=True,
            check=True,
        )


def test_a_log_of_no_friend_is_read_once_its_owner_is_vouched_for() -> None:
    with friends("Ann", "Bob", "Cat") as (ann, bob, cat):
        status = typed(cat, "status")
        origin, owner = status["origin"], status["owner"]
        digits = origin.rpartition("/")[2]
        until(lambda: typed(ann, "peer", "show", "cat")["log_size"])
        # Until Ann has told of it nobody has; then the way in is said.
        until(lambda: bob.run("ledger", "log", digits[:12], "--json").exit_code == 7)
        refused = typed(bob, "ledger", "log", digits[:12], code=7)
        assert owner in refused["what"]
        assert "not known here" in refused["what"]
        gnupg(bob).add(gnupg(cat).export(owner))
        follow_hint(bob, refused["hint"])
        assert typed(bob, "ledger", "show", "0", "--log", origin)["kind"] == "node-certificate"
        assert typed(bob, "ledger", "log", digits[:12])["origin"] == origin
        assert typed(bob, "ledger", "proof", "write", "0", "--log", digits)["origin"] == origin
        assert typed(bob, "ledger", "verify", digits)["problems"] == []
        (audited,) = typed(bob, "ledger", "audit", digits)["logs"]
        assert [one["standing"] for one in audited["certificates"]] == ["good"]
        head = bob.run("ledger", "checkpoint", digits[:8])
        assert head.exit_code == 0
        assert head.stdout.startswith(f"{origin}\n1\n")
        # He is no friend by that, and without a start of its origin the log has its node's name.
        assert [one["alias"] for one in typed(bob, "peer", "list")["peers"]] == ["ann"]
        assert typed(bob, "ledger", "verify")["problems"] == []
