"""Seen heads: sealed in the log, opened by a blob, refused in any other spelling."""

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.errors import FormatError, LedgerError
from f2fbuild.ledger.checkpoint import Checkpoint
from f2fbuild.ledger.entry import SeenHeads
from f2fbuild.ledger.seen_heads import Seen, open_heads, seal_heads, seen
from f2fbuild.limits import SEEN_HEADS, SEEN_HEADS_BYTES
from f2fbuild.model import canonical
from tests.ledger.ledger_helpers import ALICE, BOB

SALT = bytes(range(32))
HEADS = [Checkpoint(origin=keys.origin, size=3, root=bytes(32)) for keys in (ALICE, BOB)]
digests = st.binary(min_size=32, max_size=32)
lists = st.builds(
    seen,
    st.dictionaries(digests, st.tuples(st.integers(0, 2**53 - 1), digests), min_size=1, max_size=5).map(
        lambda d: [
            Checkpoint(origin=f"f2fbuild.invalid/log/{name.hex()}", size=size, root=root)
            for name, (size, root) in d.items()
        ]
    ),
    st.integers(0, 2**32),
)


@given(lists, digests)
def test_a_list_comes_back_and_so_do_its_bytes(those: Seen, salt: bytes) -> None:
    sealed, blob = seal_heads(those, salt)
    assert open_heads(sealed, blob) == those
    assert seal_heads(open_heads(sealed, blob), salt) == (sealed, blob)


def test_the_entry_is_a_salted_hash_and_tells_neither_logs_nor_number() -> None:
    sealed, blob = seal_heads(seen(HEADS, 1_200_599), SALT)
    assert sealed.heads == hashlib.sha256(SALT + blob).hexdigest()
    assert canonical.decode(blob)["time"] == 1_200_000
    alone, _ = seal_heads(seen(HEADS[:1], 1_200_599), SALT)
    again, _ = seal_heads(seen(HEADS, 1_200_599), SALT[::-1])
    assert len({sealed.heads, alone.heads, again.heads}) == 3


def test_another_list_does_not_open_it() -> None:
    sealed, _ = seal_heads(seen(HEADS, 0), SALT)
    _, other = seal_heads(seen(HEADS[:1], 0), SALT)
    with pytest.raises(LedgerError, match="another list"):
        open_heads(sealed, other)


def spoiled(**fields: Any) -> bytes:
    _, blob = seal_heads(seen(HEADS, 1_200_000), SALT)
    return canonical.encode({**canonical.decode(blob), **fields})


HEAD: dict[str, Any] = {"origin": ALICE.origin, "root": "00" * 32, "size": 3}


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"[]",
        b" " + seal_heads(seen(HEADS, 0), SALT)[1],
        bytes(SEEN_HEADS_BYTES + 1),
        spoiled(more=1),
        spoiled(heads=[]),
        spoiled(heads="many"),
        spoiled(heads=[HEAD, HEAD]),
        spoiled(heads=sorted([HEAD, {**HEAD, "origin": BOB.origin}], key=lambda h: h["origin"])[::-1]),
        spoiled(heads=[{**HEAD, "origin": "example.com/log"}]),
        spoiled(heads=[{**HEAD, "origin": 5}]),
        spoiled(heads=[{**HEAD, "size": -1}]),
        spoiled(heads=[{**HEAD, "size": True}]),
        spoiled(heads=[{**HEAD, "size": 2**53 - 1, "more": 1}]),
        spoiled(heads=[{**HEAD, "root": "0A" * 32}]),
        spoiled(heads=[{"origin": ALICE.origin, "size": 3}]),
        spoiled(salt="00" * 31),
        spoiled(salt="0A" * 32),
        spoiled(schema="f2fbuild.seen-heads/2"),
        spoiled(time=1_200_001),
        spoiled(time="1200000"),
        spoiled(heads=[{**HEAD, "origin": f"f2fbuild.invalid/log/{n:064x}"} for n in range(SEEN_HEADS + 1)]),
    ],
)
def test_other_spellings_are_refused(blob: bytes) -> None:
    with pytest.raises(FormatError):
        open_heads(SeenHeads(heads=hashlib.sha256(SALT + blob).hexdigest()), blob)


@pytest.mark.parametrize(
    ("those", "salt"),
    [
        (seen([], 0), SALT),
        (seen(HEADS, 0), SALT[1:]),
        (seen([HEADS[0], HEADS[0]], 0), SALT),
        (Seen(heads=tuple(seen(HEADS, 0).heads[::-1]), time=0), SALT),
        (Seen(heads=tuple(HEADS[:1]), time=5), SALT),
    ],
)
def test_what_cannot_be_opened_is_not_sealed(those: Seen, salt: bytes) -> None:
    with pytest.raises(FormatError):
        seal_heads(those, salt)
