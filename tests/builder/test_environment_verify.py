"""Does the node's own target vouch for every package of a lock?"""

import base64
import textwrap

import pytest

from f2fbuild.builder import keyrings, verify
from f2fbuild.builder.locks import EnvironmentLock, LockedPackage, make_lock
from f2fbuild.builder.metadata import RepositoryMetadata
from f2fbuild.builder.targets import Format, Repository, Target
from f2fbuild.builder.verify import (
    Reason,
    Unverified,
    Verified,
    VerifiedPackage,
    VouchedIndex,
    VouchedMetadata,
    verify_lock,
)
from f2fbuild.errors import ConfigurationError
from f2fbuild.model.digest import sha256_hex

DAY = 24 * 3600
NOW = 1_800_000_000
MAIN = Repository(uri="http://m.example/debian", keyring="/k", suite="bookworm", components=("main",))
TARGET = Target(name="b", format=Format.DEB, arch="amd64", repository=(MAIN,), base=())


def package(name: str, content: str = "c", size: int = 5) -> LockedPackage:
    return LockedPackage(name=name, version="1", arch="amd64", sha256=sha256_hex(content.encode()), size=size)


def stanza(each: LockedPackage) -> str:
    return (
        f"Package: {each.name}\nVersion: {each.version}\nArchitecture: {each.arch}\nSHA256: {each.sha256}\n"
        f"Size: {each.size}\nFilename: pool/{each.name}.deb\n"
    )


def index(*packages: LockedPackage, signed_at: int = NOW, valid_until: int | None = None) -> VouchedIndex:
    data = "\n".join(stanza(each) for each in packages).encode()
    return VouchedIndex(repository=MAIN, signed_at=signed_at, valid_until=valid_until, data=data)


def vouched(*indexes: VouchedIndex, refusals: tuple[Reason, ...] = ()) -> VouchedMetadata:
    return VouchedMetadata(indexes=indexes, refusals=refusals)


def lock(*packages: LockedPackage, kind: Format = Format.DEB, arch: str = "amd64") -> EnvironmentLock:
    return make_lock(kind=kind, arch=arch, base=frozenset(packages), build=frozenset())


A, B = package("a"), package("b")


def test_a_lock_whose_packages_are_all_signed_is_verified() -> None:
    old, new = index(A, signed_at=NOW - 9 * DAY), index(A, B, signed_at=NOW - DAY)
    answer = verify_lock(TARGET, lock(A, B), vouched(old, new), now=NOW, fresh=True)
    uri = "http://m.example/debian/pool/"
    assert answer == Verified(
        packages=(
            VerifiedPackage(package=A, uris=(f"{uri}a.deb", f"{uri}a.deb")),
            VerifiedPackage(package=B, uris=(f"{uri}b.deb",)),
        ),
        signed_at=NOW - DAY,
    )
    assert verify_lock(TARGET, lock(), vouched(), now=NOW, fresh=True) == Verified(
        packages=(), signed_at=None
    )


def refused(each: LockedPackage | None, reason: Reason) -> Unverified:
    return Unverified(package=each, reason=reason)


def test_a_package_that_nobody_signed_is_named() -> None:
    answer = verify_lock(TARGET, lock(A, B), vouched(index(A)), now=NOW, fresh=True)
    assert answer == refused(B, Reason.PACKAGE_MISSING)
    assert str(answer) == "b 1 amd64: no signed metadata has this package"
    assert str(refused(None, Reason.WRONG_TARGET)).startswith("environment: the lock is of another format")


@pytest.mark.parametrize("other", [package("a", "other"), package("a", size=6)])
def test_other_bytes_of_a_signed_package_are_named(other: LockedPackage) -> None:
    answer = verify_lock(TARGET, lock(other), vouched(index(A)), now=NOW, fresh=True)
    assert answer == refused(other, Reason.DIGEST_DIFFERS)


