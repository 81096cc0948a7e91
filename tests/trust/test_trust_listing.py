import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.errors import FormatError
from f2fbuild.limits import USER_ID_CHARACTERS
from f2fbuild.trust.gpg import Gnupg
from f2fbuild.trust.listing import clean_text, parse_certifications, parse_owners
from f2fbuild.trust.snapshot import Validity
from tests.trust.trust_people import NOW, fingerprint, gpg, short_home

ANN, BOB, EVE = (fingerprint(number) for number in (0xA, 0xB, 0xE))


def key(owner: str, validity: str = "f", *, expires: str = "", capabilities: str = "scSC") -> str:
    """Lines as gpg 2.2.40 prints them."""
    short = owner[-16:]
    return (
        f"pub:{validity}:255:22:{short}:1795578270:{expires}::-:::{capabilities}:::::ed25519:::0:\n"
        f"fpr:::::::::{owner}:\n"
    )


def uid(text: str, validity: str = "f") -> str:
    return f"uid:{validity}::::1795578270::BE563740374A389DF6038CF1694164EEC3E6E100::{text}::::::::::0:\n"


def sig(
    by: str, made: int, *, good: str = "!", kind: str = "10x", expires: str = "", record: str = "sig"
) -> str:
    return f"{record}:{good}::22:{by[-16:]}:{made}:{expires}:::name:{kind}::{by}:::8:\n"


def pairs(listing: str) -> list[tuple[str, str]]:
    return [(one.certifier, one.certified) for one in parse_certifications(listing.encode())]


def two(signatures: str) -> str:
    return "tru::1:1795578270:0:3:1:5\n" + key(ANN) + uid("Ann") + key(BOB) + uid("Bob") + signatures


def test_owners_are_read() -> None:
    listing = (
        key(ANN, "u", expires="1900000000")
        + uid("Ann <ann@example.org>", "u")
        + key(BOB, "-")
        + uid("B", "-")
    )
    ann, bob = parse_owners(listing.encode())
    assert (ann.fingerprint, ann.validity, ann.expires) == (ANN, Validity.ULTIMATE, 1_900_000_000)
    assert (ann.user_ids, ann.claims) == (("Ann <ann@example.org>",), ())
    assert (bob.validity, bob.expires, bob.user_ids, bob.claims) == (Validity.UNKNOWN, None, (), ("B",))
    assert ann.expired(1_900_000_000)
    assert not ann.expired(1_899_999_999)


@pytest.mark.parametrize(
    ("letter", "sure"), [("u", True), ("f", True), ("m", False), ("n", False), ("-", False), ("", False)]
)
def test_only_full_and_ultimate_are_sure(letter: str, sure: bool) -> None:
    (owner,) = parse_owners(key(ANN, letter).encode())
    assert owner.validity.sure is sure


def test_revoked_expired_and_disabled_keys() -> None:
    listing = key(ANN, "r") + key(BOB, "e") + key(EVE, "f", capabilities="scSCD")
    ann, bob, eve = parse_owners(listing.encode())
    assert ann.revoked
    assert bob.expired(0)
    assert eve.validity is Validity.DISABLED
    assert not eve.validity.sure


def test_a_name_that_nobody_confirms_is_a_claim_and_a_revoked_one_is_none() -> None:
    listing = key(EVE) + uid("Eve") + uid("Ann <ann@example.org>", "-") + uid("Old Eve", "r")
    (eve,) = parse_owners(listing.encode())
    assert (eve.user_ids, eve.claims) == (("Eve",), ("Ann <ann@example.org>",))


def test_names_lose_what_could_deceive() -> None:
    hostile = r"Ann\x1b[31m\x3a \xe2\x80\xae gro.elpmaxe\x0a\x07\xff\x00" + "\u200b"
    (owner,) = parse_owners((key(ANN) + uid(hostile)).encode())
    assert owner.user_ids == ("Ann[31m:  gro.elpmaxe\ufffd",)
    assert clean_text("x" * 1000) == "x" * USER_ID_CHARACTERS


