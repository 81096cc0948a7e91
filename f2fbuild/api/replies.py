"""What a node answers: the replies of its API.

Every reply carries `schema`, its name and version. Ids are whole digests. Times are unix seconds, sizes
bytes. Text that came from a peer is already stripped of controls.
"""

import msgspec

from f2fbuild.model.job import AssignmentState, JobClass, JobState
from f2fbuild.model.verdict import VerdictKind
from f2fbuild.model.vote import ChallengeState, Strike


class Reply(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema"):
    """The base of all replies."""


class Initialised(Reply, frozen=True, kw_only=True, tag="f2fbuild.init/1"):
    """What `init` made, or found when `created` is false."""

    created: bool
    node: str
    node_id: str
    owner: str
    origin: str
    targets: tuple[str, ...]


class Epoch(Reply, frozen=True, kw_only=True, tag="f2fbuild.epoch/1"):
    """An epoch of this node: its log, and where the log before it ended; empty in the first."""

    epoch: int
    origin: str
    previous_origin: str
    previous_size: int
    previous_root: str


class Status(Reply, frozen=True, kw_only=True, tag="f2fbuild.status/1"):
    """Who this node is and how it is. `held` says why its log is not signed now, empty when it is."""

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
    held: str = ""
    notices: tuple[str, ...] = ()


class Protection(msgspec.Struct, frozen=True, kw_only=True):
    """One promise of the sandbox: whether it holds here, what makes it hold, what to do if it does not."""

    name: str
    holds: bool
    by: str
    hint: str


class Protections(Reply, frozen=True, kw_only=True, tag="f2fbuild.protections/1"):
    """What of the builder's sandbox holds on this host."""

    protections: tuple[Protection, ...]


class Renewed(Reply, frozen=True, kw_only=True, tag="f2fbuild.renewed/1"):
    """The certificate that was signed; `in_force` once the node has logged it. Times are unix seconds."""

    node: str
    origin: str
    epoch: int
    not_before: int
    not_after: int
    in_force: bool


class Card(Reply, frozen=True, kw_only=True, tag="f2fbuild.card/1"):
    """A friend card, to be given to a friend over any channel."""

    text: str


class Peer(Reply, frozen=True, kw_only=True, tag="f2fbuild.peer/1"):
    """One friend's node; `violation` says how an entry of its log breaks the rules, empty while none does.

    `frozen` when its owner tells two stories; `fork` is then the file that proves it.
    """

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
    fork: str = ""
    violation: str = ""
    certificate_until: int


class Peers(Reply, frozen=True, kw_only=True, tag="f2fbuild.peers/1"):
    """All friends, and who was refused lately and why."""

    peers: tuple[Peer, ...]
    refused: tuple[str, ...]


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


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """One product of one builder."""

    name: str
    kind: str
    size: int
    sha256: str
    canonical: str
    verified: bool


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """One builder's part in a job. `origin` and `index` name the entry in its log that says what came out.

    `strikes` say why that is no vote; without any it is one as soon as it is revealed and checked.
    `challenge` is how far the last challenge is, empty when there was none.
    `forked` is the file that proves that its owner tells two stories, empty while there is none.
    """

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
    strikes: tuple[Strike, ...] = ()
    challenge: ChallengeState = ChallengeState.NONE
    products: tuple[Product, ...]
    last_line: str
    updated: int
    forked: str = ""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger says of a job. `struck` are owners whose statements are no vote."""

    kind: VerdictKind
    agree: int
    denominator: int
    needed: int
    verified: int
    result: str
    accuses: tuple[str, ...]
    struck: tuple[str, ...] = ()


class Job(Reply, frozen=True, kw_only=True, tag="f2fbuild.job/1"):
    """A job, its builders and its verdict. `exit_code` is what `build` and `watch` end with.

    Results come out after `embargo_until`; 0 is no embargo.
    """

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
    embargo_until: int = 0
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


class LogChunk(Reply, frozen=True, kw_only=True, tag="f2fbuild.log/1"):
    """Some bytes of a build log, from `offset` on."""

    job: str
    who: str
    arch: str
    offset: int
    data: bytes


class Downloaded(Reply, frozen=True, kw_only=True, tag="f2fbuild.downloaded/1"):
    """The files that were written."""

    job: str
    files: tuple[str, ...]


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


class ErrorReply(Reply, frozen=True, kw_only=True, tag="f2fbuild.error/1"):
    """What went wrong. `error` is the name of an error class of f2fbuild."""

    error: str
    exit_code: int
    what: str
    where: str
    hint: str
