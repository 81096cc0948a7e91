"""All limits of the project, with their units and the reason for each.

Constants fixed by a specification carry its clause and are no tunables; the others are ours.
A limit is checked before anything is buffered. Sections are in the order of the rooms.
"""

KIB = 1024
MIB = 1024 * KIB

# --- model ---------------------------------------------------------------------------------------
CANONICAL_DEPTH = 16
"""Levels of nesting in canonical JSON: payloads need 6, and a parser's stack must not be a peer's choice."""

CANONICAL_INTEGER_BOUND = 2**53
"""Integers are below this in size: RFC 8785 §3.2.2.3 keeps numbers exact in every JSON reader."""

SHORT_ID_CHARACTERS = 8
"""Characters of an id on screen: 40 bits, and any unique prefix is taken."""

# --- ledger --------------------------------------------------------------------------------------
ENTRY_BYTES = 65_535
"""Bytes of one entry: the entry bundle's length prefix is a uint16 (C2SP tlog-tiles)."""

ENVELOPE_BYTES = 60_000
"""Bytes of an envelope before its subjects move into a `products.json` blob; leaves room in an entry."""

NOTE_BYTES = 1_000_000
"""Bytes of a signed note (C2SP signed-note)."""

NOTE_SIGNATURES = 100
"""Signatures on a signed note (C2SP signed-note)."""

TILE_WIDTH = 256
"""Hashes of a full tile (C2SP tlog-tiles)."""

BUNDLE_BYTES = TILE_WIDTH * (2 + ENTRY_BYTES)
"""Bytes of a full entry bundle with the largest entries: the most that one fetched resource can be."""

TREE_SIZE_BOUND = 2**53
"""Sizes of trees are below this: an index stands in canonical JSON, which has no larger integers."""

PROOF_HASHES = 63
"""Hashes in one proof: a consistency proof has at most as many as tlog-witness takes."""

PROOF_BYTES = 1_024 * KIB
"""Bytes of a tlog-proof: 63 hashes of 45 bytes, the extra line, and one note."""

MIRROR_UPDATE_BYTES = 1024 * MIB
"""Bytes fetched for one advance of a friend's log: several years of a busy builder, not a full disk."""

EVIDENCE_BYTES = 40 * MIB
"""Bytes of an evidence file: two product lists of 16 MiB at the very worst, a few kB as a rule."""

EVIDENCE_PARTS = 16
"""Parts of an evidence file: divergent results need at most 12."""

REPORT_PROBLEMS = 100
"""Problems that one check of a log names: a ruined log would fill the screen."""

# --- net: messages -------------------------------------------------------------------------------
CHUNK_BYTES = MIB
"""Bytes of one chunk of a blob: big enough that a thread hop costs little, small enough to lose."""

MESSAGE_BYTES = CHUNK_BYTES + 64 * KIB
"""Bytes of one message between nodes: a chunk and its proof, or any checkpoint (`NOTE_BYTES`)."""

MESSAGE_CONTAINERS = 4_096
"""Lists and maps in one message: a list of one byte on the wire costs 56 in memory."""

MESSAGE_FIELDS = 32
"""Keys of a map in a message; the largest message has 7."""

MESSAGE_LIST = 4_096
"""Items of a list in a message: digests asked for at once, and far more than a proof's 64 hashes."""

MESSAGE_OFFER_BYTES = 512 * KIB
"""Bytes of a signed offer or cancel: a job with its environment named by digest needs 10 KiB."""

MESSAGE_PROOF_BYTES = 64 * KIB
"""Bytes of a tlog-proof: 64 hashes, a checkpoint and hundreds of cosignatures."""

MESSAGE_TEXT = 1_024
"""Characters of a text for people in a message; what is longer belongs in a log."""

# --- trust ---------------------------------------------------------------------------------------
CERTIFICATE_BYTES = 16 * KIB
"""Bytes of a certificate file: text, proofs and an RSA-4096 signature need 3 KiB; handshakes carry it."""

CERTIFICATE_DAYS = 365
"""Days for which a new node certificate is valid: its owner should look at his nodes once a year."""

CARD_BYTES = 64 * KIB
"""Bytes of a friend card: a certificate file, hints, and a minimal key with a dozen user ids and subkeys."""

CARD_HINTS = 8
"""Dial hints of one card: enough for two address families, a proxy port and Tor, too few to scan with."""

OWNER_KEY_BYTES = 256 * KIB
"""Bytes of one owner key given to GnuPG, certifications included: well-signed real ones have up to 200 KiB."""

OWNER_KEY_PACKETS = 2_000
"""Packets of one owner key: GnuPG checks every signature, and a flooded key must not stop it for minutes."""

