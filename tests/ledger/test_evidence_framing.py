"""An honest log cannot be framed, whatever is made of what it signed; and no byte of evidence is idle.

The adversary has keys and certificates of his own, names the honest owner in them, and has everything that
the honest log, its owner and its witnesses ever published. He puts evidence of every kind together from all
of this, and spoils it.
"""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from f2fbuild import limits
from f2fbuild.errors import F2FError
from f2fbuild.ledger import entry, evidence
from f2fbuild.ledger.checkpoint import Checkpoint, sign_checkpoint
from f2fbuild.ledger.evidence.bound import SIDE_PARTS
from f2fbuild.ledger.evidence.text import format_parts, parse_parts
from f2fbuild.ledger.note import parse_note
from f2fbuild.ledger.proof import parse_proof
from f2fbuild.ledger.tiles import encode_bundle
from f2fbuild.model.encoding import encode_base64
from f2fbuild.model.outcome import ClosingReason
from f2fbuild.model.vkey import format_vkey
from tests.ledger.evidence_people import SIGNED, Node
from tests.ledger.ledger_helpers import (
    acceptance,
    naive_consistency,
    naive_root,
    outcome,
    product,
)
from tests.ledger.test_evidence_contradiction import other_log

HONEST, RENEWED, ANN, BEN = Node("A", 1), Node("A", 1, epoch=1), Node("B", 2), Node("C", 3)
FORGED = b"-----BEGIN PGP SIGNATURE-----\n\nby nobody\n-----END PGP SIGNATURE-----\n"
ZED, HIS_FRIEND = Node("A", 90, signature=FORGED), Node("F", 91, signature=FORGED)
"""The adversary's node, whose certificate names the honest owner, and one for another made-up owner."""
GENUINE = frozenset(node.file() for node in (HONEST, RENEWED, ANN, BEN))

LATE = acceptance().deadline + limits.HIDDEN_GRACE_SECONDS + 1
LOG = HONEST.built(product(b"good"), product(b"good"))
LOG += HONEST.write(
    acceptance(),
    entry.Order(commit="11" * 32),
    entry.Closing(acceptance=len(LOG), reason=ClosingReason.INFRA),
    acceptance(),
)
"""The honest log: kept promises, one closed late, one open and seen as open before it is long overdue."""
HIS = ZED.built(product(b"evil"), product(b"good"))
TAMPERED = [*LOG[:3], HIS[3], *LOG[4:]]


def vouch(node: evidence.OwnedNode) -> bool:
    """What GnuPG says to a reader who knows the honest owners: only what they signed is good."""
    return node.file in GENUINE


def accused(found: evidence.Finding) -> set[str]:
    """Whom a finding names as guilty."""
    match found:
        case evidence.EquivocationFinding(origin=origin):
            return {origin}
        case evidence.ContradictionFinding(owner=owner, origins=origins):
            return {owner, *origins}
        case evidence.EpochFinding(owner=owner, origins=origins):
            return {owner, *origins}
        case evidence.HiddenFinding(owner=owner, origin=origin):
            return {owner, origin}
        case _:
            return set()


INNOCENT = {HONEST.owner, HONEST.origin, RENEWED.origin, ANN.owner, BEN.owner}

entries_of = st.sampled_from([LOG, TAMPERED, HIS])
sizes = st.integers(1, len(LOG))


@st.composite
def notes(draw: st.DrawFn) -> bytes:
    """A head: the honest log's own, the adversary's, or a made-up tree of the honest log under his key."""
    entries = draw(entries_of)[: draw(sizes)]
    signer = draw(st.sampled_from([HONEST, ZED]))
    if entries != LOG[: len(entries)] or signer is ZED:
        tree = Checkpoint(
            origin=draw(st.sampled_from([HONEST.origin, ZED.origin])),
            size=len(entries),
            root=naive_root(entries),
        )
        return sign_checkpoint(tree, ZED.log)
    return signer.head(entries)


