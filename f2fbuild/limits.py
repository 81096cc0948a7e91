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

# --- products ------------------------------------------------------------------------------------
PRODUCTS_PER_BUILD = 50_000
"""Products of one build; more is a failed build, stage package (`products.json` stays below 16 MiB)."""
