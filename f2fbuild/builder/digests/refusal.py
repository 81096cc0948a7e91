"""Why a product is refused: an enum for policy and screens, and the error that carries it out of a parser."""

from dataclasses import dataclass
from enum import StrEnum

from f2fbuild.errors import FormatError
from f2fbuild.limits import REFUSAL_DETAIL_CHARACTERS


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


class RefusalError(FormatError):
    """The product is refused."""

    def __init__(self, reason: RefusalReason, what: str, *, where: str = "") -> None:
        """Say `what` was found `where`, and under which `reason` it is counted."""
        super().__init__(what, where=where)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One product that does not count, why, and what exactly was found."""

    name: str
    reason: RefusalReason
    detail: str

    @classmethod
    def of(cls, name: str, error: RefusalError) -> "Refused":
        """Return what `error` says about the product `name`, cut to what a person reads."""
        return cls(name=name, reason=error.reason, detail=str(error)[:REFUSAL_DETAIL_CHARACTERS])


def text(data: bytes) -> str:
    """Return bytes of a package as text that canonical JSON can hold, different for different bytes.

    UTF-8 stays as it is; anything else becomes NUL and hexadecimal (names in packages never hold a NUL).
    """
    try:
        return data.decode()
    except UnicodeDecodeError:
        return "\0" + data.hex()
