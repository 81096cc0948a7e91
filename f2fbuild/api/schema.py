"""Requests and replies of the node's API: what the command line, pages and programs may ask.

Every reply carries `schema`, its name and version. Ids are whole digests; people's prefixes are resolved by
the node. Times are unix seconds, sizes bytes. Text that came from a peer is already stripped of controls.
"""

from typing import Annotated, TypeAlias

import msgspec

from f2fbuild.model.job import AssignmentState, JobClass, JobState
from f2fbuild.model.verdict import VerdictKind

Count = Annotated[int, msgspec.Meta(ge=1, le=100)]


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of all requests."""


class Reply(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema"):
    """The base of all replies."""


# --- the node ------------------------------------------------------------------------------------


class GetStatus(Request, frozen=True, kw_only=True):
    """Ask who this node is and how it is."""


class Status(Reply, frozen=True, kw_only=True, tag="f2fbuild.status/1"):
    """Who this node is and how it is."""

    version: str
    node: str
    node_id: str
    owner: str
    owner_name: str
    origin: str
    vkey: str
    statement_key: str
    log_path: str
    log_size: int
    listen: tuple[str, ...]
    friends: int
    connected: int
    jobs_running: int
    builds_running: int
    notices: tuple[str, ...] = ()


class GetCard(Request, frozen=True, kw_only=True):
    """Ask for this node's friend card."""

    dial: tuple[str, ...] = ()


class Card(Reply, frozen=True, kw_only=True, tag="f2fbuild.card/1"):
    """A friend card, to be given to a friend over any channel."""

    text: str


# --- friends and trust ---------------------------------------------------------------------------


class AddPeer(Request, frozen=True, kw_only=True):
    """Take a friend card; certify its owner's key locally when `certify`; grant `rights`."""

    card: str
    rights: tuple[str, ...]
    certify: bool
    alias: str = ""


class GetPeer(Request, frozen=True, kw_only=True):
    """Ask for one friend, by alias, alias@node, fingerprint or id prefix."""

    peer: str


class RemovePeer(GetPeer, frozen=True, kw_only=True):
    """End a friendship; leaves a tombstone."""


class ListPeers(Request, frozen=True, kw_only=True):
    """Ask for all friends."""


class Peer(Reply, frozen=True, kw_only=True, tag="f2fbuild.peer/1"):
    """One friend's node."""

    id: str
    alias: str
    node: str
    owner: str
    origin: str
    rights: tuple[str, ...]
    hints: tuple[str, ...]
    connected: bool
    path: str
    refusals: tuple[str, ...]
    log_size: int
    frozen: bool
    certificate_until: int


class Peers(Reply, frozen=True, kw_only=True, tag="f2fbuild.peers/1"):
    """All friends, and strangers that were refused lately."""

    peers: tuple[Peer, ...]


class ExplainTrust(Request, frozen=True, kw_only=True):
    """Ask what an owner may do here, and why."""

    who: str


class TrustAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One question about an owner, with its answer and the rule that gave it."""

    question: str
    allowed: bool
    reason: str
    rule: str
    detail: str


class Trust(Reply, frozen=True, kw_only=True, tag="f2fbuild.trust/1"):
    """What an owner may do here, the certification paths to the owner, and what would change it."""

    owner: str
    alias: str
    validity: str
    answers: tuple[TrustAnswer, ...]
    paths: tuple[tuple[str, ...], ...]
    would_change: tuple[str, ...]
    told_us: tuple[str, ...]


# --- targets -------------------------------------------------------------------------------------


class ListTargets(Request, frozen=True, kw_only=True):
    """Ask for all targets."""


class GetTarget(Request, frozen=True, kw_only=True):
    """Ask for one target."""

    name: str


class AddTarget(Request, frozen=True, kw_only=True):
    """Add a target from its TOML text; keys are given with it by file name."""

    text: str
    keys: dict[str, bytes]


class Target(Reply, frozen=True, kw_only=True, tag="f2fbuild.target/1"):
    """A target and the fingerprints of the keys it trusts."""

    name: str
    format: str
    arch: str
    text: str
    keys: tuple[str, ...]


class Targets(Reply, frozen=True, kw_only=True, tag="f2fbuild.targets/1"):
    """All targets."""

    targets: tuple[Target, ...]


# --- jobs ----------------------------------------------------------------------------------------


class Submit(Request, frozen=True, kw_only=True):
    """Order a build of the source at `source`, a path that the node can read."""

    target: str
    source: str
    job_class: JobClass = JobClass.TESTING
    builders: Count | None = None
    agree: Count | None = None
    deadline_minutes: Annotated[int, msgspec.Meta(ge=1, le=20160)] = 1440


class GetJob(Request, frozen=True, kw_only=True):
    """Ask for one job by any unique prefix of its id."""

    job: str


class CancelJob(GetJob, frozen=True, kw_only=True):
    """End a job."""


class RetryJob(GetJob, frozen=True, kw_only=True):
    """Order the same build again as a new job."""


class ExplainJob(GetJob, frozen=True, kw_only=True):
    """Ask, for every friend, why it does or does not build this job."""


class WatchJob(GetJob, frozen=True, kw_only=True):
    """Follow a job: one `Job` at once and at each change, until it has ended."""


class ListJobs(Request, frozen=True, kw_only=True):
    """Ask for the newest jobs."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """One product of one builder."""

    name: str
    kind: str
    size: int
    sha256: str
    canonical: str
    verified: bool


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """One builder's part in a job. `origin` and `index` name the entry in its log that says what came out."""

    peer: str
    owner: str
    alias: str
    node: str
    state: AssignmentState
    stage: str
    detail: str
    origin: str
    index: int | None
    outcome: str
    result: str
    products: tuple[Product, ...]
    last_line: str
    updated: int


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger says of a job."""

    kind: VerdictKind
    agree: int
    denominator: int
    needed: int
    verified: int
    result: str
    accuses: tuple[str, ...]


class Job(Reply, frozen=True, kw_only=True, tag="f2fbuild.job/1"):
    """A job, its builders and its verdict. `exit_code` is what `build` and `watch` end with."""

    id: str
    short: str
    title: str
    target: str
    arch: str
    format: str
    job_class: JobClass
    state: JobState
    reason: str
    created: int
    deadline: int
    builders: int
    agree: int
    verdict: Verdict | None
    assignments: tuple[Assignment, ...]
    exit_code: int | None


class Jobs(Reply, frozen=True, kw_only=True, tag="f2fbuild.jobs/1"):
    """The newest jobs, newest first."""

    jobs: tuple[Job, ...]


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why a friend does or does not build a job."""

    peer: str
    who: str
    reason: str
    detail: str


