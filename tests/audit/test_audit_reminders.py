"""When what is overdue is looked at again: once when it falls due, then once a day."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.audit.reminders import is_time
from f2fbuild.limits import REMIND_AGAIN_SECONDS as DAY

NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("late", "looked", "wanted"),
    [
        ((), None, False),
        ((), NOW - 9 * DAY, False),
        ((NOW - 1,), None, True),
        ((NOW - 2,), NOW - 1, False),
        # Another promise fell due since.
        ((NOW - 9 * DAY, NOW - 5), NOW - 10, True),
        ((NOW - 9 * DAY,), NOW - DAY + 1, False),
        ((NOW - 9 * DAY,), NOW - DAY, True),
        # The clock was set back: what was looked at then is not known to be recent.
        ((NOW - 9 * DAY,), NOW + 1, True),
    ],
)
def test_it_is_time_to_look(late: tuple[int, ...], looked: int | None, wanted: bool) -> None:
    assert is_time(late, looked, NOW) is wanted


@given(st.lists(st.integers(0, 30 * DAY), min_size=1, max_size=5))
def test_who_looks_every_hour_misses_nothing_and_asks_little(ages: list[int]) -> None:
    begun, looked, looks = NOW - 30 * DAY, None, 0
    due = sorted(NOW - age for age in ages)
    for now in range(begun, NOW + 1, 3600):
        late = [one for one in due if one < now]
        if is_time(late, looked, now):
            looked, looks = now, looks + 1
        if late:
            assert looked is not None
            assert looked > max(late)
            assert now - looked < DAY
    assert looks <= len(due) + 31