def test_a_missing_package_blames_the_metadata_that_did_not_hold() -> None:
    some = vouched(index(B), refusals=(Reason.NO_KEY,))
    assert verify_lock(TARGET, lock(A), some, now=NOW, fresh=True) == refused(A, Reason.NO_KEY)
    assert isinstance(verify_lock(TARGET, lock(B), some, now=NOW, fresh=True), Verified)


@pytest.mark.parametrize(
    ("signed_at", "valid_until", "fresh", "reason"),
    [
        (NOW - 14 * DAY, None, True, None),
        (NOW - 14 * DAY - 1, None, True, Reason.TOO_OLD),
        (NOW - 14 * DAY - 1, None, False, None),
        (NOW - DAY, NOW, True, None),
        (NOW - DAY, NOW - 1, True, Reason.EXPIRED),
        (NOW - DAY, NOW - 1, False, None),
        (NOW + DAY, None, True, None),
        (NOW + DAY + 1, None, False, Reason.FROM_FUTURE),
    ],
)
def test_age_counts_where_freshness_is_asked(
    signed_at: int, valid_until: int | None, fresh: bool, reason: Reason | None
) -> None:
    some = vouched(index(A, signed_at=signed_at, valid_until=valid_until))
    answer = verify_lock(TARGET, lock(A), some, now=NOW, fresh=fresh)
    if reason is None:
        assert isinstance(answer, Verified)
    else:
        assert answer == refused(A, reason)


def test_a_lock_of_another_target_is_refused() -> None:
    for other in (lock(kind=Format.RPM), lock(arch="arm64")):
        answer = verify_lock(TARGET, other, vouched(), now=NOW, fresh=True)
        assert answer == refused(None, Reason.WRONG_TARGET)


def test_products_that_the_own_ledger_vouches_for_need_no_index() -> None:
    answer = verify_lock(TARGET, lock(A), vouched(), now=NOW, fresh=True, agreed=frozenset({A.sha256}))
    assert answer == Verified(packages=(VerifiedPackage(package=A, uris=()),), signed_at=None)


PACKAGES = stanza(A).encode()
RELEASE = textwrap.dedent(f"""\
    Codename: bookworm
    Date: Fri, 15 Jan 2027 08:00:00 UTC
    SHA256:
     {sha256_hex(PACKAGES)} {len(PACKAGES)} main/binary-amd64/Packages
     {sha256_hex(b"contrib")} 7 contrib/binary-amd64/Packages
     {sha256_hex(bytes([31, 139]))} 2 main/binary-amd64/Packages.gz
    """).encode()


def metadata(*indexes: bytes, signed: bytes = b"") -> RepositoryMetadata:
    return RepositoryMetadata(signed=signed, signature=b"", indexes=indexes)


def test_a_release_vouches_for_its_own_indexes_alone() -> None:
    expected = (VouchedIndex(repository=MAIN, signed_at=1800000000, valid_until=None, data=PACKAGES),)
    assert verify.vouch_release(metadata(PACKAGES), RELEASE, MAIN, "amd64") == expected


@pytest.mark.parametrize(
    ("index_bytes", "text", "reason"),
    [
        (PACKAGES + b"\n", RELEASE, Reason.INDEX_MISMATCH),
        (b"contrib", RELEASE, Reason.INDEX_MISMATCH),
        (bytes([31, 139]), RELEASE, Reason.MALFORMED),
        (PACKAGES, RELEASE.replace(b"bookworm", b"sid"), Reason.OTHER_SUITE),
        (PACKAGES, b"nothing", Reason.MALFORMED),
        (PACKAGES, RELEASE + b"X: \xff\n", Reason.MALFORMED),
    ],
)
def test_what_a_release_does_not_vouch_for(index_bytes: bytes, text: bytes, reason: Reason) -> None:
    assert verify.vouch_release(metadata(index_bytes), text, MAIN, "amd64") is reason


