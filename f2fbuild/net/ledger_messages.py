"""What nodes say to one another about logs: heads, tiles and bundles, cosignatures, evidence, certificates.

The table of what answers what is in `messages`.
"""

from typing import Annotated

from msgspec import Meta, Struct, field

from f2fbuild import limits
from f2fbuild.net.wire import Checkpoint, Count, Hash, Hops, Logs, Mark, Message, Origin, Tag


class GetHead(Message, frozen=True, kw_only=True):
    """Your newest checkpoint of the log of this origin?

    `known` names the cosigners whose lines may come with it: tags under `salt` (`ledger.known`).
    """

    origin: Origin
    salt: Annotated[bytes, Meta(min_length=16, max_length=16)] = bytes(16)
    known: Annotated[list[Tag], Meta(max_length=limits.KNOWN_COSIGNERS)] = field(default_factory=list)


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
    """The bytes of a tile or an entry bundle, or a full piece of them that another follows."""

    data: Annotated[bytes, Meta(max_length=limits.LOG_PIECE_BYTES)]


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


class RenewCertificate(Message, frozen=True, kw_only=True):
    """My certificate file as it is now: renewed, or of a new epoch with another log."""

    certificate: Annotated[bytes, Meta(max_length=limits.CERTIFICATE_BYTES)]


class CertificateSeen(Message, frozen=True, kw_only=True):
    """It is known here now, or was already, or is older than the one that is."""
