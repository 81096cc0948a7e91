"""Signed messages: for one node, for one day, and only once."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild import limits
from f2fbuild.errors import FormatError
from f2fbuild.model import canonical, envelope
from f2fbuild.model.digest import sha256_hex
from f2fbuild.model.signing import SigningKey
from f2fbuild.net.signed import Kind, ReplayGuard, SignedMessage, open_message, sign_message

KEY, OTHER = SigningKey.from_seed(b"1" * 32), SigningKey.from_seed(b"2" * 32)
SENDER, RECIPIENT = sha256_hex(KEY.public), sha256_hex(OTHER.public)
NOW = 1_800_000_000


def offer(**changes: Any) -> SignedMessage:
    message = SignedMessage(
        type=Kind.OFFER,
        sender=SENDER,
        recipient=RECIPIENT,
        job_id="ab" * 32,
        not_before=NOW - 10,
        not_after=NOW + 3600,
        nonce="cd" * 16,
        body={"job": {"quorum": 2}},
    )
    return msgspec.structs.replace(message, **changes)


def read(
    data: bytes, *, kind: Kind = Kind.OFFER, now: int = NOW, recipient: str = RECIPIENT
) -> SignedMessage:
    return open_message(data, kind=kind, public=KEY.public, recipient=recipient, now=now)


@given(
    kind=st.sampled_from(Kind),
    nonce=st.binary(min_size=16, max_size=16).map(bytes.hex),
    body=st.dictionaries(
        st.text(st.characters(max_codepoint=126), max_size=5), st.integers(0, 9) | st.text(max_size=9)
    ),
)
def test_a_message_comes_back_as_it_was(kind: Kind, nonce: str, body: dict[str, Any]) -> None:
    message = offer(type=kind, nonce=nonce, body=body)
    data = sign_message(message, KEY)
    assert read(data, kind=kind) == message
    assert sign_message(read(data, kind=kind), KEY) == data


@pytest.mark.parametrize("moment", [NOW - 10 - limits.CLOCK_SKEW_SECONDS, NOW + 3600])
def test_it_is_valid_to_the_second(moment: int) -> None:
    assert read(sign_message(offer(), KEY), now=moment) == offer()


@pytest.mark.parametrize("moment", [NOW - 11 - limits.CLOCK_SKEW_SECONDS, NOW + 3601])
def test_and_not_a_second_longer(moment: int) -> None:
    with pytest.raises(FormatError, match="at this time"):
        read(sign_message(offer(), KEY), now=moment)


def test_an_offer_made_for_another_is_not_for_us() -> None:
    with pytest.raises(FormatError, match="another node"):
        read(sign_message(offer(), KEY), recipient="ef" * 32)


def test_a_cancel_is_no_offer() -> None:
    with pytest.raises(FormatError, match="another type"):
        read(sign_message(offer(type=Kind.CANCEL), KEY))


def sealed(fields: dict[str, Any], payload_type: str = Kind.OFFER.value, key: SigningKey = KEY) -> bytes:
    return envelope.seal(payload_type, canonical.encode(fields), key)


FIELDS: dict[str, Any] = msgspec.to_builtins(offer())


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (sealed(FIELDS, key=OTHER), "another key"),
        (sealed(FIELDS | {"type": Kind.CANCEL.value}), "names another type"),
        (sealed(FIELDS | {"sender": RECIPIENT}), "not who signed"),
        (sealed(FIELDS | {"not_after": NOW - 10 + limits.SIGNED_SECONDS + 1}), "longer than a day"),
        (sealed(FIELDS | {"not_after": NOW - 11}), "or never"),
        (sealed(FIELDS | {"nonce": "CD" * 16}), "nonce"),
        (sealed(FIELDS | {"more": 1}), "unknown field"),
        (sealed({name: value for name, value in FIELDS.items() if name != "body"}), "body"),
        (sealed(FIELDS)[:-1], "JSON"),
        (b"", "JSON"),
    ],
)
def test_what_breaks_a_rule_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(FormatError, match=says):
        read(data)


def test_nobody_signs_for_another_or_for_longer() -> None:
    with pytest.raises(FormatError, match="not who signed"):
        sign_message(offer(), OTHER)
    with pytest.raises(FormatError, match="longer than a day"):
        sign_message(offer(not_after=NOW + limits.SIGNED_SECONDS), KEY)


def test_nothing_is_heard_twice_even_after_a_restart() -> None:
    guard = ReplayGuard()
    assert guard.admit(offer(), NOW)
    assert not guard.admit(offer(), NOW)
    again = ReplayGuard.load(guard.dump())
    assert not again.admit(offer(), NOW + 3600)
    assert again.admit(offer(nonce="ef" * 16), NOW)
    assert again.admit(offer(sender="ef" * 32), NOW)


def test_what_is_no_longer_valid_is_forgotten() -> None:
    guard = ReplayGuard()
    guard.admit(offer(), NOW)
    assert guard.admit(offer(nonce="ef" * 16, not_after=NOW + 9000), NOW + 3601)
    assert [nonce for _, nonce, _ in guard.dump()] == ["ef" * 16]


def test_one_sender_cannot_fill_the_memory_of_the_others() -> None:
    guard = ReplayGuard()
    for number in range(limits.SIGNED_PER_SENDER):
        guard.seen[SENDER, f"{number:032x}"] = NOW + 3600
    assert not guard.admit(offer(), NOW)
    assert guard.admit(offer(sender=RECIPIENT), NOW)
