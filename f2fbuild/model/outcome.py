"""What came out of one execution of a build.

`Succeeded` and `Failed` are results: they can agree or contradict and are signed into the ledger as outcomes.
`Infra`, `TimedOut` and `Cancelled` say nothing about the package; they close an acceptance without a vote.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias, assert_never

from f2fbuild.errors import FormatError
from f2fbuild.limits import PRODUCT_NAME_BYTES
from f2fbuild.model.digest import parse_digest, sha256_hex

PRODUCT_KINDS = ("rpm", "deb", "udeb", "file")
"""The kinds of products; `file` is what a recipe or an image declares."""


class Stage(StrEnum):
    """Where in a job something happened."""

    FETCH = "fetch"
    CHROOT = "chroot"
    DEPS = "deps"
    BUILD = "build"
    TEST = "test"
    PACKAGE = "package"
    UPLOAD = "upload"
    AGREEMENT = "agreement"


class ExitClass(StrEnum):
    """How a stage failed, told by the runner's own facts and never by log text."""

    NONZERO = "nonzero"
    SIGNALLED = "signalled"
    LOG_CAPPED = "log-capped"
    REFUSED_PRODUCT = "refused-product"
    NO_PRODUCT = "no-product"


class ClosingReason(StrEnum):
    """Why an acceptance ended without an outcome (the closing entry's `reason`)."""

    CANCELLED = "cancelled"
    INFRA = "infra"
    TIMED_OUT = "timed-out"
    GAVE_BACK = "gave-back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One file that a build made.

    `kind` is rpm, deb, udeb or file; `size` is in bytes; `sha256`, `canonical` and `content` are digests,
    `content` empty where the kind has none. `canonical` is what is voted on.
    """

    kind: str
    name: str
    size: int
    sha256: str
    canonical: str
    content: str = ""


def check_product(product: Product) -> Product:
    """Return `product` if it can stand in a line of the result: what a peer says is not believed.

    Raises:
        FormatError: an unknown kind, a name that is no plain file name, a size that is none, or a digest in
            another spelling.
    """
    name = product.name
    if product.kind not in PRODUCT_KINDS or type(product.size) is not int or product.size < 0:
        raise FormatError("not a product's kind or size", where="product")
    if not isinstance(name, str) or not name.isprintable() or "/" in name or name in ("", ".", ".."):
        raise FormatError("not a plain file name", where="product")
    if len(name.encode()) > PRODUCT_NAME_BYTES:
        raise FormatError(f"a name of more than {PRODUCT_NAME_BYTES} bytes", where="product")
    for digest in (product.sha256, product.canonical, product.content or product.canonical):
        parse_digest(digest, where="product")
    return product


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded:
    """The build made these products, sorted by name."""

    products: tuple[Product, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The package does not build: a result that others can confirm."""

    stage: Stage
    exit_class: ExitClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Infra:
    """No result for a reason outside the package: disk, network, mirror, host."""

    stage: Stage
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedOut:
    """The build did not end in its time."""

    stage: Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """The submitter, the owner of the machine or the policy ended the build."""


Result: TypeAlias = Succeeded | Failed
Outcome: TypeAlias = Succeeded | Failed | Infra | TimedOut | Cancelled


def result_digest(result: Result) -> str:
    """Return the digest that builders commit to and that is compared.

    SHA-256 over sorted lines `<kind> SP <canonical> SP <size> SP <name> LF`, one for each product; for a
    failure over the single line `failed SP <exit class> SP <stage> LF`.
    """
    match result:
        case Succeeded(products=products):
            lines = sorted(f"{p.kind} {p.canonical} {p.size} {p.name}\n" for p in products)
            return sha256_hex("".join(lines).encode())
        case Failed(stage=stage, exit_class=exit_class):
            return sha256_hex(f"failed {exit_class} {stage}\n".encode())
    assert_never(result)


def closing_reason(outcome: Infra | TimedOut | Cancelled) -> ClosingReason:
    """Return the reason that the closing entry gives for an outcome that is no result."""
    match outcome:
        case Infra():
            return ClosingReason.INFRA
        case TimedOut():
            return ClosingReason.TIMED_OUT
        case Cancelled():
            return ClosingReason.CANCELLED
    assert_never(outcome)
