"""What a job fixes about its RPMs, which their headers must repeat and the canonical digest leaves out."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from f2fbuild.builder.digests.refusal import RefusalError, RefusalReason
from f2fbuild.builder.digests.rpm_header import Header, TagType
from f2fbuild.errors import FormatError

_BUILD_TIME, _BUILD_HOST, _RPM_VERSION, _COOKIE = 1006, 1007, 1064, 1094
_PAYLOAD_FORMAT, _PAYLOAD_COMPRESSOR, _PAYLOAD_FLAGS = 1124, 1125, 1126
_PAYLOAD_DIGEST_ALGORITHM, _FILE_DIGEST_ALGORITHM, _SOURCE_PACKAGE_ID = 5093, 5011, 1146
_SHA256 = 8
FILE_DIGESTS: Mapping[int, str] = {8: "sha256", 9: "sha384", 10: "sha512"}
"""Algorithms of file digests that are strong enough (RFC 9580 §9.5 numbers)."""

UNPINNED_TAGS = frozenset(
    {
        _BUILD_TIME,
        _BUILD_HOST,
        _RPM_VERSION,
        _COOKIE,
        _PAYLOAD_FORMAT,
        _PAYLOAD_COMPRESSOR,
        _PAYLOAD_FLAGS,
        _SOURCE_PACKAGE_ID,
    }
)
"""Tags that the canonical digest leaves out because `check_pins` fixes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RpmPins:
    """What a job fixes.

    `source_date_epoch` in unix seconds; `machine` is rpm's name of the machine it builds for (`%_target_cpu`
    of the job, x86_64 also where a package is noarch), which only the lead repeats; `payload_flags` is the
    level as rpm writes it ("9", "19T8"); `cookie` is the one of a source package that is rebuilt, else empty.
    """

    source_date_epoch: int
    build_host: str
    rpm_version: str
    machine: str
    payload_format: str = "cpio"
    payload_compressor: str = "gzip"
    payload_flags: str = "9"
    cookie: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the pins as canonical JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any, *, where: str = "pins") -> "RpmPins":
        """Return the pins whose `to_json` is `value`.

        Raises:
            FormatError: anything missing, unknown or of another type.
        """
        kinds = {name: int if name == "source_date_epoch" else str for name in cls.__dataclass_fields__}
        if not isinstance(value, dict) or {name: type(item) for name, item in value.items()} != kinds:
            raise FormatError("not the pins of a job", where=where)
        return cls(**value)


def check_pins(header: Header, pins: RpmPins, *, source_id: bytes | None) -> None:
    """Require that `header` repeats `pins`.

    `source_id` is the MD5 of the source package that the same build made, None if it made none.

    Raises:
        RefusalError: another value, a weak algorithm, or a missing tag.
    """
    _require(header.integers(_BUILD_TIME, TagType.INT32) == (pins.source_date_epoch,), "build time")
    pinned = {
        _BUILD_HOST: pins.build_host,
        _RPM_VERSION: pins.rpm_version,
        _PAYLOAD_FORMAT: pins.payload_format,
        _PAYLOAD_COMPRESSOR: pins.payload_compressor,
        _PAYLOAD_FLAGS: pins.payload_flags,
    }
    for tag, value in pinned.items():
        found = header.string(tag)
        _require(found == value.encode(), f"tag {tag}: {found!r} instead of {value!r}")
    derived = f"{pins.build_host} {pins.source_date_epoch}"
    _require(header.string(_COOKIE) in {None, derived.encode(), (pins.cookie or derived).encode()}, "cookie")
    _require(header.binary(_SOURCE_PACKAGE_ID) in {None, source_id}, "digest of the source package")
    algorithm = header.integers(_PAYLOAD_DIGEST_ALGORITHM, TagType.INT32)
    _require(algorithm == (_SHA256,), "algorithm of the payload's digest")
    _require(file_digest_algorithm(header) in FILE_DIGESTS, "algorithm of the files' digests")


def file_digest_algorithm(header: Header) -> int:
    """Return the number of the algorithm of the files' digests, 0 if the header does not say."""
    return (*header.integers(_FILE_DIGEST_ALGORITHM, TagType.INT32), 0)[0]


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise RefusalError(RefusalReason.PIN, f"not as the job pins it: {what}", where="RPM header")