RING_OWNERS = 2_000
"""Owners in the node's keyring: twice a circle of a thousand, which GnuPG checks in about a second."""

AGENT_SOCKET_PATH_BYTES = 107
"""Bytes of a Unix socket's path (Linux `sun_path` has 108 with its final zero, unix(7))."""

PATHS_SHOWN = 8
"""Trust paths listed in one explanation: a person reads few, and the search must stay cheap."""

PATH_STEPS = 5
"""Certifications on one trust path: GnuPG's own default depth (`--max-cert-depth`)."""

USER_ID_CHARACTERS = 200
"""Characters shown of a user id: names and addresses fit, a wall of text does not."""

# --- net: sessions -------------------------------------------------------------------------------
RECORD_BYTES = 65_535
"""Bytes of one record on the wire, and of a Noise message (Noise revision 34 §3)."""

REKEY_RECORDS = 2**14
"""Records in one direction under one key: at most 1 GiB is lost with a key that leaks."""

STREAM_WINDOW_BYTES = 256 * KIB
"""Bytes a new stream may send unread."""

STREAM_WINDOW_MAX_BYTES = MIB
"""Bytes a stream may send unread once its reader has kept pace: 100 MB/s at 10 ms."""

STREAM_QUEUE_FRAMES = 4
"""Full frames of one stream waiting for the link's writer: enough that tasks switch seldom."""

LINK_STREAMS = 64
"""Streams each side may have open at once on a link; exchanges beyond it wait."""

LINK_GROWTH_BYTES = 8 * MIB
"""Bytes by which all windows of a link may have grown: unread memory per peer stays below 40 MiB."""

LINK_CONTROL_FRAMES = 1_024
"""Control frames waiting for the writer: more means that the peer asks without reading answers."""

# --- net: links ----------------------------------------------------------------------------------
STRANGER_SECONDS = 10.0
"""Seconds from accept to the close of every connection that did not authenticate (design rule 2)."""

STRANGER_BYTES = 64 * KIB
"""Bytes read of a connection before it has authenticated; the first message has 142."""

STRANGERS = 128
"""Connections that have not authenticated yet, all addresses together: 8 MiB at worst."""

STRANGERS_PER_ADDRESS = 8
"""Connections that have not authenticated yet, of one IPv4 address or one IPv6 /64."""

ARRIVALS_SECONDS = 60.0
"""Seconds over which arriving connections are counted."""

ARRIVALS = 600
"""Connections in `ARRIVALS_SECONDS`, all addresses together."""

ARRIVALS_PER_ADDRESS = 60
"""Connections in `ARRIVALS_SECONDS` of one address: a friend that redials makes a handful."""

DIAL_SECONDS = 10.0
"""Seconds for a TCP connection, and again for the handshake and the greeting over it."""

REDIAL_FIRST_SECONDS = 1.0
"""Seconds before the second attempt to dial a friend; doubled after every failure."""

REDIAL_MAX_SECONDS = 300.0
"""Seconds between attempts at most: a friend who comes back is found within five minutes."""

REDIAL_HOLD_SECONDS = 60.0
"""Seconds a link must have lived for its end to count as bad luck, and be redialled at once."""

PEERS_POLL_SECONDS = 1.0
"""Seconds between looks at who should be dialled."""

HINTS_PER_PEER = 8
"""Addresses of one friend; a friend card has no room for more."""

PING_LEAST_SECONDS = 20.0
"""Seconds between signs of life, at least; NATs forget a mapping after 30."""

PING_SPREAD_SECONDS = 5.0
"""Seconds of random delay on top, so that links do not all speak at once."""

PONG_SECONDS = 30.0
"""Seconds to answer a ping; a peer that does not is gone."""

REQUEST_SECONDS = 30.0
"""Seconds from the opening of a stream to its request."""

FAREWELL_SECONDS = 1.0
"""Seconds to get the last frame out before a link is cut."""

LINK_SECONDS = 24 * 3600.0
"""Seconds a link may live; a new handshake then renews every key and every right."""

LINK_READ_BYTES = 256 * KIB
"""Bytes asked of the kernel at once: four records, so that tasks switch seldom."""

UNREAD_PART_BYTES = 4 * KIB
"""Bytes from which a frame is kept as it came until it is read; smaller ones are put together."""

LINK_WRITE_BYTES = 256 * KIB
"""Bytes given to the kernel at once; a ping waits behind no more than this."""

SIGNED_SECONDS = 24 * 3600
"""Seconds a signed message may be valid; nonces are kept as long."""

SIGNED_PER_SENDER = 4_096
"""Signed messages of one sender that are still valid: the memory against replays, 1 MiB each."""

CLOCK_SKEW_SECONDS = 120
"""Seconds by which a friend's clock may be ahead of ours."""

