"""The walk over an RPM's archive, side by side with its header.

Source: rpm 4.18 `lib/rpmfi.c` (`rpmfilesStat`, `rpmfiArchiveWriteHeader`).
"""

import hashlib
import stat
from collections.abc import Iterator

from f2fbuild.builder.digests import cpio
from f2fbuild.builder.digests.refusal import RefusalError, RefusalReason, text
from f2fbuild.builder.digests.rpm_files import FileTable, Member, RpmFile, archive_order
from f2fbuild.builder.digests.unpack import Unpacked


def check_archive(archive: Unpacked, table: FileTable, algorithm: str) -> None:
    """Require that `archive` holds the files of `table` in rpm's order, and nothing else.

    `algorithm` is hashlib's name of the files' digests.

    Raises:
        RefusalError: a file is missing, added, out of order, or differs in anything.
    """
    for member in archive_order(table.files):
        file = table.files[member.index]
        where = text(file.path)
        record = cpio.read_record(archive)
        if record is None:
            raise RefusalError(RefusalReason.ARCHIVE, "not in the archive", where=where)
        difference = next(_differences(record, file, member, stripped=table.stripped), "")
        if difference:
            raise RefusalError(RefusalReason.ARCHIVE, f"archive and header differ: {difference}", where=where)
        _check_content(archive, file, member, algorithm)
    if cpio.read_record(archive) is not None:
        raise RefusalError(RefusalReason.ARCHIVE, "a file in the archive that the header does not name")
    archive.finish()


def _check_content(archive: Unpacked, file: RpmFile, member: Member, algorithm: str) -> None:
    where = text(file.path)
    if stat.S_ISLNK(file.mode):
        if file.size != len(file.linkto) or archive.read(file.size) != file.linkto:
            raise RefusalError(RefusalReason.ARCHIVE, "another link target than in the header", where=where)
    elif stat.S_ISREG(file.mode) and member.holds_content:
        digest = hashlib.new(algorithm)
        for piece in archive.pieces(file.size):
            digest.update(piece)
        if digest.hexdigest().encode() != file.digest:
            raise RefusalError(RefusalReason.DIGEST, "not the digest of the file's content", where=where)


def _differences(record: cpio.Record, file: RpmFile, member: Member, *, stripped: bool) -> Iterator[str]:
    """Yield what `record` says otherwise than the header does."""
    if isinstance(record, cpio.Stripped):
        if not stripped:
            yield "form"
        elif record.index != member.index:
            yield "index"
        return
    sized = stat.S_ISLNK(file.mode) or (stat.S_ISREG(file.mode) and member.holds_content)
    expected = {
        "form": not stripped,
        "name": record.name == (b"." + file.path if file.path.startswith(b"/") else file.path),
        "mode": record.mode in _modes(file),
        "size": record.size == (file.size if sized else 0),
        "links": record.nlink == member.nlink,
        "device": record.rdev == (file.rdev >> 8, file.rdev & 0xFF),
        "time": record.mtime == file.mtime,
        "inode": record.inode == file.inode,
    }
    yield from (what for what, same in expected.items() if not same)


def _modes(file: RpmFile) -> frozenset[int]:
    """The header's mode, also without setuid or setgid: rpm drops these for owners that it does not know."""
    setuid = stat.S_ISUID if file.user != b"root" else 0
    setgid = stat.S_ISGID if file.group != b"root" else 0
    return frozenset(file.mode & ~dropped for dropped in (0, setuid, setgid, setuid | setgid))
