import os
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from f2fbuild.errors import FormatError
from f2fbuild.trust.gpg import Gnupg, GnupgError, GnupgHomeError, SigningRefusedError
from f2fbuild.trust.signature import BadSignature, GoodSignature, SignatureCheck, SignatureFault
from tests.trust.trust_people import NOW, Person, certificate, gpg, person, pinentry, short_home

CANCEL = 'echo "ERR 83886179 Operation cancelled <Pinentry>"'


@pytest.fixture(scope="module")
def ann() -> Iterator[Person]:
    with person("Ann") as somebody:
        yield somebody


@pytest.fixture
def verifier() -> Iterator[Gnupg]:
    with short_home() as home:
        yield Gnupg(home, agent=False)


def fault(check: SignatureCheck) -> SignatureFault:
    assert isinstance(check, BadSignature)
    return check.fault


def test_a_good_signature_names_the_owner(ann: Person, verifier: Gnupg) -> None:
    assert verifier.add(ann.key) == ann.fingerprint
    signature = ann.gnupg.sign(ann.fingerprint, b"text")
    good = verifier.verify(signature, b"text")
    assert isinstance(good, GoodSignature)
    assert good.owner == ann.fingerprint
    assert good.made > NOW - 10 * 365 * 86_400
    assert fault(verifier.verify(signature, b"texT")) is SignatureFault.BAD
    assert fault(verifier.verify(signature, b"text\r\n")) is SignatureFault.BAD


def test_a_key_that_is_not_there(ann: Person, verifier: Gnupg) -> None:
    signature = ann.gnupg.sign(ann.fingerprint, b"text")
    assert fault(verifier.verify(signature, b"text")) is SignatureFault.UNKNOWN_KEY


def test_a_revoked_key_with_a_good_signature(ann: Person, verifier: Gnupg, tmp_path: Path) -> None:
    """gpg itself leaves with 0 here: its exit code must not be asked."""
    signature = ann.gnupg.sign(ann.fingerprint, b"text")
    verifier.add(ann.key)
    verifier.add(ann.revocation())
    (tmp_path / "sig").write_bytes(signature)
    gpg(verifier.home, "--verify", str(tmp_path / "sig"), "-", stdin=b"text", codes=(0,))
    assert fault(verifier.verify(signature, b"text")) is SignatureFault.SIGNER_REVOKED
    (owner,) = verifier.owners()
    assert owner.revoked


def test_an_expired_key_and_an_expired_signature(verifier: Gnupg) -> None:
    with short_home() as home:
        past = ["--faked-system-time", "20200101T000000!", "--pinentry-mode", "loopback", "--passphrase", ""]
        gpg(home, *past, "--quick-generate-key", "Old <old@example.org>", "ed25519", "sign,cert", "1d")
        gpg(home, *past, "--quick-generate-key", "Eve <eve@example.org>", "ed25519", "sign,cert", "never")
        old, eve = (owner.fingerprint for owner in Gnupg(home, agent=True).secret_keys())
        for name in (old, eve):
            verifier.add(gpg(home, "--export", name))
        signed = gpg(home, *past[:2], "--local-user", old, "--detach-sign", stdin=b"text")
        timed = gpg(
            home,
            *past[:2],
            "--local-user",
            eve,
            "--default-sig-expire",
            "1d",
            "--detach-sign",
            stdin=b"text",
        )
    assert fault(verifier.verify(signed, b"text")) is SignatureFault.SIGNER_EXPIRED
    assert fault(verifier.verify(timed, b"text")) is SignatureFault.EXPIRED
    assert any(owner.expired(NOW) for owner in verifier.owners())


@pytest.mark.parametrize("options", [("--textmode",), ("--digest-algo", "SHA1")])
def test_signatures_that_cover_less_than_they_seem(
    ann: Person, verifier: Gnupg, options: tuple[str, ...]
) -> None:
    verifier.add(ann.key)
    weak = gpg(ann.home, *options, "--detach-sign", stdin=b"text")
    assert fault(verifier.verify(weak, b"text")) in (SignatureFault.WEAK, SignatureFault.BAD)


def test_two_signatures_are_not_one(ann: Person, verifier: Gnupg) -> None:
    signature = ann.gnupg.sign(ann.fingerprint, b"text")
    with pytest.raises(FormatError):
        verifier.verify(signature + signature, b"text")


def test_the_users_options_do_not_change_a_signature(ann: Person, verifier: Gnupg) -> None:
    verifier.add(ann.key)
    options = ann.home / "gpg.conf"
    options.write_text("armor\ntextmode\ncomment hello\ndigest-algo SHA1\n")
    try:
        assert isinstance(verifier.verify(ann.gnupg.sign(ann.fingerprint, b"a\nb"), b"a\nb"), GoodSignature)
    finally:
        options.unlink()


