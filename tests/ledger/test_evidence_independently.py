"""Evidence as a program reads it that shares no code with this one: both take the same files, no others."""

import itertools
import struct
import subprocess  # noqa: TID251 - the checker is run as an auditor runs it
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from f2fbuild.errors import F2FError, FormatError, LedgerError
from f2fbuild.ledger import evidence
from f2fbuild.ledger.evidence.text import format_parts, parse_parts
from f2fbuild.ledger.note import parse_note
from f2fbuild.ledger.proof import parse_proof
from f2fbuild.limits import ENVELOPE_BYTES
from f2fbuild.model import statement
from f2fbuild.model.envelope import unseal
from f2fbuild.model.outcome import Product, Succeeded
from f2fbuild.model.vkey import format_vkey
from tests import checker, evidence_checker
from tests.ledger.evidence_people import Node
from tests.ledger.ledger_helpers import SOME, failure, naive_consistency, naive_root, product
from tests.ledger.test_evidence_contradiction import ELM, OAK, contradiction, other_log
from tests.ledger.test_evidence_framing import forgeries, recombined
from tests.ledger.test_evidence_hidden import (
    ANN,
    BEFORE,
    BEN,
    EARLY,
    EVE,
    INDEX,
    LATE,
    LIAR,
    NOISE,
    SEEN,
    log,
)

LONG, SHORT = LIAR.built(product(b"a"), product(b"b")), LIAR.built(product(b"c"))


def forked(size: int, entries: list[bytes]) -> bytes:
    """Two heads, the smaller one of another history."""
    old, new = LIAR.head(SHORT[:size]), LIAR.head(entries)
    if size == len(entries):
        return evidence.format_equivocation(format_vkey(LIAR.vkey), old, new)
    hashes = naive_root(entries[:size]), tuple(naive_consistency(size, entries))
    return evidence.format_equivocation(format_vkey(LIAR.vkey), old, new, *hashes)


def divergence(one: Node, other: Node) -> bytes:
    sides = one.side(one.built(product(b"x"))), other.side(other.built(failure()))
    return evidence.format_divergence(sides)


GOOD: dict[str, bytes] = {
    "one size": forked(4, LONG[:4]),
    "two sizes": forked(4, LONG),
    "two sizes, odd": forked(4, LONG[:5]),
    "divergence": divergence(LIAR, ANN),
    "contradiction": contradiction(ELM.side(ELM.built(product(b"x"))), OAK.side(OAK.built(failure()))),
    "epochs": evidence.format_repeated_epoch((ELM.file(), other_log(ELM.file()))),
    "hidden": LIAR.hidden(INDEX, log(NOISE, NOISE), SEEN),
    "hidden, three witnesses": LIAR.hidden(INDEX, log(), (*SEEN, (EVE, LATE))),
    "dated": LIAR.dated(3, log(), BEFORE, EARLY),
}
NONSENSE = (
    checker.Wrong,
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    AttributeError,
    UnboundLocalError,
    struct.error,
)


def ours(file: bytes) -> tuple[str, tuple[str, ...]] | None:
    try:
        told = evidence.tell(evidence.check(file))
    except F2FError:
        return None
    return told.against, told.origins


def theirs(file: bytes) -> tuple[str, tuple[str, ...]] | None:
    try:
        proved = evidence_checker.check(file)
    except NONSENSE:
        return None
    return proved.against, proved.origins


@pytest.mark.parametrize("name", GOOD)
def test_both_find_the_same_proved(name: str) -> None:
    assert ours(GOOD[name]) == theirs(GOOD[name]) is not None


@pytest.mark.parametrize("name", GOOD)
def test_every_kind_is_among_them_and_parts_have_one_order(name: str) -> None:
    assert {evidence.kind_of(file) for file in GOOD.values()} == set(evidence.KINDS)
    kind, parts = parse_parts(GOOD[name])
    for one, other in itertools.pairwise(parts):
        swapped = [{one: other, other: one}.get(part, part) for part in parts]
        file = format_parts(kind, {part: parts[part] for part in swapped})
        assert (ours(file), theirs(file)) == (None, None), (one, other)


@pytest.mark.parametrize("name", GOOD)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_of_every_changed_byte_both_say_the_same(name: str, data: st.DataObject) -> None:
    file = GOOD[name]
    at = data.draw(st.integers(0, len(file) - 1))
    changed = file[:at] + bytes([file[at] ^ 1 << data.draw(st.integers(0, 7))]) + file[at + 1 :]
    assert ours(changed) == theirs(changed)


