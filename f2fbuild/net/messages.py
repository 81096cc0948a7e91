"""What nodes say to one another: one frozen value for each message.

An **exchange** is one stream of a link. Its opener sends one request; the other side answers with one or
more messages and ends the stream. The table of what answers what:

| request | answers |
|---|---|
| Hello | Hello |
| OfferJob | OfferAccepted, OfferRefused |
| WantBlob | BlobManifest then BlobChunk…, NoBlob |
| HaveBlobs | BlobsHeld |
| FollowJob | JobState, JobLog, JobCommitted, JobRevealed, JobClosed…, NoJob |
| ShowCommitments | CommitmentsSeen |
| Challenge | ChallengeAnswered, NoJob |
| CancelJob | JobCancelled |
| GetHead | Head, NoHead |
| GetLogResource | LogResource, NoLogResource |
| AnnounceHead | HeadSeen |
| SwapHeads | HeadsSwapped |
| TuneHeads | HeadsTuned |
| GetConsistency | ConsistencyShown, NoConsistency |
| AddCosignatures | CosignaturesSeen |
| ShowEvidence | EvidenceSeen |
| RenewCertificate | CertificateSeen |
| Refuse | RefusalSeen |

`Failure` may answer anything. Fields of bytes carry signed things verbatim; they are opened by whoever
checks the signature, never here. Every text and list is bounded, so a decoded message is bounded too.
"""

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from f2fbuild import limits
from f2fbuild.net.ledger_messages import (
    AddCosignatures,
    AnnounceHead,
    CertificateSeen,
    ConsistencyShown,
    CosignaturesSeen,
    EvidenceSeen,
    GetConsistency,
    GetHead,
    GetLogResource,
    Head,
    HeadSeen,
    HeadsSwapped,
    HeadsTuned,
    LogResource,
    NoConsistency,
    NoHead,
    NoLogResource,
    RenewCertificate,
    ShowEvidence,
    SwapHeads,
    TuneHeads,
)
from f2fbuild.net.wire import Count, Digest, Digests, Entry, Hash, Message, Proof, Signed, Text, Version, Word


class Hello(Message, frozen=True, kw_only=True):
    """The first exchange of a link, once in each direction: the versions spoken and the program's name."""

    version_min: Version
    version_max: Version
    program: Annotated[str, Meta(max_length=64)]


class OfferJob(Message, frozen=True, kw_only=True):
    """Please build this: a signed offer (`net.signed`), verbatim."""

    offer: Signed


class OfferAccepted(Message, frozen=True, kw_only=True):
    """The acceptance as it stands in the builder's log, and its receipt, a tlog-proof."""

    entry: Entry
    receipt: Proof


class OfferRefused(Message, frozen=True, kw_only=True):
    """No, with the reason and the rule that said so."""

    reason: Word
    rule: Text
    detail: Text


class WantBlob(Message, frozen=True, kw_only=True):
    """Send the blob of this SHA-256, from chunk number `first_chunk` on."""

    digest: Digest
    first_chunk: Count


class BlobManifest(Message, frozen=True, kw_only=True):
    """Size in bytes, number of chunks of `limits.CHUNK_BYTES`, RFC 6962 root over them in hexadecimal."""

    size: Count
    chunks: Count
    chunk_root: Digest


class BlobChunk(Message, frozen=True, kw_only=True):
    """One chunk and its inclusion proof under the manifest's root."""

    index: Count
    data: Annotated[bytes, Meta(max_length=limits.CHUNK_BYTES)]
    proof: Annotated[list[Hash], Meta(max_length=64)]


class NoBlob(Message, frozen=True, kw_only=True):
    """No such blob for you; absent and forbidden look the same."""

    digest: Digest


class HaveBlobs(Message, frozen=True, kw_only=True):
    """Which of these blobs can you send me?"""

    digests: Digests


class BlobsHeld(Message, frozen=True, kw_only=True):
    """These, in the order asked."""

    digests: Digests


class FollowJob(Message, frozen=True, kw_only=True):
    """Tell me of a job I offered: its log from byte `log_offset`, its states from number `position` on."""

    job_id: Digest
    log_offset: Count
    position: Count