def test_repomd_vouches_for_its_primary() -> None:
    primary = (
        f'<metadata xmlns="http://linux.duke.edu/metadata/common"><package><name>a</name><arch>noarch</arch>'
        f'<version ver="1" rel="2"/><checksum type="sha256">{A.sha256}</checksum><size package="5"/>'
        f'<location href="a.rpm"/></package></metadata>'
    ).encode()
    signed = (
        f'<repomd xmlns="http://linux.duke.edu/metadata/repo"><data type="primary"><timestamp>7</timestamp>'
        f'<checksum type="sha256">{sha256_hex(primary)}</checksum><location href="p.xml"/></data></repomd>'
    ).encode()
    repository = Repository(uri="file:///r", keyring="/k")
    indexes = verify.vouch_repomd(metadata(primary, signed=signed), repository)
    assert isinstance(indexes, tuple)
    one = LockedPackage(name="a", version="1-2", arch="noarch", sha256=A.sha256, size=5)
    target = Target(name="r", format=Format.RPM, arch="amd64", repository=(repository,), base=())
    answer = verify_lock(target, lock(one, kind=Format.RPM), vouched(*indexes), now=NOW, fresh=False)
    assert answer == Verified(
        packages=(VerifiedPackage(package=one, uris=("file:///r/a.rpm",)),), signed_at=7
    )
    assert verify.vouch_repomd(metadata(b"x", signed=signed), repository) is Reason.INDEX_MISMATCH
    assert verify.vouch_repomd(metadata(primary, signed=b"<x"), repository) is Reason.MALFORMED


GOOD = "[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG 12 x\n[GNUPG:] VALIDSIG AAAA 2026-01-01 0\n"


@pytest.mark.parametrize(
    ("status", "signers"),
    [
        (GOOD, ("AAAA",)),
        (GOOD + "[GNUPG:] NEWSIG\n[GNUPG:] ERRSIG 5 1 8 01 0 9 -\n[GNUPG:] NO_PUBKEY 5\n", ("AAAA",)),
        (GOOD + GOOD.replace("AAAA", "BBBB"), ("AAAA", "BBBB")),
        (GOOD + "[GNUPG:] NEWSIG\n[GNUPG:] BADSIG 5 y\n", ()),
        ("[GNUPG:] NEWSIG\n[GNUPG:] EXPKEYSIG 12 x\n[GNUPG:] VALIDSIG AAAA 2026-01-01 0\n", ()),
        (GOOD + "[GNUPG:] NEWSIG\n[GNUPG:] REVKEYSIG 12 x\n[GNUPG:] VALIDSIG BBBB 2026-01-01 0\n", ("AAAA",)),
        ("", ()),
    ],
)
def test_who_signed_by_gpgvs_own_words(status: str, signers: tuple[str, ...]) -> None:
    assert keyrings.good_signers(status.encode()) == signers


def armored(key: bytes, extra: str = "") -> str:
    body = "\n".join(textwrap.wrap(base64.b64encode(key).decode(), 64))
    start, end = ("-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----")
    return f"{start}\n{extra}\n{body}\n=abcd\n{end}\n"


def test_armored_keyrings_are_decoded_one_after_another() -> None:
    keys = [bytes(range(200)), b"second", b"third!!"]
    text = armored(keys[0], "Comment: x\n") + armored(keys[1]).replace("=abcd\n", "") + armored(keys[2])
    assert keyrings.keyring_bytes(text.encode()) == b"".join(keys)
    assert keyrings.keyring_bytes(text.replace("\n", "\r\n").encode()) == b"".join(keys)
    assert keyrings.keyring_bytes(b"\x99\x01binary") == b"\x99\x01binary"


def test_a_keyring_without_a_key_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="no public key"):
        keyrings.keyring_bytes(b"-----BEGIN PGP MESSAGE-----\n")
    with pytest.raises(ConfigurationError, match="damaged armor"):
        keyrings.keyring_bytes(armored(b"abc").replace("=abcd\n", "").replace("YWJj", "YWJ").encode())
