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
| Refuse | RefusalSeen |

`Failure` may answer anything. Fields of bytes carry signed things verbatim; they are opened by whoever
checks the signature, never here. Every text and list is bounded, so a decoded message is bounded too.
"""

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from f2fbuild import limits

Digest: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
"""A SHA-256 as 64 lower-case hexadecimal digits."""

Word: TypeAlias = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9._-]*\Z", max_length=64)]
"""A name from a closed list of the room that reads it: a state, a reason, a code."""

Text: TypeAlias = Annotated[str, Meta(max_length=limits.MESSAGE_TEXT)]
"""Words for people. Hostile: whoever shows it strips controls and escapes it."""

Origin: TypeAlias = Annotated[str, Meta(min_length=1, max_length=128)]
Count: TypeAlias = Annotated[int, Meta(ge=0, lt=limits.CANONICAL_INTEGER_BOUND)]
Version: TypeAlias = Annotated[int, Meta(ge=1, le=65_535)]
Hash: TypeAlias = Annotated[bytes, Meta(min_length=32, max_length=32)]
Tag: TypeAlias = Annotated[bytes, Meta(min_length=8, max_length=8)]
Entry: TypeAlias = Annotated[bytes, Meta(max_length=limits.ENTRY_BYTES)]
Proof: TypeAlias = Annotated[bytes, Meta(max_length=limits.MESSAGE_PROOF_BYTES)]
Signed: TypeAlias = Annotated[bytes, Meta(max_length=limits.MESSAGE_OFFER_BYTES)]
Checkpoint: TypeAlias = Annotated[bytes, Meta(max_length=limits.NOTE_BYTES)]
Mark: TypeAlias = Annotated[bytes, Meta(min_length=16, max_length=16)]
Hops: TypeAlias = Annotated[int, Meta(ge=0, lt=limits.HEAD_HOPS)]
"""Friends that a head has come through."""
Logs: TypeAlias = Annotated[list[Hash], Meta(max_length=limits.ORIGINS_PER_FRIEND)]
Digests: TypeAlias = Annotated[list[Digest], Meta(max_length=limits.MESSAGE_LIST)]


class Message(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag=True):
    """What every message is: a map whose `type` is the name of its class."""


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


class GetHead(Message, frozen=True, kw_only=True):
    """Your newest checkpoint of the log of this origin?

    `known` names the cosigners whose lines may come with it: tags under `salt` (`ledger.known`).
    """

    origin: Origin
    salt: Annotated[bytes, Meta(min_length=16, max_length=16)] = bytes(16)
    known: Annotated[list[Tag], Meta(max_length=limits.KNOWN_COSIGNERS)] = []


class Head(Message, frozen=True, kw_only=True):
    """A checkpoint: the log's signature, and the lines of cosigners that were named as known."""

    checkpoint: Checkpoint


class NoHead(Message, frozen=True, kw_only=True):
    """No log of that origin is known here."""

    origin: Origin


class GetLogResource(Message, frozen=True, kw_only=True):
    """A tile or bundle of the log of this origin, named by its tlog-tiles path."""

    origin: Origin
    path: Annotated[str, Meta(min_length=1, max_length=256)]


class LogResource(Message, frozen=True, kw_only=True):
    """The bytes of a tile or an entry bundle."""

    data: Annotated[bytes, Meta(max_length=limits.MESSAGE_BYTES - limits.KIB)]


class NoLogResource(Message, frozen=True, kw_only=True):
    """There is no such resource here."""


class AnnounceHead(Message, frozen=True, kw_only=True):
    """A log has grown: its checkpoint, its 32-byte key, and how many friends this has come through."""

    checkpoint: Checkpoint
    public: Hash
    hops: Hops


class HeadSeen(Message, frozen=True, kw_only=True):
    """The announcement is taken note of."""


class AddCosignatures(Message, frozen=True, kw_only=True):
    """We have cosigned this head of your log, or of a friend's: a note with nothing but the lines of that."""

    cosigned: Annotated[bytes, Meta(max_length=limits.COSIGNED_BYTES)]


class CosignaturesSeen(Message, frozen=True, kw_only=True):
    """They are kept, or the head is past."""


class HeadLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, array_like=True):
    """What somebody has of one log: the SHA-256 of its key, its size, 16 bytes of its root, its hops.

    Three hops stand for a head that is not passed on.
    """

    log: Hash
    size: Count
    mark: Mark
    hops: Annotated[int, Meta(ge=0, le=limits.HEAD_HOPS)]


class GivenHead(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, array_like=True):
    """A head within a list: as in `AnnounceHead`."""

    checkpoint: Annotated[bytes, Meta(max_length=limits.ANNOUNCED_HEAD_BYTES)]
    public: Hash
    hops: Hops


class SwapHeads(Message, frozen=True, kw_only=True):
    """What I have, and what have you?

    `have` is what changed since I told you last, or all of it if `whole`; `total` the exclusive or of the
    first 16 bytes of the SHA-256 of each line that you should remember of me now. `again` asks you to tell
    everything, since what I remember of you differs.
    """

    have: Annotated[list[HeadLine], Meta(max_length=limits.ORIGINS_PER_FRIEND)]
    total: Mark
    whole: bool
    again: bool


class HeadsSwapped(Message, frozen=True, kw_only=True):
    """The same from the other side, and heads that the asker lacks."""

    have: Annotated[list[HeadLine], Meta(max_length=limits.ORIGINS_PER_FRIEND)]
    total: Mark
    whole: bool
    again: bool
    heads: Annotated[list[GivenHead], Meta(max_length=limits.SWAP_HEADS)]


class TuneHeads(Message, frozen=True, kw_only=True):
    """Announce heads of the logs in `graft` to me at once from now on, those in `prune` no more."""

    graft: Logs
    prune: Logs


class HeadsTuned(Message, frozen=True, kw_only=True):
    """It will be done."""


class GetConsistency(Message, frozen=True, kw_only=True):
    """How do two sizes of a log go together, in its tree of size `new`? Asked of others `hops` times more."""

    origin: Origin
    old: Count
    new: Count
    hops: Hops


class ConsistencyShown(Message, frozen=True, kw_only=True):
    """The root that the larger tree has at the smaller size, and the proof (RFC 6962 section 2.1.2)."""

    prefix_root: Hash
    hashes: Annotated[list[Hash], Meta(max_length=limits.PROOF_HASHES)]


class NoConsistency(Message, frozen=True, kw_only=True):
    """Nobody on the way here has that tree."""


class ShowEvidence(Message, frozen=True, kw_only=True):
    """A file that convicts a log or an owner, and how many friends it has come through."""

    evidence: Annotated[bytes, Meta(max_length=limits.EVIDENCE_SHOWN_BYTES)]
    hops: Annotated[int, Meta(ge=0, lt=limits.EVIDENCE_HOPS)]


class EvidenceSeen(Message, frozen=True, kw_only=True):
    """The evidence is checked and kept, or was known already."""


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
    | RefusalSeen
    | Failure
)
"""What answers one."""