def test_nothing_secret_and_nothing_foreign_is_imported(ann: Person, verifier: Gnupg) -> None:
    secret = gpg(ann.home, "--pinentry-mode", "loopback", "--passphrase", "", "--export-secret-keys")
    for data in (secret, ann.key + ann.key, b"", b"text"):
        with pytest.raises(FormatError):
            verifier.add(data)
    assert verifier.owners() == ()


def test_keys_that_gnupg_does_not_take(ann: Person, verifier: Gnupg) -> None:
    bare = ann.key[: ann.key.index(b"Ann <") + len("Ann <ann@example.org>")]
    for key in (b"\xc6\x05\x04abcd", bare):
        with pytest.raises(GnupgError):
            verifier.add(key)
    assert verifier.owners() == ()


def test_gpg_may_leave_before_it_read_everything(ann: Person, verifier: Gnupg) -> None:
    """A pipe that breaks is no error of its own: what gpg reported says why."""
    broken_signatures = b"\xc2\x78" + b"\x04\x10\x16\x08" + b"\xff" * 116
    with pytest.raises(GnupgError) as caught:
        verifier.add(ann.key + broken_signatures * 1_500)
    assert not caught.value.what.startswith("Total")


def test_a_verifying_home_starts_no_agent(ann: Person, verifier: Gnupg) -> None:
    verifier.add(ann.key)
    verifier.verify(ann.gnupg.sign(ann.fingerprint, b"text"), b"text")
    assert not list(verifier.home.glob("S.*"))


def test_signing_with_a_key_that_is_not_there(ann: Person) -> None:
    with pytest.raises(SigningRefusedError):
        ann.gnupg.sign("0" * 40, b"text")
    with pytest.raises(GnupgError):
        ann.gnupg.export("0" * 40)


def test_a_home_with_a_long_path_is_refused_with_its_reason(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 90)
    long.mkdir(mode=0o700)
    with pytest.raises(GnupgHomeError, match="shorter path"):
        Gnupg(long, agent=True)
    assert Gnupg(long, agent=False).owners() == ()


def test_a_home_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(GnupgHomeError, match="no such directory"):
        Gnupg(tmp_path / "nowhere", agent=False)


def test_without_gnupg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for agent in (False, True):
        with pytest.raises(GnupgHomeError, match="installed"):
            Gnupg(tmp_path, agent=agent)


def test_the_passphrase_is_pinentrys_affair() -> None:
    with short_home() as home:
        log = pinentry(home, 'echo "D open sesame"; echo OK')
        gnupg = Gnupg(home, agent=True)
        made = gnupg.generate("Ann <ann@example.org>")
        gnupg.stop()
        log.write_text("")
        assert gnupg.sign(made, b"text")
        assert log.read_text().count("GETPIN") == 1


def test_a_cancelled_passphrase_dialog_is_a_refusal() -> None:
    with short_home() as home:
        pinentry(home, 'echo "D open sesame"; echo OK')
        gnupg = Gnupg(home, agent=True)
        made = gnupg.generate("Ann <ann@example.org>")
        pinentry(home, CANCEL)
        with pytest.raises(SigningRefusedError):
            gnupg.sign(made, b"text")
        with pytest.raises(GnupgError):
            gnupg.generate("Ann Again <ann@example.org>")


def test_stopping_ends_the_agent() -> None:
    with person("Ann") as ann:
        ann.gnupg.sign(ann.fingerprint, b"text")
        with socket.socket(socket.AF_UNIX) as client, client.makefile("rb") as answers:
            client.connect(str(ann.home / "S.gpg-agent"))
            client.sendall(b"GETINFO pid\n")
            pid = next(int(line.split()[1]) for line in answers if line.startswith(b"D "))
        agent = os.pidfd_open(pid)
        ann.gnupg.stop()
        waiting = select.poll()
        waiting.register(agent, select.POLLIN)
        assert waiting.poll()
        os.close(agent)


async def test_signing_from_a_thread(ann: Person, verifier: Gnupg) -> None:
    verifier.add(ann.key)
    signature = await trio.to_thread.run_sync(ann.gnupg.sign, ann.fingerprint, b"text")
    check = await trio.to_thread.run_sync(verifier.verify, signature, b"text")
    assert isinstance(check, GoodSignature)


def test_outside_programs_can_check_a_certificate(ann: Person, tmp_path: Path) -> None:
    """As `ledger show 0 --payload --split` lets an outside auditor do."""
    file = ann.signed(certificate(ann.fingerprint))
    (tmp_path / "text").write_bytes(file.text)
    (tmp_path / "text.asc").write_bytes(file.data[file.data.index(b"-----BEGIN") :])
    said = gpg(ann.home, "--status-fd", "1", "--verify", str(tmp_path / "text.asc"), str(tmp_path / "text"))
    assert f"VALIDSIG {ann.fingerprint}".encode() in said
