"""Messages survive the wire, and nothing else does."""

from typing import Any

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild import limits
from f2fbuild.errors import FormatError, LocalProtocolError
from f2fbuild.net import codec, ledger_messages, messages
from f2fbuild.net.ledger_messages import NoLogResource
from f2fbuild.net.messages import Answer, BlobChunk, Hello, Request, WantBlob
from f2fbuild.net.wire import Message

DIGEST = "ab" * 32
_WORDS = st.from_regex(r"[a-z][a-z0-9._-]{0,63}", fullmatch=True)
_COUNTS = st.integers(min_value=0, max_value=limits.CANONICAL_INTEGER_BOUND - 1)
_TEXTS = st.text(max_size=100)
_BYTES = st.binary(max_size=300)
_DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)
_HASHES = st.binary(min_size=32, max_size=32)
_COMMITMENT = st.builds(
    messages.ShownCommitment,
    log=st.text(min_size=1, max_size=100),
    acceptance=_BYTES,
    receipt=_BYTES,
    entry=_BYTES,
    proof=_BYTES,
)
_MARKS = st.binary(min_size=16, max_size=16)
_HOPS = st.integers(min_value=0, max_value=2)
_LINES = st.lists(
    st.builds(ledger_messages.HeadLine, log=_HASHES, size=_COUNTS, mark=_MARKS, hops=st.integers(0, 3)),
    max_size=3,
)
_VECTOR = {"have": _LINES, "total": _MARKS, "whole": st.booleans(), "again": st.booleans()}

MESSAGES = st.one_of(
    st.builds(messages.OfferAccepted, entry=_BYTES, receipt=_BYTES),
    st.builds(messages.OfferRefused, reason=_WORDS, rule=_TEXTS, detail=_TEXTS),
    st.builds(WantBlob, digest=_DIGESTS, first_chunk=_COUNTS),
    st.builds(BlobChunk, index=_COUNTS, data=_BYTES, proof=st.lists(_HASHES, max_size=64)),
    st.builds(messages.HaveBlobs, digests=st.lists(_DIGESTS, max_size=5)),
    st.builds(messages.ShowCommitments, job_id=_DIGESTS, commitments=st.lists(_COMMITMENT, max_size=3)),
    st.builds(messages.Challenge, job_id=_DIGESTS, nonce=_HASHES),
    st.builds(messages.ChallengeAnswered, job_id=_DIGESTS, digest=_DIGESTS),
    st.builds(
        ledger_messages.AnnounceHead,
        checkpoint=_BYTES,
        public=_HASHES,
        hops=st.integers(min_value=0, max_value=2),
    ),
    st.builds(
        ledger_messages.GetHead,
        origin=st.text(min_size=1, max_size=100),
        salt=st.binary(min_size=16, max_size=16),
        known=st.lists(st.binary(min_size=8, max_size=8), max_size=5),
    ),
    st.builds(ledger_messages.AddCosignatures, cosigned=_BYTES),
    st.just(ledger_messages.CosignaturesSeen()),
    st.builds(ledger_messages.SwapHeads, **_VECTOR),
    st.builds(
        ledger_messages.HeadsSwapped,
        heads=st.lists(st.builds(ledger_messages.GivenHead, checkpoint=_BYTES, public=_HASHES, hops=_HOPS)),
        **_VECTOR,
    ),
    st.builds(
        ledger_messages.TuneHeads, graft=st.lists(_HASHES, max_size=3), prune=st.lists(_HASHES, max_size=3)
    ),
    st.builds(ledger_messages.GetConsistency, origin=st.just("x"), old=_COUNTS, new=_COUNTS, hops=_HOPS),
    st.builds(ledger_messages.ConsistencyShown, prefix_root=_HASHES, hashes=st.lists(_HASHES, max_size=63)),
    st.just(ledger_messages.NoConsistency()),
    st.builds(ledger_messages.RenewCertificate, certificate=_BYTES),
    st.just(ledger_messages.CertificateSeen()),
    st.builds(messages.Failure, code=_WORDS, detail=_TEXTS),
    st.just(NoLogResource()),
)


@given(MESSAGES)
def test_a_message_comes_back_as_it_was(message: Message) -> None:
    data = codec.encode(message)
    assert codec.decode(data) == message
    assert codec.encode(codec.decode(data)) == data


def test_every_message_has_its_place_in_the_table() -> None:
    named = {kind.__name__ for kind in (*Request.__args__, *Answer.__args__)}
    assert {kind.__name__ for kind in Message.__subclasses__()} == named
    assert messages.__doc__ is not None
    assert all(name in messages.__doc__ for name in named)


