"""How many strangers come in."""

import pytest

from f2fbuild import limits
from f2fbuild.net.admission import Admission, source_of


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_what_counts_as_one_address(host: str, source: str) -> None:
    assert source_of(host) == source


def test_so_many_strangers_of_one_address_at_once() -> None:
    admission = Admission()
    assert all(admission.enter("a", 0) for _ in range(limits.STRANGERS_PER_ADDRESS))
    assert not admission.enter("a", 0)
    assert admission.enter("b", 0)
    admission.leave("a")
    assert admission.enter("a", 0)


def test_so_many_strangers_in_all_at_once() -> None:
    admission = Admission()
    assert all(admission.enter(f"a{number}", 0) for number in range(limits.STRANGERS))
    assert not admission.enter("b", 0)


def arrive(admission: Admission, source: str, now: float) -> bool:
    entered = admission.enter(source, now)
    if entered:
        admission.leave(source)
    return entered


def test_so_many_arrivals_of_one_address_in_a_minute() -> None:
    admission = Admission()
    assert all(arrive(admission, "a", 1) for _ in range(limits.ARRIVALS_PER_ADDRESS))
    assert not arrive(admission, "a", limits.ARRIVALS_SECONDS)
    assert arrive(admission, "b", limits.ARRIVALS_SECONDS)
    assert arrive(admission, "a", 1 + limits.ARRIVALS_SECONDS)


def test_so_many_arrivals_in_all_in_a_minute_and_nothing_is_kept_longer() -> None:
    admission = Admission()
    assert all(arrive(admission, f"a{number}", 0) for number in range(limits.ARRIVALS))
    assert not arrive(admission, "b", 1)
    assert arrive(admission, "b", limits.ARRIVALS_SECONDS)
    assert (len(admission._arrivals), len(admission._recent), len(admission._strangers)) == (1, 1, 0)
