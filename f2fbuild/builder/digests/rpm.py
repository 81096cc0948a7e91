"""The digests of an RPM (format 4), recomputed from its bytes.

Headers lie: rpm itself accepts a file whose payload was replaced when a few digests follow. So nothing that a
header says is taken before it was measured:

1. lead and signature header hold what follows from the rest, and nothing else;
2. the main header is one region in the one layout, and repeats what the job pins;
3. the payload is one compressed stream whose digests are recomputed on both sides;
4. archive and header name the same files, in rpm's order, with equal mode, size, links, device and time, and
   every file's digest is recomputed.
"""

import hashlib
from dataclasses import dataclass

from f2fbuild.builder.digests.refusal import RefusalError, RefusalReason, text
from f2fbuild.builder.digests.rpm_archive import check_archive
from f2fbuild.builder.digests.rpm_content import content_digest
from f2fbuild.builder.digests.rpm_files import read_files
from f2fbuild.builder.digests.rpm_frame import (
    LEAD_BYTES,
    Measured,
    check_lead,
    check_measured,
    check_signature_tags,
)
from f2fbuild.builder.digests.rpm_header import (
    REGION_IMMUTABLE,
    REGION_SIGNATURES,
    Entry,
    Header,
    TagType,
    read_exactly,
    read_header,
)
from f2fbuild.builder.digests.rpm_pins import (
    FILE_DIGESTS,
    UNPINNED_TAGS,
    RpmPins,
    check_pins,
    file_digest_algorithm,
)
from f2fbuild.builder.digests.unpack import Source, Unpacked
from f2fbuild.limits import RPM_HEADER_BYTES, RPM_SIGNATURE_BYTES, UNPACKED_BYTES

_NAME, _VERSION, _RELEASE, _EPOCH, _ARCH = 1000, 1001, 1002, 1003, 1022
_SOURCE_RPM, _NO_SOURCE, _NO_PATCH = 1044, 1051, 1052
_PAYLOAD_DIGEST, _PAYLOAD_DIGEST_ALT = 5092, 5097
_V6_TAGS = frozenset({5112, 5113, 5114, 5121, 5122, 5123, 5124})
_LEFT_OUT = UNPINNED_TAGS | {_PAYLOAD_DIGEST}
_LEAD_MAJOR_V6 = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class RpmDigests:
    """What is voted on, what helps to diagnose, and the MD5 by which a binary package names its source.

    `canonical` and `content` are SHA-256 in hexadecimal; `source_id` is empty for a binary package.
    """

    canonical: str
    content: str
    source_id: bytes


class _Metered:
    """The payload's bytes on their way into the unpacker: counted, and added to the MD5."""

    def __init__(self, source: Source, header: bytes) -> None:
        self._source = source
        self.md5 = hashlib.md5(header, usedforsecurity=False)
        self.size = len(header)

    def read(self, size: int, /) -> bytes:
        data = self._source.read(size)
        self.md5.update(data)
        self.size += len(data)
        return data


def digest_rpm(
    source: Source,
    name: str,
    pins: RpmPins,
    *,
    source_id: bytes | None = None,
    allow_signature: bool = False,
    limit: int = UNPACKED_BYTES,
) -> RpmDigests:
    """Return the digests of the RPM that `source` holds from its first byte.

    Args:
        source: the file.
        name: its name, which must be the header's.
        pins: what the job fixes.
        source_id: the `source_id` of the source package that the same build made, if it made one.
        allow_signature: whether OpenPGP signatures may stand in the signature header; they change no digest.
        limit: unpacked bytes that are allowed.

    Raises:
        RefusalError: anything that is not as an honest rpm writes it for this job.
    """
    signature, header = _read_headers(source, pins, allow_signature=allow_signature)
    is_source = _is_source(header)
    if name != f"{text(_nevra(header))}.rpm":
        raise RefusalError(RefusalReason.NAME, f"the header says {text(_nevra(header))}")
    check_pins(header, pins, source_id=source_id)
    table = read_files(header, source=is_source)

    metered = _Metered(source, header.raw)
    archive = Unpacked(metered, pins.payload_compressor, limit=limit)
    check_archive(archive, table, FILE_DIGESTS[file_digest_algorithm(header)])
    _check_payload_digests(header, archive)
    measured = Measured(
        size=metered.size,
        archive_size=archive.offset,
        sha1=hashlib.sha1(header.raw, usedforsecurity=False).hexdigest(),
        sha256=hashlib.sha256(header.raw).hexdigest(),
        md5=metered.md5.digest(),
    )
    check_measured(signature, measured)
    return RpmDigests(
        canonical=_canonical(header, archive.plain_sha256, name),
        content=content_digest(header, table),
        source_id=measured.md5 if is_source else b"",
    )