class Explanation(Reply, frozen=True, kw_only=True, tag="f2fbuild.job-explanation/1"):
    """What a job waits for, friend by friend."""

    job: str
    waiting_for: str
    reasons: tuple[Reason, ...]


class ReadLog(Request, frozen=True, kw_only=True):
    """Read a builder's build log; every chunk is a `LogChunk`, the last one when the build has ended."""

    job: str
    peer: str = ""
    follow: bool = False


class LogChunk(Reply, frozen=True, kw_only=True, tag="f2fbuild.log/1"):
    """Some bytes of a build log, from `offset` on."""

    job: str
    who: str
    arch: str
    offset: int
    data: bytes


class Download(Request, frozen=True, kw_only=True):
    """Ask for the agreed products of a job, verified once more as they are handed out into `directory`."""

    job: str
    directory: str
    peer: str = ""
    logs: bool = False


class Downloaded(Reply, frozen=True, kw_only=True, tag="f2fbuild.downloaded/1"):
    """The files that were written."""

    job: str
    files: tuple[str, ...]


# --- ledger and findings -------------------------------------------------------------------------


class ListDivergences(Request, frozen=True, kw_only=True):
    """Ask for all jobs whose builders did not agree."""


class GetDivergence(Request, frozen=True, kw_only=True):
    """Ask for one divergence by its job's id."""

    job: str


class DivergenceGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Owners that gave one result."""

    result: str
    owners: tuple[str, ...]
    outcome: str
    products: tuple[Product, ...]
    environment: dict[str, str]


class Divergence(Reply, frozen=True, kw_only=True, tag="f2fbuild.divergence/1"):
    """Who said what; the environment differences come first."""

    job: str
    title: str
    verdict: VerdictKind
    environment_differences: tuple[str, ...]
    groups: tuple[DivergenceGroup, ...]
    differing: tuple[str, ...]
    evidence: tuple[str, ...]


class Divergences(Reply, frozen=True, kw_only=True, tag="f2fbuild.divergences/1"):
    """All divergences, newest first."""

    divergences: tuple[Divergence, ...]


class ListLogs(Request, frozen=True, kw_only=True):
    """Ask for this node's log and every log it keeps of friends."""


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """One log kept here, as a tlog-tiles directory."""

    origin: str
    owner: str
    node: str
    vkey: str
    statement_key: str
    path: str
    size: int
    frozen: bool


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a log or its author did, with the file that proves it."""

    kind: str
    owner: str
    node: str
    evidence: str
    found: int
    detail: str


class Logs(Reply, frozen=True, kw_only=True, tag="f2fbuild.logs/1"):
    """All logs kept here, and what was found in them."""

    logs: tuple[Log, ...]
    findings: tuple[Finding, ...]


class ErrorReply(Reply, frozen=True, kw_only=True, tag="f2fbuild.error/1"):
    """What went wrong. `error` is the name of an error class of f2fbuild."""

    error: str
    exit_code: int
    what: str
    where: str
    hint: str


AnyReply: TypeAlias = (
    Status
    | Card
    | Peer
    | Peers
    | Trust
    | Target
    | Targets
    | Job
    | Jobs
    | Explanation
    | LogChunk
    | Downloaded
    | Divergence
    | Divergences
    | Logs
    | ErrorReply
)

CALLS: dict[str, type[Request]] = {
    "status": GetStatus,
    "card": GetCard,
    "peer-add": AddPeer,
    "peer-show": GetPeer,
    "peer-remove": RemovePeer,
    "peer-list": ListPeers,
    "trust-explain": ExplainTrust,
    "target-list": ListTargets,
    "target-show": GetTarget,
    "target-add": AddTarget,
    "submit": Submit,
    "job-show": GetJob,
    "job-cancel": CancelJob,
    "job-retry": RetryJob,
    "job-explain": ExplainJob,
    "job-list": ListJobs,
    "download": Download,
    "divergence-list": ListDivergences,
    "divergence-show": GetDivergence,
    "log-list": ListLogs,
}
"""Calls with one reply, by the last part of their path `/v1/NAME`."""

STREAMS: dict[str, type[Request]] = {"job-watch": WatchJob, "job-logs": ReadLog}
"""Calls answered by a stream of replies, one JSON text a line."""
