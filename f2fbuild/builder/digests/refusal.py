"""Why a product is refused: an enum for policy and screens, and the error that carries it out of a parser."""

from dataclasses import dataclass
from enum import StrEnum

from f2fbuild.errors import FormatError


class RefusalReason(StrEnum):
    """What a product breaks. Its value is what is stored and shown."""

    NAME = "name"
    MALFORMED = "malformed"
    UNSUPPORTED = "unsupported"
    TOO_LARGE = "too-large"
    TRAILING = "trailing"
    LEAD = "lead"
    SIGNATURE = "signature"
    DIGEST = "digest"
    PIN = "pin"
    ARCHIVE = "archive"
    PATH = "path"
    SPECIAL_FILE = "special-file"
    TAINTED = "tainted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One product that does not count, why, and what exactly was found."""

    name: str
    reason: RefusalReason
    detail: str


class RefusalError(FormatError):
    """The product is refused."""

    def __init__(self, reason: RefusalReason, what: str, *, where: str = "") -> None:
        """Say `what` was found `where`, and under which `reason` it is counted."""
        super().__init__(what, where=where)
        self.reason = reason


def text(data: bytes) -> str:
    """Return bytes of a package as text that canonical JSON can hold, different for different bytes.

    UTF-8 stays as it is; anything else becomes NUL and hexadecimal (names in packages never hold a NUL).
    """
    try:
        return data.decode()
    except UnicodeDecodeError:
        return "\0" + data.hex()
