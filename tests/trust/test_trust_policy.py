import pytest

from f2fbuild.trust.certificates import NodeCertificate
from f2fbuild.trust.policy import Allowed, FriendState, Gate, Known, Question, Refusal, Right, decide
from f2fbuild.trust.refusals import RefusalReason, Rule
from f2fbuild.trust.snapshot import Validity
from tests.trust.trust_facts import ANN, ANNS, BOB, ME, anns, known, owner
from tests.trust.trust_people import NOW, certificate

R = RefusalReason


def reason(
    question: Question, facts: Known, one: NodeCertificate | None = ANNS, now: int = NOW
) -> RefusalReason | None:
    decision = decide(question, ANN, one, facts, now)
    return decision.reason if isinstance(decision, Refusal) else None


def test_the_answer_cites_every_rule_that_was_asked() -> None:
    assert decide(Right.SUBMIT, ANN, ANNS, known(), NOW) == Allowed(owner=ANN, rules=tuple(Rule))
    assert decide(Gate.KEY, ANN, None, known(), NOW) == Allowed(owner=ANN, rules=tuple(Rule)[:4])
    assert decide(Gate.CONNECT, ANN, ANNS, known(), NOW) == Allowed(owner=ANN, rules=tuple(Rule)[:-1])


@pytest.mark.parametrize("right", Right)
def test_nothing_is_given_by_default_and_each_right_stands_alone(right: Right) -> None:
    assert reason(right, known(rights={ANN: frozenset()})) is R.RIGHT_MISSING
    only = known(rights={ANN: frozenset({right})})
    for other in Right:
        assert reason(other, only) is (None if other is right else R.RIGHT_MISSING)
    assert reason(right, known(rights={})) is R.NOT_A_FRIEND
    assert reason(right, known(rights={BOB: frozenset(Right)})) is R.NOT_A_FRIEND


@pytest.mark.parametrize(
    ("validity", "expected"),
    [
        (Validity.REVOKED, R.OWNER_REVOKED),
        (Validity.EXPIRED, R.OWNER_EXPIRED),
        *((letter, R.OWNER_NOT_VALID) for letter in Validity if not letter.sure and letter not in "re"),
    ],
)
def test_every_question_needs_a_valid_key(validity: Validity, expected: RefusalReason) -> None:
    for question in (*Gate, *Right):
        assert reason(question, known(owner(ANN, validity))) is expected
        assert reason(question, known(owner(BOB))) is R.UNKNOWN_OWNER


def test_the_keys_own_date_counts_before_gnupg_noticed() -> None:
    assert reason(Gate.KEY, known(owner(ANN, expires=NOW + 1))) is None
    assert reason(Gate.KEY, known(owner(ANN, expires=NOW))) is R.OWNER_EXPIRED
    assert reason(Gate.KEY, known(owner(ANN, expires=None))) is None


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (FriendState.ACTIVE, None),
        (FriendState.PAUSED, R.PEER_PAUSED),
        (FriendState.REMOVED, R.PEER_REMOVED),
        (FriendState.BLOCKED, R.PEER_BLOCKED),
    ],
)
def test_the_state_of_the_friendship_decides_all_but_the_key(
    state: FriendState, expected: RefusalReason | None
) -> None:
    facts = known(states={ANN: state})
    assert reason(Gate.KEY, facts) is None
    assert reason(Gate.CONNECT, facts) is expected
    assert reason(Right.SUBMIT, facts) is expected


@pytest.mark.parametrize(
    ("one", "now", "expected"),
    [
        (None, NOW, R.CERTIFICATE_MISSING),
        (certificate(BOB), NOW, R.CERTIFICATE_OF_ANOTHER_OWNER),
        (anns(), ANNS.not_before - 1, R.CERTIFICATE_NOT_YET_VALID),
        (anns(), ANNS.not_before, None),
        (anns(until=NOW + 9), NOW + 8, None),
        (anns(until=NOW + 9), NOW + 9, R.CERTIFICATE_EXPIRED),
        (anns(epoch=1), NOW, R.CERTIFICATE_SUPERSEDED),
        (anns(epoch=2), NOW, None),
        (anns(epoch=3), NOW, None),
    ],
)
def test_certificates(one: NodeCertificate | None, now: int, expected: RefusalReason | None) -> None:
    facts = known(epochs={ANNS.node_id: 2} if one and one.epoch else {})
    assert reason(Gate.CONNECT, facts, one, now) is expected
    assert reason(Right.SUBMIT, facts, one, now) is expected


def test_a_refusal_says_which_rule_and_what_was_found() -> None:
    refusal = decide(Right.BUILD, ANN, ANNS, known(), NOW)
    assert refusal == Refusal(
        owner=ANN, reason=R.RIGHT_MISSING, rule=Rule.GIVEN, detail=f"right {Right.BUILD}"
    )
    expired = decide(Gate.KEY, ANN, None, known(owner(ANN, expires=NOW)), NOW)
    assert isinstance(expired, Refusal)
    assert expired.detail == "expiry 2026-11-25T03:47:35Z"
    unlimited = decide(Gate.KEY, ANN, None, known(owner(ANN, Validity.EXPIRED, None)), NOW)
    assert isinstance(unlimited, Refusal)
    assert unlimited.detail == "expiry never"


def test_the_owners_own_machines_connect_but_are_given_rights_like_others() -> None:
    own = certificate(ME)
    assert isinstance(decide(Gate.CONNECT, ME, own, known(rights={}), NOW), Allowed)
    assert isinstance(decide(Right.BUILD, ME, own, known(rights={}), NOW), Refusal)


def test_every_reason_explains_itself_and_says_what_to_do() -> None:
    assert len({one.word for one in R}) == len(R)
    for one in R:
        assert one.word == one.name.lower().replace("_", "-")
        assert one.text
        assert one.advice
    assert all(right.meaning for right in Right)
