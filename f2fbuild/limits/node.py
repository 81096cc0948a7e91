"""What jobs, audit, store, API and the node itself may take."""

from f2fbuild.limits.units import KIB, MIB

# Model
CANONICAL_DEPTH = 16
"""Levels of nesting in canonical JSON: payloads need 6, and a parser's stack must not be a peer's choice."""

CANONICAL_INTEGER_BOUND = 2**53
"""Integers are below this in size: RFC 8785 §3.2.2.3 keeps numbers exact in every JSON reader."""

SHORT_ID_CHARACTERS = 8
"""Characters of an id on screen: 40 bits, and any unique prefix is taken."""

# Api
API_REQUEST_BYTES = 4 * MIB
"""Bytes of one API request: a friend card has 64 KiB, a target's keyring may have a few MiB."""

# Store
DATABASE_BUSY_MS = 5_000
"""Milliseconds to wait for another process's write: a command-line tool's transaction takes far less."""

BLOB_BLOCK_BYTES = MIB
"""Bytes read, hashed or written at once: smaller blocks make system calls and thread hops dominate."""

BLOB_BYTES = 16 * 1024 * MIB
"""Bytes of one blob: the largest installation images are below 12 GiB."""

BLOB_RESERVE_BYTES = 512 * MIB
"""Bytes that blobs leave free on their file system, so that ledger and database can still write."""

PARTIALS_PER_BLOB = 2
"""Interrupted transfers kept of one blob: a peer that names a wrong chunk root must not cost the right one,
and inventing more roots must not fill the disk."""

# Jobs
REVEAL_SECONDS = 24 * 3600
"""Seconds after which a builder reveals on its own: one slow builder must not hide the others' results."""

EMBARGO_SECONDS = 14 * 86_400
"""Seconds until an embargo ends, at most: as long as the linux-distros list lets one last."""

EMBARGO_MARGIN_SECONDS = 3600
"""Seconds between the end of an embargo and the deadline: results have to be fetched and recomputed."""

CHALLENGE_SECONDS = 600
"""Seconds for the answer to a challenge: hashing the largest products takes minutes."""

CHALLENGES_PER_DAY = 8
"""Challenges of one job that a builder answers in a day: each costs as much as reading all its products."""

CHALLENGED_JOBS = 4_096
"""Jobs whose challenges a builder counts."""

LOG_BLOB_BYTES = 1024 * MIB
"""Bytes of a build log that is fetched whole; builders cap theirs at `log_mib`."""

REVEAL_POLL_SECONDS = 30
"""Seconds between a builder's looks at the clock while it keeps a result to itself."""

ARTIFACT_DAYS = 30
"""Days for which products and logs are kept for those who may fetch them: disputes take time."""

PRODUCTS_LIST_BYTES = 16 * MIB
"""Bytes of a `products.json` blob: 50,000 products of 335 bytes each."""

EXCHANGE_RETRY_SECONDS = 1
"""Seconds before an exchange that broke is tried again; a link that is gone is waited for besides."""

BUILD_LOG_BYTES = 64 * MIB
"""Bytes of one builder's log that a submitter keeps; builders cap their own at `log_mib`."""

DETAILS_BYTES = 256 * KIB
"""Bytes of an outcome's details blob: host facts are a few lines."""

OFFER_SECONDS = 3600
"""Seconds for which an offer may be accepted: it is repeated when a friend comes back later."""

OFFER_ANSWER_SECONDS = 60
"""Seconds that a builder has to answer an offer before another is asked."""

REFUSED_AGAIN_SECONDS = 60
"""Seconds after which a builder that was busy is asked again."""

CONDUCT_POLL_SECONDS = 30
"""Seconds after which an open job is looked at again though nothing changed: refusals pass with time."""

# Audit
OFFER_TRIES = 6
"""Times that a head is tried once more whose shower had not its entries yet: half a minute in all."""

OFFER_PAUSE_SECONDS = 0.25
"""Seconds before the first of these times, doubled by each."""

FOLLOW_SECONDS = 120
"""Seconds for one pull of one friend's log, after which the others have their turn."""

FOLLOW_PAUSE_SECONDS = 0.1
"""From news of a log until its entries are fetched: heads go on to friends meanwhile, and what grows in quick
succession is fetched and synced together."""

# Node
TRUST_REFRESH_SECONDS = 3
"""Seconds between two looks at the keyring: a change of trust reaches every session within 5 s."""

REFUSALS_REMEMBERED = 100
"""Refused strangers shown to the owner; a scanner must not fill memory."""

JOBS_PER_FRIEND = 4
"""Open jobs that one friend's node is offered at once; it says itself when it is busy."""

NOTES_SECONDS = 3600
"""Seconds between two looks whether heads that this node follows have changed; noted once a day at most."""

TIDY_TASKS = 100
"""Ended tasks whose products and logs are forgotten in one round."""

PARTIAL_DAYS = 7
"""Days for which an interrupted transfer is kept: jobs that need it have ended by then, or begin anew."""

TIDY_SECONDS = 3600
"""Seconds between two rounds of forgetting what has ended."""

GUARD_SECONDS = 10
"""Seconds for which friends are asked at start whether they know a later head of this node's log."""

PUBLISH_SECONDS = 0.25
"""From a new entry until the log's files show it: few enough to read what just happened, and a tenth of what
publishing after every entry would cost a busy node."""

NEWS_SECONDS = 10
"""Seconds for telling one friend something that it would also find out by itself."""

SOURCE_FILE_BYTES = 512 * MIB
"""Bytes of one source file fetched from an archive: the largest upstream tarballs have a few hundred MiB."""

BUILD_CPUS_SHOWN = 2
"""CPUs that a build is shown: pinned in the build key, and every builder has as many."""

WEB_CONNECTIONS = 64
"""Connections of strangers to a web port at once: each is a file descriptor and some 100 KiB."""

WEB_CONNECTION_SECONDS = 600
"""Seconds after which a web connection is closed: long enough for a full entry bundle at 28 KiB/s."""

WEB_IDLE_SECONDS = 20
"""Seconds that a web connection may say nothing."""

WEB_HEAD_BYTES = 8_192
"""Bytes of a request's line and headers."""

TILES_ANSWERS = 16
"""Files of logs that are on their way to strangers at once; each may be an entry bundle of 16 MiB."""

WITNESS_BODY_SECONDS = 10
"""Seconds in which a log that asks this witness must have sent its request."""

WITNESS_WINDOW_SECONDS = 60
"""Seconds over which requests to this witness are counted."""

WITNESS_REQUESTS = 60
"""Requests that one address may send to this witness in that time: a log asks once for each of its heads."""

WITNESS_CALLERS = 1_024
"""Addresses that this witness answers in that time: each costs a line in memory."""

WITNESS_SECONDS = 30
"""Seconds in which an outside witness must have answered."""

WITNESS_ANSWER_BYTES = 16 * KIB
"""Bytes of an outside witness's answer: a line for each of its keys."""

WITNESS_ATTEMPTS = 3
"""Requests in a row to one outside witness that answers with another size than was thought."""

WITNESS_PAUSE_SECONDS = 10
"""Seconds between two requests to one outside witness: a busy log has several heads in that time."""

WITNESS_PAUSE_MOST_SECONDS = 3_600
"""Seconds between two requests to an outside witness that does not cosign, at most."""
