"""A product's digests, by its format: the one door to the parsers.

Kinds are rpm, deb, udeb and file; for all but rpm the digest that is voted on is the file's own SHA-256.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import BinaryIO

from f2fbuild.builder.digests.deb import digest_deb
from f2fbuild.builder.digests.refusal import RefusalError, RefusalReason, Refused
from f2fbuild.builder.digests.rpm import digest_rpm
from f2fbuild.builder.digests.rpm_pins import RpmPins
from f2fbuild.limits import PRODUCT_CHUNK_BYTES, PRODUCT_NAME_BYTES
from f2fbuild.model.outcome import Product

_NAME = re.compile(r"[^\W_]\S*|_\S*")
_KINDS: Mapping[str, str] = {".rpm": "rpm", ".deb": "deb", ".udeb": "udeb"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Digested:
    """A product, and for a source RPM the MD5 by which the binary packages of the same build name it."""

    product: Product
    source_id: bytes = b""


def check_name(name: str) -> str:
    """Return `name` if a product may have it.

    It is printable, without space, slash or backslash, begins with a letter, digit or underscore, and has at
    most 255 bytes: nothing that a shell, a terminal, a line of the result or a repository would misread.

    Raises:
        RefusalError: any other name.
    """
    printable = name.isprintable() and not set(name) & set("/\\")
    if not printable or not _NAME.fullmatch(name) or len(name.encode()) > PRODUCT_NAME_BYTES:
        raise RefusalError(RefusalReason.NAME, f"not a name for a product: {name[:PRODUCT_NAME_BYTES]!a}")
    return name


def kind_of(name: str) -> str:
    """Return the kind of a product by its name: rpm, deb, udeb or file."""
    return next((kind for suffix, kind in _KINDS.items() if name.endswith(suffix)), "file")


def digest_product(
    name: str,
    file: BinaryIO,
    pins: RpmPins | None,
    *,
    source_id: bytes | None = None,
    allow_signature: bool = False,
) -> Digested | Refused:
    """Return the digests of the product `name`, or why it is refused.

    Args:
        name: the file's name.
        file: the file, seekable, which is read twice.
        pins: what the job fixes about RPMs; None where a job makes none, then an RPM is refused.
        source_id: the `source_id` of the source RPM that the same build made, if it made one.
        allow_signature: whether an RPM may be signed; its `sha256` is then of the signed file.
    """
    try:
        product = _measure(check_name(name), file)
        file.seek(0)
        if product.kind == "rpm":
            digests = digest_rpm(
                file, name, _required(pins), source_id=source_id, allow_signature=allow_signature
            )
            product = replace(product, canonical=digests.canonical, content=digests.content)
            return Digested(product=product, source_id=digests.source_id)
        if product.kind in {"deb", "udeb"}:
            product = replace(product, content=digest_deb(file))
    except RefusalError as error:
        return Refused.of(name, error)
    return Digested(product=product)


def only_metadata_differs(one: Product, other: Product) -> bool:
    """Return whether two products are other bits with the same content: a divergence of metadata only."""
    same = (one.kind, one.name, one.content) == (other.kind, other.name, other.content)
    return same and bool(one.content) and one.canonical != other.canonical


def _measure(name: str, file: BinaryIO) -> Product:
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(PRODUCT_CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
    sha256 = digest.hexdigest()
    return Product(kind=kind_of(name), name=name, size=size, sha256=sha256, canonical=sha256)


def _required(pins: RpmPins | None) -> RpmPins:
    if pins is None:
        raise RefusalError(RefusalReason.PIN, "an RPM from a job that makes none")
    return pins
