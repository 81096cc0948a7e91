"""What the offline commands answer in JSON; no node is asked for these.

As in `api.replies`: `schema` names and versions each record; sizes are entries; bytes are base64.
"""

import msgspec

from f2fbuild.api.cosigned import Cosigned
from f2fbuild.api.ledger_replies import Finding
from f2fbuild.api.replies import Reply


class LedgerLine(Reply, frozen=True, kw_only=True, tag="f2fbuild.ledger-line/1"):
    """One entry of a log in one line. `problem` says why it cannot be read, empty when it can."""

    origin: str
    index: int
    kind: str
    line: str
    problem: str


class LedgerEntry(Reply, frozen=True, kw_only=True, tag="f2fbuild.ledger-entry/1"):
    """One entry, proved to be in its log and signed by its node. `entry` is the whole envelope."""

    origin: str
    index: int
    kind: str
    statement_key: str
    payload_type: str
    payload: bytes
    entry: bytes


class LedgerSplit(Reply, frozen=True, kw_only=True, tag="f2fbuild.ledger-split/1"):
    """The files of a node certificate that `gpg --verify SIGNATURE TEXT` takes."""

    text: str
    signature: str


class LedgerProof(Reply, frozen=True, kw_only=True, tag="f2fbuild.ledger-proof/1"):
    """The tlog-proof of an entry, as its text."""

    origin: str
    index: int
    proof: str


class LedgerProved(Reply, frozen=True, kw_only=True, tag="f2fbuild.ledger-proved/1"):
    """The log `origin` holds the entry at `index` under a signed head of `size`."""

    origin: str
    index: int
    size: int
    kind: str
    statement_key: str


class LedgerExported(Reply, frozen=True, kw_only=True, tag="f2fbuild.ledger-exported/1"):
    """What was written to `path` (empty: standard output); `logs` are sizes by origin."""

    path: str
    format: str
    logs: dict[str, int]


class LedgerServed(Reply, frozen=True, kw_only=True, tag="f2fbuild.ledger-served/1"):
    """Where logs are served, and the last parts of their origins."""

    urls: tuple[str, ...]
    logs: tuple[str, ...]


class LedgerCheckpoint(Reply, frozen=True, kw_only=True, tag="f2fbuild.ledger-checkpoint/1"):
    """The newest signed head of a log; `root` is hexadecimal, `note` the signed text verbatim.

    `cosigned` says whose the cosignatures in it are.
    """

    origin: str
    size: int
    root: str
    note: str
    cosigned: tuple[Cosigned, ...] = ()


class LedgerProblem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong with a log, and where: a file below it, or `entry N`."""

    where: str
    what: str


class LedgerReport(Reply, frozen=True, kw_only=True, tag="f2fbuild.ledger-report/1"):
    """What the check of one log found. `open` names acceptances that nothing closed yet.

    Of `pruned` entries, from entry 256 on, only the hashes are kept here. With `hashes_only` nothing else
    was looked at.
    """

    origin: str
    path: str
    size: int
    kinds: dict[str, int]
    open: tuple[int, ...]
    problems: tuple[LedgerProblem, ...]
    pruned: int = 0
    hashes_only: bool = False


class EvidenceCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """A node certificate that a finding rests on: `gpg --verify SIGNATURE TEXT` must name its owner."""

    owner: str
    node: str
    text: str
    signature: str


class EvidenceProved(Reply, frozen=True, kw_only=True, tag="f2fbuild.evidence-proved/1"):
    """What a file of evidence proves: `against` an origin or an owner, or against nobody when it is empty.

    `files` are those that --split wrote: text and signature of each certificate.
    """

    kind: str
    claim: str
    against: str
    origins: tuple[str, ...]
    facts: tuple[str, ...]
    certificates: tuple[EvidenceCertificate, ...]
    files: tuple[str, ...]


class FindingShown(Reply, frozen=True, kw_only=True, tag="f2fbuild.finding-shown/1"):
    """A finding that nothing proves to others."""

    finding: Finding


class AuditedCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """A node certificate in a log. `standing` is `good`, `unknown`, `lapsed` or `bad`."""

    index: int
    owner: str
    standing: str
    why: str


class AuditedLog(msgspec.Struct, frozen=True, kw_only=True):
    """All that was found of one log; `wrong` when anything is."""

    report: LedgerReport
    certificates: tuple[AuditedCertificate, ...]
    wrong: bool


class LedgerAudit(Reply, frozen=True, kw_only=True, tag="f2fbuild.ledger-audit/1"):
    """What an audit of all logs found: `entries` in all, `wrong` how many logs have a problem."""

    logs: tuple[AuditedLog, ...]
    entries: int
    wrong: int
