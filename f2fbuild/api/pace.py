"""How often strangers are answered: a count for each in a window of time, in bounded memory."""

from collections.abc import Callable


class Pace:
    """Counts requests by who asks."""

    def __init__(self, clock: Callable[[], int], *, window: int, each: int, callers: int) -> None:
        """Answer each caller `each` times in `window` seconds, and so many different callers."""
        self._clock = clock
        self._window = window
        self._each = each
        self._callers = callers
        self._since = 0
        self._counts: dict[str, int] = {}

    def admits(self, caller: str) -> bool:
        """Count a request, and return whether it is answered."""
        now = self._clock()
        if not 0 <= now - self._since < self._window:
            self._since, self._counts = now, {}
        if caller not in self._counts and len(self._counts) >= self._callers:
            return False
        self._counts[caller] = self._counts.get(caller, 0) + 1
        return self._counts[caller] <= self._each
