from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.errors import FormatError
from f2fbuild.limits import CERTIFICATE_BYTES
from f2fbuild.model.vkey import KeyKind, VerifierKey, format_vkey, own_name
from f2fbuild.trust.certificates import (
    NodeCertificate,
    Previous,
    format_certificate,
    parse_certificate,
)
from f2fbuild.trust.node_keys import draft
from tests.trust.trust_people import FINGERPRINT, NOW, SEED, certificate

TEXT = format_certificate(certificate())
PREVIOUS = Previous(origin="f2fbuild.invalid/log/" + "ab" * 32, size=7, root="cd" * 32)


def changed(field: str, value: str) -> bytes:
    lines = TEXT.decode().split("\n")
    return "\n".join(f"{field} {value}" if line.startswith(f"{field} ") else line for line in lines).encode()


@given(
    seed=st.binary(min_size=32, max_size=32),
    node=st.from_regex(r"\A[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?\Z"),
    owner=st.from_regex(r"\A[0-9A-F]{40}\Z"),
    begin=st.integers(0, 4_000_000_000),
    length=st.integers(1, 4_000_000_000),
    epoch=st.integers(0, 2**32 - 1),
    previous=st.sampled_from([None, PREVIOUS]),
)
def test_round_trip(
    seed: bytes, node: str, owner: str, begin: int, length: int, epoch: int, previous: Previous | None
) -> None:
    one = draft(
        seed,
        owner=owner,
        node=node,
        not_before=begin,
        not_after=begin + length,
        epoch=epoch,
        previous=previous,
    )
    assert parse_certificate(format_certificate(one)) == one
    assert format_certificate(parse_certificate(format_certificate(one))) == format_certificate(one)


def test_the_fields_stand_in_the_order_of_the_format() -> None:
    assert [line.partition(" ")[0] for line in TEXT.decode().splitlines()[1:]] == [
        *("owner", "node", "statements", "log", "witness", "mirror", "noise"),
        *("not-before", "not-after", "epoch", "previous"),
    ]
    assert TEXT.startswith(b"f2fbuild node certificate v1\nowner 0123456789ABCDEF")
    assert TEXT.endswith(b"\nepoch 0\nprevious -\n")


def test_a_new_epoch_is_a_new_log_of_the_same_node() -> None:
    first, second = certificate(epoch=0), certificate(epoch=1, previous=PREVIOUS)
    assert first.node_id == second.node_id
    assert first.noise == second.noise
    assert first.origin != second.origin
    assert {first.witness, first.mirror}.isdisjoint({second.witness, second.mirror})


def weak_vkey(role: str, kind: KeyKind) -> str:
    public = b"\x01" + bytes(31)
    return format_vkey(VerifierKey(name=own_name(role, public), kind=kind, public=public))


def foreign_vkey() -> str:
    log = certificate().log
    return format_vkey(replace(log, name="f2fbuild.invalid/log/" + "00" * 32))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("owner", FINGERPRINT.lower()),
        ("owner", FINGERPRINT[1:]),
        ("owner", "0x" + FINGERPRINT[2:]),
        ("node", "Elm"),
        ("node", "elm\x1b[31m"),
        ("node", "-elm"),
        ("node", "e" * 33),
        ("node", "elm "),
        ("statements", "00" * 32),
        ("statements", "01" + "00" * 31),
        ("statements", "ff" * 32),
        ("statements", certificate().statements.hex().upper()),
        ("statements", certificate().statements.hex()[2:]),
        ("statements", certificate().log.public.hex()),
        ("log", foreign_vkey()),
        ("log", format_vkey(certificate().witness)),
        ("log", weak_vkey("log", KeyKind.ED25519)),
        ("mirror", format_vkey(certificate().witness)),
        ("witness", weak_vkey("witness", KeyKind.COSIGNATURE)),
        ("noise", "00" * 32),
        ("noise", "01" + "00" * 31),
        ("noise", "ed" + "ff" * 30 + "7f"),
        ("noise", "ff" * 32),
        ("not-before", "2026-11-25 00:00:00"),
        ("not-before", "2026-11-25T00:00:00+00:00"),
        ("not-before", "2026-1-5T00:00:00Z"),
        ("not-before", "2099-11-25T00:00:00Z"),
        ("not-after", "2026-02-30T00:00:00Z"),
        ("epoch", "00"),
        ("epoch", "-1"),
        ("epoch", "1_0"),
        ("epoch", str(2**32)),
        ("previous", ""),
        ("previous", f"{PREVIOUS.origin} 7"),
        ("previous", f"{PREVIOUS.origin} 07 {PREVIOUS.root}"),
        ("previous", f"{PREVIOUS.origin} 7 {PREVIOUS.root} more"),
        ("previous", f"example.org/log 7 {PREVIOUS.root}"),
    ],
)
def test_impossible_fields_are_refused(field: str, value: str) -> None:
    with pytest.raises(FormatError):
        parse_certificate(changed(field, value))


def test_second_spellings_are_refused() -> None:
    lines = TEXT.splitlines(keepends=True)
    spellings = [
        TEXT.replace(b"\n", b"\r\n"),
        TEXT + b"\n",
        TEXT[:-1],
        TEXT.replace(b"v1", b"v2"),
        TEXT.replace(b"node elm", "node élm".encode()),
        TEXT.replace(b"owner ", b"owner  "),
        b"".join([*lines[:2], lines[3], lines[2], *lines[4:]]),
        b"".join([*lines, b"extra field\n"]),
        b"".join([*lines[:3], lines[2], *lines[3:]]),
        b"".join(lines[:-1]),
        TEXT + bytes(CERTIFICATE_BYTES),
        b"",
    ]
    for spelling in spellings:
        with pytest.raises(FormatError):
            parse_certificate(spelling)


@given(st.integers(0, len(TEXT) - 1), st.integers(1, 255))
def test_a_changed_byte_is_another_certificate_or_none(at: int, mask: int) -> None:
    """Whatever still parses is verbatim what was parsed: no two texts give one value."""
    other = TEXT[:at] + bytes([TEXT[at] ^ mask]) + TEXT[at + 1 :]
    try:
        one: NodeCertificate = parse_certificate(other)
    except FormatError:
        return
    assert format_certificate(one) == other
    assert one != certificate()


def test_a_draft_that_could_not_be_read_is_not_made() -> None:
    with pytest.raises(FormatError):
        draft(SEED, owner=FINGERPRINT, node="Elm", not_before=NOW, not_after=NOW + 1)


def test_the_worked_example() -> None:
    """Seed 00 01 … 1f, epoch 1: other programs can compare their bytes with this file."""
    example = (Path(__file__).parent.parent / "vectors" / "trust" / "node-certificate.txt").read_bytes()
    made = certificate(epoch=1, since=1_767_225_600, until=1_798_761_600, previous=PREVIOUS)
    assert format_certificate(made) == example
    assert parse_certificate(example) == made
