"""How two sizes of a log go together: shown from the copy that is here, or asked along the way of its head.

Whoever asks checks the proof against heads that the log signed, so nothing is believed on the way.
"""

from typing import TYPE_CHECKING

import trio

from f2fbuild import limits
from f2fbuild.errors import F2FError
from f2fbuild.ledger.directory import LogDirectory
from f2fbuild.ledger.monitor import Consistency
from f2fbuild.model.tree import prove_consistency, range_root
from f2fbuild.net.ledger_messages import ConsistencyShown, GetConsistency, NoConsistency

if TYPE_CHECKING:
    from f2fbuild.node.parts import Parts

ORIGIN = "f2fbuild.invalid/log/"


class Proving:
    """Shows and asks for consistency."""

    def __init__(self, parts: "Parts") -> None:
        """Look at the logs of these parts, and talk to their friends."""
        self._parts = parts

    async def show(self, asker: str, request: GetConsistency) -> ConsistencyShown | NoConsistency:
        """Answer a friend; a head that came by the asker is not asked for there."""
        log = self._parts.exchanges.kept(request.origin)
        if log is not None and 0 < request.old <= request.new <= log.size:
            found = await trio.to_thread.run_sync(_consistency, log, request.old, request.new)
            return ConsistencyShown(prefix_root=found.prefix_root, hashes=list(found.hashes))
        source = self._parts.gossiping.source(request.origin)
        if not source or source == asker or request.hops == 0:
            return NoConsistency()
        passed_on = GetConsistency(
            origin=request.origin, old=request.old, new=request.new, hops=request.hops - 1
        )
        return await self._call(source, passed_on) or NoConsistency()

    async def ask(self, peer: str, log: bytes, old: int, new: int) -> Consistency | None:
        """Return the proof that a friend gives, or our own copy when `peer` is empty."""
        request = GetConsistency(origin=ORIGIN + log.hex(), old=old, new=new, hops=limits.HEAD_HOPS - 1)
        shown = await (self._call(peer, request) if peer else self.show("", request))
        if not isinstance(shown, ConsistencyShown):
            return None
        return Consistency(prefix_root=shown.prefix_root, hashes=tuple(shown.hashes))

    async def _call(self, peer: str, request: GetConsistency) -> ConsistencyShown | None:
        with trio.move_on_after(limits.PROOF_SECONDS):
            try:
                async with await self._parts.peers.call(peer, request) as exchange:
                    answer = await exchange.receive()
            except F2FError:
                return None
            return answer if isinstance(answer, ConsistencyShown) else None
        return None


def _consistency(log: LogDirectory, old: int, new: int) -> Consistency:
    hashes = tuple(prove_consistency(old, new, log.read_hash))
    return Consistency(prefix_root=range_root(0, old, log.read_hash), hashes=hashes)
