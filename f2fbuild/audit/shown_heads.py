"""Heads under which friends proved entries of their own logs, until each is compared with the copy here.

A receipt names a head that its author may have shown to nobody else. It is of the log that is followed, or
the log has forked; the copy tells as soon as it is at least as long. Until then the head waits: it is not
forgotten when its author shows a shorter log.
"""

from collections import deque

from f2fbuild.ledger.checkpoint import open_checkpoint, parse_log_vkey
from f2fbuild.ledger.proof import parse_proof
from f2fbuild.limits import SHOWN_HEADS
from f2fbuild.model.friend import Friend


class ShownHeads:
    """What is to be compared now, and what waits until a copy is longer. No I/O."""

    def __init__(self) -> None:
        """Know of nothing."""
        self._ready: deque[tuple[Friend, bytes]] = deque()
        self._waiting: dict[str, dict[bytes, int]] = {}

    def add(self, friend: Friend, proof: bytes) -> None:
        """Take the head of a verified tlog-proof that a friend gave; of one friend the newest are kept."""
        note = parse_proof(proof, where=friend.name).checkpoint
        waiting = self._waiting.setdefault(friend.node_id, {})
        if note in waiting:
            return
        if len(waiting) == SHOWN_HEADS:
            del waiting[next(iter(waiting))]
        waiting[note] = open_checkpoint(note, parse_log_vkey(friend.vkey), where=friend.name).size
        self._ready.append((friend, note))

    def next(self) -> tuple[Friend, bytes] | None:
        """Take out what is to be compared next."""
        while self._ready:
            friend, note = self._ready.popleft()
            if note in self._waiting.get(friend.node_id, {}):
                return friend, note
        return None

    def compared(self, friend: Friend, note: bytes, size: int) -> None:
        """Say that a head was put to the copy, which has `size` entries now: a larger one waits."""
        waiting = self._waiting.get(friend.node_id, {})
        if waiting.get(note, 0) <= size:
            waiting.pop(note, None)

    def grew(self, friend: Friend, size: int) -> None:
        """Say that the copy of a friend's log has `size` entries now."""
        waiting = self._waiting.get(friend.node_id, {})
        ready = [note for note, wanted in waiting.items() if wanted <= size]
        self._ready.extend((friend, note) for note in ready if (friend, note) not in self._ready)
