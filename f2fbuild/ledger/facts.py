"""What can be asked about an entry: the digests, names and times that its payload speaks of.

Read generously on purpose: a payload of a kind that this version does not know still names digests. Nothing
here decides whether an entry is in order; whoever shows one verifies it first.
"""

import fnmatch
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from f2fbuild.errors import FormatError
from f2fbuild.model.times import parse_time

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_TIMES = ("finishedOn", "f2fbuild_finishedOn", "startedOn", "timeVerified", "timeCreated")
"""Fields of predicates that say when something happened, the best first."""
_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is looked for; an empty field asks for nothing. `since` is in unix seconds.

    `digest` and `build_key` are 64 hexadecimal digits; `package` the name of a package or file, or a shell
    pattern for it; `payload_type` is compared whole.
    """

    digest: str = ""
    package: str = ""
    build_key: str = ""
    payload_type: str = ""
    since: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What one payload says. `names` are those of files; `time` is 0 when it names none."""

    digests: frozenset[str]
    names: tuple[str, ...]
    build_key: str
    time: int


def facts_of(payload: bytes) -> Facts:
    """Return what `payload`, canonical JSON or the text of a certificate, speaks of."""
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return _facts_of_text(payload)
    strings = [text for _, text in _strings(value)]
    return Facts(
        digests=frozenset(text for text in strings if _DIGEST.fullmatch(text)),
        names=tuple(dict.fromkeys(text for field, text in _strings(value) if field == "name")),
        build_key=next((text for field, text in _strings(value) if field == "f2fbuild_buildKey"), ""),
        time=_time(dict(_strings(value))),
    )


def may_match(payload: bytes, query: Query) -> bool:
    """Return False when `payload` cannot match: a glance at the bytes, to leave most entries undecoded."""
    wanted = [query.digest, query.build_key]
    if not _WILD.search(query.package):
        wanted.append(query.package)
    return all(text.encode() in payload for text in wanted)


def matches(facts: Facts, query: Query) -> bool:
    """Return whether a payload is looked for; `since` and `payload_type` are the caller's to compare."""
    return (
        (not query.digest or query.digest in facts.digests)
        and (not query.build_key or query.build_key == facts.build_key)
        and (not query.package or any(_is_called(name, query.package) for name in facts.names))
    )


def package_of(name: str) -> str:
    """Return the name of the package that a file belongs to: `hello` for `hello-2.12-3.fc45.x86_64.rpm`."""
    if name.endswith(".rpm"):
        return name.rsplit("-", 2)[0]
    if name.endswith((".deb", ".udeb", ".dsc", ".changes", ".buildinfo")):
        return name.partition("_")[0]
    return name


def certificate_fields(text: bytes) -> dict[str, str]:
    """Return the fields of a node certificate's text, each line a word and its value."""
    lines = text.partition(b"\n\n")[0].decode("utf-8", "replace").split("\n")[1:]
    return {word: value for word, _, value in (line.partition(" ") for line in lines)}


def _is_called(name: str, wanted: str) -> bool:
    return fnmatch.fnmatchcase(name, wanted) or fnmatch.fnmatchcase(package_of(name), wanted)


def _facts_of_text(payload: bytes) -> Facts:
    fields = certificate_fields(payload)
    words = {word for value in fields.values() for word in re.split(r"[ /+]", value)}
    return Facts(
        digests=frozenset(word for word in words if _DIGEST.fullmatch(word)),
        names=(),
        build_key="",
        time=_time({"finishedOn": fields.get("not-before", "")}),
    )


def _time(fields: dict[str, str]) -> int:
    for field in _TIMES:
        try:
            return parse_time(fields.get(field, ""))
        except FormatError:
            continue
    return 0


def _strings(value: Any) -> Iterator[tuple[str, str]]:
    """Yield every string in `value` with the name of the field that holds it, in their order."""
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        field, found = waiting.pop()
        match found:
            case str():
                yield field, found
            case dict():
                waiting.extend(reversed(list(found.items())))
            case list():
                waiting.extend((field, one) for one in reversed(found))
