"""Two checkers, ours and the independent one, on real logs: both accept the good and find every damage."""

import json
import random
import re
import shutil
import subprocess  # noqa: TID251 - the checker is a program of its own
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from f2fbuild.errors import F2FError, LedgerError
from f2fbuild.ledger import check, entry
from f2fbuild.ledger.check import Problem, verify
from f2fbuild.ledger.entry import Kind
from f2fbuild.ledger.log import Log
from f2fbuild.model.outcome import ClosingReason
from f2fbuild.model.vkey import format_vkey
from tests.checker import Wrong, check_seen_heads
from tests.ledger.ledger_helpers import (
    ALICE,
    BOB,
    SOME,
    NodeKeys,
    acceptance,
    audit_result,
    commitment,
    failure,
    order_entry,
    outcome,
    product,
    verdict_summary,
)
from tests.ledger.ledger_story import EVERY_KIND, SEEN_BLOB, SEEN_HEADS, revocation

CHECKER = Path(__file__).parent.parent / "checker.py"


def history(node: NodeKeys, builds: int) -> list[entry.Payload]:
    """A certificate, then `builds` jobs of three entries each, and one acceptance still open."""
    payloads: list[entry.Payload] = [node.certificate()]
    for number in range(builds):
        index = len(payloads)
        payloads.append(acceptance())
        if number % 3 == 2:
            payloads.append(entry.Closing(acceptance=index, reason=ClosingReason.INFRA))
            continue
        result = product(b"%d" % number) if number % 3 else failure()
        payloads.append(commitment(node, acceptance(), index, result))
        payloads.append(outcome(node.origin, result, index))
    return [*payloads, acceptance()]


def write_log(place: Path, node: NodeKeys, entries: list[bytes]) -> Path:
    with Log.create(place, node.log) as log:
        for at in range(0, len(entries), 100):
            log.append(entries[at : at + 100])
    return place


