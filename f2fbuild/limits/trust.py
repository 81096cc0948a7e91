"""What keys, certificates and cards may take."""

from f2fbuild.limits.units import KIB

CERTIFICATE_BYTES = 16 * KIB
"""Bytes of a certificate file: text, proofs and an RSA-4096 signature need 3 KiB; handshakes carry it."""

CERTIFICATE_DAYS = 365
"""Days for which a new node certificate is valid: its owner should look at his nodes once a year."""

CERTIFICATE_WARNING_DAYS = 30
"""Days before a certificate's end from which on its owner is warned: longer than most holidays."""

CERTIFICATE_LOOK_SECONDS = 86_400
"""Seconds between two warnings in the node's log: once a day is noticed and does not fill it."""

RENEWAL_SECONDS = 60
"""Seconds between two other certificates that are taken from one node: each costs a run of GnuPG."""

CARD_BYTES = 64 * KIB
"""Bytes of a friend card: a certificate file, hints, and a minimal key with a dozen user ids and subkeys."""

CARD_HINTS = 8
"""Dial hints of one card: enough for two address families, a proxy port and Tor, too few to scan with."""

OWNER_KEY_BYTES = 256 * KIB
"""Bytes of one owner key given to GnuPG, certifications included: well-signed ones have up to 200 KiB."""

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
