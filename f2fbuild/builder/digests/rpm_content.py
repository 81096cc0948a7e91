"""The content digest of an RPM, `f2fbuild.content-rpm/1`: what an installed system sees, for diagnosis.

Names, dependencies, scriptlets, triggers and files, but no times and nothing about how it was built. Where
canonical digests differ and these agree, builders disagree about metadata only.
"""

from collections.abc import Mapping
from typing import Any

from f2fbuild.builder.digests.refusal import text
from f2fbuild.builder.digests.rpm_files import FileTable, RpmFile
from f2fbuild.builder.digests.rpm_header import Header, TagType
from f2fbuild.model import canonical
from f2fbuild.model.digest import sha256_hex

SCHEMA = "f2fbuild.content-rpm/1"


def _dependency(name: str, tags: tuple[int, int, int]) -> dict[str, int]:
    return dict(zip((f"{name}name", f"{name}flags", f"{name}version"), tags, strict=True))


def _scriptlet(name: str, tags: tuple[int, int, int]) -> dict[str, int]:
    return dict(zip((name, f"{name}prog", f"{name}flags"), tags, strict=True))


_TAGS: Mapping[str, int] = {
    "name": 1000,
    "version": 1001,
    "release": 1002,
    "epoch": 1003,
    "arch": 1022,
    **_dependency("provide", (1047, 1112, 1113)),
    **_dependency("require", (1049, 1048, 1050)),
    **_dependency("conflict", (1054, 1053, 1055)),
    **_dependency("obsolete", (1090, 1114, 1115)),
    **_dependency("order", (5035, 5037, 5036)),
    **_dependency("recommend", (5046, 5048, 5047)),
    **_dependency("suggest", (5049, 5051, 5050)),
    **_dependency("supplement", (5052, 5054, 5053)),
    **_dependency("enhance", (5055, 5057, 5056)),
    **_scriptlet("prein", (1023, 1085, 5020)),
    **_scriptlet("postin", (1024, 1086, 5021)),
    **_scriptlet("preun", (1025, 1087, 5022)),
    **_scriptlet("postun", (1026, 1088, 5023)),
    **_scriptlet("verify", (1079, 1091, 5026)),
    **_scriptlet("pretrans", (1151, 1153, 5024)),
    **_scriptlet("posttrans", (1152, 1154, 5025)),
    **_scriptlet("preuntrans", (5104, 5106, 5108)),
    **_scriptlet("postuntrans", (5105, 5107, 5109)),
    **_scriptlet("triggerscript", (1065, 1092, 5027)),
    **_dependency("trigger", (1066, 1068, 1067)),
    "triggerindex": 1069,
    **_scriptlet("filetriggerscript", (5066, 5067, 5068)),
    **_dependency("filetrigger", (5069, 5072, 5071)),
    "filetriggerindex": 5070,
    "filetriggerpriority": 5084,
    **_scriptlet("transfiletriggerscript", (5076, 5077, 5078)),
    **_dependency("transfiletrigger", (5079, 5082, 5081)),
    "transfiletriggerindex": 5080,
    "transfiletriggerpriority": 5085,
}


def content_digest(header: Header, table: FileTable) -> str:
    """Return the SHA-256 of the canonical JSON of what `header` and its files say."""
    tags = {name: _value(header, tag) for name, tag in _TAGS.items() if tag in header.entries}
    files = [_file(file) for file in table.files]
    return sha256_hex(canonical.encode({"files": files, "schema": SCHEMA, "tags": tags}))


def _value(header: Header, tag: int) -> list[Any]:
    kind = header.entries[tag].type
    if kind in {TagType.INT16, TagType.INT32}:
        return list(header.integers(tag, kind))
    return [text(item) for item in header.strings(tag)]


def _file(file: RpmFile) -> dict[str, Any]:
    return {
        "caps": text(file.caps),
        "digest": text(file.digest),
        "flags": file.flags,
        "group": text(file.group),
        "link": text(file.linkto),
        "mode": file.mode,
        "path": text(file.path),
        "rdev": file.rdev,
        "user": text(file.user),
    }
