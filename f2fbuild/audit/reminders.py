"""When to look again at what a friend's log owes: a decision over due times and the clock.

A builder that stays away shows no head that could be looked at. So time itself is an occasion: once when a
promise falls due, and then once a day while nobody's cosignatures prove that it was broken.
"""

from collections.abc import Sequence

from f2fbuild.limits import REMIND_AGAIN_SECONDS


def is_time(late: Sequence[int], looked: int | None, now: int) -> bool:
    """Return whether to look again.

    Args:
        late: when each promise that is overdue and not proved to be broken became so, in unix seconds.
        looked: the time of the last look, None before the first.
        now: unix seconds.
    """
    if not late:
        return False
    return looked is None or max(late) >= looked or not 0 <= now - looked < REMIND_AGAIN_SECONDS
