"""The body of an offer: all that a builder needs to know to decide and to build, and nothing else.

It never names the quorum, the other builders, a record or a spot check: who knows that he is alone may lie.
"""

from dataclasses import dataclass
from typing import Any

from f2fbuild import limits
from f2fbuild.errors import FormatError
from f2fbuild.model import canonical
from f2fbuild.model.digest import parse_digest
from f2fbuild.model.envelope import unseal
from f2fbuild.model.job import BuildDefinition, JobClass


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobReference:
    """A blob by name, SHA-256 and size in bytes."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What is offered: a definition, the blobs behind its digests, and until when it is wanted.

    `metadata` is the manifest of the repositories' signed metadata that travels beside the lock;
    `deadline` is in unix seconds, `reveal_by` too: it ends an embargo, 0 where there is none; `title` is text
    for people and decides nothing.
    """

    definition: BuildDefinition
    job_class: JobClass
    title: str
    sources: tuple[BlobReference, ...]
    lock: BlobReference
    metadata: BlobReference
    deadline: int
    reveal_by: int = 0

    @property
    def blobs(self) -> tuple[BlobReference, ...]:
        """Everything that the builder fetches from the submitter."""
        return (*self.sources, self.lock, self.metadata)


def to_body(offer: Offer) -> dict[str, Any]:
    """Return the offer as the canonical JSON values of a signed message's body."""
    embargo = {"revealBy": offer.reveal_by} if offer.reveal_by else {}
    return {
        "class": str(offer.job_class),
        "deadline": offer.deadline,
        "definition": offer.definition.to_json(),
        "lock": _reference(offer.lock),
        "metadata": _reference(offer.metadata),
        "sources": [_reference(source) for source in offer.sources],
        "title": offer.title,
        **embargo,
    }


def from_body(body: Any) -> Offer:
    """Return the offer whose `to_body` is `body`.

    Raises:
        FormatError: anything missing, unknown, or at odds with the build definition.
    """
    try:
        offer = Offer(
            definition=BuildDefinition.from_json(body["definition"], where="offer"),
            job_class=JobClass(body["class"]),
            title=body["title"],
            sources=tuple(_parse_reference(item) for item in body["sources"]),
            lock=_parse_reference(body["lock"]),
            metadata=_parse_reference(body["metadata"]),
            deadline=body["deadline"],
            reveal_by=body.get("revealBy", 0),
        )
        spelled = to_body(offer)
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError("not the body of an offer", where="offer") from error
    named = [(source.name, source.sha256) for source in offer.definition.sources]
    if [(source.name, source.sha256) for source in offer.sources] != named:
        raise FormatError("the sources are not those of the build definition", where="offer")
    if offer.lock.sha256 != offer.definition.lock:
        raise FormatError("the lock is not that of the build definition", where="offer")
    if max(offer.lock.size, offer.metadata.size) > limits.LOCK_BYTES:
        raise FormatError("lock or metadata are larger than any", where="offer")
    if spelled != body or type(offer.deadline) is not int or not isinstance(offer.title, str):
        raise FormatError("not the one spelling of an offer", where="offer")
    if type(offer.reveal_by) is not int or not 0 <= offer.reveal_by <= offer.deadline:
        raise FormatError("an embargo that ends after the deadline", where="offer")
    return offer


def stored_offer(data: bytes) -> Offer:
    """Return the offer in a signed message that was checked when it was taken."""
    payload = unseal(data, where="stored offer").payload
    return from_body(canonical.decode(payload, where="stored offer")["body"])


def _reference(blob: BlobReference) -> dict[str, str | int]:
    return {"name": blob.name, "sha256": blob.sha256, "size": blob.size}


def _parse_reference(item: Any) -> BlobReference:
    size, name = item["size"], item["name"]
    if type(size) is not int or size < 0 or not isinstance(name, str):
        raise ValueError("not a blob reference")
    return BlobReference(name=name, sha256=parse_digest(item["sha256"], where="offer"), size=size)
