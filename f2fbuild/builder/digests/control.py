"""Control paragraphs of Debian packages and .buildinfo files, strictly.

Source: deb-control(5), deb822(5), deb-buildinfo(5). A field that stands twice, or a line that belongs to
none, is refused rather than guessed at.
"""

import re
from collections.abc import Mapping

from f2fbuild.builder.digests.refusal import RefusalError, RefusalReason
from f2fbuild.limits import CONTROL_FILE_BYTES

_FIELD = re.compile(r"([!-9;-~]+):[ \t]*(.*)")
_TAINTED = "build-tainted-by"
_OF_THE_LOCK = frozenset({"merged-usr-via-aliased-dirs"})
"""Taints that follow from the environment lock: every Debian root since bookworm has a merged /usr, so it
says nothing that the build key does not pin."""


def parse_paragraph(data: bytes, *, where: str) -> Mapping[str, str]:
    """Return the fields of the only paragraph in `data`, names in lower case, values with their line breaks.

    Raises:
        RefusalError: not UTF-8, not one paragraph, or a field that stands twice.
    """
    if len(data) > CONTROL_FILE_BYTES:
        raise RefusalError(RefusalReason.TOO_LARGE, f"more than {CONTROL_FILE_BYTES} bytes", where=where)
    try:
        lines = data.decode().rstrip("\n").split("\n")
    except UnicodeDecodeError as error:
        raise RefusalError(RefusalReason.MALFORMED, "not UTF-8", where=where) from error
    fields: dict[str, list[str]] = {}
    name = ""
    for line in lines:
        if line[:1] in {" ", "\t"} and name and line.strip():
            fields[name].append(line)
            continue
        match = _FIELD.fullmatch(line)
        if match is None or line.startswith(("#", "-")) or match[1].lower() in fields:
            raise RefusalError(RefusalReason.MALFORMED, f"the line {line[:80]!r}", where=where)
        name = match[1].lower()
        fields[name] = [match[2]]
    return {name: "\n".join(values) for name, values in fields.items()}


def check_buildinfo(data: bytes, *, where: str = "buildinfo") -> None:
    """Require that a .buildinfo (unsigned) tells of no tainted build, but for what its lock implies.

    Raises:
        RefusalError: it does, or is not one paragraph.
    """
    tainted = set(parse_paragraph(data, where=where).get(_TAINTED, "").split()) - _OF_THE_LOCK
    if tainted:
        raise RefusalError(RefusalReason.TAINTED, f"built tainted by {sorted(tainted)}", where=where)
