from f2fbuild.trust.explanation import Change, NotConsidered, explain
from f2fbuild.trust.policy import Allowed, Gate, Refusal, Right, decide
from f2fbuild.trust.refusals import RefusalReason
from f2fbuild.trust.snapshot import Validity
from tests.trust.trust_facts import ANN, ANNS, BOB, EVE, ME, certification, known, owner
from tests.trust.trust_people import NOW, YEAR


def test_it_says_what_decide_says() -> None:
    facts = known()
    told = explain(ANN, ANNS, facts, NOW)
    assert [answer.question for answer in told.answers] == [*Gate, *Right]
    for answer in told.answers:
        assert answer.decision == decide(answer.question, ANN, ANNS, facts, NOW)
    answers = {answer.question: answer.decision for answer in told.answers}
    assert isinstance(answers[Right.SUBMIT], Allowed)
    assert isinstance(answers[Right.BUILD], Refusal)
    assert told.key == facts.snapshot.owners[ANN]


def test_paths_changes_and_what_does_not_count() -> None:
    direct = certification(ME, ANN, expires=NOW + 5)
    first, second = certification(ME, BOB), certification(BOB, ANN)
    stale, revoked = certification(EVE, ANN), certification(ME, ANN, expires=NOW - 1)
    facts = known(
        owner(ANN, expires=NOW + 30),
        owner(BOB, Validity.MARGINAL, expires=NOW + 20),
        owner(EVE, Validity.REVOKED),
        certifications=(direct, first, second, stale),
    )
    told = explain(ANN, ANNS, facts, NOW)
    assert [[step.certification for step in path] for path in told.paths] == [[direct], [first, second]]
    assert [step.validity for step in told.paths[1]] == [Validity.MARGINAL, Validity.FULL]
    assert told.changes == (
        Change(what=f"the certification of {ANN} expires", owner=ME, when=NOW + 5),
        Change(what="the key expires", owner=BOB, when=NOW + 20),
        Change(what="the key expires", owner=ANN, when=NOW + 30),
        Change(what="the certificate expires", owner=ANN, when=NOW + YEAR),
    )
    assert told.not_considered == (NotConsidered(certification=stale, why="the certifier's key is revoked"),)
    expired = known(owner(ANN), owner(BOB, expires=NOW), certifications=(revoked, second))
    assert [one.why for one in explain(ANN, None, expired, NOW).not_considered] == [
        "the certification has expired",
        "the certifier's key has expired",
    ]


def test_an_unknown_owner_and_an_expired_certificate() -> None:
    told = explain(EVE, None, known(), NOW)
    assert (told.key, told.paths, told.changes, told.not_considered) == (None, (), (), ())
    assert all(
        isinstance(answer.decision, Refusal) and answer.decision.reason is RefusalReason.UNKNOWN_OWNER
        for answer in told.answers
    )
    late = explain(ANN, ANNS, known(owner(ANN, expires=None)), ANNS.not_after)
    assert late.changes == ()