@st.composite
def cosigned(draw: st.DrawFn, note: bytes) -> bytes:
    """A head with cosignatures: the honest witnesses' are true, the adversary's as late as he likes."""
    size = int(parse_note(note).text.split("\n")[1])
    newest = size == len(LOG) and note == HONEST.head(LOG)
    for witness in draw(st.lists(st.sampled_from([ANN, BEN]), unique=True)):
        # An honest witness cosigns what is the newest head at that time, and here the last promise is
        # not yet long overdue when it does.
        if newest or note == HONEST.head(LOG[:size]):
            note = witness.cosign(note, LATE - 2 if newest else 600)
    for witness in draw(st.lists(st.sampled_from([ZED, HIS_FRIEND]), unique=True)):
        note = witness.cosign(note, draw(st.sampled_from([1, LATE, LATE * 2])))
    return note


@st.composite
def proofs(draw: st.DrawFn) -> bytes:
    entries = draw(entries_of)
    entries = entries[: draw(st.integers(1, len(entries)))]
    index = draw(st.integers(0, len(entries) - 1))
    honest = entries == LOG[: len(entries)]
    note = HONEST.head(entries) if honest and draw(st.booleans()) else draw(notes())
    return HONEST.proof(index, entries, draw(cosigned(note)))


@st.composite
def consistencies(draw: st.DrawFn) -> bytes:
    entries = draw(entries_of)
    new = draw(st.integers(1, len(entries)))
    old = draw(st.integers(1, new))
    hashes = [naive_root(entries[:old]), *naive_consistency(old, entries[:new])]
    return "".join(f"{encode_base64(value)}\n" for value in hashes).encode()


@st.composite
def spans(draw: st.DrawFn) -> bytes:
    entries = draw(entries_of)
    start = draw(st.integers(0, len(entries)))
    kept = [one for one in entries[start:] if draw(st.integers(0, 9))]
    return encode_bundle(kept)


vkeys = st.sampled_from([format_vkey(node.vkey).encode() for node in (HONEST, ZED)])
single = st.sampled_from([*LOG, *HIS, *ZED.write(outcome(HONEST.origin, product(b"evil")))])
files = st.sampled_from(
    [node.file() for node in (HONEST, RENEWED, ANN, BEN, ZED, HIS_FRIEND)]
    + [other_log(HONEST.file()).replace(SIGNED, FORGED)]
)
_SIDE = (vkeys, single, proofs(), single, proofs(), st.just(b""))
SIDES = {f"{name}-{letter}": part for letter in "ab" for name, part in zip(SIDE_PARTS, _SIDE, strict=True)}
WITNESSES = {f"witness-{number}": files for number in (1, 2)}
BOUND = {"log": vkeys, "certificate": single, "certificate-proof": proofs()}
EQUIVOCATION: dict[str, st.SearchStrategy[bytes]] = {"log": vkeys, "old": notes(), "new": notes()}
KINDS: Mapping[str, Mapping[str, st.SearchStrategy[bytes]]] = {
    "equivocation": {**EQUIVOCATION, "consistency": consistencies()},
    "self-contradiction": SIDES,
    "repeated-epoch": {"certificate-a": files, "certificate-b": files},
    "hidden-result": {**BOUND, "acceptance-proof": proofs(), "entries": spans(), **WITNESSES},
}


@st.composite
def forgeries(draw: st.DrawFn) -> bytes:
    """Evidence put together from all that is at hand, and perhaps spoiled."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    parts = {name: draw(part) for name, part in KINDS[kind].items()}
    if kind == "equivocation" and draw(st.booleans()):
        del parts["consistency"]
    file = format_parts(kind, parts)
    if draw(st.booleans()):
        at = draw(st.integers(0, len(file) - 1))
        file = draw(
            st.sampled_from(
                [file[:at], file[at:], file[:at] + b"A" + file[at + 1 :], file[:at] + file[at + 2 :]]
            )
        )
    return file


@settings(deadline=None)
@given(forgeries())
def test_what_an_adversary_puts_together_accuses_nobody_honest(file: bytes) -> None:
    try:
        found = evidence.check(file, vouch=vouch)
    except F2FError:
        return
    assert not accused(found) & INNOCENT


def honest_side(index: int = 3) -> evidence.Side:
    return HONEST.side(LOG, index)


def his_side(*, owned: bool = True) -> evidence.Side:
    """His own log in the honest owner's name; or his result in a log that he says is the honest one."""
    if owned:
        return ZED.side(HIS)
    entries = [LOG[0], *LOG[1:3], *ZED.write(outcome(HONEST.origin, product(b"evil")))]
    node = Node("A", 1)
    node.log = ZED.log
    return node.side(entries)


