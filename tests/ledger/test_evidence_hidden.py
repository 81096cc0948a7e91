"""Evidence with a time: a result that stays hidden, and an entry that is older than a compromise."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild import limits
from f2fbuild.errors import F2FError, FormatError, LedgerError
from f2fbuild.ledger import entry, evidence
from f2fbuild.ledger.evidence.text import format_parts, parse_parts
from f2fbuild.ledger.proof import format_proof, parse_proof
from f2fbuild.ledger.tiles import decode_bundle, encode_bundle
from f2fbuild.model.envelope import seal
from f2fbuild.model.outcome import ClosingReason
from tests.ledger.evidence_people import Node, Seen
from tests.ledger.ledger_helpers import acceptance, outcome, product

LIAR, ANN, BEN, EVE = Node("A", 1), Node("B", 2), Node("C", 3), Node("D", 4)
OTHER = Node("A", 5)
"""Another node of the liar's owner."""
DEADLINE = acceptance().deadline
LATE = DEADLINE + limits.HIDDEN_GRACE_SECONDS + 1
SEEN: Seen = ((ANN, LATE), (BEN, LATE + 60))


def log(*after: entry.Payload) -> list[bytes]:
    """Seven kept promises, then one at index 22, and what comes after it."""
    entries = LIAR.built(*[product(b"%d" % number) for number in range(7)])
    return [*entries, *LIAR.write(acceptance(), *after)]


INDEX = len(log()) - 1
NOISE = entry.Order(commit="00" * 32)


@pytest.mark.parametrize("after", [(), (NOISE,), (NOISE, acceptance(), NOISE, NOISE)])
def test_a_promise_that_nothing_closed(after: tuple[entry.Payload, ...]) -> None:
    file = LIAR.hidden(INDEX, log(*after), SEEN)
    found = evidence.check(file)
    assert isinstance(found, evidence.HiddenFinding)
    assert (found.origin, found.owner, found.index) == (LIAR.origin, "A" * 40, INDEX)
    assert (found.due, found.size) == (DEADLINE, INDEX + 1 + len(after))
    assert [(one.node.owner[0], one.time) for one in found.cosigners] == [("B", LATE), ("C", LATE + 60)]
    told = evidence.tell(found)
    assert told.against == "A" * 40
    assert len(told.certificates) == 3
    assert any("seen 1970-01-2" in fact for fact in told.facts)
    assert len(file) < 20_000


@given(st.integers(1, 40), st.data())
def test_the_entries_are_those_of_the_tree_wherever_it_stands(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(1, size))
    noise = LIAR.write(NOISE) * size
    first, promise = LIAR.write(LIAR.certificate(), acceptance())
    entries = [first, *noise[: index - 1], promise, *noise[index - 1 :]]
    found = evidence.check(LIAR.hidden(index, entries, SEEN))
    assert isinstance(found, evidence.HiddenFinding)
    assert (found.index, found.size) == (index, size + 2)


CLOSED = entry.Closing(acceptance=INDEX, reason=ClosingReason.INFRA)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: LIAR.hidden(INDEX, log(NOISE, CLOSED), SEEN), "closes the acceptance"),
        (
            lambda: LIAR.hidden(INDEX, log(outcome(LIAR.origin, product(b"x"), index=INDEX)), SEEN),
            "closes the acceptance",
        ),
        (lambda: LIAR.hidden(INDEX - 1, log(), SEEN), "not an acceptance"),
        (lambda: LIAR.hidden(INDEX, log(), ((ANN, LATE), (BEN, LATE - 1))), "by 1 owners"),
        (lambda: LIAR.hidden(INDEX, log(), ((ANN, LATE), (OTHER, LATE))), "by 1 owners"),
        (lambda: LIAR.hidden(INDEX, log(), ((ANN, LATE), (Node("B", 6), LATE))), "by 1 owners"),
        (lambda: LIAR.hidden(INDEX, log(), ((ANN, LATE),)), "known kind"),
        (lambda: LIAR.hidden(INDEX, log(), ()), "known kind"),
    ],
    ids=["closed", "shown", "no promise", "too early", "own node", "one owner", "one witness", "none"],
)
def test_what_proves_no_hidden_result(make: Callable[[], bytes], why: str) -> None:
    with pytest.raises(F2FError, match=why):
        evidence.check(make())


def with_parts(file: bytes, **changes: bytes) -> bytes:
    kind, parts = parse_parts(file)
    return format_parts(kind, {**parts, **{name.replace("_", "-"): data for name, data in changes.items()}})


def test_no_entry_is_left_out_or_slipped_in() -> None:
    entries = log(NOISE, CLOSED, NOISE)
    file = LIAR.hidden(INDEX, entries, SEEN)
    span = entries[INDEX:]
    for kept in (span[:2], [*span[:2], span[3]], [span[0], *LIAR.write(NOISE, NOISE, NOISE)], []):
        with pytest.raises(F2FError, match=r"entries|make the signed root"):
            evidence.check(with_parts(file, entries=encode_bundle(kept)))
    assert decode_bundle(parse_parts(file)[1]["entries"], 4) == tuple(span)


