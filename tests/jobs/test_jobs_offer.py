"""The body of an offer: one spelling, nothing at odds with its build definition, nothing about the quorum."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild import limits
from f2fbuild.errors import FormatError
from f2fbuild.jobs.offer import BlobReference, Offer, from_body, stored_offer, to_body
from f2fbuild.model import canonical
from f2fbuild.model.digest import sha256_hex
from f2fbuild.model.envelope import seal
from f2fbuild.model.job import JobClass
from f2fbuild.model.signing import SigningKey
from f2fbuild.net.signed import Kind, SignedMessage, sign_message
from tests.model.model_facts import DEFINITION

KEY = SigningKey.from_seed(b"s" * 32)
SOURCES = tuple(BlobReference(name=one.name, sha256=one.sha256, size=7) for one in DEFINITION.sources)
OFFER = Offer(
    definition=DEFINITION,
    job_class=JobClass.TESTING,
    title="hello-2.12",
    sources=SOURCES,
    lock=BlobReference(name="environment.lock", sha256=DEFINITION.lock, size=100),
    metadata=BlobReference(name="metadata.json", sha256="0d" * 32, size=50),
    deadline=1_790_000_000,
)


def changed(path: str, value: Any) -> dict[str, Any]:
    """A body in which one field has another value."""
    body = canonical.decode(canonical.encode(to_body(OFFER)))
    place = body
    *parents, last = path.split(".")
    for name in parents:
        place = place[int(name) if name.isdigit() else name]
    place[last] = value
    return dict(body)


def test_an_embargo_is_offered_and_no_embargo_is_absent() -> None:
    embargoed = replace(OFFER, reveal_by=OFFER.deadline)
    assert from_body(to_body(embargoed)) == embargoed
    assert "revealBy" not in to_body(OFFER)


@pytest.mark.parametrize("value", [0, -1, False, True, "1", OFFER.deadline + 1])
def test_an_embargo_ends_before_the_deadline(value: Any) -> None:
    with pytest.raises(FormatError):
        from_body({**to_body(OFFER), "revealBy": value})


@given(
    job_class=st.sampled_from(JobClass),
    title=st.text(st.characters(codec="utf-8"), max_size=40),
    deadline=st.integers(0, 2**40),
    sizes=st.tuples(st.integers(0, limits.LOCK_BYTES), st.integers(0, limits.LOCK_BYTES)),
)
def test_an_offer_comes_back_as_it_was(
    job_class: JobClass, title: str, deadline: int, sizes: tuple[int, int]
) -> None:
    offer = Offer(
        definition=DEFINITION,
        job_class=job_class,
        title=title,
        sources=SOURCES,
        lock=BlobReference(name="environment.lock", sha256=DEFINITION.lock, size=sizes[0]),
        metadata=BlobReference(name="metadata.json", sha256="0d" * 32, size=sizes[1]),
        deadline=deadline,
    )
    assert from_body(to_body(offer)) == offer
    assert to_body(from_body(to_body(offer))) == to_body(offer)


def test_an_offer_names_what_is_fetched_and_no_quorum() -> None:
    assert [blob.name for blob in OFFER.blobs] == [
        *(source.name for source in DEFINITION.sources),
        "environment.lock",
        "metadata.json",
    ]
    text = canonical.encode(to_body(OFFER)).decode()
    for hidden in ("builders", "agree", "quorum", "tieBreakers", "nonce", "record"):
        assert f'"{hidden}"' not in text


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("class", "casual", "not the body of an offer"),
        ("definition", {}, "not a build definition"),
        ("sources", 5, "not the body"),
        ("sources.0.size", -1, "not the body"),
        ("sources.0.size", True, "not the body"),
        ("sources.0.size", "7", "not the body"),
        ("sources.0.name", 5, "not the body"),
        ("sources.0.sha256", "0e" * 32, "the sources are not those of the build definition"),
        ("sources.0.sha256", "short", "not 64 lower-case"),
        ("sources.0.name", "other.dsc", "the sources are not those"),
        ("sources", [], "the sources are not those"),
        ("lock.sha256", "0e" * 32, "the lock is not that of the build definition"),
        ("lock.size", limits.LOCK_BYTES + 1, "lock or metadata are larger than any"),
        ("metadata.size", limits.LOCK_BYTES + 1, "lock or metadata are larger than any"),
        ("deadline", "soon", "not the one spelling"),
        ("deadline", True, "not the one spelling"),
        ("title", 5, "not the one spelling"),
        ("more", 1, "not the one spelling"),
        ("lock.more", 1, "not the one spelling"),
    ],
)
def test_another_body_is_refused(path: str, value: Any, says: str) -> None:
    with pytest.raises(FormatError, match=says):
        from_body(changed(path, value))


@pytest.mark.parametrize("missing", sorted(to_body(OFFER)))
def test_nothing_may_be_missing(missing: str) -> None:
    body = {name: value for name, value in to_body(OFFER).items() if name != missing}
    with pytest.raises(FormatError, match="not the body of an offer"):
        from_body(body)


@pytest.mark.parametrize("body", [None, [], "offer", 5])
def test_what_is_no_map_is_no_offer(body: Any) -> None:
    with pytest.raises(FormatError):
        from_body(body)


def test_a_stored_offer_is_read_back() -> None:
    message = SignedMessage(
        type=Kind.OFFER,
        sender=sha256_hex(KEY.public),
        recipient="0b" * 32,
        job_id="0c" * 32,
        not_before=1,
        not_after=2,
        nonce="0a" * 16,
        body=to_body(OFFER),
    )
    assert stored_offer(sign_message(message, KEY)) == OFFER


def test_a_damaged_stored_offer_is_said_to_be_one() -> None:
    with pytest.raises(FormatError, match="stored offer"):
        stored_offer(b"{}")
    with pytest.raises(FormatError):
        stored_offer(seal(Kind.OFFER.value, canonical.encode({"body": {}}), KEY))
