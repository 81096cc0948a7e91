"""The ar archive of a .deb: a few members one after the other, read in place.

Source: deb(5). Every field has the one spelling that dpkg-deb writes.
"""

import re
from dataclasses import dataclass

from f2fbuild.builder.digests.refusal import RefusalError, RefusalReason
from f2fbuild.builder.digests.rpm_header import read_exactly
from f2fbuild.builder.digests.unpack import Source

_MAGIC = b"!<arch>\n"
_HEADER = re.compile(
    rb"(?P<name>[A-Za-z0-9.+_-]{1,16}) *(?P<mtime>0|[1-9][0-9]{0,11}) *0     0     100644  "
    rb"(?P<size>0|[1-9][0-9]{0,9}) *`\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member's header; `size` in bytes."""

    name: str
    size: int


class MemberSource:
    """The bytes of one member, as a source that ends where the member does."""

    def __init__(self, source: Source, member: Member) -> None:
        self._source = source
        self._left = member.size
        self._pad = member.size % 2

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes of the member, none at its end.

        Raises:
            RefusalError: the file ends before the member.
        """
        wanted = min(size, self._left)
        self._left -= wanted
        return read_exactly(self._source, wanted)

    def close(self) -> None:
        """Require that the member was read whole, and skip its padding.

        Raises:
            RefusalError: bytes are left, or the padding is not a newline.
        """
        if self._left or read_exactly(self._source, self._pad).strip(b"\n"):
            raise RefusalError(RefusalReason.TRAILING, "bytes after a member's content", where="ar archive")


def read_magic(source: Source) -> None:
    """Read the archive's first eight bytes.

    Raises:
        RefusalError: they are not an ar archive's.
    """
    if read_exactly(source, len(_MAGIC)) != _MAGIC:
        raise RefusalError(RefusalReason.MALFORMED, "not an ar archive")


def read_member(source: Source) -> Member | None:
    """Read the next member's header, None at the end of the file.

    Raises:
        RefusalError: not a header as dpkg-deb writes it.
    """
    data = source.read(60)
    if not data:
        return None
    match = _HEADER.fullmatch(data)
    if len(data) != 60 or match is None:
        raise RefusalError(RefusalReason.MALFORMED, "not a header of dpkg-deb", where="ar archive")
    return Member(name=match["name"].decode(), size=int(match["size"]))