def run_checker(tmp_path: Path, node: NodeKeys, *places: Path) -> subprocess.CompletedProcess[str]:
    names = {"origin": node.origin, "vkey": format_vkey(node.vkey)}
    key = node.statements.public.hex()
    logs = [{**names, "statement_key": key, "path": str(place)} for place in places]
    (tmp_path / "demo.json").write_text(json.dumps({"logs": logs}))
    command = [sys.executable, str(CHECKER), str(tmp_path / "demo.json")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("builds", [0, 1, 100])
def test_a_good_log_passes_both(tmp_path: Path, builds: int) -> None:
    payloads = history(ALICE, builds)
    place = write_log(tmp_path / "log", ALICE, ALICE.write(*payloads))
    report = verify(place, ALICE.vkey)
    assert report.problems == ()
    assert report.open == (len(payloads) - 1,)
    assert sum(report.kinds.values()) == len(payloads)
    assert report.kinds[Kind.ACCEPTANCE] == builds + 1
    run = run_checker(tmp_path, ALICE, place)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == f"ok    {ALICE.origin}: {len(payloads)} entries\n"


def test_an_empty_log_passes_both(tmp_path: Path) -> None:
    place = write_log(tmp_path / "log", ALICE, [])
    assert verify(place, ALICE.vkey).problems == ()
    assert run_checker(tmp_path, ALICE, place).returncode == 0


def test_every_damaged_file_is_found_by_both(tmp_path: Path) -> None:
    """In each file in turn: a flipped bit (places by a fixed seed), a byte less, a byte more, no file."""
    place = write_log(tmp_path / "log", ALICE, ALICE.write(*history(ALICE, 100)))
    draw = random.Random(1)
    names = sorted(path.relative_to(place) for path in place.rglob("*") if path.is_file())
    assert len(names) == 6
    ruins: list[Path] = []
    for name in names:
        good = (place / name).read_bytes()
        for bad in (flip(good, draw), flip(good, draw), good[:-1], good + b"\n", None):
            ruin = tmp_path / f"ruin-{len(ruins)}"
            shutil.copytree(place, ruin)
            (ruin / name).unlink()
            if bad is not None:
                (ruin / name).write_bytes(bad)
            assert not passes(ruin), name
            ruins.append(ruin)
    run = run_checker(tmp_path, ALICE, *ruins, place)
    verdicts = [line.split()[0] for line in run.stdout.splitlines()]
    assert verdicts == ["WRONG"] * len(ruins) + ["ok"]
    assert run.returncode == 1


def flip(data: bytes, draw: random.Random) -> bytes:
    flipped = bytearray(data)
    flipped[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(flipped)


def passes(place: Path) -> bool:
    try:
        return not verify(place, ALICE.vkey).problems
    except F2FError:
        return False


def foreign_entry() -> list[bytes]:
    return [*ALICE.write(ALICE.certificate()), *BOB.write(acceptance())]


def no_certificate() -> list[bytes]:
    return ALICE.write(acceptance(), acceptance())


def stolen_certificate() -> list[bytes]:
    return ALICE.write(BOB.certificate())


def another_log() -> list[bytes]:
    text = ALICE.certificate().text.replace(format_vkey(ALICE.vkey).encode(), format_vkey(BOB.vkey).encode())
    return ALICE.write(entry.NodeCertificate(text=text))


def signed_by_another() -> list[bytes]:
    return BOB.write(ALICE.certificate())


def no_envelope() -> list[bytes]:
    return [*ALICE.write(ALICE.certificate()), b"{}"]


@pytest.mark.parametrize(
    ("make", "where"),
    [
        (foreign_entry, "entry 1"),
        (no_certificate, "entry 0"),
        (stolen_certificate, "entry 0"),
        (another_log, "entry 0"),
        (signed_by_another, "entry 0"),
        (no_envelope, "entry 1"),
    ],
)
def test_well_kept_logs_with_bad_entries(tmp_path: Path, make: Callable[[], list[bytes]], where: str) -> None:
    """The log's key signed a sound tree over entries that its node never could have written."""
    place = write_log(tmp_path / "log", ALICE, make())
    assert [problem.where for problem in verify(place, ALICE.vkey).problems] == [where]
    run = run_checker(tmp_path, ALICE, place)
    assert run.returncode == 1
    assert run.stdout.startswith(f"WRONG {ALICE.origin}: {where}")


def test_a_root_that_the_log_signed_over_other_entries(tmp_path: Path) -> None:
    place = write_log(tmp_path / "log", ALICE, ALICE.write(ALICE.certificate(), acceptance()))
    (place / "checkpoint").write_bytes(ALICE.head([b"a", b"b"]))
    assert [problem.where for problem in verify(place, ALICE.vkey).problems] == ["checkpoint"]
    assert "signed root" in run_checker(tmp_path, ALICE, place).stdout


def test_broken_promises_are_reported(tmp_path: Path) -> None:
    closing = entry.Closing(acceptance=5, reason=ClosingReason.INFRA)
    place = write_log(tmp_path / "log", ALICE, ALICE.write(ALICE.certificate(), closing))
    (problem,) = verify(place, ALICE.vkey).problems
    assert problem == Problem(where="entry 1", what="closes no open acceptance (5)")


def test_problems_are_bounded(tmp_path: Path) -> None:
    place = write_log(tmp_path / "log", ALICE, [*ALICE.write(ALICE.certificate()), *[b"x"] * 700])
    assert len(verify(place, ALICE.vkey).problems) == 100


def test_no_log_and_another_key(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="no log here"):
        verify(tmp_path, ALICE.vkey)
    place = write_log(tmp_path / "log", ALICE, [])
    with pytest.raises(F2FError, match="known key"):
        verify(place, BOB.vkey)
    assert run_checker(tmp_path, BOB, place).returncode == 1


def test_a_log_may_grow_while_it_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The node moves its head between the checker's reads: it reads again instead of crying wolf."""
    place = write_log(tmp_path / "log", ALICE, ALICE.write(ALICE.certificate()))
    log, moves = Log.open(place, ALICE.log), [acceptance(), acceptance()]
    read_checkpoint = check._read_checkpoint

    def move_after_reading(directory: Path) -> bytes:
        note = read_checkpoint(directory)
        if moves:
            log.append(ALICE.write(moves.pop()))
            log.publish()
        return note

    monkeypatch.setattr(check, "_read_checkpoint", move_after_reading)
    report = verify(place, ALICE.vkey)
    assert report.problems == ()
    assert report.head.size == 3
    log.close()


START = EVERY_KIND[:1]
OPEN = [*START, acceptance()]


def checked(tmp_path: Path, payloads: list[entry.Payload]) -> tuple[list[Problem], str]:
    """Return what our checker finds, and what the independent one says."""
    place = write_log(tmp_path / "log", ALICE, ALICE.write(*payloads))
    return list(verify(place, ALICE.vkey).problems), run_checker(tmp_path, ALICE, place).stdout


def test_a_log_with_every_kind_passes_both(tmp_path: Path) -> None:
    assert {entry.decode(*entry.encode(one)).kind for one in EVERY_KIND} == set(Kind)
    problems, said = checked(tmp_path, EVERY_KIND)
    assert problems == []
    assert said.startswith("ok ")


@pytest.mark.parametrize(
    ("payloads", "words"),
    [
        ([*START, verdict_summary(ALICE.origin, 1)], "opens no earlier entry"),
        ([*START, verdict_summary(ALICE.origin, 0)], "opens another order, or none"),
        ([*START, order_entry(), verdict_summary(ALICE.origin, salt=bytes(32))], "opens another order"),
        ([*START, order_entry(), verdict_summary(BOB.origin)], "speaks for another log"),
        ([*START, audit_result(BOB.origin)], "speaks for another log"),
        ([*OPEN, *[entry.Commitment(acceptance=1, digest=SOME)] * 2], "of no open acceptance, or again"),
        ([*OPEN, outcome(ALICE.origin, failure())], "not committed to"),
        (
            [*OPEN, commitment(ALICE, acceptance(), 1, failure()), outcome(BOB.origin, failure())],
            "speaks for another log",
        ),
        (
            [*OPEN, commitment(ALICE, acceptance(), 1, product(b"other")), outcome(ALICE.origin, failure())],
            "entry 3: not what was committed to",
        ),
        ([*START, entry.Closing(acceptance=0, reason=ClosingReason.INFRA)], "of nothing open"),
        (
            [*START, revocation(0), acceptance()],
            "behind the last revocation",
        ),
        (
            [*START, revocation(1)],
            "nothing that held",
        ),
        (
            [
                *START,
                entry.ModeChange(
                    old=entry.Mode.CAUTIOUS, new=entry.Mode.DISTRIBUTED, forced=False, reason=SOME
                ),
            ],
            "not from the mode that was",
        ),
        ([*START, BOB.certificate()], "certificate of another log"),
    ],
)
def test_what_breaks_the_rules_is_found_by_both(
    tmp_path: Path, payloads: list[entry.Payload], words: str
) -> None:
    problems, said = checked(tmp_path, payloads)
    assert problems
    assert said.startswith("WRONG")
    assert re.search(words, said)


def test_a_false_opening_is_named_wherever_it_stands(tmp_path: Path) -> None:
    """Its acceptance may be bundles away, and in what another process has checked."""
    result, shown = product(b"found"), product(b"shown")
    early: list[entry.Payload] = [
        ALICE.certificate(),
        acceptance(),
        commitment(ALICE, acceptance(), 1, result),
    ]
    late: list[entry.Payload] = [outcome(ALICE.origin, shown), acceptance(), acceptance()]
    fill: list[entry.Payload] = [entry.Unknown(payload_type="text/plain", payload=b"x")] * 5_000
    problems, said = checked(tmp_path, [*early, *fill, *late])
    assert problems == [Problem(where="entry 5003", what="shows another result than was committed to (1)")]
    assert said.startswith("WRONG")
    honest = [*early, *fill, outcome(ALICE.origin, result), *late[1:]]
    assert (
        list(verify(write_log(tmp_path / "honest", ALICE, ALICE.write(*honest)), ALICE.vkey).problems) == []
    )


def test_the_independent_checker_opens_seen_heads() -> None:
    payload = {"heads": SEEN_HEADS.heads}
    assert check_seen_heads(payload, SEEN_BLOB) == [{"origin": BOB.origin, "root": "00" * 32, "size": 3}]
    with pytest.raises(Wrong, match="another list"):
        check_seen_heads(payload, SEEN_BLOB.replace(b'"size":3', b'"size":4'))
