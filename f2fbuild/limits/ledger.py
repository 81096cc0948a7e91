"""What a log, its entries and its notes may hold."""

from f2fbuild.limits.units import KIB, MIB

ENTRY_BYTES = 65_535
"""Bytes of one entry: the entry bundle's length prefix is a uint16 (C2SP tlog-tiles)."""

ENVELOPE_BYTES = 60_000
"""Bytes of an envelope before its subjects move into a `products.json` blob; leaves room in an entry."""

STATEMENT_BYTES = ENVELOPE_BYTES * 3 // 4 - 512
"""Payload bytes whose envelope stays within its limit: base64 adds a third, the frame some 300 bytes."""

NOTE_BYTES = 1_000_000
"""Bytes of a signed note (C2SP signed-note)."""

NOTE_SIGNATURES = 100
"""Signatures on a signed note (C2SP signed-note)."""

COSIGNATURE_TIME_BOUND = 2**63
"""Unix seconds of a cosignature are below this (C2SP tlog-cosignature)."""

TILE_WIDTH = 256
"""Hashes of a full tile (C2SP tlog-tiles)."""

BUNDLE_BYTES = TILE_WIDTH * (2 + ENTRY_BYTES)
"""Bytes of a full entry bundle with the largest entries: the most that one fetched resource can be."""

TREE_SIZE_BOUND = 2**53
"""Sizes of trees are below this: an index stands in canonical JSON, which has no larger integers."""

PROOF_HASHES = 63
"""Hashes in one proof: a consistency proof has at most as many as tlog-witness takes."""

ADD_CHECKPOINT_BYTES = 64 * KIB
"""Bytes of a request to a witness: 63 hashes of 45 bytes, and a note with all the signatures it may have."""

PROOF_BYTES = 1_024 * KIB
"""Bytes of a tlog-proof: 63 hashes of 45 bytes, the extra line, and one note."""

MIRROR_UPDATE_BYTES = 1024 * MIB
"""Bytes fetched for one advance of a friend's log: several years of a busy builder, not a full disk."""

PRUNED_BUNDLES = 4_096
"""Bundles of one log that go in one round: a million entries, some seconds of a disk's time."""

EVIDENCE_BYTES = 44 * MIB
"""Bytes of an evidence file: two product lists of 16 MiB in base64 at the very worst, a few kB as a rule."""

EVIDENCE_SHOWN_BYTES = 512 * KIB
"""Bytes of evidence shown to friends: what convicts has a few kB as a rule. Larger files stay here: only a
hidden result in a busy log has as much, and whoever follows that log finds it by himself."""

EVIDENCE_HOPS = 3
"""Friends that evidence travels through: as many as a head does, so who hears of a log hears of its fork."""

EVIDENCE_HOUR = 3600
"""Seconds over which evidence shown by one friend is counted."""

EVIDENCE_PER_HOUR = 60
"""Files that one friend may show in an hour: each costs up to a dozen signatures and two runs of GnuPG."""

EVIDENCE_PER_FRIEND = 2_000
"""Files kept that came from one friend: as many as it may have announced logs."""

EVIDENCE_WITNESSES = 8
"""Witnesses whose certificates one file of evidence holds: two are needed, each reader believes others."""

SIGHTING_SECONDS = 86_400
"""Seconds of which one cosigned head is kept of each log: so much later than an entry can it be dated."""

SIGHTINGS_IN_FULL = 90
"""Days whose heads are all kept: a stolen key is noticed within weeks, as a rule."""

SIGHTINGS_OLD = 30
"""Days of which one head is kept after that, for ever: twelve a year, of some 3 kB each."""

HIDDEN_GRACE_SECONDS = 7 * 86_400
"""Seconds after which a promise that was due and that nothing closed is evidence: a node may be ill."""

HIDDEN_SPAN_BYTES = 8 * MIB
"""Bytes of the entries in evidence of a hidden result: some 5,000 entries of 1.6 kB, a busy fortnight."""

OVERDUE_LOOKED_AT = 100
"""Open promises of one log looked at in one round, the oldest first: a liar may leave a million open."""

SHOWN_HEADS = 64
"""Heads of one friend's proofs that wait for a copy as long as they are: three for each of 20 open jobs."""

PROOFS_REMEMBERED = 20
"""Assignments of a friend whose proofs are compared with its log again after a restart: the newest ones."""

REMIND_SECONDS = 3_600
"""Seconds between two looks at the clock for promises that fell due: what matters is measured in days."""

REMIND_AGAIN_SECONDS = 86_400
"""Seconds until a promise that is overdue and not proved to be broken is asked about again."""

REMIND_FRIENDS = 8
"""Friends that are asked for what they hold of the log of a friend who stays away."""

EVIDENCE_PARTS = 16
"""Parts of an evidence file: divergent results need at most 12."""

SEEN_HEADS = 50_000
"""Heads in one list of seen heads: 25 friends that each announce as many origins as they may."""

SEEN_HEADS_BYTES = 16 * MIB
"""Bytes of such a list; a head takes some 200."""

REPORT_PROBLEMS = 100
"""Problems that one check of a log names: a ruined log would fill the screen."""

ARCHIVE_MEMBERS = 200_000
"""Files in one archive of logs: some 25 million entries. The reader remembers a name and a place of each."""

ARCHIVE_LOGS = 2_000
"""Logs in one archive: as many as a friend may announce."""

WITNESS_QUORUM = 2
"""Independent owners whose cosignatures make a head believable to others (verdicts, "Evidence")."""

KNOWN_COSIGNERS = 1_024
"""Cosigners that one request for a head names: two keys of each of 500 friends."""

COSIGNED_BYTES = 4 * KIB
"""Bytes of a head with the lines of those who just cosigned it: a friend's two lines take some 600."""

COSIGNED_LINES = 16
"""Lines that one message brings to an author: each takes some 210 bytes of `COSIGNED_BYTES`."""

COSIGNATURE_AHEAD_SECONDS = 600
"""Seconds that a cosignature's time may be ahead of the own clock: clocks of friends differ."""

COSIGN_AGAIN_SECONDS = 6 * 3_600
"""Seconds after which an unchanged head is cosigned anew: so it is known for how long it has stood."""

COSIGNATURES_WINDOW_SECONDS = 60
"""Seconds over which a friend's messages with cosignatures are counted."""

COSIGNATURES_PER_MINUTE = 240
"""Messages with cosignatures taken from one friend in a minute; each costs some signatures and a sync."""
