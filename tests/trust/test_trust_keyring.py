import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from f2fbuild.errors import FormatError
from f2fbuild.limits import OWNER_KEY_PACKETS
from f2fbuild.trust import keyring as keyring_module
from f2fbuild.trust.gpg import Gnupg, GnupgHomeError, OwnerTrust, SigningRefusedError
from f2fbuild.trust.keyring import Keyring, KeyringFullError
from f2fbuild.trust.signature import GoodSignature
from f2fbuild.trust.snapshot import Validity
from tests.trust.trust_people import NOW, Person, gpg, person, pinentry, short_home


@pytest.fixture(scope="module")
def me() -> Iterator[Person]:
    with person("Me") as somebody:
        yield somebody


@pytest.fixture(scope="module")
def ann() -> Iterator[Person]:
    with person("Ann") as somebody:
        yield somebody


@pytest.fixture(scope="module")
def bob() -> Iterator[Person]:
    with person("Bob") as somebody:
        yield somebody


@pytest.fixture
def home() -> Iterator[Path]:
    with short_home() as somewhere:
        yield somewhere


@pytest.fixture
def ring(me: Person, home: Path) -> Keyring:
    return Keyring.open(home / "ring", me.key)


def edges(ring: Keyring) -> set[tuple[str, str]]:
    return {(one.certifier, one.certified) for one in ring.snapshot(NOW).certifications}


def test_the_own_key_is_the_root(ring: Keyring, me: Person) -> None:
    snapshot = ring.snapshot(NOW)
    assert ring.me == snapshot.me == me.fingerprint
    assert snapshot.owners[me.fingerprint].validity is Validity.ULTIMATE
    assert snapshot.owners[me.fingerprint].user_ids == ("Me <me@example.org>",)


def test_a_key_is_valid_only_once_it_is_certified(ring: Keyring, me: Person, ann: Person) -> None:
    gpg(me.home, "--check-trustdb")
    before = gpg(me.home, "--with-colons", "--list-keys")
    assert ring.add(ann.key) == ann.fingerprint
    stranger = ring.snapshot(NOW).owners[ann.fingerprint]
    assert not stranger.validity.sure
    assert (stranger.user_ids, stranger.claims) == ((), ("Ann <ann@example.org>",))
    ring.certify(ann.fingerprint, me.gnupg)
    ring.certify(ann.fingerprint, me.gnupg)
    snapshot = ring.snapshot(NOW)
    assert snapshot.owners[ann.fingerprint].validity is Validity.FULL
    (edge,) = snapshot.certifications
    assert (edge.certifier, edge.certified, edge.local) == (me.fingerprint, ann.fingerprint, True)
    assert gpg(me.home, "--with-colons", "--list-keys") == before


def test_local_certifications_do_not_leave(ring: Keyring, home: Path, me: Person, ann: Person) -> None:
    ring.add(ann.key)
    ring.certify(ann.fingerprint, me.gnupg)
    assert gpg(home / "ring", "--export-options", "export-minimal", "--export", ann.fingerprint) == ann.key
    assert gpg(home / "ring", "--export", ann.fingerprint) == ann.key


def test_local_certifications_of_others_do_not_enter(ring: Keyring, ann: Person) -> None:
    """Somebody's export with local signatures must not bring them in."""
    with person("Bob") as bob:
        ring.add(bob.key)
        bob.gnupg.add(ann.key)
        gpg(bob.home, "--quick-lsign-key", ann.fingerprint)
        smuggled = gpg(bob.home, "--export-options", "export-local-sigs", "--export", ann.fingerprint)
        assert len(smuggled) > len(ann.key)
        ring.add(smuggled)
    assert edges(ring) == set()


def test_validity_travels_through_a_trusted_introducer(ring: Keyring, me: Person, bob: Person) -> None:
    with person("Ann") as ann:
        ann.certify(bob)
        ring.add(ann.key)
        ring.add(ann.knows(bob))
        ring.certify(ann.fingerprint, me.gnupg)
        assert not ring.snapshot(NOW).owners[bob.fingerprint].validity.sure
        ring.set_ownertrust(ann.fingerprint, OwnerTrust.FULL)
        assert ring.snapshot(NOW).owners[bob.fingerprint].validity is Validity.FULL
        assert edges(ring) == {(me.fingerprint, ann.fingerprint), (ann.fingerprint, bob.fingerprint)}
        ring.add(ann.revocation())
        snapshot = ring.snapshot(NOW)
        assert snapshot.owners[ann.fingerprint].revoked
        assert not snapshot.owners[bob.fingerprint].validity.sure


def test_a_withdrawn_certification_is_no_edge(ring: Keyring, bob: Person) -> None:
    with person("Ann") as ann:
        ann.certify(bob)
        ring.add(ann.key)
        ring.add(ann.knows(bob))
        assert edges(ring) == {(ann.fingerprint, bob.fingerprint)}
        gpg(ann.home, "--quick-revoke-sig", bob.fingerprint, ann.fingerprint)
        ring.add(ann.knows(bob))
        assert edges(ring) == set()