# --- products ------------------------------------------------------------------------------------
PRODUCTS_PER_BUILD = 50_000
"""Products of one build; more is a failed build, stage package (`products.json` stays below 16 MiB)."""

PRODUCT_NAME_BYTES = 255
"""Bytes of a product's name: what a directory entry holds (NAME_MAX)."""

REFUSAL_DETAIL_CHARACTERS = 300
"""Characters that say why a product is refused: a person reads them, and a hostile header may fill them."""

DIGEST_REPORT_BYTES = 64 * MIB
"""Bytes of the report about all products of a build: 50,000 of them take 25 MiB."""

PRODUCT_CHUNK_BYTES = 64 * KIB
"""Bytes of a product that are read, decompressed and hashed at once."""

UNPACKED_BYTES = 32 * 1024 * MIB
"""Decompressed bytes of one package: the largest debuginfo packages are below 10 GiB, a bomb is not."""

DECOMPRESSOR_BYTES = 192 * MIB
"""Memory that a decompressor may take for its window: xz -9 needs 65 MiB, zstd --long=27 needs 128 MiB."""

ZSTD_INPUT_BYTES = KIB
"""Bytes given to zstd at once, whose output cannot be capped: four bytes may become a 128 KiB block, so
this gives 32 MiB at most."""

RPM_SIGNATURE_BYTES = MIB
"""Bytes of an RPM's signature header: rpm writes 4 KiB and what `%__gpg_reserved_space` adds."""

RPM_HEADER_BYTES = 256 * MIB
"""Bytes of an RPM's main header (rpm 4.18 lib/header.c, HEADER_DATA_MAX)."""

RPM_HEADER_ENTRIES = 0xFFFF
"""Entries of an RPM header (rpm 4.18 lib/header.c, HEADER_TAGS_MAX)."""

RPM_ARRAY_ITEMS = 0xFFFFF
"""Items of one header entry, thus files of an RPM (rpm 4.18 lib/header.c, HEADER_ARRAY_MAX)."""

ARCHIVE_PATH_BYTES = 4096
"""Bytes of a path or link target in a package: what a kernel takes (PATH_MAX)."""

DEB_FILES = 0xFFFFF
"""Files of a .deb: as many as an RPM may have."""

DEB_CONTROL_BYTES = 64 * MIB
"""Unpacked bytes of a .deb's control archive: the md5sums of 500,000 files."""

CONTROL_FILE_BYTES = 4 * MIB
"""Bytes of a control paragraph or .buildinfo: one that names 20,000 installed packages has 1 MiB."""

# --- builder: environments -----------------------------------------------------------------------
TARGET_BYTES = 64 * KIB
"""Bytes of a target file: a screenful of text by its owner."""

LOCK_BYTES = 4 * MIB
"""Bytes of an environment lock: 10,000 packages of 250 bytes and some air."""

LOCK_PACKAGES = 10_000
"""Packages of an environment lock: the largest desktop buildroots have some 3,000."""

PACKAGE_BYTES = 2048 * MIB
"""Bytes of one package file: the largest of Debian and Fedora stay below."""

METADATA_SIGNED_BYTES = 4 * MIB
"""Bytes of one signed InRelease or repomd.xml: Debian's are 150 KiB."""

METADATA_INDEX_BYTES = 64 * MIB
"""Bytes of one compressed package index: Debian main has 9 MiB, Fedora Everything 20 MiB."""

METADATA_INDEX_UNPACKED_BYTES = 512 * MIB
"""Bytes of one package index unpacked: Debian main has 48 MiB, Fedora Everything 180 MiB."""

METADATA_REPOSITORIES = 32
"""Repositories whose metadata travels beside one lock."""

METADATA_INDEXES = 16
"""Package indexes of one repository: one per component and architecture."""

METADATA_AHEAD_SECONDS = 24 * 3600
"""Seconds that signed metadata may lie in the future before it is refused: a wrong time zone, no more."""

SOLVER_CACHE_BYTES = 1024 * MIB
"""Bytes of dnf's cache in memory while it solves: Fedora Everything needs 300 MiB."""

TOOL_OUTPUT_BYTES = 8 * MIB
"""Bytes that a tool of the builder may print: an InRelease, or a solver's 10,000 lines of names."""

TOOL_SECONDS = 600
"""Seconds of one run of a tool of the builder: dpkg unpacks 3,000 packages in that time."""

TOOL_MEMORY_BYTES = 4096 * MIB
"""Bytes of memory of one run of a tool: a solver over a whole distribution needs one."""

TOOL_DISK_BYTES = 32 * 1024 * MIB
"""Bytes that one run of a tool may write: the largest desktop buildroots have 20 GiB."""

FETCHES_AT_ONCE = 6
"""Package files asked for at once: more gain nothing from one mirror and are taken for an attack."""

