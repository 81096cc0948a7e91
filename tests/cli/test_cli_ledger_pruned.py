"""`ledger verify` of a copy whose old entries were pruned: the tree is whole, and what is gone is named."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from f2fbuild.ledger.log import Log
from f2fbuild.ledger.mirror import Mirror
from f2fbuild.model.vkey import format_vkey
from tests.cli.cli_runs import Home, home, records
from tests.ledger.ledger_helpers import ALICE, order_entry
from tests.ledger.test_ledger_mirror import serve

SIZE = 1100
"""Four whole bundles and an unfinished one."""


@pytest.fixture
def place() -> Iterator[Home]:
    with home() as found:
        yield found


@pytest.fixture
def pruned(tmp_path: Path) -> Path:
    with Log.create(tmp_path / "log", ALICE.log) as log:
        log.append(ALICE.write(ALICE.certificate(), *[order_entry()] * (SIZE - 1)))
        mirror = Mirror.open(tmp_path / "mirror", ALICE.vkey)
        trio.run(mirror.update, log.checkpoint(), serve(log))
        assert mirror.prune() == 3
        mirror.close()
    return tmp_path / "mirror"


def verify(place: Home, directory: Path, *options: str) -> tuple[int, str]:
    said = place.run("ledger", "verify", str(directory), "--vkey", format_vkey(ALICE.vkey), *options)
    return said.exit_code, said.stdout


def test_a_pruned_copy_is_in_order_and_says_what_is_gone(place: Home, pruned: Path) -> None:
    code, said = verify(place, pruned)
    assert code == 0, said
    assert f"{SIZE} entries" in said
    assert "entries 256 to 1023 are pruned: their hashes are here, not what they say" in said
    code, said = verify(place, pruned, "--json")
    (report,) = records(said)
    assert (code, report["size"], report["pruned"], report["problems"]) == (0, SIZE, 768, [])


@pytest.mark.parametrize(
    ("name", "named"),
    # The entries below the first are gone: it is the tile above that no longer follows from it.
    [("tile/0/002", "tile/1/000"), ("tile/entries/000", "tile/entries/000")],
)
def test_damage_is_found_in_what_is_left(place: Home, pruned: Path, name: str, named: str) -> None:
    data = bytearray((pruned / name).read_bytes())
    data[100] ^= 1
    (pruned / name).write_bytes(data)
    code, said = verify(place, pruned)
    assert code == 11
    assert named in said


def test_a_bundle_that_is_missing_and_was_not_pruned_is_damage(place: Home, pruned: Path) -> None:
    (pruned / "tile/entries/000").unlink()
    code, said = verify(place, pruned)
    assert code == 11
    assert "tile/entries/000" in said