@given(st.text() | st.text(st.characters(categories=["C", "Z"])))
def test_clean_text_has_no_controls(text: str) -> None:
    cleaned = clean_text(text)
    assert cleaned.isprintable()
    assert clean_text(cleaned) == cleaned


def test_a_real_key_with_a_deceiving_name() -> None:
    with short_home() as home:
        options = ["--allow-freeform-uid", "--pinentry-mode", "loopback", "--passphrase", ""]
        gpg(
            home, *options, "--quick-generate-key", "Ann\u202egro.live\u202c", "ed25519", "sign,cert", "never"
        )
        (owner,) = Gnupg(home, agent=False).owners()
    assert (*owner.user_ids, *owner.claims) == ("Anngro.live",)


def test_only_verified_certifications_count() -> None:
    assert pairs(two(sig(ANN, NOW))) == [(ANN, BOB)]
    for mark in ("-", "?", "%", ""):
        assert pairs(two(sig(ANN, NOW, good=mark))) == []
    assert pairs(two(sig(EVE, NOW))) == []
    assert pairs(two(sig(BOB, NOW, kind="13x"))) == []
    assert pairs(two(sig(ANN, NOW, kind="1fx"))) == []


def test_a_certifier_without_fingerprint_is_found_by_an_id_that_is_his_alone() -> None:
    line = sig(ANN, NOW).replace(f"::{ANN}:", "::")
    assert pairs(two(line)) == [(ANN, BOB)]
    twin = "F" * 24 + ANN[-16:]
    assert pairs(key(twin) + uid("Twin") + two(line)) == []


def test_certifications_on_dead_names_subkeys_and_photos_do_not_count() -> None:
    base = key(ANN) + uid("Ann") + key(BOB)
    assert pairs(base + uid("Bob", "r") + sig(ANN, NOW)) == []
    assert pairs(base + sig(ANN, NOW)) == []
    assert pairs(base + uid("Bob") + "uat:f::::1::X::1 99:\n" + sig(ANN, NOW)) == []
    assert pairs(base + uid("Bob") + "sub:f:255:18:1:1:::::e:\n" + sig(ANN, NOW)) == []


def test_a_later_revocation_takes_a_certification_back() -> None:
    revoked = sig(ANN, NOW, record="rev", kind="30x")
    assert pairs(two(sig(ANN, NOW - 1) + revoked)) == []
    assert pairs(two(sig(ANN, NOW) + revoked)) == []
    assert pairs(two(sig(ANN, NOW + 1) + revoked)) == [(ANN, BOB)]
    assert pairs(two(sig(ANN, NOW - 1) + sig(ANN, NOW, record="rev", kind="30x", good="-"))) == [(ANN, BOB)]


def test_of_several_the_public_and_latest_is_kept() -> None:
    lines = sig(ANN, NOW + 9, kind="10l") + sig(ANN, NOW, expires=str(NOW + 50)) + sig(ANN, NOW - 1)
    (one,) = parse_certifications(two(lines).encode())
    assert (one.made, one.expires, one.local) == (NOW, NOW + 50, False)
    (local,) = parse_certifications(two(sig(ANN, NOW, kind="10l")).encode())
    assert local.local


@pytest.mark.parametrize("listing", ["pub:f:\n", key(ANN, "x"), key(ANN, expires="soon")])
def test_undocumented_keys_are_refused(listing: str) -> None:
    with pytest.raises(FormatError):
        parse_owners(listing.encode())


@pytest.mark.parametrize("listing", ["pub:f:\n", two(sig(ANN, NOW, expires="soon"))])
def test_undocumented_certifications_are_refused(listing: str) -> None:
    with pytest.raises(FormatError):
        parse_certifications(listing.encode())


def test_an_empty_ring() -> None:
    assert parse_owners(b"") == ()
    assert parse_owners(b"tru::1:1795578270:0:3:1:5\n") == ()
