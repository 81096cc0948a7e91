"""Honest RPMs, and lies that rpm itself believes."""

import hashlib
import io
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from f2fbuild.builder.digests.refusal import RefusalError, RefusalReason
from f2fbuild.builder.digests.rpm import digest_rpm
from f2fbuild.builder.digests.rpm_pins import RpmPins
from tests.builder.digests.digest_forge import (
    EPOCH,
    PINS,
    SPEC,
    Parts,
    binary,
    digest,
    integers,
    rpm_gzip,
    rpmbuild,
    run,
    string,
    strings,
    succeeds,
)


def refusal(data: bytes, name: str, allow_signature: bool = False) -> RefusalReason:
    with pytest.raises(RefusalError) as caught:
        digest(data, name, allow_signature=allow_signature)
    return caught.value.reason


def rpm_believes(data: bytes, directory: Path) -> bool:
    path = directory / "forged.rpm"
    path.write_bytes(data)
    return succeeds("rpm", "-Kv", "--nosignature", path)


def test_same_build_twice_under_other_conditions(tiny: Path, tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        (again,) = rpmbuild(SPEC, tmp_path / "elsewhere" / "deep").values()
    finally:
        os.umask(old)
    assert digest(again.read_bytes(), again.name) == digest(tiny.read_bytes(), tiny.name)


def test_built_with_its_source(tiny: Path, tiny_both: Mapping[str, Path]) -> None:
    source, binary_package = (tiny_both[name] for name in ("tiny-1.0-1.src.rpm", tiny.name))
    with source.open("rb") as file:
        digests = digest_rpm(file, source.name, PINS)
    assert digests.source_id
    with binary_package.open("rb") as file:
        both = digest_rpm(file, binary_package.name, PINS, source_id=digests.source_id)
    assert binary_package.read_bytes() != tiny.read_bytes()
    assert both == digest(tiny.read_bytes(), tiny.name)
    assert refusal(binary_package.read_bytes(), binary_package.name) == RefusalReason.PIN


def test_canonical_digest_is_what_its_definition_says(tiny: Path) -> None:
    parts = Parts.of(tiny.read_bytes())
    left_out = {1006, 1007, 1064, 1094, 1124, 1125, 1126, 1146, 5092}
    kept = sorted(
        (e.tag, int(e.type), e.count, e.data) for tag, e in parts.header.items() if tag not in left_out
    )
    whole = b"".join(
        b"".join(number.to_bytes(4, "big") for number in (tag, kind, count, len(data))) + data
        for tag, kind, count, data in kept
    )
    whole += hashlib.sha256(parts.payload).digest() + tiny.name.encode()
    assert digest(tiny.read_bytes(), tiny.name).canonical == hashlib.sha256(whole).hexdigest()


def test_package_without_files(nothing: Path) -> None:
    assert digest(nothing.read_bytes(), nothing.name).content


def test_signed_and_unsigned_again(tiny: Path, tmp_path: Path, signed: Path) -> None:
    honest = digest(tiny.read_bytes(), tiny.name)
    assert signed.read_bytes() != tiny.read_bytes()
    assert refusal(signed.read_bytes(), tiny.name) == RefusalReason.SIGNATURE
    assert digest(signed.read_bytes(), tiny.name, allow_signature=True) == honest
    stripped = tmp_path / tiny.name
    stripped.write_bytes(signed.read_bytes())
    run("rpmsign", "--delsign", stripped)
    assert digest(stripped.read_bytes(), tiny.name) == honest


def test_assembled_again_is_the_same_file(tiny: Path) -> None:
    assert Parts.of(tiny.read_bytes()).assemble() == tiny.read_bytes()


def test_rpm_does_not_believe_everything(tiny: Path, tmp_path: Path) -> None:
    assert rpm_believes(tiny.read_bytes(), tmp_path)
    assert not rpm_believes(tiny.read_bytes()[:-1], tmp_path)


def test_replaced_payload_that_rpm_believes(tiny: Path, tmp_path: Path) -> None:
    parts = Parts.of(tiny.read_bytes()).edit(b"content-of-a\n", b"evil content\n")
    forged = parts.assemble(honest_payload_digest=False)
    assert rpm_believes(forged, tmp_path)
    assert refusal(forged, tiny.name) == RefusalReason.DIGEST


def test_replaced_payload_with_its_own_digest(tiny: Path) -> None:
    parts = Parts.of(tiny.read_bytes()).edit(b"content-of-a\n", b"evil content\n")
    assert refusal(parts.assemble(), tiny.name) == RefusalReason.DIGEST


def test_replaced_payload_with_all_digests_is_another_result(tiny: Path) -> None:
    honest = digest(tiny.read_bytes(), tiny.name)
    parts = Parts.of(tiny.read_bytes()).edit(b"content-of-a\n", b"evil content\n")
    forged = digest(parts.file_digests(b"content-of-a\n", b"evil content\n").assemble(), tiny.name)
    assert forged.canonical != honest.canonical
    assert forged.content != honest.content


@pytest.mark.parametrize(
    "lead",
    [
        pytest.param(lambda lead: lead.replace(b"tiny", b"evil"), id="name"),
        pytest.param(lambda lead: lead[:6] + b"\0\1" + lead[8:], id="type"),
        pytest.param(lambda lead: lead[:8] + b"\0\7" + lead[10:], id="machine"),
        pytest.param(lambda lead: lead[:60] + b"hidden" + lead[66:], id="behind the name"),
        pytest.param(lambda lead: lead[:-4] + b"hide", id="reserved"),
    ],
)
def test_forged_lead_that_rpm_believes(tiny: Path, tmp_path: Path, lead: Callable[[bytes], bytes]) -> None:
    parts = Parts.of(tiny.read_bytes())
    parts.lead = lead(parts.lead)
    forged = parts.assemble()
    assert rpm_believes(forged, tmp_path)
    assert refusal(forged, tiny.name) == RefusalReason.LEAD


def test_reserved_space_that_rpm_believes(tiny: Path, tmp_path: Path) -> None:
    parts = Parts.of(tiny.read_bytes())
    space = parts.signature[1008]
    parts.signature[1008] = replace(space, data=b"\x1b]0;owned\x07".ljust(space.count, b"\0"))
    forged = parts.assemble()
    assert rpm_believes(forged, tmp_path)
    assert refusal(forged, tiny.name) == RefusalReason.SIGNATURE


def test_signature_header_with_another_tag(tiny: Path) -> None:
    parts = Parts.of(tiny.read_bytes())
    parts.signature[999] = binary(999, b"hidden")
    assert refusal(parts.assemble(), tiny.name, allow_signature=True) == RefusalReason.SIGNATURE


def test_padding_behind_the_signature_header(tiny: Path) -> None:
    data = bytearray(tiny.read_bytes())
    parts = Parts.of(bytes(data))
    parts.signature[1008] = binary(1008, bytes(parts.signature[1008].count + 1))
    data = bytearray(parts.assemble())
    start = data.index(b"\x8e\xad\xe8\x01", 100)
    assert data[start - 1] == 0
    data[start - 1] = 7
    assert refusal(bytes(data), tiny.name) == RefusalReason.SIGNATURE


@pytest.mark.parametrize("tag", [269, 273, 1000, 1004, 1007])
def test_signature_header_that_says_something_else(tiny: Path, tag: int) -> None:
    parts = Parts.of(tiny.read_bytes())
    entry = parts.signature[tag]
    found = entry.data
    data = tiny.read_bytes().replace(found, bytes([found[0] ^ 1]) + found[1:], 1)
    assert refusal(data, tiny.name) == RefusalReason.SIGNATURE


def test_recompressed_payload_shares_5097_but_not_the_pins(tiny: Path) -> None:
    parts = Parts.of(tiny.read_bytes())
    parts.pack = zstandard.ZstdCompressor(level=19).compress
    parts.put(string(1125, "zstd"), string(1126, "19"))
    forged = parts.assemble()
    assert refusal(forged, tiny.name) == RefusalReason.PIN
    other = replace(PINS, payload_compressor="zstd", payload_flags="19")
    assert digest(forged, tiny.name, pins=other) == digest(tiny.read_bytes(), tiny.name)


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(integers(1006, EPOCH + 1), id="build time"),
        pytest.param(string(1007, "other.invalid"), id="build host"),
        pytest.param(string(1064, "4.18.1"), id="rpm version"),
        pytest.param(string(1094, "other.invalid 1"), id="cookie"),
        pytest.param(string(1124, "ustar"), id="payload format"),
        pytest.param(string(1125, "xz"), id="compressor"),
        pytest.param(string(1126, "8"), id="level"),
        pytest.param(binary(1146, bytes(16)), id="source package"),
        pytest.param(integers(5093, 1), id="payload digest algorithm"),
        pytest.param(integers(5011, 1), id="md5 file digests"),
    ],
)
def test_what_the_job_pins(tiny: Path, entry: object) -> None:
    parts = Parts.of(tiny.read_bytes())
    parts.put(entry)  # type: ignore[arg-type]  # parametrised
    assert refusal(parts.assemble(), tiny.name) == RefusalReason.PIN


