"""What may be asked of a node: the requests of its API.

Ids may be shortened to any unique prefix. Times are unix seconds, sizes bytes.
"""

from typing import Annotated

import msgspec

from f2fbuild.limits import COSIGNATURE_TIME_BOUND, TREE_SIZE_BOUND
from f2fbuild.model.job import JobClass

Count = Annotated[int, msgspec.Meta(ge=1, le=100)]


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of all requests."""


class GetStatus(Request, frozen=True, kw_only=True):
    """Ask who this node is and how it is."""


class GetProtections(Request, frozen=True, kw_only=True):
    """Ask what of the builder's sandbox holds on this host: it is tried out."""


class TakeRenewal(Request, frozen=True, kw_only=True):
    """Take the renewed certificate that lies in the data directory: log it and put it in force."""


class GetCard(Request, frozen=True, kw_only=True):
    """Ask for this node's friend card."""

    dial: tuple[str, ...] = ()


class AddPeer(Request, frozen=True, kw_only=True):
    """Take a friend card; certify its owner's key locally when `certify`; grant `rights`, nothing else."""

    card: str
    rights: tuple[str, ...]
    certify: bool
    alias: str = ""
    dry_run: bool = False


class GetPeer(Request, frozen=True, kw_only=True):
    """Ask for one friend, by alias, alias@node, fingerprint or id prefix."""

    peer: str


class RemovePeer(GetPeer, frozen=True, kw_only=True):
    """End a friendship; leaves a tombstone."""


class ListPeers(Request, frozen=True, kw_only=True):
    """Ask for all friends."""


class ExplainTrust(Request, frozen=True, kw_only=True):
    """Ask what an owner may do here, and why."""

    who: str


class ListTargets(Request, frozen=True, kw_only=True):
    """Ask for all targets."""


class GetTarget(Request, frozen=True, kw_only=True):
    """Ask for one target."""

    name: str


class AddTarget(Request, frozen=True, kw_only=True):
    """Add a target from its TOML text, which names keyrings by paths that the node can read."""

    text: str


class Submit(Request, frozen=True, kw_only=True):
    """Order a build of the source at `source`, a path that the node can read.

    No result comes out before the unix second `embargo_until`; 0 is no embargo.
    """

    target: str
    source: str
    job_class: JobClass = JobClass.TESTING
    builders: Count | None = None
    agree: Count | None = None
    deadline_minutes: Annotated[int, msgspec.Meta(ge=1, le=20160)] = 1440
    embargo_until: Annotated[int, msgspec.Meta(ge=0, lt=2**40)] = 0


class GetJob(Request, frozen=True, kw_only=True):
    """Ask for one job by any unique prefix of its id."""

    job: str


class CancelJob(GetJob, frozen=True, kw_only=True):
    """End a job."""


class ChallengeJob(GetJob, frozen=True, kw_only=True):
    """Have builders of a job show that they hold what they signed for: `peer`, or all who have a result."""

    peer: str = ""


class RetryJob(GetJob, frozen=True, kw_only=True):
    """Order the same build again as a new job."""


class ExplainJob(GetJob, frozen=True, kw_only=True):
    """Ask, for every friend, why it does or does not build this job."""


class WatchJob(GetJob, frozen=True, kw_only=True):
    """Follow a job: one `Job` at once and at each change, until it has ended."""


class ListJobs(Request, frozen=True, kw_only=True):
    """Ask for the newest jobs."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100


class ReadLog(Request, frozen=True, kw_only=True):
    """Read a builder's build log; every chunk is a `LogChunk`, the last one when the build has ended."""

    job: str
    peer: str = ""
    follow: bool = False


class Download(Request, frozen=True, kw_only=True):
    """Ask for the agreed products of a job, verified once more as they are handed out into `directory`."""

    job: str
    directory: str
    peer: str = ""
    logs: bool = False


class ListDivergences(Request, frozen=True, kw_only=True):
    """Ask for all jobs whose builders did not agree."""


class GetDivergence(Request, frozen=True, kw_only=True):
    """Ask for one divergence by its job's id."""

    job: str


class ListLogs(Request, frozen=True, kw_only=True):
    """Ask for this node's log and every log that it keeps of others."""


class ReadStrangersLog(Request, frozen=True, kw_only=True):
    """Bring the log of no friend here, from friends who keep it: by any unique start of its origin."""

    log: str


class ImportLogs(Request, frozen=True, kw_only=True):
    """Take in the logs in an archive, a file that this node can read."""

    file: str


class GetWitnessing(Request, frozen=True, kw_only=True):
    """Ask who cosigned a log and what this node cosigned; an empty origin is this node's own log."""

    origin: str = ""


class GetTlogPolicy(Request, frozen=True, kw_only=True):
    """Ask which witnesses make a head of a log believable; an empty origin is this node's own log."""

    origin: str = ""


class DateEntry(Request, frozen=True, kw_only=True):
    """Ask for evidence that an entry is older than `before` (unix seconds), 0 for as old as can be shown.

    An empty origin is this node's own log.
    """

    index: Annotated[int, msgspec.Meta(ge=0, lt=TREE_SIZE_BOUND)]
    before: Annotated[int, msgspec.Meta(ge=0, lt=COSIGNATURE_TIME_BOUND - 1)] = 0
    origin: str = ""
