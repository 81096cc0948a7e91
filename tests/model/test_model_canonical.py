"""One value has one spelling, and every other one is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.errors import FormatError
from f2fbuild.limits import CANONICAL_DEPTH, CANONICAL_INTEGER_BOUND
from f2fbuild.model import canonical

_TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
_KEYS = st.text(st.characters(max_codepoint=127), max_size=8)
_NUMBERS = st.integers(min_value=1 - CANONICAL_INTEGER_BOUND, max_value=CANONICAL_INTEGER_BOUND - 1)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.booleans(), _NUMBERS, _TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_KEYS, inner, max_size=4)),
    max_leaves=12,
)


@given(VALUES)
def test_a_value_comes_back_and_so_does_its_spelling(value: Any) -> None:
    data = canonical.encode(value)
    assert canonical.decode(data) == value
    assert canonical.encode(canonical.decode(data)) == data


@given(VALUES, st.sampled_from([1, 2, None]), st.booleans())
def test_any_other_spelling_that_json_reads_as_the_same_is_refused(
    value: Any, indent: int | None, escaped: bool
) -> None:
    data = canonical.encode(value)
    other = json.dumps(value, indent=indent, ensure_ascii=escaped).encode()
    if other == data:
        assert canonical.decode(other) == value
    else:
        with pytest.raises(FormatError):
            canonical.decode(other)


def test_keys_are_sorted_and_nothing_is_escaped_without_need() -> None:
    value: dict[str, Any] = {"b": ['\x1f\n"\\/', "ü☺"], "a": True, "B": -5}
    assert canonical.encode(value) == '{"B":-5,"a":true,"b":["\\u001f\\n\\"\\\\/","ü☺"]}'.encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" 1",
        b"1 ",
        b"01",
        b"+1",
        b"-0",
        b"1.0",
        b"1e3",
        b"NaN",
        b"Infinity",
        b"null",
        b'{"a":null}',
        b"9007199254740992",
        b"-9007199254740992",
        b"1" * 5000,
        b'{"a":1,"a":1}',
        b'{"b":1,"a":2}',
        b'{"a": 1}',
        b'{"\xc3\xbc":1}',
        rb'"\ud800"',
        rb'"\u0041"',
        rb'"\/"',
        rb'"\u000a"',
        b'"\xed\xa0\x80"',
        b'"\xff"',
        b"\xef\xbb\xbf1",
        b"[1,]",
        b"[" * 100_000,
    ],
)
def test_second_spellings_and_what_is_not_of_the_restricted_kind_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        canonical.decode(data)


def test_nesting_ends_at_the_limit() -> None:
    deepest = b"[" * CANONICAL_DEPTH + b"1" + b"]" * CANONICAL_DEPTH
    assert canonical.encode(canonical.decode(deepest)) == deepest
    with pytest.raises(FormatError, match="nested deeper"):
        canonical.decode(b"[" + deepest + b"]")


@pytest.mark.parametrize("value", [1.5, None, b"bytes", {1, 2}, {1: 2}, {"ü": 1}, ["ok", 2**53], "\udfff"])
def test_values_without_a_canonical_form_are_refused(value: Any) -> None:
    with pytest.raises(FormatError):
        canonical.encode(value)


def test_an_error_names_the_place() -> None:
    value: Any = {"a": [1, {"b": 0.5}]}
    with pytest.raises(FormatError) as caught:
        canonical.encode(value)
    assert caught.value.where == "$.a[1].b"


@given(VALUES)
def test_a_shared_value_is_the_same_to_all_who_ask(value: Any) -> None:
    data = canonical.encode(value)
    assert canonical.decode_shared(data) == value
    assert canonical.decode_shared(data) is canonical.decode_shared(data, where="elsewhere")


def test_a_refused_text_is_refused_to_all_who_ask_each_by_its_own_name() -> None:
    for where in ("here", "there"):
        with pytest.raises(FormatError) as caught:
            canonical.decode_shared(b"{ }", where=where)
        assert caught.value.where == where


@given(
    VALUES,
    st.sampled_from([b"null", b"1.5", b"1e3", b"9007199254740992", b"-9007199254740992", b'"\\ud800"']),
)
def test_a_part_that_canonical_json_does_not_know_is_refused_beside_anything(value: Any, part: bytes) -> None:
    """Text that looks plain is checked by other means than text that does not; both refuse the same."""
    data = b'{"a":' + canonical.encode(value) + b',"b":[' + part + b"]}"
    with pytest.raises(FormatError):
        canonical.decode(data)
