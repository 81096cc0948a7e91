"""The door to the parsers, the report, and the worker as a process of its own."""

import hashlib
import io
import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.builder.digests import report, worker
from f2fbuild.builder.digests.products import (
    Digested,
    check_name,
    digest_product,
    kind_of,
    only_metadata_differs,
)
from f2fbuild.builder.digests.refusal import RefusalError, RefusalReason, Refused, text
from f2fbuild.builder.digests.report import Report
from f2fbuild.builder.digests.rpm_pins import RpmPins
from f2fbuild.errors import FormatError
from f2fbuild.limits import DIGEST_REPORT_BYTES, PRODUCTS_PER_BUILD, REFUSAL_DETAIL_CHARACTERS
from f2fbuild.model import canonical
from f2fbuild.model.outcome import Product, Succeeded, result_digest
from tests.builder.digests.digest_forge import PINS, Parts, run, string, succeeds

PINS_TEXT = canonical.encode(PINS.to_json()).decode()


def product(name: str, data: bytes, pins: RpmPins | None = PINS) -> Product:
    match digest_product(name, io.BytesIO(data), pins):
        case Digested(product=product):
            return product
        case Refused() as refused:
            raise AssertionError(refused)


@pytest.mark.parametrize(
    "name", ["a", "tiny-1-1.x86_64.rpm", "libc6_2.36-9+deb12u1_amd64.deb", "_x", "ü", "1~rc"]
)
def test_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".hidden",
        "-rf",
        "a/b",
        "a b",
        "a\nb",
        "a\x1b[0m",
        "a\0",
        "a\\b",
        "x" * 256,
        "ü" * 128,
        "a\u202eb",
        "~a",
        "a\u00a0b",
        "\udc80",
    ],
)
def test_names_that_no_product_has(name: str) -> None:
    with pytest.raises(RefusalError) as caught:
        check_name(name)
    assert caught.value.reason == RefusalReason.NAME
    refused = digest_product(name, io.BytesIO(b""), None)
    assert isinstance(refused, Refused)


def test_kinds() -> None:
    assert [kind_of(name) for name in ("a.rpm", "a.deb", "a.udeb", "a.iso", "rpm", "a.rpm.sig")] == [
        "rpm",
        "deb",
        "udeb",
        "file",
        "file",
        "file",
    ]


def test_any_file() -> None:
    digest = hashlib.sha256(b"bits").hexdigest()
    assert product("image.iso", b"bits") == Product(
        kind="file", name="image.iso", size=4, sha256=digest, canonical=digest
    )


def test_rpm_needs_pins(tiny: Path) -> None:
    refused = digest_product(tiny.name, io.BytesIO(tiny.read_bytes()), None)
    assert isinstance(refused, Refused)
    assert refused.reason == RefusalReason.PIN


def test_rpm(tiny: Path, signed: Path) -> None:
    found = product(tiny.name, tiny.read_bytes())
    assert found.canonical != found.sha256 == hashlib.sha256(tiny.read_bytes()).hexdigest()
    assert found.size == tiny.stat().st_size
    assert isinstance(digest_product(tiny.name, io.BytesIO(signed.read_bytes()), PINS), Refused)
    allowed = digest_product(tiny.name, io.BytesIO(signed.read_bytes()), PINS, allow_signature=True)
    assert isinstance(allowed, Digested)
    assert allowed.product.canonical == found.canonical


def test_only_metadata_differs(tiny: Path) -> None:
    honest = product(tiny.name, tiny.read_bytes())
    parts = Parts.of(tiny.read_bytes()).put(string(1122, "-O3"))
    other = product(tiny.name, parts.assemble())
    assert other.canonical != honest.canonical
    assert only_metadata_differs(honest, other)
    assert not only_metadata_differs(honest, honest)
    assert not only_metadata_differs(honest, replace(other, content="0" * 64))
    assert not only_metadata_differs(replace(honest, content=""), replace(other, content=""))


def test_text_is_different_for_different_bytes() -> None:
    assert [text(data) for data in (b"a", b"\xff", "ü".encode())] == ["a", "\0ff", "ü"]


digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
names = st.from_regex(r"[a-z][a-z.]{0,9}", fullmatch=True)
products = st.builds(
    lambda name, size, sha256, other, content: Product(
        kind=kind_of(name), name=name, size=size, sha256=sha256, canonical=other, content=content
    ),
    names,
    st.integers(0, 1 << 40),
    digests,
    digests,
    digests | st.just(""),
)
refusals = st.builds(Refused, name=st.text(), reason=st.sampled_from(RefusalReason), detail=st.text())


@given(
    st.lists(products, unique_by=lambda item: item.name, max_size=4),
    st.lists(refusals, unique_by=lambda item: item.name, max_size=4),
)
def test_report_is_read_back(made: list[Product], refused: list[Refused]) -> None:
    whole = Report(
        products=tuple(sorted(made, key=lambda item: item.name)),
        refused=tuple(sorted(refused, key=lambda item: item.name)),
    )
    assert report.decode(whole.encode()) == whole


