"""RPM's signed metadata as values: repomd.xml and primary.xml, read by expat without entities.

Reads only what a signature vouches for: repomd.xml after gpgv, primary.xml after its digest.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn
from xml.parsers import expat

from f2fbuild.builder.apt import Offer, safe_location
from f2fbuild.builder.locks import LockedPackage
from f2fbuild.errors import FormatError

_REPO = "http://linux.duke.edu/metadata/repo"
_COMMON = "http://linux.duke.edu/metadata/common"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repomd:
    """What repomd.xml says: when it was made (Unix seconds), and primary.xml's location and SHA-256."""

    signed_at: int
    location: str
    sha256: str


def parse_repomd(text: bytes) -> Repomd:
    """Return what `text` says of the primary index.

    Raises:
        FormatError: not repomd.xml, or it has no primary index with a SHA-256.
    """
    times, primaries = [], []
    for data in _elements(text, f"{_REPO} data", "repomd.xml"):
        stamp = data.text("timestamp")
        if stamp.isdigit() and len(stamp) < 12:
            times.append(int(stamp))
        if data.attributes.get("type") == "primary":
            primaries.append(data)
    if not times or len(primaries) != 1:
        raise FormatError("has no timestamp or not one primary index", where="repomd.xml")
    checksum, location = primaries[0].child("checksum"), primaries[0].child("location")
    if checksum.attributes.get("type") != "sha256":
        raise FormatError("its primary index has no SHA-256", where="repomd.xml")
    return Repomd(
        signed_at=max(times),
        location=safe_location(location.attributes.get("href", ""), "repomd.xml"),
        sha256=checksum.content,
    )


def parse_primary(index: bytes) -> Iterator[Offer]:
    """Yield each binary package of an unpacked primary.xml.

    Raises:
        FormatError: not primary.xml, or a package lacks name, version, arch, SHA-256, size or location.
    """
    for package in _elements(index, f"{_COMMON} package", "primary.xml"):
        version = package.child("version").attributes
        epoch = version.get("epoch", "0")
        prefix = "" if epoch in {"", "0"} else f"{epoch}:"
        checksum, size = package.child("checksum"), package.child("size").attributes.get("package", "")
        if checksum.attributes.get("type") != "sha256" or not size.isdigit():
            raise FormatError("a package has no SHA-256 or size", where="primary.xml")
        name = package.text("name")
        yield Offer(
            package=LockedPackage(
                name=name,
                version=f"{prefix}{version.get('ver', '')}-{version.get('rel', '')}",
                arch=package.text("arch"),
                sha256=checksum.content,
                size=int(size),
            ),
            location=safe_location(
                package.child("location").attributes.get("href", ""), f"primary.xml: {name}"
            ),
        )


class _Element:
    """One element with what stands in it, deep enough for these two files."""

    __slots__ = ("attributes", "children", "content")

    def __init__(self, attributes: dict[str, str]) -> None:
        self.attributes = attributes
        self.children: dict[str, _Element] = {}
        self.content = ""

    def child(self, name: str) -> "_Element":
        """Return the first child called `name`, or an empty element."""
        return self.children.get(name) or _Element({})

    def text(self, name: str) -> str:
        """Return the text of the first child called `name`."""
        return self.child(name).content


class _Collector:
    """Collects the elements of one name while expat walks over the file."""

    def __init__(self, wanted: str) -> None:
        self.wanted = wanted
        self.found: list[_Element] = []
        self._open: list[_Element] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._open and name != self.wanted:
            return
        element = _Element(attributes)
        if self._open:
            self._open[-1].children.setdefault(name.rpartition(" ")[2], element)
        self._open.append(element)

    def end(self, _name: str) -> None:
        if self._open:
            element = self._open.pop()
            if not self._open:
                self.found.append(element)

    def characters(self, data: str) -> None:
        if self._open:
            self._open[-1].content += data


def _elements(text: bytes, wanted: str, where: str) -> list[_Element]:
    collector = _Collector(wanted)
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = collector.start
    parser.EndElementHandler = collector.end
    parser.CharacterDataHandler = collector.characters
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise FormatError(f"not XML: {error}", where=where) from error
    return collector.found


def _refuse_doctype(*_: object) -> NoReturn:
    raise FormatError("has a document type, whose entities could blow up", where="XML")
