"""The kinds of entries and what each says: nouns, without their spelling (see `payload_codec`).

What is permanent is little: digests, indices, outcomes and coarse times. Whatever tells of people, packages
of a host or reasons is a salted hash here, and the words lie in a blob that may be deleted.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from f2fbuild.model.outcome import ClosingReason


class Kind(StrEnum):
    """The kinds of entries."""

    NODE_CERTIFICATE = "node-certificate"
    ORDER = "order"
    ACCEPTANCE = "acceptance"
    COMMITMENT = "commitment"
    OUTCOME = "outcome"
    CLOSING = "closing"
    VSA = "vsa"
    SVR = "svr"
    SEEN_HEADS = "seen-heads"
    MODE_CHANGE = "mode-change"
    REVOCATION = "revocation"
    UNKNOWN = "unknown"


class Mode(StrEnum):
    """Whom a node lets build for it."""

    DISTRIBUTED = "distributed"
    CAUTIOUS = "cautious"
    TRUSTED_ONLY = "trusted-only"


class RevocationReason(StrEnum):
    """Why a node certificate must not be believed any more."""

    SUPERSEDED = "superseded"
    COMPROMISED = "compromised"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCertificate:
    """The certificate file, verbatim."""

    text: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """`commit` is `salted(salt, order payload)`: nobody reads the order before its submitter opens it."""

    commit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """A builder's promise of one outcome or closing before `deadline`.

    `job` is the job id; `deadline` and `reveal_by` are unix seconds in multiples of 600; `submitter` and
    `build_key` are salted hashes, so that the log does not tell who asked for what.
    """

    job: str
    deadline: int
    reveal_by: int
    submitter: str
    build_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """The result of the acceptance at index `acceptance`, sealed in `digest` (see `commitment`)."""

    acceptance: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The in-toto Statement of a build that succeeded or failed, verbatim."""

    statement: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """The acceptance at index `acceptance` ended without an outcome."""

    acceptance: int
    reason: ClosingReason


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictSummary:
    """The submitter's in-toto Statement (SLSA VSA v1) of a verdict, which opens its order; verbatim."""

    statement: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditResult:
    """The auditor's in-toto Statement (SVR v0.2) of what it has verified; verbatim."""

    statement: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenHeads:
    """This node followed other logs up to heads whose list is sealed in `heads` (see `seen_heads`)."""

    heads: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeChange:
    """The node left the mode `old` for `new`.

    `forced` tells that a person did it; `reason` is the salted hash of the words.
    """

    old: Mode
    new: Mode
    forced: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """The node certificate at index `certificate` of this log is not to be believed from here on."""

    certificate: int
    reason: RevocationReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A payload of a kind that this version does not know."""

    payload_type: str
    payload: bytes


Verbatim: TypeAlias = NodeCertificate | Outcome | VerdictSummary | AuditResult | Unknown
"""Payloads whose bytes are kept as they were signed."""

Fields: TypeAlias = Order | Acceptance | Commitment | Closing | SeenHeads | ModeChange | Revocation
"""Payloads of our own types, canonical JSON with fixed fields."""

Payload: TypeAlias = Verbatim | Fields
