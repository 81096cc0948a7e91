"""The files that an RPM's header names, and the order in which rpm writes them into the archive.

Source: rpm 4.18 `lib/rpmfi.c` (`rpmfilesPopulate`, `rpmfilesBuildNLink`, `iterWriteArchiveNextFile`).
"""

import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from f2fbuild.builder.digests.refusal import RefusalError, RefusalReason, text
from f2fbuild.builder.digests.rpm_header import Header, TagType
from f2fbuild.limits import ARCHIVE_PATH_BYTES

GHOST = 1 << 6
"""RPMFILE_GHOST: named by the header, not in the archive."""

_OLD_FILENAMES = 1027
_SIZES, _LONG_SIZES = 1028, 5008
_MODES, _RDEVS, _MTIMES, _DIGESTS, _LINKTOS, _FLAGS = 1030, 1033, 1034, 1035, 1036, 1037
_USERS, _GROUPS, _VERIFY_FLAGS, _DEVICES, _INODES, _LANGS = 1039, 1040, 1045, 1095, 1096, 1097
_DIR_INDEXES, _BASE_NAMES, _DIR_NAMES, _CAPS = 1116, 1117, 1118, 5010


@dataclass(frozen=True, slots=True, kw_only=True)
class RpmFile:
    """One file as the header tells it.

    `digest` is hexadecimal or empty; `device` and `inode` are equal for hard links of one file.
    """

    path: bytes
    size: int
    mode: int
    rdev: int
    mtime: int
    digest: bytes
    linkto: bytes
    flags: int
    user: bytes
    group: bytes
    device: int
    inode: int
    caps: bytes

    @property
    def ghost(self) -> bool:
        """Whether the archive does not hold it."""
        return bool(self.flags & GHOST)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTable:
    """All files in the header's order. `stripped` says which form the archive's headers have."""

    files: tuple[RpmFile, ...]
    stripped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One header of the archive: the file's index, its number of links, and whether its content follows."""

    index: int
    nlink: int
    holds_content: bool


def read_files(header: Header, *, source: bool) -> FileTable:
    """Return the files of `header`; a `source` package's have no directory.

    Raises:
        RefusalError: lists of different lengths, a path that leaves the root or comes twice, a ghost with
            setuid or setgid.
    """
    if _OLD_FILENAMES in header.entries:
        raise RefusalError(RefusalReason.UNSUPPORTED, "files named in the form of rpm 3")
    names = _paths(header)
    stripped = _LONG_SIZES in header.entries
    sizes = (_LONG_SIZES, TagType.INT64) if stripped else (_SIZES, TagType.INT32)
    columns: tuple[Sequence[int] | Sequence[bytes], ...] = (
        names,
        header.integers(*sizes),
        header.integers(_MODES, TagType.INT16),
        header.integers(_RDEVS, TagType.INT16),
        header.integers(_MTIMES, TagType.INT32),
        header.strings(_DIGESTS),
        header.strings(_LINKTOS),
        header.integers(_FLAGS, TagType.INT32),
        header.strings(_USERS),
        header.strings(_GROUPS),
        header.integers(_DEVICES, TagType.INT32),
        header.integers(_INODES, TagType.INT32),
        header.strings(_CAPS) or (b"",) * len(names),
        header.integers(_VERIFY_FLAGS, TagType.INT32),
        header.strings(_LANGS),
    )
    if len({len(column) for column in columns}) > 1 or (stripped and _SIZES in header.entries):
        raise _malformed("the lists of files have different lengths")
    files = tuple(_file(row) for row in zip(*columns, strict=True))
    for file in files:
        _check_file(file, source=source)
    if len({file.path for file in files}) != len(files):
        raise RefusalError(RefusalReason.PATH, "a file is named twice", where="RPM header")
    return FileTable(files=files, stripped=stripped)


def archive_order(files: Sequence[RpmFile]) -> Iterator[Member]:
    """Yield the headers of the archive: first all files of one link, then each set of hard links.

    Of a set only the last one holds the content.
    """
    links: dict[tuple[int, int], list[int]] = {}
    present = [index for index, file in enumerate(files) if not file.ghost]
    for index in present:
        file = files[index]
        if stat.S_ISREG(file.mode) and file.inode:
            links.setdefault((file.device, file.inode), []).append(index)
    sets = [indexes for indexes in links.values() if len(indexes) > 1]
    linked = {index for indexes in sets for index in indexes}
    for index in present:
        if index not in linked:
            yield Member(index=index, nlink=1, holds_content=True)
    for indexes in sets:
        for index in indexes:
            yield Member(index=index, nlink=len(indexes), holds_content=index == indexes[-1])


def _paths(header: Header) -> tuple[bytes, ...]:
    directories = header.strings(_DIR_NAMES)
    indexes = header.integers(_DIR_INDEXES, TagType.INT32)
    names = header.strings(_BASE_NAMES)
    if len(indexes) != len(names) or any(index >= len(directories) for index in indexes):
        raise _malformed("directories and names of files do not fit")
    if any(b"/" in name for name in names):
        raise RefusalError(RefusalReason.PATH, "a file's name with a slash", where="RPM header")
    return tuple(directories[index] + name for index, name in zip(indexes, names, strict=True))


def _file(row: tuple[int | bytes, ...]) -> RpmFile:
    fields = RpmFile.__dataclass_fields__
    return RpmFile(**dict(zip(fields, row, strict=False)))  # type: ignore[arg-type]  # columns in its order


def _check_file(file: RpmFile, *, source: bool) -> None:
    where = text(file.path)
    if len(file.path) > ARCHIVE_PATH_BYTES or len(file.linkto) > ARCHIVE_PATH_BYTES:
        raise RefusalError(RefusalReason.TOO_LARGE, f"a path of more than {ARCHIVE_PATH_BYTES} bytes")
    if source:
        unsafe = b"/" in file.path or file.path in {b"", b".", b".."}
    else:
        root, *parts = file.path.split(b"/")
        unsafe = bool(root) or (any(part in {b"", b".", b".."} for part in parts) and file.path != b"/")
    if unsafe:
        raise RefusalError(RefusalReason.PATH, "a path that is not plain", where=where)
    if file.ghost and file.mode & (stat.S_ISUID | stat.S_ISGID):
        raise RefusalError(RefusalReason.SPECIAL_FILE, "a ghost with setuid or setgid", where=where)
    if bool(file.digest) != (stat.S_ISREG(file.mode) and not file.ghost):
        raise RefusalError(
            RefusalReason.DIGEST, "a digest where none is due, or none where one is", where=where
        )


def _malformed(what: str) -> RefusalError:
    return RefusalError(RefusalReason.MALFORMED, what, where="RPM header")
