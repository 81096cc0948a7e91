from collections.abc import Iterator
from hashlib import sha256

import pytest

from f2fbuild.errors import FormatError
from f2fbuild.limits import CERTIFICATE_BYTES
from f2fbuild.model.signing import verify
from f2fbuild.trust.armor import Block, armor
from f2fbuild.trust.certificate_file import CertificateFile, assemble, parse_file, proof_message
from f2fbuild.trust.certificates import format_certificate
from tests.trust.trust_people import SEED, Person, certificate, person


@pytest.fixture(scope="module")
def ann() -> Iterator[Person]:
    with person("Ann") as somebody:
        yield somebody


@pytest.fixture(scope="module")
def file(ann: Person) -> CertificateFile:
    return ann.signed(certificate(ann.fingerprint))


def test_a_file_is_kept_verbatim(file: CertificateFile) -> None:
    again = parse_file(file.data)
    assert again == file
    assert again.digest == sha256(file.data).hexdigest()
    assert again.text == format_certificate(again.certificate)
    signature = armor(Block.SIGNATURE, again.signature).encode()
    assert file.data.startswith(file.text + b"\nproof statements ")
    assert file.data.endswith(b"\n\n" + signature)


def test_every_named_key_signed(file: CertificateFile) -> None:
    message = proof_message(file.text)
    assert message == sha256(b"f2fbuild node key/1\n" + file.text).digest()
    proofs = [line for line in file.data.split(b"\n") if line.startswith(b"proof ")]
    assert [line.split()[1] for line in proofs] == [b"statements", b"log", b"witness", b"mirror"]
    assert not verify(file.certificate.statements, file.text, bytes(64))


def test_another_nodes_keys_cannot_be_named(ann: Person) -> None:
    text = format_certificate(certificate(ann.fingerprint))
    signature = ann.gnupg.sign(ann.fingerprint, text)
    with pytest.raises(FormatError, match="did not sign"):
        assemble(b"\x07" * 32, text, signature)


def test_swapped_proofs_are_refused(file: CertificateFile) -> None:
    lines = file.data.split(b"\n")
    at = next(index for index, line in enumerate(lines) if line.startswith(b"proof log"))
    swapped = [*lines]
    swapped[at] = lines[at + 1].replace(b"witness", b"log")
    swapped[at + 1] = lines[at].replace(b"log", b"witness")
    with pytest.raises(FormatError, match="did not sign"):
        parse_file(b"\n".join(swapped))


def test_tampered_text_is_refused(file: CertificateFile) -> None:
    with pytest.raises(FormatError, match="did not sign"):
        parse_file(file.data.replace(b"node elm", b"node oak"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\n", b"\r\n"),
        (b"\n\n-----BEGIN", b"\n-----BEGIN"),
        (b"\nproof mirror", b"\n\nproof mirror"),
        (b"proof log ", b"proof  log "),
        (b"proof log ", b"proof log !"),
        (b"-----END", b"Comment\n-----END"),
        (b"SIGNATURE-----\n\n", "SIGNATURE-----\nComment: é\n\n".encode()),
        (b"proof mirror", b"proof witness AA==\nproof mirror"),
    ],
)
def test_second_spellings_are_refused(file: CertificateFile, old: bytes, new: bytes) -> None:
    assert old in file.data
    with pytest.raises(FormatError):
        parse_file(file.data.replace(old, new))


def test_base64_with_other_unused_bits_is_refused(file: CertificateFile) -> None:
    """64 bytes leave four unused bits in the last character, which decoders ignore."""
    end = file.data.index(b"==\nproof log")
    following = {b"A": b"B", b"Q": b"R", b"g": b"h", b"w": b"x"}[file.data[end - 1 : end]]
    with pytest.raises(FormatError, match="one spelling"):
        parse_file(file.data[: end - 1] + following + file.data[end:])


def test_trailing_bytes_and_size_are_refused(file: CertificateFile) -> None:
    for data in (file.data + b"\n", file.data + file.data, file.data + bytes(CERTIFICATE_BYTES), b""):
        with pytest.raises(FormatError):
            parse_file(data)


def test_two_signatures_are_refused(ann: Person, file: CertificateFile) -> None:
    with pytest.raises(FormatError, match="exactly one"):
        assemble(SEED, file.text, file.signature + file.signature)
