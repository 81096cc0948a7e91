"""Promises that nobody kept: a finding by this node's clock, and a proof where two others have cosigned."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from f2fbuild import limits
from f2fbuild.audit.found import HIDDEN_RESULT
from f2fbuild.audit.overdue import Overdue
from f2fbuild.ledger import entry, evidence
from f2fbuild.ledger.log import Log
from f2fbuild.model.outcome import ClosingReason
from tests.audit.audit_ledgers import Library, friend_with, library
from tests.ledger.evidence_people import Node
from tests.ledger.ledger_helpers import acceptance, product

LIAR, OTHER, ANN, BEN = Node("A", 1), Node("A", 5), Node("B", 2), Node("C", 3)
DUE = acceptance().deadline + limits.HIDDEN_GRACE_SECONDS
ENTRIES = [*LIAR.built(product(b"good")), *LIAR.write(acceptance())]
INDEX = len(ENTRIES) - 1


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Library]:
    with library(tmp_path) as made:
        yield made


async def look(
    logs: Library, log: Log, *seen: tuple[Node, int], now: int = DUE + 1, owed: tuple[int, ...] = (INDEX,)
) -> None:
    known = [evidence.read_node(node.file()) for node in (LIAR, OTHER, ANN, BEN)]
    note = log.checkpoint()
    for node, time in seen:
        note = node.cosign(note, time)
    overdue = Overdue(logs.findings, lambda: known, lambda: now)
    await overdue.look(friend_with(LIAR), log, note, owed)


async def test_a_promise_is_no_finding_before_a_week_is_over(logs: Library) -> None:
    log = logs.add(LIAR, ENTRIES)
    await look(logs, log, (ANN, DUE + 1), (BEN, DUE + 1), now=DUE)
    await look(logs, log, owed=())
    assert logs.found() == []


async def test_two_witnesses_make_a_proof(logs: Library) -> None:
    log = logs.add(LIAR, ENTRIES)
    await look(logs, log, (ANN, DUE + 1), (BEN, DUE + 1))
    (found,) = logs.found()
    assert (found.kind, found.owner, found.origin) == (HIDDEN_RESULT, "A" * 40, LIAR.origin)
    assert f"accepted at {INDEX} and due 1970-01-14" in found.detail
    proved = logs.proved()
    assert isinstance(proved, evidence.HiddenFinding)
    assert (proved.index, proved.size) == (INDEX, len(ENTRIES))
    assert list(logs.findings.untold("0b" * 32)) == [found], "it is shown to friends"
    await look(logs, log, (ANN, DUE + 9), (BEN, DUE + 9))
    assert logs.found() == [found]


@pytest.mark.parametrize(
    "seen",
    [
        (),
        ((ANN, DUE + 1),),
        ((ANN, DUE + 1), (BEN, DUE)),
        ((ANN, DUE + 1), (OTHER, DUE + 1)),
    ],
    ids=["nobody", "one", "too early", "his own"],
)
async def test_what_too_few_have_seen_is_known_here_only(
    logs: Library, seen: tuple[tuple[Node, int], ...]
) -> None:
    log = logs.add(LIAR, ENTRIES)
    await look(logs, log, *seen)
    await look(logs, log, *seen)
    (found,) = logs.found()
    assert (found.kind, found.evidence) == (HIDDEN_RESULT, "")
    assert "too few have cosigned" in found.detail
    assert not logs.findings.untold("0b" * 32)
    # Proved as soon as two have seen it.
    await look(logs, log, (ANN, DUE + 1), (BEN, DUE + 1))
    assert [bool(one.evidence) for one in logs.found()] == [False, True]


async def test_a_head_that_the_copy_is_not_at_proves_nothing(logs: Library) -> None:
    log = logs.add(LIAR, ENTRIES)
    old = log.checkpoint()
    log.append(LIAR.write(entry.Closing(acceptance=INDEX, reason=ClosingReason.INFRA)))
    overdue = Overdue(logs.findings, list, lambda: DUE + 1)
    await overdue.look(friend_with(LIAR), log, old, (INDEX,))
    assert logs.found() == []


async def test_a_span_that_is_too_long_is_not_proved(logs: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    log = logs.add(LIAR, ENTRIES)
    monkeypatch.setattr("f2fbuild.audit.overdue.HIDDEN_SPAN_BYTES", 100)
    await look(logs, log, (ANN, DUE + 1), (BEN, DUE + 1))
    (found,) = logs.found()
    assert found.evidence == ""


async def test_a_liar_with_many_open_promises_costs_little(
    logs: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = [*ENTRIES, *LIAR.write(acceptance()), *LIAR.write(acceptance())]
    log = logs.add(LIAR, entries)
    monkeypatch.setattr("f2fbuild.audit.overdue.OVERDUE_LOOKED_AT", 2)
    await look(logs, log, owed=tuple(range(INDEX, len(entries))))
    assert len(logs.found()) == 2
