"""What is named as known is recognised by whoever knows it too, and tells nobody else anything."""

from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.ledger.cosignature import mirror_vkey, witness_vkey
from f2fbuild.ledger.known import NOBODY, SALT_BYTES, TAG_BYTES, name_known
from f2fbuild.model.signing import SigningKey

KEYS = [witness_vkey(SigningKey.from_seed(bytes([number]) * 32).public) for number in range(1, 20)]
salts = st.binary(min_size=SALT_BYTES, max_size=SALT_BYTES)


@given(named=st.sets(st.sampled_from(KEYS)), salt=salts)
def test_exactly_the_named_keys_are_known(named: set[object], salt: bytes) -> None:
    known = name_known([key for key in KEYS if key in named], salt)
    assert {key for key in KEYS if key in known} == named
    assert all(len(tag) == TAG_BYTES for tag in known.tags)


@given(one=salts, other=salts)
def test_the_same_keys_look_otherwise_under_another_salt(one: bytes, other: bytes) -> None:
    tags = name_known(KEYS, one).tags & name_known(KEYS, other).tags
    assert bool(tags) == (one == other)


def test_a_witness_is_not_known_by_its_mirror_key_and_nothing_else_is_a_key() -> None:
    known = name_known(KEYS[:1], bytes(16))
    assert KEYS[0] in known
    assert mirror_vkey(KEYS[0].public) not in known
    assert KEYS[0].name not in known


def test_who_says_nothing_knows_nobody() -> None:
    assert not any(key in NOBODY for key in KEYS)
