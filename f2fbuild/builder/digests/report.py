"""What the worker that reads products prints: one canonical JSON document, read back as strictly.

The worker runs over hostile files, so its word is bounded and checked like a peer's.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from f2fbuild.builder.digests.products import check_name, kind_of
from f2fbuild.builder.digests.refusal import RefusalReason, Refused
from f2fbuild.errors import FormatError
from f2fbuild.limits import DIGEST_REPORT_BYTES, PRODUCTS_PER_BUILD
from f2fbuild.model import canonical
from f2fbuild.model.digest import parse_digest
from f2fbuild.model.outcome import Product


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The products and the refused files of one build, each sorted by name."""

    products: tuple[Product, ...]
    refused: tuple[Refused, ...]

    def encode(self) -> bytes:
        """Return the report as canonical JSON."""
        refused = [{**asdict(item), "reason": str(item.reason)} for item in self.refused]
        return canonical.encode({"products": [asdict(item) for item in self.products], "refused": refused})


def decode(data: bytes, *, where: str = "report of products") -> Report:
    """Return the report whose encoding is `data`.

    Raises:
        FormatError: not a report in its one spelling, or with names and digests that no product has.
    """
    if len(data) > DIGEST_REPORT_BYTES:
        raise FormatError(f"more than {DIGEST_REPORT_BYTES} bytes", where=where)
    value = canonical.decode(data, where=where)
    try:
        products = tuple(_product(item) for item in value["products"])
        refused = tuple(_refused(item) for item in value["refused"])
        report = Report(products=products, refused=refused)
        spelled = report.encode()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError("not a report of products", where=where) from error
    if spelled != data or not _is_sorted(products) or not _is_sorted(refused):
        raise FormatError("not the one spelling of a report of products", where=where)
    if len(products) + len(refused) > PRODUCTS_PER_BUILD:
        raise FormatError(f"more than {PRODUCTS_PER_BUILD} products", where=where)
    return report


def _product(item: Any) -> Product:
    product = Product(**item)
    check_name(product.name)
    size_fits = isinstance(product.size, int) and product.size >= 0
    if product.kind != kind_of(product.name) or not size_fits:
        raise ValueError("a kind or size that the product cannot have")
    for digest in (product.sha256, product.canonical, *([product.content] if product.content else [])):
        parse_digest(digest)
    return product


def _refused(item: Any) -> Refused:
    refused = Refused(name=item["name"], reason=RefusalReason(item["reason"]), detail=item["detail"])
    if not isinstance(refused.name, str) or not isinstance(refused.detail, str):
        raise TypeError("a name or detail that is no text")
    return refused


def _is_sorted(items: Sequence[Product] | Sequence[Refused]) -> bool:
    names = [item.name for item in items]
    return names == sorted(set(names))