def open_promise() -> bytes:
    """The last promise of the honest log, which two honest owners saw open before it was long overdue."""
    return HONEST.hidden(len(LOG) - 1, LOG, ((ANN, LATE - 2), (BEN, LATE - 2)))


def truncated() -> bytes:
    """The promise that was closed, as an earlier head showed it to two of the adversary's witnesses."""
    return HONEST.hidden(7, LOG[:9], ((ZED, LATE), (HIS_FRIEND, LATE)))


def _of_kind(*whole: bytes) -> list[Mapping[str, bytes]]:
    return [parse_parts(file)[1] for file in whole]


def _fork(node: Node, entries: list[bytes], prefix: list[bytes]) -> bytes:
    """What looks like a fork at size 5: this node's heads, and the prefix root of another tree."""
    hashes = naive_root(prefix[:5]), tuple(naive_consistency(5, prefix))
    return evidence.format_equivocation(
        format_vkey(node.vkey), node.head(entries[:5]), node.head(entries), *hashes
    )


def _wholes() -> dict[str, list[Mapping[str, bytes]]]:
    renewal = other_log(HONEST.file()).replace(SIGNED, FORGED)
    contradict, repeat = evidence.format_contradiction, evidence.format_repeated_epoch
    his_witnesses = ((ZED, LATE), (HIS_FRIEND, LATE))
    return {
        "equivocation": _of_kind(
            _fork(HONEST, LOG, LOG), _fork(HONEST, LOG, TAMPERED), _fork(ZED, LOG, TAMPERED)
        ),
        "self-contradiction": _of_kind(
            contradict((HONEST.side(LOG), HONEST.side(LOG, 6))),
            contradict((HONEST.side(LOG), ZED.side(HIS))),
            contradict((ZED.side(HIS), ZED.side(HIS, 6))),
        ),
        "repeated-epoch": _of_kind(repeat((HONEST.file(), RENEWED.file())), repeat((renewal, HONEST.file()))),
        "hidden-result": _of_kind(open_promise(), truncated(), ZED.hidden(1, HIS[:3], his_witnesses)),
    }


WHOLES = _wholes()


@st.composite
def recombined(draw: st.DrawFn) -> bytes:
    """Parts of whole files of one kind, honest and made up, put together anew: nearly right."""
    kind = draw(st.sampled_from(sorted(WHOLES)))
    names = list(WHOLES[kind][0])
    return format_parts(kind, {name: draw(st.sampled_from(WHOLES[kind]))[name] for name in names})


@settings(deadline=None)
@given(recombined())
def test_parts_of_whole_files_put_together_anew_accuse_nobody_honest(file: bytes) -> None:
    try:
        found = evidence.check(file, vouch=vouch)
    except F2FError:
        return
    assert not accused(found) & INNOCENT


# Forgeries that are right but for one thing, so that each check is what refuses them.


@pytest.mark.parametrize(
    "file",
    [
        evidence.format_equivocation(format_vkey(HONEST.vkey), HONEST.head(LOG), ZED.head(TAMPERED)),
        evidence.format_equivocation(
            format_vkey(HONEST.vkey),
            HONEST.head(LOG[:5]),
            HONEST.head(LOG),
            naive_root(TAMPERED[:5]),
            tuple(naive_consistency(5, TAMPERED)),
        ),
        evidence.format_contradiction((honest_side(), his_side())),
        evidence.format_contradiction((honest_side(), honest_side(6))),
        evidence.format_repeated_epoch((HONEST.file(), other_log(HONEST.file()).replace(SIGNED, FORGED))),
        open_promise(),
        truncated(),
    ],
    ids=[
        "his key",
        "his tree",
        "his certificate",
        "one result",
        "his renewal",
        "still open",
        "his witnesses",
    ],
)
def test_a_forgery_that_lacks_one_thing(file: bytes) -> None:
    with pytest.raises(F2FError):
        evidence.check(file, vouch=vouch)


def test_an_outcome_of_another_log_key() -> None:
    with pytest.raises(F2FError):
        evidence.check(evidence.format_contradiction((honest_side(), his_side(owned=False))))


