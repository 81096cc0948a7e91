"""Why an owner may or may not do something: the same decisions, with the paths that carry them.

What is rendered by `trust explain`. Everything is recomputed by `decide`, so an explanation cannot differ
from what really happens.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from f2fbuild.trust.certificates import NodeCertificate
from f2fbuild.trust.graph import edges, standing, trust_paths
from f2fbuild.trust.policy import Decision, Gate, Known, Question, Right, decide
from f2fbuild.trust.snapshot import Certification, Owner, TrustSnapshot, Validity


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One question and its decision."""

    question: Question
    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a path: the certification, and GnuPG's validity of the key that it leads to."""

    certification: Certification
    validity: Validity


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What would change an answer by itself: `what` happens to `owner` at unix second `when`."""

    what: str
    owner: str
    when: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotConsidered:
    """A certification that counts for nothing, and why."""

    certification: Certification
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """All that `trust explain` says of one owner; `key` is None for an unknown one.

    `answers` are in the order of the questions, services both ways (may build for you, may give you jobs).
    """

    owner: str
    key: Owner | None
    answers: tuple[Answer, ...]
    paths: tuple[tuple[Step, ...], ...]
    changes: tuple[Change, ...]
    not_considered: tuple[NotConsidered, ...]


def explain(owner: str, certificate: NodeCertificate | None, known: Known, now: int) -> Explanation:
    """Return what this node thinks of `owner` at `now`, with everything that led to it.

    Args:
        owner: the fingerprint asked about.
        certificate: the newest verified certificate of the owner's node, if any.
        known: what this node knows.
        now: unix seconds.
    """
    snapshot = known.snapshot
    paths = _paths(owner, snapshot, now)
    return Explanation(
        owner=owner,
        key=snapshot.owners.get(owner),
        answers=tuple(
            Answer(question=question, decision=decide(question, owner, certificate, known, now))
            for question in (*Gate, *Right)
        ),
        paths=paths,
        changes=tuple(sorted(_changes(owner, certificate, snapshot, paths, now), key=lambda one: one.when)),
        not_considered=tuple(_not_considered(owner, snapshot, now)),
    )


def _paths(owner: str, snapshot: TrustSnapshot, now: int) -> tuple[tuple[Step, ...], ...]:
    standing_now = standing(snapshot, now)
    certifications = {(one.certifier, one.certified): one for one in standing_now}
    found = trust_paths(snapshot.me, owner, edges(standing_now))
    return tuple(
        tuple(
            Step(certification=certifications[pair], validity=snapshot.owners[pair[1]].validity)
            for pair in pairwise(path)
        )
        for path in found
    )


def _changes(
    owner: str,
    certificate: NodeCertificate | None,
    snapshot: TrustSnapshot,
    paths: tuple[tuple[Step, ...], ...],
    now: int,
) -> Iterator[Change]:
    if certificate and now < certificate.not_after:
        yield Change(what="the certificate expires", owner=owner, when=certificate.not_after)
    used = {step.certification for path in paths for step in path}
    for name in sorted({owner} | {one.certifier for one in used}):
        expires = snapshot.owners[name].expires if name in snapshot.owners else None
        if expires is not None and expires > now:
            yield Change(what="the key expires", owner=name, when=expires)
    for one in sorted(used, key=lambda one: (one.certifier, one.certified)):
        if one.expires is not None:
            yield Change(
                what=f"the certification of {one.certified} expires", owner=one.certifier, when=one.expires
            )


def _not_considered(owner: str, snapshot: TrustSnapshot, now: int) -> Iterator[NotConsidered]:
    counted = set(standing(snapshot, now))
    for one in snapshot.certifications:
        if one.certified == owner and one not in counted:
            yield NotConsidered(certification=one, why=_why_not(snapshot.owners[one.certifier], now))


def _why_not(certifier: Owner, now: int) -> str:
    if certifier.revoked:
        return "the certifier's key is revoked"
    if certifier.expired(now):
        return "the certifier's key has expired"
    return "the certification has expired"