FETCH_SECONDS = 60
"""Seconds without a byte after which a mirror counts as gone."""

# --- builder: sandbox ----------------------------------------------------------------------------
SANDBOX_ROOT_ID = 0x7000_0000
"""First host uid and gid behind the sandboxes of a node that runs as root: systemd's list of uid ranges
leaves 0x70000000 to 0x7FFFFFFF unused, and useradd's subordinate ranges start far below."""

SANDBOX_IDS = 65_536
"""Uids of a sandbox: nobody is 65534, and Debian asks for 16 bits."""

SANDBOX_SHM_BYTES = 256 * MIB
"""Bytes of /dev/shm, and of the root where it is empty: memory that no process's size shows."""

SANDBOX_TMP_BYTES = 1024 * MIB
"""Bytes of /tmp in a sandbox, memory too: compilers keep their assembler files there."""

SANDBOX_OPEN_FILES = 4_096
"""Open files of one process: linkers of large programs open 2,000."""

WATCH_SECONDS = 0.1
"""Seconds between looks at a build's memory and disk: at 4 GB/s it grows by 400 MB in between."""

MEMORY_RESERVE_BYTES = 256 * MIB
"""Bytes of the host's memory that a build must leave free, or it is ended before the host suffers."""

DISK_RESERVE_BYTES = 1024 * MIB
"""Bytes that a build leaves free on the file system of its job, so that blobs and ledger can still write."""

DISK_SLACK_BYTES = 1024 * MIB
"""Bytes that one file may have beyond a build's whole disk: what is written in `WATCH_SECONDS`, so that a
build which takes too much is ended for this reason, and does not fail by itself as if it were broken."""

OUTPUT_READ_BYTES = 64 * KIB
"""Bytes of a program's output taken from the pipe at once: a pipe's whole buffer."""

CAPTURED_BYTES = 8 * MIB
"""Bytes of output kept of a program that is asked something, such as rpm queries."""

# --- builder: builds -----------------------------------------------------------------------------
SOURCE_FILES = 1_000
"""Files of one source: TeX Live, the largest collections, have some hundred."""

BUILD_CPUS = 1_024
"""CPUs that a build may ask to be shown."""

BUILD_MACROS = 256
"""Macros, tools and profiles of one build definition: a distribution's overrides are some twenty."""

BUILD_MACRO_CHARACTERS = 4_096
"""Characters of a macro's value: compiler flags of a distribution have 500."""

SOURCE_DATE_BOUND = 2**32 - 1
"""Latest SOURCE_DATE_EPOCH in unix seconds: an RPM's BUILDTIME is a uint32."""

ROOT_LAYER_BYTES = 512 * MIB
"""Bytes in memory for what a build writes outside its job and temporary directories."""

PRODUCT_BYTES = 32 * 1024 * MIB
"""Bytes of all products of one build together: twice the largest blob."""

PRODUCT_REPORT_BYTES = 64 * MIB
"""Bytes of the report over all products of a build: 50,000 with 500 bytes each, and long names."""

PRODUCT_ENTRIES = 4 * PRODUCTS_PER_BUILD
"""Directory entries looked at for products; more are a trap for whoever looks."""

# --- api -----------------------------------------------------------------------------------------
API_REQUEST_BYTES = 4 * MIB
"""Bytes of one API request: a friend card has 64 KiB, a target's keyring may have a few MiB."""

# --- store ---------------------------------------------------------------------------------------
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

# --- jobs ----------------------------------------------------------------------------------------
REVEAL_SECONDS = 24 * 3600
"""Seconds after which a builder reveals on its own: one slow builder must not hide the others' results."""

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

# --- audit ---------------------------------------------------------------------------------------
FOLLOW_SECONDS = 120
"""Seconds for one pull of one friend's log, after which the others have their turn."""

# --- node ----------------------------------------------------------------------------------------
TRUST_REFRESH_SECONDS = 3
"""Seconds between two looks at the keyring: a change of trust reaches every session within 5 s."""

REFUSALS_REMEMBERED = 100
"""Refused strangers shown to the owner; a scanner must not fill memory."""

JOBS_PER_FRIEND = 4
"""Open jobs that one friend's node is offered at once; it says itself when it is busy."""

TIDY_SECONDS = 3600
"""Seconds between two rounds of forgetting what has ended."""

NEWS_SECONDS = 10
"""Seconds for telling one friend something that it would also find out by itself."""

SOURCE_FILE_BYTES = 512 * MIB
"""Bytes of one source file fetched from an archive: the largest upstream tarballs have a few hundred MiB."""

BUILD_CPUS_SHOWN = 2
"""CPUs that a build is shown: pinned in the build key, and every builder has as many."""