def pack(**fields: Any) -> bytes:
    data: bytes = msgpack.packb(fields, use_bin_type=True)
    return data


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (pack(type="Strange"), "Invalid value 'Strange'"),
        (pack(digest=DIGEST), "missing required field `type`"),
        (pack(type="NoBlob"), "missing required field `digest`"),
        (pack(type="NoBlob", digest=DIGEST, more=1), "unknown field `more`"),
        (pack(type="NoBlob", digest=DIGEST + "\n"), "regex"),
        (pack(type="NoBlob", digest=DIGEST.upper()), "regex"),
        (pack(type="NoBlob", digest=DIGEST.encode()), "`digest`|`str`"),
        (pack(type="LogResource", data="aGk="), "Expected `bytes`"),
        (pack(type="WantBlob", digest=DIGEST, first_chunk=-1), ">= 0"),
        (pack(type="WantBlob", digest=DIGEST, first_chunk=2**53), "<= 9007199254740991"),
        (pack(type="WantBlob", digest=DIGEST, first_chunk=True), "got `bool`"),
        (pack(type="WantBlob", digest=DIGEST, first_chunk=1.0), "got `float`"),
        (pack(type="Failure", code="no", detail="x" * 1025), "length <= 1024"),
        (pack(type="AnnounceHead", checkpoint=b"", public=b"x" * 31, hops=0), "length >= 32"),
        (pack(type="AddCosignatures", cosigned=b"x" * 4097), "length <= 4096"),
        (pack(type="RenewCertificate", certificate=b"x" * 16_385), "length <= 16384"),
        (pack(type="GetHead", origin="o", salt=b"x" * 15, known=[]), "length >= 16"),
        (pack(type="GetHead", origin="o", salt=b"x" * 16, known=[b"x" * 9]), "length <= 8"),
        (pack(type="GetHead", origin="o", salt=b"x" * 16, known=[b"x" * 8] * 1025), "length <= 1024"),
        (pack(type="TuneHeads", graft=[b"x" * 31], prune=[]), "length >= 32"),
        (pack(type="TuneHeads", graft=[b"x" * 32] * 2_001, prune=[]), "length <= 2000"),
        (pack(type="SwapHeads", have=[[b"x" * 32, 1, b"m" * 16]], total=b"t" * 16), "at least length 4"),
        (pack(type="SwapHeads", have=[[b"x" * 32, 1, b"m" * 16, 3, 0]], total=b""), "at most length 4"),
        (pack(type="SwapHeads", have=[[b"x" * 32, 1, b"m" * 16, 4]], total=b"t" * 16), "<= 3"),
        (pack(type="GetConsistency", origin="x", old=1, new=2, hops=3), "<= 2"),
        (pack(type="ConsistencyShown", prefix_root=b"r" * 32, hashes=[b"h" * 32] * 64), "length <= 63"),
        (b"\x82\xa4type\xa8HeadSeen\xa4type\xa8HeadSeen", "a key given twice"),
        (pack(type="HeadSeen") + b"\x00", "extra data"),
        (pack(type="HeadSeen")[:-1], "incomplete"),
        (b"\xc1", "within the limits"),
        (b"\xc7\x01\x05x", "ext"),
        (b"\x81\xa4type\xa1\xff", "utf-8"),
        (b"\x81\x01\x02", "int is not allowed"),
        (msgpack.packb({str(number): 0 for number in range(33)}), "max_map_len"),
        (msgpack.packb({"type": "HaveBlobs", "digests": [DIGEST] * 4097}), "max_array_len"),
        (msgpack.packb([[[]] * 4000] * 2), "more than 4096 lists"),
        (b"\x91" * 100_000, "within the limits"),
        (b"\x00" * (limits.MESSAGE_BYTES + 1), "larger than"),
        (b"", "within the limits"),
        (b"\xc0", "Expected `object`, got `null`"),
    ],
)
def test_what_is_no_message_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(FormatError, match=says):
        codec.decode(data)


@given(st.binary(max_size=200))
def test_noise_is_refused_or_read(data: bytes) -> None:
    try:
        message = codec.decode(data)
    except FormatError:
        return
    assert codec.decode(codec.encode(message)) == message


def test_the_largest_chunk_fits() -> None:
    chunk = BlobChunk(index=2**40, data=b"x" * limits.CHUNK_BYTES, proof=[b"h" * 32] * 64)
    assert codec.decode(codec.encode(chunk)) == chunk


def test_a_message_too_large_is_our_fault() -> None:
    entry = messages.ShownCommitment(
        log="x", acceptance=b"", receipt=b"", entry=b"x" * limits.ENTRY_BYTES, proof=b""
    )
    with pytest.raises(LocalProtocolError, match="ShowCommitments"):
        codec.encode(messages.ShowCommitments(job_id=DIGEST, commitments=[entry] * 64))


def test_the_length_prefix_is_checked_before_anything_is_read() -> None:
    assert codec.parse_prefix(codec.prefix(limits.MESSAGE_BYTES)) == limits.MESSAGE_BYTES
    for size in (0, limits.MESSAGE_BYTES + 1, 2**32 - 1):
        with pytest.raises(FormatError, match="announced"):
            codec.parse_prefix(codec.prefix(size))


def test_a_hello_is_small_and_plain() -> None:
    hello = Hello(version_min=1, version_max=3, program="f2fbuild/0.1.0")
    assert msgspec.to_builtins(hello)["type"] == "Hello"
    assert len(codec.encode(hello)) < 100
