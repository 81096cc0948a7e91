"""The independent reader of tlog-policies is as strict as the specification (c2sp.org/tlog-policy)."""

import pytest

from f2fbuild.ledger.cosignature import attach, cosign
from f2fbuild.ledger.note import parse_note
from f2fbuild.model.signing import SigningKey
from f2fbuild.model.vkey import KeyKind, VerifierKey, format_vkey
from tests.ledger.ledger_helpers import ALICE, BOB
from tests.policy_checker import Wrong, parse

SIGNERS = {
    name: SigningKey.from_seed(bytes([number]) * 32) for number, name in enumerate(("X1", "X2", "Y1"), 1)
}
NOTE = ALICE.head([b"one", b"two"])


def key(name: str, kind: KeyKind = KeyKind.COSIGNATURE) -> VerifierKey:
    return VerifierKey(name=f"example.org/{name}", kind=kind, public=SIGNERS[name].public)


def line(name: str) -> str:
    return f"witness {name} {format_vkey(key(name))}\n"


EXAMPLE = (
    f"# as in the specification\nlog {format_vkey(ALICE.vkey)} https://log.example.org/\n\n"
    f" \t{line('X1')}{line('X2')}group X-witnesses 2 X1 X2\n"
    f"{line('Y1')}\tgroup\tY-witnesses any Y1 \n  # the quorum\n"
    "group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n"
)


def cosigned(*names: str, note: bytes = NOTE) -> bytes:
    text = parse_note(note).text
    return attach(note, [cosign(text, key(name).name, SIGNERS[name], 1_700_000_000) for name in names])


def test_the_example_of_the_specification() -> None:
    policy = parse(EXAMPLE.encode())
    assert policy.check(cosigned("X1", "X2", "Y1")) == {b"X1", b"X2", b"Y1"}
    for too_few in (("X1", "X2"), ("X1", "Y1"), ()):
        with pytest.raises(Wrong, match="too few"):
            policy.check(cosigned(*too_few))
    with pytest.raises(Wrong, match="no log of the policy"):
        policy.check(cosigned("X1", "X2", "Y1", note=BOB.head([b"one", b"two"])))


def test_a_bad_line_of_a_known_key_refuses_the_head() -> None:
    false = cosigned("X1", "X2", "Y1", note=ALICE.head([b"three"]))
    lines = false.rpartition(b"\n\n")[2].split(b"\n", 1)[1]
    with pytest.raises(Wrong, match="does not verify"):
        parse(EXAMPLE.encode()).check(NOTE + lines)


def test_a_quorum_of_nobody_and_one_of_a_single_witness() -> None:
    log = f"log {format_vkey(ALICE.vkey)}\n"
    assert parse(f"{log}quorum none\n".encode()).check(NOTE) == set()
    one = parse(f"{log}{line('X1')}quorum X1\n".encode())
    assert one.check(cosigned("X1", "X2")) == {b"X1"}
    with pytest.raises(Wrong, match="too few"):
        one.check(cosigned("X2"))


LOG = f"log {format_vkey(ALICE.vkey)}\n"
OTHER_KIND = format_vkey(key("X1", KeyKind.ED25519))


@pytest.mark.parametrize(
    "text",
    [
        "",
        LOG,
        f"{LOG}quorum none",
        f"{LOG}{LOG}quorum none\n",
        f"{LOG}quorum none\nquorum none\n",
        f"{LOG}quorum X1\n{line('X1')}",
        f"{LOG}{line('X1')}{line('X1')}quorum X1\n",
        f"{LOG}{line('X1')}{line('X1').replace(' X1 ', ' X3 ')}quorum X1\n",
        f"{LOG}{line('X1').replace(' X1 ', ' none ')}quorum none\n",
        f"{LOG}witness X1 {OTHER_KIND}\nquorum X1\n",
        f"log {format_vkey(key('X1'))}\nquorum none\n",
        f"{LOG}group g 1 X1\n{line('X1')}quorum g\n",
        f"{LOG}{line('X1')}group g 1 X1 X1\nquorum g\n",
        f"{LOG}{line('X1')}group g 1 X1\ngroup h 1 X1\nquorum h\n",
        f"{LOG}{line('X1')}group g 1 none\nquorum g\n",
        f"{LOG}{line('X1')}group g 0 X1\nquorum g\n",
        f"{LOG}{line('X1')}group g 2 X1\nquorum g\n",
        f"{LOG}{line('X1')}group g some X1\nquorum g\n",
        f"{LOG}{line('X1')}group g any\nquorum none\n",
        f"{LOG}{line('X1')}group X1 any X1\nquorum X1\n",
        f"{LOG}quorum none\r\n",
        f"{LOG}\x00quorum none\n",
        f"{LOG}policy none\nquorum none\n",
        f"{LOG.replace('+', '+f', 1)}quorum none\n",
    ],
)
def test_what_is_no_policy(text: str) -> None:
    with pytest.raises(Wrong):
        parse(text.encode())