# What is real convicts.


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(0, 8), st.integers(1, 9))
def test_every_real_fork_is_convicted(old: int, fork: int, new: int) -> None:
    one = [b"%d" % number for number in range(9)]
    other = [*one[:fork], b"else", *one[fork + 1 :]]
    a, b = sorted((one[:old], other[:new]), key=len)
    prefix = naive_root(b[: len(a)])
    across = (prefix, tuple(naive_consistency(len(a), b))) if len(a) < len(b) else ()
    file = evidence.format_equivocation(format_vkey(ZED.vkey), ZED.head(a), ZED.head(b), *across)
    if fork < min(old, new):
        assert accused(evidence.check(file)) == {ZED.origin}
    else:
        with pytest.raises(F2FError):
            evidence.check(file)


@settings(deadline=None)
@given(st.lists(st.sampled_from([b"good", b"evil", b"odd"]), min_size=2, max_size=4), st.booleans())
def test_every_real_contradiction_is_convicted(contents: list[bytes], elsewhere: bool) -> None:
    other = Node("A", 7) if elsewhere else HONEST
    mine, theirs = HONEST.built(*map(product, contents)), other.built(*map(product, contents))
    theirs = theirs if elsewhere else mine
    for second in range(1, len(contents)):
        file = evidence.format_contradiction((HONEST.side(mine), other.side(theirs, 3 + 3 * second)))
        if contents[0] != contents[second]:
            assert HONEST.owner in accused(evidence.check(file))
        else:
            with pytest.raises(F2FError):
                evidence.check(file)


# No byte is idle.

PROMISE = LOG[: len(LOG) - 4] + HONEST.write(acceptance())
REAL = {
    "equivocation": evidence.format_equivocation(format_vkey(ZED.vkey), ZED.head(LOG), ZED.head(TAMPERED)),
    "equivocation across sizes": evidence.format_equivocation(
        format_vkey(ZED.vkey),
        ZED.head(LOG[:5]),
        ZED.head(TAMPERED),
        naive_root(TAMPERED[:5]),
        tuple(naive_consistency(5, TAMPERED)),
    ),
    "divergent-results": evidence.format_divergence((honest_side(), ZED.side(HIS))),
    "self-contradiction": evidence.format_contradiction(
        (honest_side(), RENEWED.side(RENEWED.built(product(b"x"))))
    ),
    "repeated-epoch": evidence.format_repeated_epoch((HONEST.file(), other_log(HONEST.file()))),
    "hidden-result": HONEST.hidden(len(PROMISE) - 1, PROMISE, ((ANN, LATE), (BEN, LATE))),
    "dated-before": HONEST.dated(3, LOG, LATE, ((ANN, 1), (BEN, 2))),
}
KNOWN = GENUINE | {other_log(HONEST.file())}


def known(node: evidence.OwnedNode) -> bool:
    return node.file in KNOWN


@pytest.mark.parametrize("kind", sorted(REAL))
def test_a_file_is_text_of_a_few_kilobytes(kind: str) -> None:
    text = REAL[kind].decode("ascii")
    assert evidence.check(REAL[kind], vouch=known)
    assert len(text) < 20_000
    assert max(map(len, text.splitlines())) <= 64


@pytest.mark.parametrize("kind", sorted(REAL))
def test_every_region_of_a_file_that_is_changed_spoils_it(kind: str) -> None:
    good, at = REAL[kind], 0
    for line in good.splitlines(keepends=True):
        for place in {at, at + len(line) // 2, at + len(line) - 1}:
            spoilt = bytearray(good)
            spoilt[place] ^= 1
            with pytest.raises(F2FError):
                evidence.check(bytes(spoilt), vouch=known)
        at += len(line)


@settings(deadline=None)
@given(st.sampled_from(sorted(REAL)), st.data())
def test_any_byte_that_is_changed_spoils_a_file(kind: str, data: st.DataObject) -> None:
    good = REAL[kind]
    at = data.draw(st.integers(0, len(good) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda one: one != good[at]))
    with pytest.raises(F2FError):
        evidence.check(good[:at] + bytes([byte]) + good[at + 1 :], vouch=known)


def test_proofs_in_evidence_say_nothing_beside() -> None:
    proof = parse_proof(honest_side().outcome_proof)
    assert parse_note(proof.checkpoint).signatures[0].name == HONEST.origin