def test_md5_file_digests_come_without_their_tag(tmp_path: Path) -> None:
    macros = {"_binary_filedigest_algorithm": "1"}
    (path,) = rpmbuild(SPEC, tmp_path, macros=macros).values()
    assert 5011 not in Parts.of(path.read_bytes()).header
    assert refusal(path.read_bytes(), path.name) == RefusalReason.PIN


def test_stronger_file_digests(tmp_path: Path) -> None:
    (path,) = rpmbuild(SPEC, tmp_path, macros={"_binary_filedigest_algorithm": "10"}).values()
    assert digest(path.read_bytes(), path.name).canonical


@pytest.mark.parametrize(
    ("payload", "compressor", "flags"),
    [
        ("w6.xzdio", "xz", "6"),
        ("w3.zstdio", "zstd", "3"),
        ("w9.bzdio", "bzip2", "9"),
        ("w7.lzdio", "lzma", "7"),
    ],
)
def test_other_compressors(tmp_path: Path, tiny: Path, payload: str, compressor: str, flags: str) -> None:
    (path,) = rpmbuild(SPEC, tmp_path, macros={"_binary_payload": payload}).values()
    pins = replace(PINS, payload_compressor=compressor, payload_flags=flags)
    other = digest(path.read_bytes(), path.name, pins=pins)
    assert other.canonical != digest(tiny.read_bytes(), tiny.name).canonical


