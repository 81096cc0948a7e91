"""Canonical JSON: one value, one spelling.

RFC 8785 restricted to ASCII keys, objects, arrays, strings without lone surrogates, booleans and integers
below 2^53 in size. No floats and no null: what is absent is left out. Reading decodes, encodes again and
compares, so every second spelling is refused.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from f2fbuild.errors import FormatError
from f2fbuild.limits import CANONICAL_DEPTH, CANONICAL_INTEGER_BOUND

_SURROGATE = re.compile("[\ud800-\udfff]")

Value: TypeAlias = "str | int | bool | Sequence[Value] | Mapping[str, Value]"


def encode(value: Value) -> bytes:
    """Return the one spelling of `value` in UTF-8 bytes.

    Raises:
        FormatError: the value has a part that canonical JSON does not know.
    """
    _check(value, "$", 0)
    return _ENCODER.encode(value).encode()


def decode(data: bytes, *, where: str = "canonical JSON") -> Any:
    """Return the value spelled by `data`, which must be its one spelling.

    Raises:
        FormatError: not JSON, not of the restricted kind, or another spelling than `encode` gives.
    """
    try:
        value = _DECODER.decode(data.decode())
    except (ValueError, RecursionError) as error:
        raise FormatError(f"not canonical JSON: {error}", where=where) from error
    is_checked = _is_plain(data) and not _is_deep(value)
    if (_ENCODER.encode(value).encode() if is_checked else encode(value)) != data:
        raise FormatError("not in canonical form", where=where)
    return value


def decode_shared(data: bytes, *, where: str = "canonical JSON") -> Any:
    """Return what `decode` does, the same object again to who asks next; nobody may change it.

    A statement is looked into by several checks, one after the other.

    Raises:
        FormatError: as `decode`.
    """
    try:
        return _decode_once(data)
    except FormatError as error:
        raise FormatError(error.what, where=where) from error


@lru_cache(maxsize=4)
def _decode_once(data: bytes) -> Any:
    return decode(data)


def _is_plain(data: bytes) -> bool:
    """Return whether what `_DECODER` makes of these bytes can hold nothing that `_check` refuses, but depth.

    Nearly everything is plain, and looking for what a value would have to be spelled with is far quicker than
    visiting all its parts.
    """
    return data.isascii() and b"\\u" not in data and b"null" not in data


def _is_deep(value: object) -> bool:
    """Return whether objects and arrays are nested deeper than they may be."""
    level = [value]
    for _ in range(CANONICAL_DEPTH + 1):
        containers = [one for one in level if type(one) is dict or type(one) is list]
        if not containers:
            return False
        level = [item for one in containers for item in (one.values() if type(one) is dict else one)]
    return True


def _no_float(text: str) -> float:
    raise ValueError(f"the number {text} is not an integer")


def _small(text: str) -> int:
    number = int(text)
    if abs(number) >= CANONICAL_INTEGER_BOUND:
        raise ValueError("integer of 2^53 or more")
    return number


_DECODER = json.JSONDecoder(parse_float=_no_float, parse_constant=_no_float, parse_int=_small)
_ENCODER = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"), sort_keys=True)


def _check(value: object, path: str, depth: int) -> None:
    if depth > CANONICAL_DEPTH:
        raise FormatError(f"nested deeper than {CANONICAL_DEPTH}", where=path)
    match value:
        case bool():
            return
        case int() | str():
            _check_scalar(value, path)
        case Mapping():
            _check_members(value, path, depth)
        case list() | tuple():
            for index, item in enumerate(value):
                _check(item, f"{path}[{index}]", depth + 1)
        case _:
            raise FormatError(f"{type(value).__name__} is not part of canonical JSON", where=path)


def _check_scalar(value: int | str, path: str) -> None:
    if isinstance(value, int) and abs(value) >= CANONICAL_INTEGER_BOUND:
        raise FormatError("integer of 2^53 or more", where=path)
    # Most texts are ASCII, which Python knows without looking; an audit spends its time here.
    if isinstance(value, str) and not value.isascii() and _SURROGATE.search(value):
        raise FormatError("lone surrogate in a string", where=path)


def _check_members(value: Mapping[object, object], path: str, depth: int) -> None:
    for key, item in value.items():
        if not isinstance(key, str) or not key.isascii():
            raise FormatError("key that is not ASCII text", where=path)
        _check(item, f"{path}.{key}", depth + 1)