def test_later_witnesses_than_two_and_those_whom_the_reader_does_not_believe() -> None:
    file = LIAR.hidden(INDEX, log(), (*SEEN, (EVE, LATE)))
    found = evidence.check(file)
    assert isinstance(found, evidence.HiddenFinding)
    assert len(found.cosigners) == 3
    found = evidence.check(file, vouch=lambda node: node.owner[0] != "B")
    assert isinstance(found, evidence.HiddenFinding)
    assert [one.node.owner[0] for one in found.cosigners] == ["C", "D"]
    with pytest.raises(LedgerError, match="by 1 owners"):
        evidence.check(file, vouch=lambda node: node.owner[0] in "AB")
    with pytest.raises(LedgerError, match="nobody here vouches"):
        evidence.check(file, vouch=lambda node: node.owner[0] != "A")


def test_an_embargo_is_no_hidden_result() -> None:
    late = replace(acceptance(), reveal_by=DEADLINE + 600)
    entries = LIAR.write(LIAR.certificate(), late)
    with pytest.raises(LedgerError, match="by 0 owners"):
        evidence.check(LIAR.hidden(1, entries, ((ANN, LATE), (BEN, LATE))))
    evidence.check(LIAR.hidden(1, entries, ((ANN, LATE + 600), (BEN, LATE + 600))))


def test_what_another_key_signed_closes_nothing_and_what_cannot_be_read_may_close_it() -> None:
    foreign = ANN.write(CLOSED)
    assert evidence.check(LIAR.hidden(INDEX, [*log(), *foreign, b"{}"], SEEN))
    newer = seal(
        "application/vnd.f2fbuild.closing+json", b'{"acceptance":22,"reason":"new"}', LIAR.statements
    )
    with pytest.raises(FormatError):
        evidence.check(LIAR.hidden(INDEX, [*log(), newer], SEEN))


def test_the_span_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    file = LIAR.hidden(INDEX, log(NOISE), SEEN)
    monkeypatch.setattr("f2fbuild.ledger.evidence.hidden.HIDDEN_SPAN_BYTES", 600)
    with pytest.raises(FormatError, match="more than 600 bytes"):
        evidence.check(file)
    with pytest.raises(FormatError, match="more than 600 bytes"):
        LIAR.hidden(INDEX, log(NOISE), SEEN)


def test_signatures_that_nobody_looks_at_are_refused() -> None:
    entries = log()
    nodes = [evidence.read_node(node.file()) for node in (ANN, BEN, EVE)]
    note = LIAR.head(entries)
    for node in (ANN, BEN, EVE):
        note = node.cosign(note, LATE)
    three = evidence.cosigned_proof(parse_proof(LIAR.proof(INDEX, entries, note)), LIAR.vkey, nodes)
    with pytest.raises(FormatError, match="other signatures than the 3 needed"):
        evidence.check(with_parts(LIAR.hidden(INDEX, entries, SEEN), acceptance_proof=three))
    with pytest.raises(FormatError, match="not cosigned by"):
        evidence.check(with_parts(LIAR.hidden(INDEX, entries, SEEN), witness_2=EVE.file()))


BEFORE = 1_000_000
EARLY: Seen = ((ANN, BEFORE - 1), (BEN, 600))


def test_an_entry_from_before_a_compromise() -> None:
    entries = log()
    file = LIAR.dated(3, entries, BEFORE, EARLY)
    found = evidence.check(file)
    assert isinstance(found, evidence.DatedFinding)
    assert (found.origin, found.index, found.before) == (LIAR.origin, 3, BEFORE)
    assert [one.time for one in found.cosigners] == [BEFORE - 1, 600]
    told = evidence.tell(found)
    assert told.against == ""
    assert "is older than 1970-01-12" in told.claim
    assert len(file) < 20_000


@pytest.mark.parametrize(
    "seen",
    [
        ((ANN, BEFORE), (BEN, BEFORE - 1)),
        ((OTHER, BEFORE - 1), (BEN, BEFORE - 1)),
        ((ANN, BEFORE + 1), (BEN, BEFORE + 1)),
    ],
    ids=["at that time", "own node", "after it"],
)
def test_what_may_be_backdated(seen: Seen) -> None:
    with pytest.raises(LedgerError, match="whom somebody here vouches for"):
        evidence.check(LIAR.dated(3, log(), BEFORE, seen))


def test_the_dated_entry_is_the_one_in_the_tree() -> None:
    entries = log()
    file = LIAR.dated(3, entries, BEFORE, EARLY)
    with pytest.raises(LedgerError, match="does not prove"):
        evidence.check(with_parts(file, entry=entries[4]))
    with pytest.raises(FormatError, match="one spelling"):
        evidence.check(with_parts(file, before=b"01000000"))


def test_an_index_behind_the_tree_and_an_extra_line() -> None:
    file = LIAR.hidden(INDEX, log(), SEEN)
    proof = parse_proof(parse_parts(file)[1]["acceptance-proof"])
    behind = format_proof(replace(proof, index=INDEX + 1))
    with pytest.raises(LedgerError, match="no entries"):
        evidence.check(with_parts(file, acceptance_proof=behind, entries=b""))
    extra = format_proof(replace(proof, extra=b"x"))
    with pytest.raises(FormatError, match="extra line"):
        evidence.check(with_parts(file, acceptance_proof=extra))
