"""The process that reads products: `python -I -m f2fbuild.builder.digests.worker DIR PINS`.

It is started in a sandbox of its own after the last build process is dead, with DIR bound read-only. PINS is
the canonical JSON of `RpmPins`, or `{}` where the job makes no RPMs. One canonical JSON document goes to
standard output (`report.decode` reads it); the exit status is 0 whenever there is one, refusals or not.

DIR is flat. Its .changes files are carried along unread, its .buildinfo files are read for
`Build-Tainted-By`; every other entry is a product or is refused.
"""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from f2fbuild.builder.digests.control import check_buildinfo
from f2fbuild.builder.digests.products import Digested, check_name, digest_product
from f2fbuild.builder.digests.refusal import RefusalError, RefusalReason, Refused, text
from f2fbuild.builder.digests.report import Report
from f2fbuild.builder.digests.rpm_pins import RpmPins
from f2fbuild.errors import FormatError
from f2fbuild.limits import CONTROL_FILE_BYTES, PRODUCTS_PER_BUILD
from f2fbuild.model import canonical
from f2fbuild.model.outcome import Product

_CARRIED, _EVIDENCE = ".changes", ".buildinfo"
_SOURCE_SUFFIXES = (b".src.rpm", b".nosrc.rpm")


def read_products(directory: Path, pins: RpmPins | None) -> Report:
    """Return the report over the files in `directory`; a source RPM is read before what was built from it.

    Raises:
        FormatError: more entries than a build may have.
    """
    names = sorted(
        (os.fsencode(path.name) for path in directory.iterdir()),
        key=lambda name: (not name.endswith(_SOURCE_SUFFIXES), name),
    )
    if len(names) > PRODUCTS_PER_BUILD:
        raise FormatError(f"more than {PRODUCTS_PER_BUILD} products", where=str(directory))
    source_id: bytes | None = None
    products: list[Product] = []
    refused: list[Refused] = []
    for name in names:
        match _read(directory, name, pins, source_id):
            case Digested() as digested:
                products.append(digested.product)
                source_id = digested.source_id or source_id
            case Refused() as refusal:
                refused.append(refusal)
    return Report(
        products=tuple(sorted(products, key=lambda product: product.name)),
        refused=tuple(sorted(refused, key=lambda refusal: refusal.name)),
    )


def main(arguments: list[str]) -> int:
    """Print the report over the directory and pins in `arguments`; return the exit status."""
    try:
        directory, pins_text = arguments
        pins_value = canonical.decode(pins_text.encode(), where="pins")
        pins = RpmPins.from_json(pins_value) if pins_value else None
        report = read_products(Path(directory), pins).encode()
    except (ValueError, OSError, FormatError) as error:
        print(f"cannot read the products: {error}", file=sys.stderr)
        return 1
    sys.stdout.buffer.write(report)
    return 0


def _read(
    directory: Path, raw_name: bytes, pins: RpmPins | None, source_id: bytes | None
) -> Digested | Refused | None:
    """Return what is said of one entry, None for evidence that is in order."""
    name = text(raw_name)
    try:
        check_name(name)
        with _open(directory / name) as file:
            if name.endswith(_CARRIED):
                return None
            if name.endswith(_EVIDENCE):
                check_buildinfo(file.read(CONTROL_FILE_BYTES + 1), where=name)
                return None
            return digest_product(name, file, pins, source_id=source_id)
    except RefusalError as error:
        return Refused.of(name, error)


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file without following a link or waiting for a fifo."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise RefusalError(RefusalReason.SPECIAL_FILE, "not a regular file", where=path.name)
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        yield file


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
