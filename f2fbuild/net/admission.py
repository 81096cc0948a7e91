"""How many strangers a listener bears: at once and per minute, of one address and of all."""

import ipaddress
from collections import Counter, deque
from typing import Final

from f2fbuild import limits

_V6_PREFIX: Final = 64


def source_of(host: str) -> str:
    """Return what counts as one address: an IPv4 address, or the /64 that one IPv6 customer has."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, _V6_PREFIX), strict=False))


class Admission:
    """Counts connections by source. Memory is bounded by the limits themselves."""

    def __init__(self) -> None:
        self._arrivals: deque[tuple[float, str]] = deque()
        self._recent: Counter[str] = Counter()
        self._strangers: Counter[str] = Counter()

    def enter(self, source: str, now: float) -> bool:
        """Return whether a connection of `source` may come in at `now` seconds; if so, it is a stranger."""
        self._forget_old(now)
        full = (
            len(self._arrivals) >= limits.ARRIVALS
            or self._recent[source] >= limits.ARRIVALS_PER_ADDRESS
            or self._strangers.total() >= limits.STRANGERS
            or self._strangers[source] >= limits.STRANGERS_PER_ADDRESS
        )
        if full:
            return False
        self._arrivals.append((now, source))
        self._recent[source] += 1
        self._strangers[source] += 1
        return True

    def leave(self, source: str) -> None:
        """Note that a stranger of `source` has authenticated, or gone."""
        self._strangers[source] -= 1
        if not self._strangers[source]:
            del self._strangers[source]

    def _forget_old(self, now: float) -> None:
        while self._arrivals and self._arrivals[0][0] <= now - limits.ARRIVALS_SECONDS:
            _, source = self._arrivals.popleft()
            self._recent[source] -= 1
            if not self._recent[source]:
                del self._recent[source]
