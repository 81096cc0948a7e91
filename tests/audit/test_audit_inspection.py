"""What followed logs say together: contradictions and divergences, whoever ordered the builds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from f2fbuild.audit.found import CONTRADICTION, DIVERGENCE
from f2fbuild.ledger import entry, evidence
from f2fbuild.model import statement
from f2fbuild.model.digest import sha256_hex
from f2fbuild.model.outcome import Product, Succeeded
from tests.audit.audit_ledgers import Library, library
from tests.ledger.evidence_people import Node
from tests.ledger.ledger_helpers import DEFINITION, SOME, failure, product

GOOD, EVIL = product(b"good"), product(b"evil")
ELM, OAK, ASH, FIR = Node("A", 1), Node("A", 2), Node("B", 3), Node("C", 4)


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Library]:
    with library(tmp_path) as made:
        yield made


def test_results_that_agree_are_no_finding(logs: Library) -> None:
    for node in (ELM, OAK, ASH):
        logs.follow(node, node.built(GOOD, GOOD))
    assert logs.found() == []


def test_two_nodes_of_one_owner_that_differ(logs: Library) -> None:
    logs.follow(ELM, ELM.built(GOOD))
    logs.follow(OAK, OAK.built(EVIL))
    (found,) = logs.found()
    assert (found.kind, found.owner) == (CONTRADICTION, "A" * 40)
    proved = logs.proved()
    assert isinstance(proved, evidence.ContradictionFinding)
    assert set(proved.origins) == {ELM.origin, OAK.origin}


def test_one_log_that_says_two_things(logs: Library) -> None:
    logs.follow(ASH, ASH.built(GOOD, GOOD, failure()))
    (found,) = logs.found()
    assert (found.kind, found.owner, found.origin) == (CONTRADICTION, "B" * 40, ASH.origin)
    assert isinstance(logs.proved(), evidence.ContradictionFinding)


def test_two_owners_that_differ_accuse_nobody(logs: Library) -> None:
    logs.follow(ASH, ASH.built(GOOD))
    logs.follow(FIR, FIR.built(EVIL))
    (found,) = logs.found()
    assert (found.kind, found.owner, found.node) == (DIVERGENCE, "", "")
    proved = logs.proved()
    assert isinstance(proved, evidence.DivergenceFinding)
    assert set(proved.origins) == {ASH.origin, FIR.origin}


def test_a_third_owner_beside_one_who_contradicts_himself(logs: Library) -> None:
    logs.follow(ELM, ELM.built(GOOD, EVIL))
    logs.follow(ASH, ASH.built(GOOD))
    assert [one.kind for one in logs.found()] == [CONTRADICTION, DIVERGENCE]
    proved = logs.proved(1)
    assert isinstance(proved, evidence.DivergenceFinding)
    assert len(set(proved.origins)) == 2


def test_what_was_ordered_here_is_for_its_own_verdict(logs: Library) -> None:
    logs.ordered.add(DEFINITION.build_key)
    logs.follow(ASH, ASH.built(GOOD))
    logs.follow(FIR, FIR.built(EVIL))
    assert logs.found() == []
    logs.follow(ELM, ELM.built(GOOD, EVIL))
    assert [one.kind for one in logs.found()] == [CONTRADICTION]


def test_everything_is_found_once_however_often_it_is_read(logs: Library) -> None:
    mine, theirs = ASH.built(GOOD, EVIL), FIR.built(EVIL)
    logs.follow(ASH, mine)
    logs.follow(FIR, theirs)
    before = logs.found()
    assert len(before) == 2
    for _ in range(2):
        logs.take(ASH, mine)
        logs.take(FIR, theirs)
    # Grown: the proofs would be others now, and the findings are the same.
    more = ASH.write(entry.Order(commit="00" * 32))
    logs.logs[next(iter(logs.logs))].append(more)
    logs.take(ASH, [*mine, *more])
    assert logs.found() == before


def test_what_a_crash_left_uncompared_is_compared_when_it_is_read_again(logs: Library) -> None:
    mine = ASH.built(GOOD, EVIL)
    # The rows were written, but the log is not here yet: nothing can be proved, as after a crash.
    logs.take(ASH, mine)
    assert logs.found() == []
    logs.follow(ASH, mine)
    assert [one.kind for one in logs.found()] == [CONTRADICTION]


def test_a_log_is_read_in_parts(logs: Library) -> None:
    mine = ASH.built(GOOD, EVIL)
    logs.add(ASH, mine)
    logs.take(ASH, mine[:4])
    assert logs.found() == []
    logs.take(ASH, mine, start=4)
    assert len(logs.found()) == 1


def many(salt: str) -> Succeeded:
    digest = SOME[: -len(salt)] + salt
    rpms = (
        Product(kind="rpm", name=f"p{n}.rpm", size=1, sha256=digest, canonical=digest) for n in range(400)
    )
    return Succeeded(products=tuple(rpms))


def built_much(node: Node, result: Succeeded) -> tuple[list[bytes], bytes]:
    """A log with one result whose list of products is a blob."""
    entries = node.built(GOOD)
    made = statement.encode(
        statement.BuildStatement(
            definition=DEFINITION,
            result=result,
            origin=node.origin,
            job_id=SOME,
            acceptance=1,
            nonce="ab" * 32,
            started=600,
            finished=1200,
            log=SOME,
            details=SOME,
        )
    )
    assert made.products
    return [*entries[:3], *node.write(entry.Outcome(statement=made.payload))], made.products


def test_long_lists_are_compared_where_the_blobs_are_here(logs: Library) -> None:
    mine, my_list = built_much(ASH, many("00"))
    theirs, their_list = built_much(FIR, many("01"))
    logs.follow(ASH, mine)
    logs.follow(FIR, theirs)
    assert logs.found() == []
    for blob in (my_list, their_list):
        logs.lists[sha256_hex(blob)] = blob
    logs.take(ASH, mine)
    logs.take(FIR, theirs)
    assert [one.kind for one in logs.found()] == [DIVERGENCE]
    assert isinstance(logs.proved(), evidence.DivergenceFinding)
