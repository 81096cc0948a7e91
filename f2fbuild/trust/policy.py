"""Who may do what: four separate questions about an owner, each answered with the rule that said so.

1. Is the key valid? The web of trust says so (GnuPG is the authority).
2. May it connect? Its owner is a friend of this node, and a certificate of the node is in order.
3. May it use this service? Its owner was given the right, for this service and no other.
4. How much? That is asked by whoever counts (`jobs`).

A later question is asked only after the earlier ones were answered with yes. Nothing is given by default and
nothing is transitive. `decide` is the one function that answers; it looks at values only.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from f2fbuild.model.times import format_time
from f2fbuild.trust.certificates import NodeCertificate
from f2fbuild.trust.refusals import RefusalReason, Rule
from f2fbuild.trust.snapshot import Owner, TrustSnapshot


class Gate(StrEnum):
    """The questions before any service."""

    KEY = "key"
    CONNECT = "connect"


class Right(StrEnum):
    """What an owner can be allowed, one by one."""

    SUBMIT = "submit"
    BUILD = "build"
    RELAY = "relay"
    WITNESS = "witness"
    LEDGER = "ledger"

    @property
    def meaning(self) -> str:
        """What the right allows, as a sentence's end: `may …`."""
        return _MEANINGS[self]


_MEANINGS = {
    Right.SUBMIT: "give jobs to this node",
    Right.BUILD: "build for this node",
    Right.RELAY: "send its traffic through this node",
    Right.WITNESS: "have its log heads cosigned by this node",
    Right.LEDGER: "read this node's ledger",
}

Question: TypeAlias = Gate | Right


class FriendState(StrEnum):
    """What became of a friendship. It is kept when the friend is gone, so that nothing revives it unasked."""

    ACTIVE = "active"
    PAUSED = "paused"
    REMOVED = "removed"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grants:
    """Rights by owner fingerprint. An owner who stands here, be it with no right, is a friend."""

    rights: Mapping[str, frozenset[Right]]

    def of(self, owner: str) -> frozenset[Right]:
        """Return the owner's rights: none by default."""
        return self.rights.get(owner, frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What this node knows and was told to allow, at one moment.

    `states` are by owner, those of former friends too; `epochs` is the highest known epoch by node id.
    """

    snapshot: TrustSnapshot
    grants: Grants
    states: Mapping[str, FriendState]
    epochs: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """Yes. `rules` are those that were asked, the last of which decided."""

    owner: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """No: the reason, the rule that said so, and `detail`, what exactly was found (safe to show)."""

    owner: str
    reason: RefusalReason
    rule: Rule
    detail: str


Decision: TypeAlias = Allowed | Refusal
_Step: TypeAlias = tuple[Rule, RefusalReason | None, str]

_GONE = {
    FriendState.REMOVED: RefusalReason.PEER_REMOVED,
    FriendState.BLOCKED: RefusalReason.PEER_BLOCKED,
    FriendState.PAUSED: RefusalReason.PEER_PAUSED,
}


def decide(
    question: Question, owner: str, certificate: NodeCertificate | None, known: Known, now: int
) -> Decision:
    """Return whether the answer is yes, or the first rule that says no.

    Args:
        question: `Gate.KEY`, `Gate.CONNECT`, or the right that is asked for.
        owner: the fingerprint that is asked about.
        certificate: the verified certificate of the owner's node; not looked at for `Gate.KEY`.
        known: what this node knows.
        now: unix seconds.
    """
    asked = []
    for rule, reason, detail in _steps(question, owner, certificate, known, now):
        if reason:
            return Refusal(owner=owner, reason=reason, rule=rule, detail=detail)
        asked.append(rule)
    return Allowed(owner=owner, rules=tuple(asked))


def _steps(
    question: Question, owner: str, certificate: NodeCertificate | None, known: Known, now: int
) -> Iterator[_Step]:
    yield from _key(owner, known.snapshot, now)
    if question is Gate.KEY:
        return
    yield from _friendship(owner, known)
    yield from _certificate(owner, certificate, known, now)
    if question is Gate.CONNECT:
        return
    given = question in known.grants.of(owner)
    yield Rule.GIVEN, None if given else RefusalReason.RIGHT_MISSING, f"right {question}"


def _key(owner: str, snapshot: TrustSnapshot, now: int) -> Iterator[_Step]:
    key = snapshot.owners.get(owner)
    if key is None:
        yield Rule.KNOWN, RefusalReason.UNKNOWN_OWNER, f"fingerprint {owner}"
    else:
        yield from _known_key(key, now)


def _known_key(key: Owner, now: int) -> Iterator[_Step]:
    yield Rule.KNOWN, None, ""
    revoked = RefusalReason.OWNER_REVOKED if key.revoked else None
    yield Rule.UNREVOKED, revoked, f"fingerprint {key.fingerprint}"
    expired = RefusalReason.OWNER_EXPIRED if key.expired(now) else None
    yield Rule.UNEXPIRED, expired, f"expiry {_moment(key.expires)}"
    validity = None if key.validity.sure else RefusalReason.OWNER_NOT_VALID
    yield Rule.VALID, validity, f"validity {key.validity.name.lower()}"


def _friendship(owner: str, known: Known) -> Iterator[_Step]:
    state = known.states.get(owner, FriendState.ACTIVE)
    yield Rule.KEPT, _GONE.get(state), f"state {state}"
    friend = owner in known.grants.rights or owner == known.snapshot.me
    yield Rule.FRIEND, None if friend else RefusalReason.NOT_A_FRIEND, f"fingerprint {owner}"


def _certificate(owner: str, certificate: NodeCertificate | None, known: Known, now: int) -> Iterator[_Step]:
    if certificate is None:
        yield Rule.CERTIFIED, RefusalReason.CERTIFICATE_MISSING, f"fingerprint {owner}"
    else:
        yield from _known_certificate(owner, certificate, known, now)


def _known_certificate(owner: str, certificate: NodeCertificate, known: Known, now: int) -> Iterator[_Step]:
    foreign = certificate.owner != owner
    other = RefusalReason.CERTIFICATE_OF_ANOTHER_OWNER if foreign else None
    yield Rule.CERTIFIED, other, f"certificate of {certificate.owner}"
    newest = known.epochs.get(certificate.node_id, certificate.epoch)
    superseded = RefusalReason.CERTIFICATE_SUPERSEDED if newest > certificate.epoch else None
    yield Rule.CURRENT, superseded, f"epoch {certificate.epoch}, known is {newest}"
    yield (
        Rule.IN_DATE,
        _dated(certificate, now),
        f"from {_moment(certificate.not_before)} to {_moment(certificate.not_after)}",
    )


def _dated(certificate: NodeCertificate, now: int) -> RefusalReason | None:
    if now < certificate.not_before:
        return RefusalReason.CERTIFICATE_NOT_YET_VALID
    return RefusalReason.CERTIFICATE_EXPIRED if now >= certificate.not_after else None


def _moment(seconds: int | None) -> str:
    return "never" if seconds is None else format_time(seconds)