def _read_headers(source: Source, pins: RpmPins, *, allow_signature: bool) -> tuple[Header, Header]:
    """Return signature header and main header, each in its one layout, behind the lead that is due."""
    lead = read_exactly(source, LEAD_BYTES)
    if lead[4] == _LEAD_MAJOR_V6:
        raise RefusalError(RefusalReason.UNSUPPORTED, "an RPM of format 6")
    signature = read_header(source, REGION_SIGNATURES, limit=RPM_SIGNATURE_BYTES)
    if read_exactly(source, -len(signature.raw) % 8).strip(b"\0"):
        raise RefusalError(RefusalReason.SIGNATURE, "padding that is not zero")
    check_signature_tags(signature, allow_signature=allow_signature)
    header = read_header(source, REGION_IMMUTABLE, limit=RPM_HEADER_BYTES)
    if _V6_TAGS & header.entries.keys():
        raise RefusalError(RefusalReason.UNSUPPORTED, "tags of rpm 6")
    check_lead(lead, _lead_name(header), pins.machine, source=_is_source(header))
    return signature, header


def _is_source(header: Header) -> bool:
    return _SOURCE_RPM not in header.entries


def _canonical(header: Header, payload: str, name: str) -> str:
    """SHA-256 over the kept entries' frames by ascending tag, the payload's 32 bytes and the file name."""
    digest = hashlib.sha256()
    for tag, entry in header.entries.items():
        if tag not in _LEFT_OUT:
            digest.update(entry.frame())
    digest.update(bytes.fromhex(payload) + name.encode())
    return digest.hexdigest()


def _word(header: Header, tag: int) -> bytes:
    word = header.string(tag)
    if not word:
        raise RefusalError(RefusalReason.MALFORMED, f"tag {tag} is missing", where="RPM header")
    return word


def _version_release(header: Header) -> bytes:
    return _word(header, _VERSION) + b"-" + _word(header, _RELEASE)


def _lead_name(header: Header) -> bytes:
    """name-[epoch:]version-release, as rpm's NEVR."""
    epoch = b"".join(b"%d:" % number for number in header.integers(_EPOCH, TagType.INT32))
    return _word(header, _NAME) + b"-" + epoch + _version_release(header)


def _nevra(header: Header) -> bytes:
    """name-version-release.arch, where the arch of a source package is src or nosrc."""
    arch = _word(header, _ARCH)
    if _is_source(header):
        arch = b"nosrc" if {_NO_SOURCE, _NO_PATCH} & header.entries.keys() else b"src"
    return _word(header, _NAME) + b"-" + _version_release(header) + b"." + arch


def _check_payload_digests(header: Header, archive: Unpacked) -> None:
    """The whole entries are due, their type too: 5092 is left out of the canonical digest."""
    for tag, digest in (
        (_PAYLOAD_DIGEST, archive.packed_sha256),
        (_PAYLOAD_DIGEST_ALT, archive.plain_sha256),
    ):
        due = Entry(tag=tag, type=TagType.STRING_ARRAY, count=1, data=digest.encode() + b"\0")
        if header.entries.get(tag) != due:
            raise RefusalError(RefusalReason.DIGEST, f"tag {tag} is not the digest of the payload")
