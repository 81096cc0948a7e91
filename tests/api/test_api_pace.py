"""A pace for strangers: so many requests each, so many callers, and all over again in the next window."""

from f2fbuild.api.pace import Pace


class Clock:
    now = 1000

    def __call__(self) -> int:
        return self.now


def pace(clock: Clock) -> Pace:
    return Pace(clock, window=60, each=3, callers=2)


def test_each_caller_has_its_own_count() -> None:
    counted = pace(Clock())
    assert [counted.admits("one") for _ in range(5)] == [True, True, True, False, False]
    assert counted.admits("two")


def test_more_callers_than_are_counted_are_not_answered() -> None:
    counted = pace(Clock())
    assert [counted.admits(who) for who in ("one", "two", "three", "one")] == [True, True, False, True]


def test_the_next_window_begins_anew() -> None:
    clock = Clock()
    counted = pace(clock)
    assert [counted.admits("one") for _ in range(4)][-1] is False
    clock.now += 59
    assert not counted.admits("one")
    clock.now += 1
    assert counted.admits("one")
    assert counted.admits("three")


def test_a_clock_that_goes_back_begins_anew_too() -> None:
    clock = Clock()
    counted = pace(clock)
    assert [counted.admits("one") for _ in range(4)][-1] is False
    clock.now -= 500
    assert counted.admits("one")
