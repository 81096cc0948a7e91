"""What gossip about logs may take, of one friend and in all."""

from f2fbuild.limits.units import KIB, MIB

HEAD_HOPS = 3
"""Hops that a head travels: friends of friends of friends hear of a log."""

ORIGINS_PER_FRIEND = 2_000
"""Logs that one friend may name, and that it is told of: 25 friends make 50,000 heads of some 500 bytes."""

HEAD_SECONDS = 600
"""Seconds between two heads of one log from one friend that nobody asked for."""

ANNOUNCED_HEAD_BYTES = 16 * KIB
"""Bytes of an announced head: 100 signatures of 150 bytes. All but the log's own are dropped."""

HEADS_PER_SECOND = 20
"""Heads per second that one friend may go on announcing: each costs a signature check of 0.1 ms."""

HEADS_AT_ONCE = 4_000
"""Heads that one friend may announce at once: all its logs after a long absence, and as many again."""

SWAP_COST = 20
"""Heads that one swap counts for: comparing two lists of 2,000 logs takes as long as 20 signatures."""

SWAP_HEADS = 256
"""Heads in one answer to a swap, some 100 KiB; what is missing still is in the next one."""

SWAP_FRIENDS = 3
"""Random friends that heads are swapped with in each round."""

SWAP_SECONDS = 60
"""Seconds between two rounds of swapping; what is unchanged costs 50 bytes each way."""

ASKED_SECONDS = 60
"""Seconds after a swap in which heads count as asked for."""

SIDES = 8
"""Friends whose last head of one log waits to be compared with the one that was proved."""

PROOFS_PER_FRIEND = 16
"""Consistency proofs that one friend is asked for at the same time."""

PROOF_TRIES = 10
"""Rounds in which a proof that nobody gives is asked for; then the head is dropped, and may come again."""

PROOF_SECONDS = 20
"""Seconds that a friend has to give a proof, which it may have to ask of others in turn."""

OPENED_HEADS = 1_024
"""Heads whose signatures were checked lately and are not checked again: 300 bytes each."""

ON_DEMAND_LOGS = 256
"""Copies of logs whose nodes are no friends: each keeps a file open, and its tiles for ever."""

ON_DEMAND_ENTRIES = 200_000
"""Entries of such a log: a busy builder's five years, and a check of all signatures in half a minute."""

ON_DEMAND_BYTES = 256 * MIB
"""Bytes of its entries: 1.3 kB each."""

ON_DEMAND_GIVERS = 16
"""Friends that are asked for one such log: those who told of it first, then whoever is there."""
