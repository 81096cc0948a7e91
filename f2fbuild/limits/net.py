"""What peers may send, and for how long they are waited for."""

from f2fbuild.limits.units import KIB, MIB

# Messages
CHUNK_BYTES = MIB
"""Bytes of one chunk of a blob: big enough that a thread hop costs little, small enough to lose."""

MESSAGE_BYTES = CHUNK_BYTES + 64 * KIB
"""Bytes of one message between nodes: a chunk and its proof, or any checkpoint (`NOTE_BYTES`)."""

LOG_PIECE_BYTES = MESSAGE_BYTES - KIB
"""Bytes of a tile or bundle in one message, with room for its frame: most bundles fit into one."""

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

# Sessions
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

# Links
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