GOOD = {"canonical": "0" * 64, "content": "", "kind": "file", "name": "a", "sha256": "0" * 64, "size": 1}
BAD = {"detail": "x", "name": "a", "reason": "name"}


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        {"products": [], "refused": [], "more": []},
        {"products": [{**GOOD, "kind": "rpm"}], "refused": []},
        {"products": [{**GOOD, "name": "../a"}], "refused": []},
        {"products": [{**GOOD, "name": 1}], "refused": []},
        {"products": [{**GOOD, "size": -1}], "refused": []},
        {"products": [{**GOOD, "size": "1"}], "refused": []},
        {"products": [{**GOOD, "sha256": "x"}], "refused": []},
        {"products": [{**GOOD, "sha256": 7}], "refused": []},
        {"products": [{**GOOD, "content": "x"}], "refused": []},
        {"products": [{**GOOD, "more": ""}], "refused": []},
        {"products": [GOOD, GOOD], "refused": []},
        {"products": [{**GOOD, "name": "b"}, GOOD], "refused": []},
        {"products": [], "refused": [{**BAD, "reason": "mood"}]},
        {"products": [], "refused": [{**BAD, "name": 1}]},
        {"products": [], "refused": [{**BAD, "detail": 1}]},
        {"products": [], "refused": [{"name": "a", "reason": "name"}]},
        {"products": [], "refused": [BAD, BAD]},
    ],
)
def test_no_report(value: object) -> None:
    with pytest.raises(FormatError):
        report.decode(json.dumps(value, separators=(",", ":"), sort_keys=True).encode())


def test_report_of_too_many_products() -> None:
    many = [{**BAD, "name": f"{number:09}"} for number in range(PRODUCTS_PER_BUILD + 1)]
    with pytest.raises(FormatError, match="more than"):
        report.decode(canonical.encode({"products": [], "refused": many}))


def test_report_that_is_too_large() -> None:
    with pytest.raises(FormatError, match="bytes"):
        report.decode(bytes(DIGEST_REPORT_BYTES + 1))


def test_details_are_cut() -> None:
    error = RefusalError(RefusalReason.PIN, "x" * 10_000)
    assert len(Refused.of("a", error).detail) == REFUSAL_DETAIL_CHARACTERS


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        {**PINS.to_json(), "more": ""},
        {**PINS.to_json(), "source_date_epoch": "1"},
        {**PINS.to_json(), "source_date_epoch": True},
    ],
)
def test_no_pins(value: object) -> None:
    with pytest.raises(FormatError):
        RpmPins.from_json(value)


def work(directory: Path, pins: str = PINS_TEXT) -> Report:
    """Run the worker as the runner does."""
    printed = run(sys.executable, "-I", "-m", worker.__name__, directory, pins, cwd=Path("/"))
    return report.decode(printed.encode())


def test_worker(tmp_path: Path, tiny_both: Mapping[str, Path], tiny: Path) -> None:
    for name, path in tiny_both.items():
        shutil.copy(path, tmp_path / name)
    (tmp_path / "image.iso").write_bytes(b"bits")
    (tmp_path / "tiny.changes").write_bytes(b"not a product")
    (tmp_path / "tiny.buildinfo").write_bytes(b"Format: 1.0\n")
    found = work(tmp_path)
    assert not found.refused
    assert [item.name for item in found.products] == ["image.iso", "tiny-1.0-1.src.rpm", tiny.name]
    assert found.products[2].canonical == product(tiny.name, tiny.read_bytes()).canonical
    assert result_digest(Succeeded(products=found.products))


def test_worker_refuses(tmp_path: Path, tiny: Path) -> None:
    (tmp_path / tiny.name).write_bytes(tiny.read_bytes() + b"x")
    (tmp_path / "tiny.deb").write_bytes(b"!<arch>\n")
    (tmp_path / "tainted.buildinfo").write_bytes(b"Build-Tainted-By: x\n")
    (tmp_path / "merged.buildinfo").write_bytes(b"Build-Tainted-By:\n merged-usr-via-aliased-dirs\n")
    (tmp_path / ".hidden").touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "link.changes").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "fifo")
    Path(os.fsdecode(bytes(tmp_path) + b"/\xff")).touch()
    found = work(tmp_path)
    assert not found.products
    assert {item.name: item.reason for item in found.refused} == {
        tiny.name: RefusalReason.TRAILING,
        "tiny.deb": RefusalReason.MALFORMED,
        "tainted.buildinfo": RefusalReason.TAINTED,
        ".hidden": RefusalReason.NAME,
        "sub": RefusalReason.SPECIAL_FILE,
        "link": RefusalReason.SPECIAL_FILE,
        "link.changes": RefusalReason.SPECIAL_FILE,
        "fifo": RefusalReason.SPECIAL_FILE,
        "\0ff": RefusalReason.NAME,
    }


def test_worker_without_pins(tmp_path: Path, tiny: Path) -> None:
    shutil.copy(tiny, tmp_path)
    (refused,) = work(tmp_path, "{}").refused
    assert refused.reason == RefusalReason.PIN


@pytest.mark.parametrize("arguments", [(), ("/none",), ("/none", "{}"), ("/", "{ }"), ("/", '{"a":1}')])
def test_worker_that_cannot_begin(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert worker.main(list(arguments)) == 1
    assert "cannot read the products" in capsys.readouterr().err
    assert not succeeds(sys.executable, "-I", "-m", worker.__name__, *arguments)


def test_too_many_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        (tmp_path / name).touch()
    monkeypatch.setattr(worker, "PRODUCTS_PER_BUILD", 1)
    with pytest.raises(FormatError, match="more than"):
        worker.read_products(tmp_path, None)
    (tmp_path / "b").unlink()
    assert [item.name for item in worker.read_products(tmp_path, None).products] == ["a"]


def test_worker_in_this_process(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    (tmp_path / "a").write_bytes(b"bits")
    assert worker.main([str(tmp_path), "{}"]) == 0
    assert report.decode(capsysbinary.readouterr().out).products[0].size == 4