def test_a_forged_certification_is_no_edge(ring: Keyring, home: Path, bob: Person) -> None:
    """`--list-sigs` shows it like a good one."""
    with person("Ann") as ann:
        ann.certify(bob)
        forged = bytearray(ann.knows(bob))
        forged[-1] ^= 1
        ring.add(ann.key)
        ring.add(bytes(forged))
        listed = gpg(home / "ring", "--with-colons", "--list-sigs", bob.fingerprint).decode()
        assert any(line.startswith("sig:") and ann.fingerprint in line for line in listed.splitlines())
        assert edges(ring) == set()
        ring.add(ann.knows(bob))
        assert edges(ring) == {(ann.fingerprint, bob.fingerprint)}


def test_a_flooded_key_is_refused(ring: Keyring, ann: Person) -> None:
    packet = b"\xc2\x10" + bytes(16)
    with pytest.raises(FormatError, match="more than"):
        ring.add(ann.key + packet * OWNER_KEY_PACKETS)
    assert ann.fingerprint not in ring.snapshot(NOW).owners


def test_a_full_keyring_still_takes_revocations(
    ring: Keyring, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    with person("Ann") as ann:
        ring.add(ann.key)
        monkeypatch.setattr(keyring_module, "RING_OWNERS", 2)
        with pytest.raises(KeyringFullError):
            ring.add(bob.key)
        ring.add(ann.revocation())
        assert ring.snapshot(NOW).owners[ann.fingerprint].revoked


def test_what_cannot_be_certified(ring: Keyring, me: Person, ann: Person, bob: Person) -> None:
    ring.add(bob.key)
    for fingerprint, user in ((ann.fingerprint, me), (bob.fingerprint, ann)):
        with pytest.raises(SigningRefusedError):
            ring.certify(fingerprint, user.gnupg)
    ring.add(ann.revocation())
    with pytest.raises(SigningRefusedError):
        ring.certify(ann.fingerprint, me.gnupg)


async def test_peers_are_verified_while_a_person_types(home: Path, ann: Person) -> None:
    """Pinentry waits here until the test has used the keyring."""
    asked, typed = home / "asked-fifo", home / "typed-fifo"
    os.mkfifo(asked)
    os.mkfifo(typed)
    user_home = home / "user"
    user_home.mkdir(mode=0o700)
    pinentry(user_home, 'echo "D open sesame"; echo OK')
    user = Gnupg(user_home, agent=True)
    me = user.generate("Me <me@example.org>")
    ring = Keyring.open(home / "ring", user.export(me))
    ring.add(ann.key)
    signature = ann.gnupg.sign(ann.fingerprint, b"text")
    pinentry(user_home, f'echo > {asked}; cat {typed} > /dev/null; echo "D open sesame"; echo OK')
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, ring.certify, ann.fingerprint, user)
        await trio.to_thread.run_sync(asked.read_bytes)
        assert isinstance(ring.verify(signature, b"text"), GoodSignature)
        assert not ring.snapshot(NOW).owners[ann.fingerprint].validity.sure
        await trio.to_thread.run_sync(typed.write_bytes, b"")
    assert ring.snapshot(NOW).owners[ann.fingerprint].validity is Validity.FULL
    user.stop()


def test_a_home_kept_by_keyboxd_does_not_certify(ring: Keyring, ann: Person) -> None:
    with person("Me") as other:
        (other.home / "common.conf").write_text("use-keyboxd\n")
        with pytest.raises(GnupgHomeError, match="keyboxd"):
            ring.certify(ann.fingerprint, other.gnupg)


def test_changes_by_other_programs_are_noticed(ring: Keyring, home: Path, ann: Person) -> None:
    first = ring.snapshot(NOW)
    assert ring.snapshot(NOW + 60) is first
    gpg(home / "ring", "--import", stdin=ann.key)
    second = ring.snapshot(NOW + 60)
    assert second.digest != first.digest
    assert ann.fingerprint in second.owners
    assert ring.snapshot(NOW + 61) is second


def test_an_expiry_is_noticed_without_any_change(ring: Keyring) -> None:
    with person("Ann", expires="1y") as ann:
        ring.add(ann.key)
        first = ring.snapshot(NOW)
        expiry = first.owners[ann.fingerprint].expires
        assert expiry is not None
        assert first.next_change() == expiry
        assert ring.snapshot(expiry - 1) is first
        assert ring.snapshot(expiry) is not first
        assert ring.snapshot(expiry).owners[ann.fingerprint].expired(expiry)


def test_the_ring_is_there_after_a_restart(ring: Keyring, home: Path, me: Person, ann: Person) -> None:
    ring.add(ann.key)
    ring.certify(ann.fingerprint, me.gnupg)
    again = Keyring.open(home / "ring", me.key)
    assert again.snapshot(NOW).owners == ring.snapshot(NOW).owners
    signature = ann.gnupg.sign(ann.fingerprint, b"text")
    assert isinstance(again.verify(signature, b"text"), GoodSignature)
    assert (home / "ring").stat().st_mode & 0o777 == 0o700
