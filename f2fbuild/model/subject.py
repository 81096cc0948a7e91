"""What a judgement is about: the subjects of an in-toto Statement, by name and digest.

More of them than an entry holds move into a blob, the canonical list sorted by name, whose digest then is the
one subject `products.json`; the same is done for the products of an outcome.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from f2fbuild.model import canonical
from f2fbuild.model.digest import parse_digest, sha256_hex
from f2fbuild.model.outcome import Succeeded
from f2fbuild.model.statement import PRODUCTS_NAME

_CANONICAL = "f2fbuild_rpmCanonical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A named thing: the SHA-256 of its bytes, the canonical digest of an RPM, or both; "" if absent."""

    name: str
    sha256: str = ""
    canonical: str = ""


def agreed_subjects(results: Sequence[Succeeded]) -> tuple[Subject, ...]:
    """Return the products on which results with one result digest agree.

    RPMs agree by their canonical digest: the SHA-256 of the bytes is named only where all builders' is the
    same, for nobody has reproduced bytes that only one of them made.
    """
    subjects = []
    others = [{product.name: product for product in one.products} for one in results[1:]]
    for product in results[0].products if results else ():
        same = all(other[product.name].sha256 == product.sha256 for other in others)
        is_rpm = product.kind == "rpm"
        digest = product.sha256 if same or not is_rpm else ""
        subjects.append(
            Subject(name=product.name, sha256=digest, canonical=product.canonical if is_rpm else "")
        )
    return tuple(sorted(subjects, key=lambda subject: subject.name))


def folded(subjects: Sequence[Subject]) -> tuple[Subject, bytes]:
    """Return the one subject that stands for many, and the blob that it names."""
    blob = canonical.encode(format_subjects(subjects))
    return Subject(name=PRODUCTS_NAME, sha256=sha256_hex(blob)), blob


def format_subjects(subjects: Sequence[Subject]) -> list[dict[str, Any]]:
    """Return the Statement's `subject`."""
    return [{"digest": _digests(subject), "name": subject.name} for subject in subjects]


def parse_subjects(value: Any) -> tuple[Subject, ...]:
    """Return the subjects whose `format_subjects` is `value`.

    Raises:
        ValueError: (or KeyError, TypeError, AttributeError) anything else, no subject at all, a subject
            without digest, or names that are not sorted or not of their own.
    """
    subjects = tuple(
        Subject(
            name=_name(one["name"]),
            sha256=parse_digest(one["digest"]["sha256"]) if "sha256" in one["digest"] else "",
            canonical=parse_digest(one["digest"][_CANONICAL]) if _CANONICAL in one["digest"] else "",
        )
        for one in value
    )
    names = [subject.name for subject in subjects]
    if format_subjects(subjects) != value or not names or names != sorted(set(names)):
        raise ValueError("not subjects in their one spelling")
    if any(not subject.sha256 and not subject.canonical for subject in subjects):
        raise ValueError("a subject without digest")
    return subjects


def _digests(subject: Subject) -> dict[str, str]:
    both = {"sha256": subject.sha256, _CANONICAL: subject.canonical}
    return {name: digest for name, digest in both.items() if digest}


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("not a name")
    return value