@settings(deadline=None, max_examples=150)
@given(forgeries() | recombined())
def test_of_everything_that_an_adversary_makes_both_say_the_same(file: bytes) -> None:
    assert ours(file) == theirs(file)


def test_a_witness_that_is_named_twice_makes_no_room_for_a_line_that_nobody_verifies() -> None:
    entries = log()
    stranger = Node("E", 9)
    note = LIAR.head(entries)
    for node in (ANN, BEN, stranger):
        note = node.cosign(note, LATE)
    nodes = [evidence.read_node(node.file()) for node in (ANN, BEN, stranger)]
    proof = evidence.cosigned_proof(parse_proof(LIAR.proof(INDEX, entries, note)), LIAR.vkey, nodes)
    assert len(parse_note(parse_proof(proof).checkpoint).signatures) == 4
    kind, parts = parse_parts(LIAR.hidden(INDEX, entries, SEEN))
    more = {
        "acceptance-proof": proof,
        "witness-1": ANN.file(),
        "witness-2": ANN.file(),
        "witness-3": BEN.file(),
    }
    file = format_parts(kind, {**parts, **more})
    with pytest.raises(FormatError, match="twice"):
        evidence.check(file)
    assert theirs(file) is None


def very_many(count: int, last: str) -> Succeeded:
    """So many products, the last of which differs from result to result."""
    names = [f"file-{number:05}" for number in range(count)]
    made = [Product(kind="file", name=name, size=1, sha256=SOME, canonical=SOME) for name in names[:-1]]
    digest = last * 64
    return Succeeded(
        products=(*made, Product(kind="file", name=names[-1], size=1, sha256=digest, canonical=digest))
    )


def side_of_many(node: Node, result: Succeeded) -> evidence.Side:
    """The result in a real log, with the blob that its one subject names."""
    entries = node.built(result)
    assert max(map(len, entries)) <= ENVELOPE_BYTES
    assert statement.decode(unseal(entries[3]).payload, blob_of(result)).result == result
    return replace(node.side(entries), products=blob_of(result))


def blob_of(result: Succeeded) -> bytes:
    """The list as the page has it: canonical JSON of all subjects."""
    subjects = [
        {
            "annotations": {"kind": one.kind, "size": one.size},
            "digest": {"sha256": one.sha256},
            "name": one.name,
        }
        for one in result.products
    ]
    return checker.canonical(subjects)


def test_outcomes_with_40000_products_contradict_for_both() -> None:
    a, b = (side_of_many(node, very_many(40_000, last)) for node, last in ((ELM, "a"), (OAK, "b")))
    file = contradiction(a, b)
    assert ours(file) == theirs(file) is not None
    for products in (b"", b.products, a.products[:-1]):
        spoilt = contradiction(replace(a, products=products), b)
        assert (ours(spoilt), theirs(spoilt)) == (None, None)


def test_it_runs_on_its_own(tmp_path: Path) -> None:
    """As an auditor without f2fbuild would run it: standard library and PyNaCl, two files."""
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_bytes(GOOD["hidden"])
    bad.write_bytes(LIAR.hidden(INDEX, log(), ((ANN, LATE), (BEN, LATE - 1))))
    for path, code, word in ((good, 0, "ok    hidden-result against AAAA"), (bad, 1, "WRONG")):
        command = [sys.executable, evidence_checker.__file__, str(path)]
        run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert (run.returncode, run.stdout[: len(word)], run.stderr) == (code, word, "")


def test_more_parts_than_any_kind_has_are_not_looked_at() -> None:
    file = format_parts("equivocation", {f"part-{number}": b"x" for number in range(17)})
    assert theirs(file) is None
    with pytest.raises(FormatError, match="more than 16 parts"):
        evidence.check(file)


def test_a_certificate_binds_no_other_log_than_it_names() -> None:
    """Entry 0 of a log of his own, in which somebody put the certificate of another epoch's log."""
    moved = Node("A", 1)
    moved.log = Node("A", 1, epoch=1).log
    entries = ELM.built(product(b"x"))
    file = contradiction(ELM.side(ELM.built(failure())), moved.side(entries))
    assert theirs(file) is None
    with pytest.raises(LedgerError, match="of another log"):
        evidence.check(file)
