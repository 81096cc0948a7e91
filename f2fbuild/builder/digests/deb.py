"""The digests of a .deb or .udeb: the file's own SHA-256 is voted on, its contents are read for diagnosis.

Reading also refuses what no honest package holds: other members than dpkg-deb writes, device nodes, paths or
links that leave the root, files that would be written through a symbolic link of the same package.
Source: deb(5), deb-control(5).
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from f2fbuild.builder.digests import ar, tar
from f2fbuild.builder.digests.control import parse_paragraph
from f2fbuild.builder.digests.refusal import RefusalError, RefusalReason, text
from f2fbuild.builder.digests.tar import Kind, TarEntry
from f2fbuild.builder.digests.unpack import Source, Unpacked
from f2fbuild.limits import CONTROL_FILE_BYTES, DEB_CONTROL_BYTES, DEB_FILES, UNPACKED_BYTES
from f2fbuild.model import canonical
from f2fbuild.model.digest import sha256_hex

SCHEMA = "f2fbuild.content-deb/1"
_VERSION = b"2.0\n"
_CONTROL_COMPRESSORS = {"": "identity", ".gz": "gzip", ".xz": "xz", ".zst": "zstd"}
_DATA_COMPRESSORS = {**_CONTROL_COMPRESSORS, ".bz2": "bzip2", ".lzma": "lzma"}
_CONTROL_NAME = re.compile(r"\./[a-z0-9][a-z0-9.-]*")
_NEEDED = frozenset({"package", "version", "architecture"})
_DERIVED_FIELD = "installed-size"
_DERIVED_FILES = frozenset({"./control", "./md5sums"})


def digest_deb(source: Source, *, limit: int = UNPACKED_BYTES) -> str:
    """Return the content digest of the .deb that `source` holds from its first byte.

    `limit` is the unpacked bytes that its files may have.

    Raises:
        RefusalError: not exactly debian-binary, control.tar and data.tar, or one of these holds what no
            package may.
    """
    ar.read_magic(source)
    with _member(source, "debian-binary", {"": "identity"}, len(_VERSION)) as archive:
        if archive.read(len(_VERSION)) != _VERSION:
            raise RefusalError(RefusalReason.UNSUPPORTED, "a .deb of another version than 2.0")
        archive.finish()
    with _member(source, "control.tar", _CONTROL_COMPRESSORS, DEB_CONTROL_BYTES) as archive:
        control = _read_control(archive)
    with _member(source, "data.tar", _DATA_COMPRESSORS, limit) as archive:
        files = _read_data(archive)
    if ar.read_member(source) is not None:
        raise RefusalError(RefusalReason.TRAILING, "a member after data.tar", where="ar archive")
    return sha256_hex(canonical.encode({**control, "files": files, "schema": SCHEMA}))


@contextmanager
def _member(source: Source, stem: str, compressors: Mapping[str, str], limit: int) -> Iterator[Unpacked]:
    """Open the next member, which must be `stem` with one of the suffixes, and require it read to its end."""
    member = ar.read_member(source)
    if member is None or not member.name.startswith(stem) or member.name[len(stem) :] not in compressors:
        found = "the end" if member is None else member.name
        raise RefusalError(RefusalReason.MALFORMED, f"{found} instead of {stem}", where="ar archive")
    content = ar.MemberSource(source, member)
    yield Unpacked(content, compressors[member.name[len(stem) :]], limit=limit)
    content.close()


def _read_control(archive: Unpacked) -> dict[str, Any]:
    """Return control's fields, and mode and digest of each other file that is not derived from the data."""
    fields: Mapping[str, str] = {}
    scripts: dict[str, dict[str, Any]] = {}
    for entry in tar.read_entries(archive):
        name = text(entry.name)
        if entry.kind == Kind.DIRECTORY and name == "./":
            continue
        if entry.kind != Kind.FILE or not _CONTROL_NAME.fullmatch(name) or name in scripts:
            raise RefusalError(RefusalReason.ARCHIVE, "does not belong into control.tar", where=name)
        if name == "./control":
            if entry.size > CONTROL_FILE_BYTES:
                raise RefusalError(RefusalReason.TOO_LARGE, f"{entry.size} bytes", where=name)
            data = archive.read(entry.size)
            fields, digest = parse_paragraph(data, where="control"), sha256_hex(data)
        else:
            digest = _content_sha256(archive, entry)
        scripts[name] = {"mode": entry.mode, "sha256": digest}
    if _NEEDED - fields.keys():
        raise RefusalError(
            RefusalReason.MALFORMED, "without package, version and architecture", where="control"
        )
    kept = {name: value for name, value in fields.items() if name != _DERIVED_FIELD}
    return {"control": kept, "scripts": {name: scripts[name] for name in scripts.keys() - _DERIVED_FILES}}


def _read_data(archive: Unpacked) -> list[dict[str, Any]]:
    """Return every file's metadata without its time, and its digest."""
    seen: dict[bytes, Kind] = {}
    files = []
    for entry in tar.read_entries(archive):
        if len(seen) == DEB_FILES:
            raise RefusalError(RefusalReason.TOO_LARGE, f"more than {DEB_FILES} files")
        path = _check_entry(entry, seen)
        seen[path] = entry.kind
        files.append(
            {
                "digest": _content_sha256(archive, entry) if entry.kind == Kind.FILE else "",
                "gid": entry.gid,
                "group": text(entry.group),
                "kind": entry.kind.name.lower(),
                "link": text(entry.link),
                "mode": entry.mode,
                "path": text(path),
                "uid": entry.uid,
                "user": text(entry.user),
            }
        )
    return files


def _check_entry(entry: TarEntry, seen: Mapping[bytes, Kind]) -> bytes:
    """Return the entry's path (./a/b) if it and its link stay inside of the package."""
    where = text(entry.name)
    path = entry.name.rstrip(b"/") if entry.kind == Kind.DIRECTORY else entry.name
    if path != b"." and not _is_plain(path):
        raise RefusalError(RefusalReason.PATH, "not a path below ./", where=where)
    if path in seen:
        raise RefusalError(RefusalReason.PATH, "named twice", where=where)
    if any(seen.get(parent) not in {None, Kind.DIRECTORY} for parent in _parents(path)):
        raise RefusalError(RefusalReason.PATH, "below something that is no directory", where=where)
    if entry.kind == Kind.HARD_LINK and seen.get(entry.link) != Kind.FILE:
        raise RefusalError(RefusalReason.PATH, "a hard link to no file of the package", where=where)
    if entry.kind == Kind.SYMLINK and (not entry.link or _escapes(path, entry.link)):
        raise RefusalError(RefusalReason.PATH, "a symbolic link that leaves the root", where=where)
    return path


def _is_plain(path: bytes) -> bool:
    root, *parts = path.split(b"/")
    return root == b"." and bool(parts) and not any(part in {b"", b".", b".."} for part in parts)


def _parents(path: bytes) -> Iterator[bytes]:
    while b"/" in path:
        path = path.rpartition(b"/")[0]
        yield path


def _escapes(path: bytes, link: bytes) -> bool:
    """Whether `link`, seen from `path`, climbs above the root at any point of its way."""
    depth = 0 if link.startswith(b"/") else path.count(b"/") - 1
    for part in link.split(b"/"):
        depth += {b"..": -1, b".": 0, b"": 0}.get(part, 1)
        if depth < 0:
            return True
    return False


def _content_sha256(archive: Unpacked, entry: TarEntry) -> str:
    digest = hashlib.sha256()
    for piece in archive.pieces(entry.size):
        digest.update(piece)
    return digest.hexdigest()