def test_target_of_another_machine(tmp_path: Path) -> None:
    spec = SPEC.replace("%description", "BuildArch: noarch\n%description")
    (path,) = rpmbuild(spec, tmp_path).values()
    assert digest(path.read_bytes(), path.name).canonical
    with pytest.raises(RefusalError, match="lead"):
        digest(path.read_bytes(), path.name, pins=replace(PINS, machine="aarch64"))


def test_name_of_the_file(tiny: Path) -> None:
    assert refusal(tiny.read_bytes(), "tiny-1.1-1.x86_64.rpm") == RefusalReason.NAME


@pytest.mark.parametrize("tail", [b"x", b"\0", b"\0" * 512, rpm_gzip(b""), rpm_gzip(b"more")])
def test_trailing_bytes(tiny: Path, tail: bytes) -> None:
    parts = Parts.of(tiny.read_bytes())
    parts.pack = lambda plain: rpm_gzip(plain) + tail
    assert refusal(parts.assemble(), tiny.name) == RefusalReason.TRAILING


def test_bytes_behind_the_archive_inside_of_the_stream(tiny: Path) -> None:
    parts = Parts.of(tiny.read_bytes())
    parts.payload += bytes(512)
    assert refusal(parts.assemble(), tiny.name) == RefusalReason.TRAILING


def test_format_6(tiny: Path) -> None:
    parts = Parts.of(tiny.read_bytes())
    parts.put(integers(5114, 6))
    assert refusal(parts.assemble(), tiny.name) == RefusalReason.UNSUPPORTED
    data = bytearray(tiny.read_bytes())
    data[4] = 4
    assert refusal(bytes(data), tiny.name) == RefusalReason.UNSUPPORTED


def test_bomb(tiny: Path) -> None:
    parts = Parts.of(tiny.read_bytes())
    parts.put(integers(1028, *(0x7FFFFFFF for _ in range(parts.header[1028].count))))
    with pytest.raises(RefusalError) as caught:
        digest_rpm(io.BytesIO(parts.assemble()), tiny.name, PINS, limit=1 << 20)
    assert caught.value.reason in {RefusalReason.TOO_LARGE, RefusalReason.ARCHIVE}


def test_large_file_list(tmp_path: Path) -> None:
    spec = SPEC.replace(
        "%post\n",
        "for i in $(seq 2000); do echo $i; done | split -l1 -a4 - %{buildroot}/opt/tiny/sub/f\n%post\n",
        1,
    )
    (path,) = rpmbuild(spec, tmp_path).values()
    assert len(Parts.of(path.read_bytes()).header[1117].data.split(b"\0")) > 2000
    assert digest(path.read_bytes(), path.name).canonical


def test_missing_name(tiny: Path) -> None:
    parts = Parts.of(tiny.read_bytes())
    del parts.header[1000]
    assert refusal(parts.assemble(), tiny.name) == RefusalReason.MALFORMED


def test_missing_payload_digest(tiny: Path) -> None:
    parts = Parts.of(tiny.read_bytes())
    del parts.header[5097]
    assert refusal(parts.assemble(honest_payload_digest=False), tiny.name) == RefusalReason.DIGEST


def test_payload_digest_of_another_type(tiny: Path) -> None:
    parts = Parts.of(tiny.read_bytes())
    retyped = string(5097, parts.header[5097].data[:-1].decode())
    forged = parts.put(retyped).assemble(honest_payload_digest=False)
    assert refusal(forged, tiny.name) == RefusalReason.DIGEST


def test_wrong_digest_of_the_compressed_payload(tiny: Path) -> None:
    data, parts = tiny.read_bytes(), Parts.of(tiny.read_bytes())
    wrong = data.replace(parts.header[5092].data, strings(5092, b"0" * 64).data)
    assert refusal(wrong, tiny.name) == RefusalReason.DIGEST


def test_no_source_package(tmp_path: Path) -> None:
    spec = SPEC.replace("%description", "Source0: secret.bin\nNoSource: 0\n%description", 1)
    (tmp_path / "SOURCES").mkdir()
    (tmp_path / "SOURCES/secret.bin").write_bytes(b"secret")
    packages = rpmbuild(spec, tmp_path, mode="-bs")
    (name,) = packages
    assert name == "tiny-1.0-1.nosrc.rpm"
    assert digest(packages[name].read_bytes(), name).source_id


def test_pins_are_read_back() -> None:
    assert RpmPins.from_json(PINS.to_json()) == PINS