class JobState(Message, frozen=True, kw_only=True):
    """The job's state number `position`."""

    position: Count
    state: Word
    stage: Text
    detail: Text


class JobLog(Message, frozen=True, kw_only=True):
    """Bytes of the build log from byte `offset` on."""

    offset: Count
    data: Annotated[bytes, Meta(max_length=64 * limits.KIB)]


class JobCommitted(Message, frozen=True, kw_only=True):
    """The commitment to a result, as it stands in the builder's log."""

    entry: Entry
    proof: Proof


class JobRevealed(Message, frozen=True, kw_only=True):
    """The outcome, as it stands in the builder's log, and the blobs that belong to it."""

    entry: Entry
    proof: Proof
    attachments: Digests


class JobClosed(Message, frozen=True, kw_only=True):
    """The job ended without an outcome: the closing entry, and why."""

    entry: Entry
    proof: Proof
    reason: Word


class NoJob(Message, frozen=True, kw_only=True):
    """No such job of yours."""

    job_id: Digest


class ShownCommitment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A commitment of one builder, shown to the others.

    `log` is its log's vkey; `acceptance` with its receipt is what it belongs to, `entry` with `proof` itself.
    """

    log: Annotated[str, Meta(min_length=1, max_length=256)]
    acceptance: Entry
    receipt: Proof
    entry: Entry
    proof: Proof


class ShowCommitments(Message, frozen=True, kw_only=True):
    """All commitments for a job, or those that came in time: now reveal."""

    job_id: Digest
    commitments: Annotated[list[ShownCommitment], Meta(max_length=64)]


class CommitmentsSeen(Message, frozen=True, kw_only=True):
    """The commitments are taken note of."""

    job_id: Digest


class Challenge(Message, frozen=True, kw_only=True):
    """Show that you hold what you signed for: hash this before the build log and the products of a job."""

    job_id: Digest
    nonce: Hash


class ChallengeAnswered(Message, frozen=True, kw_only=True):
    """SHA-256 over the nonce, the build log and the products, sorted by name."""

    job_id: Digest
    digest: Digest


class CancelJob(Message, frozen=True, kw_only=True):
    """Stop this job: a signed cancel (`net.signed`), verbatim."""

    job_id: Digest
    request: Signed


class JobCancelled(Message, frozen=True, kw_only=True):
    """The job is stopping; its closing entry comes to who follows it."""

    job_id: Digest


class Refuse(Message, frozen=True, kw_only=True):
    """You may not connect, and why: said once to a known friend before its link is closed."""

    reason: Word
    rule: Text
    detail: Text


class RefusalSeen(Message, frozen=True, kw_only=True):
    """The refusal is taken note of."""


class Failure(Message, frozen=True, kw_only=True):
    """The receiver could not answer: a code for programs, a detail for people."""

    code: Word
    detail: Text


Request: TypeAlias = (
    Hello
    | OfferJob
    | WantBlob
    | HaveBlobs
    | FollowJob
    | ShowCommitments
    | Challenge
    | CancelJob
    | GetHead
    | GetLogResource
    | AnnounceHead
    | SwapHeads
    | TuneHeads
    | GetConsistency
    | AddCosignatures
    | ShowEvidence
    | RenewCertificate
    | Refuse
)
"""What opens an exchange."""

Answer: TypeAlias = (
    OfferAccepted
    | OfferRefused
    | BlobManifest
    | BlobChunk
    | NoBlob
    | BlobsHeld
    | JobState
    | JobLog
    | JobCommitted
    | JobRevealed
    | JobClosed
    | NoJob
    | CommitmentsSeen
    | ChallengeAnswered
    | JobCancelled
    | Head
    | NoHead
    | LogResource
    | NoLogResource
    | HeadSeen
    | HeadsSwapped
    | HeadsTuned
    | ConsistencyShown
    | NoConsistency
    | CosignaturesSeen
    | EvidenceSeen
    | CertificateSeen
    | RefusalSeen
    | Failure
)
"""What answers one."""
