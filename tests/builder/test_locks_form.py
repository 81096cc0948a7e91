"""Environment locks: one spelling, one digest, and how two differ."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.builder import locks
from f2fbuild.builder.locks import EnvironmentLock, LockedPackage
from f2fbuild.builder.targets import Format
from f2fbuild.errors import FormatError
from f2fbuild.limits import LOCK_BYTES

versions = st.from_regex(r"[0-9][A-Za-z0-9.+~^-]{0,8}", fullmatch=True)
packages = st.builds(
    LockedPackage,
    name=st.from_regex(r"[a-z][a-z0-9+.-]{0,8}", fullmatch=True),
    version=versions,
    arch=st.sampled_from(["amd64", "all"]),
    sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
    size=st.integers(1, 2**31),
)


@st.composite
def some_locks(draw: st.DrawFn) -> EnvironmentLock:
    drawn = draw(st.lists(packages, max_size=6, unique_by=lambda package: (package.name, package.arch)))
    cut = draw(st.integers(0, len(drawn)))
    return locks.make_lock(
        kind=draw(st.sampled_from(Format)),
        arch="amd64",
        base=frozenset(drawn[:cut]),
        build=frozenset(drawn[cut:]),
    )


def package(name: str, version: str = "1", sha256: str = "0" * 64) -> LockedPackage:
    return LockedPackage(name=name, version=version, arch="amd64", sha256=sha256, size=7)


@given(some_locks())
def test_a_lock_comes_back_from_its_spelling(lock: EnvironmentLock) -> None:
    data = locks.format_lock(lock)
    assert locks.parse_lock(data) == lock
    assert locks.format_lock(locks.parse_lock(data)) == data
    assert locks.lock_digest(lock) == hashlib.sha256(data).hexdigest()
    assert locks.compare_locks(lock, lock) == locks.LockDifference(removed=(), added=(), changed=())


def test_the_spelling_is_the_documented_one() -> None:
    lock = locks.make_lock(
        kind=Format.DEB, arch="amd64", base=frozenset({package("b"), package("a")}), build=frozenset()
    )
    a, b = (
        '{{"arch":"amd64","name":"{}","sha256":"{}","size":7,"version":"1"}}'.format(name, "0" * 64)
        for name in "ab"
    )
    expected = f'{{"arch":"amd64","base":[{a},{b}],"build":[],"format":"deb","schema":"f2fbuild.lock/1"}}'
    assert locks.format_lock(lock) == expected.encode()
    assert str(lock.base[0]) == "a 1 amd64"
    assert locks.part_digest(lock.base) == hashlib.sha256(f"[{a},{b}]".encode()).hexdigest()


def spelled(**changes: Any) -> bytes:
    value: dict[str, Any] = {
        "schema": "f2fbuild.lock/1",
        "format": "deb",
        "arch": "amd64",
        "base": [],
        "build": [],
    }
    return json.dumps(value | changes, sort_keys=True, separators=(",", ":")).encode()


GOOD = {"name": "a", "version": "1", "arch": "all", "sha256": "0" * 64, "size": 1}


def test_the_helper_spells_a_lock() -> None:
    assert locks.parse_lock(spelled(base=[GOOD])).base[0].name == "a"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema": "f2fbuild.lock/2"}, "not of schema"),
        ({"more": 1}, "not of schema"),
        ({"format": "apk"}, "unknown format"),
        ({"arch": 5}, "unknown format or architecture"),
        ({"arch": "a/b"}, "architecture cannot be used"),
        ({"base": {}}, "not a list"),
        ({"base": [7]}, "not a package of"),
        ({"base": [GOOD | {"url": "x"}]}, "not a package of"),
        ({"base": [GOOD | {"version": 1}]}, "is not text"),
        ({"base": [GOOD | {"size": "1"}]}, "size is not"),
        ({"base": [GOOD | {"size": True}]}, "size is not"),
        ({"base": [GOOD | {"size": 0}]}, "size is not"),
        ({"base": [GOOD | {"size": 2**40}]}, "size is not"),
        ({"base": [GOOD | {"sha256": "0" * 63}]}, "64 lower-case"),
        ({"base": [GOOD | {"name": "../a"}]}, "cannot be used"),
        ({"base": [GOOD | {"version": "-1"}]}, "cannot be used"),
        ({"base": [GOOD, GOOD]}, "not in order"),
        ({"build": [GOOD | {"name": "b"}, GOOD]}, "not in order"),
        ({"base": [GOOD], "build": [GOOD | {"version": "2"}]}, "named twice"),
    ],
)
def test_what_no_lock_is(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(FormatError, match=said):
        locks.parse_lock(spelled(**changes))


def test_a_second_spelling_and_too_much_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FormatError, match="canonical form"):
        locks.parse_lock(spelled().replace(b",", b", "))
    with pytest.raises(FormatError, match="not of schema"):
        locks.parse_lock(b"[]")
    with pytest.raises(FormatError, match="larger than"):
        locks.parse_lock(b" " * (LOCK_BYTES + 1))
    monkeypatch.setattr(locks, "LOCK_PACKAGES", 1)
    with pytest.raises(FormatError, match="more than 1 packages"):
        locks.parse_lock(spelled(base=[GOOD, GOOD | {"name": "b"}]))


def test_two_environments_are_compared_package_by_package() -> None:
    def lock(*members: LockedPackage) -> EnvironmentLock:
        return locks.make_lock(kind=Format.DEB, arch="amd64", base=frozenset(members), build=frozenset())

    old, new = package("libc6", "1", "1" * 64), package("libc6", "2", "2" * 64)
    difference = locks.compare_locks(
        lock(old, package("a"), package("c")), lock(new, package("b"), package("c"))
    )
    assert difference.removed == (package("a"),)
    assert difference.added == (package("b"),)
    assert difference.changed == ((old, new),)
