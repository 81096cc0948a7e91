"""Signed metadata with real keys: fetched, vouched for, and refused when anything about it is not right."""

import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from f2fbuild.builder.fetch import UntrustedMirrorError, fetch_metadata
from f2fbuild.builder.gpgv import vouch
from f2fbuild.builder.locks import EnvironmentLock, LockedPackage, make_lock
from f2fbuild.builder.metadata import Metadata
from f2fbuild.builder.mirror import MirrorError
from f2fbuild.builder.targets import Format, Repository, Target
from f2fbuild.builder.verify import Reason, Unverified, Verified, verify_lock
from f2fbuild.errors import ConfigurationError
from f2fbuild.model.digest import sha256_hex
from tests.builder.builder_signers import Signer

SIGNED_AT = 1_800_000_000
DATE = "Fri, 15 Jan 2027 08:00:00 UTC"


PACKAGE = LockedPackage(name="sed", version="4.9-1", arch="amd64", sha256=sha256_hex(b"sed"), size=3)
EVIL = replace(PACKAGE, name="evil", sha256=sha256_hex(b"evil"), size=4)


def packages(*each: LockedPackage) -> bytes:
    return "\n".join(
        f"Package: {one.name}\nVersion: {one.version}\nArchitecture: {one.arch}\nSHA256: {one.sha256}\n"
        f"Size: {one.size}\nFilename: pool/{one.name}.deb\n"
        for one in each
    ).encode()


async def archive(
    root: Path, signer: Signer, index: bytes, suite: str = "bookworm", *, by_hash: bool = False
) -> None:
    """Write a signed apt archive of one suite and one index."""
    place = root / f"dists/{suite}/main/binary-amd64"
    place.mkdir(parents=True)
    packed = gzip.compress(index, mtime=0)
    (place / "Packages.gz").write_bytes(packed)
    if by_hash:
        (place / "by-hash/SHA256").mkdir(parents=True)
        (place / "Packages.gz").rename(place / "by-hash/SHA256" / sha256_hex(packed))
    release = (
        f"Suite: {suite}\nDate: {DATE}\nSHA256:\n {sha256_hex(packed)} {len(packed)}"
        " main/binary-amd64/Packages.gz\n"
    )
    signed = await signer.gpg("--clearsign", stdin=release.encode())
    (root / f"dists/{suite}/InRelease").write_bytes(signed)


async def target_of(tmp_path: Path, signer: Signer, *, armor: bool = False) -> Target:
    keyring = await signer.key(tmp_path / "keyring", armor=armor)
    repository = Repository(
        uri=f"file://{tmp_path}/archive", keyring=str(keyring), suite="bookworm", components=("main",)
    )
    return Target(name="t", format=Format.DEB, arch="amd64", repository=(repository,), base=())


def lock(*each: LockedPackage) -> EnvironmentLock:
    return make_lock(kind=Format.DEB, arch="amd64", base=frozenset(each), build=frozenset())


async def answer(target: Target, metadata: Metadata, *each: LockedPackage) -> Verified | Unverified:
    vouched = await vouch(target, metadata)
    return verify_lock(target, lock(*each), vouched, now=SIGNED_AT + 60, fresh=True)


@pytest.mark.parametrize("by_hash", [True, False])
@pytest.mark.parametrize("armor", [True, False])
async def test_signed_metadata_is_fetched_and_vouched_for(
    tmp_path: Path, signers: list[Signer], armor: bool, by_hash: bool
) -> None:
    await archive(tmp_path / "archive", signers[0], packages(PACKAGE), by_hash=by_hash)
    target = await target_of(tmp_path, signers[0], armor=armor)
    verified = await answer(target, await fetch_metadata(target), PACKAGE)
    assert isinstance(verified, Verified)
    assert verified.signed_at == SIGNED_AT
    assert verified.packages[0].uris == (f"file://{tmp_path}/archive/pool/sed.deb",)


async def test_metadata_by_another_key_is_worth_nothing(tmp_path: Path, signers: list[Signer]) -> None:
    await archive(tmp_path / "archive", signers[1], packages(PACKAGE))
    theirs = await target_of(tmp_path, signers[1])
    metadata = await fetch_metadata(theirs)
    own = await target_of(tmp_path, signers[0])
    refused = await answer(own, metadata, PACKAGE)
    assert refused == Unverified(package=PACKAGE, reason=Reason.NO_KEY)
    with pytest.raises(UntrustedMirrorError, match="not signed by a key"):
        await fetch_metadata(own)


async def test_a_package_slipped_into_the_index_is_found_out(tmp_path: Path, signers: list[Signer]) -> None:
    await archive(tmp_path / "archive", signers[0], packages(PACKAGE))
    target = await target_of(tmp_path, signers[0])
    metadata = await fetch_metadata(target)
    poisoned = replace(metadata.repositories[0], indexes=(gzip.compress(packages(PACKAGE, EVIL)),))
    refused = await answer(target, Metadata(repositories=(poisoned,)), PACKAGE)
    assert refused == Unverified(package=PACKAGE, reason=Reason.INDEX_MISMATCH)
    assert await answer(target, metadata, EVIL) == Unverified(package=EVIL, reason=Reason.PACKAGE_MISSING)
    index = next((tmp_path / "archive/dists/bookworm/main/binary-amd64").iterdir())
    index.write_bytes(poisoned.indexes[0])
    with pytest.raises(UntrustedMirrorError, match="other bytes than were signed"):
        await fetch_metadata(target)


@pytest.mark.parametrize("where", [b"Suite: bookworm", b"SHA256:", b"-----BEGIN PGP SIGNATURE-----"])
async def test_a_changed_release_is_refused(tmp_path: Path, signers: list[Signer], where: bytes) -> None:
    await archive(tmp_path / "archive", signers[0], packages(PACKAGE))
    target = await target_of(tmp_path, signers[0])
    metadata = await fetch_metadata(target)
    signed = metadata.repositories[0].signed
    assert where in signed
    changed = replace(metadata.repositories[0], signed=signed.replace(where, b"X" + where))
    refused = await answer(target, Metadata(repositories=(changed,)), PACKAGE)
    assert refused == Unverified(package=PACKAGE, reason=Reason.NO_KEY)


async def test_text_around_the_signed_part_is_not_read(tmp_path: Path, signers: list[Signer]) -> None:
    await archive(tmp_path / "archive", signers[0], packages(PACKAGE))
    target = await target_of(tmp_path, signers[0])
    metadata = await fetch_metadata(target)
    evil = gzip.compress(packages(EVIL))
    before = f"SHA256:\n {sha256_hex(evil)} 1 main/binary-amd64/Packages.gz\n\n".encode()
    changed = replace(
        metadata.repositories[0], signed=before + metadata.repositories[0].signed, indexes=(evil,)
    )
    refused = await answer(target, Metadata(repositories=(changed,)), EVIL)
    assert isinstance(refused, Unverified)
    assert refused.reason in {Reason.INDEX_MISMATCH, Reason.NO_KEY}


async def test_the_same_key_does_not_vouch_for_another_suite(tmp_path: Path, signers: list[Signer]) -> None:
    await archive(tmp_path / "archive", signers[0], packages(EVIL), "experimental")
    own = await target_of(tmp_path, signers[0])
    (repository,) = own.repository
    there = Repository(
        uri=repository.uri, keyring=repository.keyring, suite="experimental", components=("main",)
    )
    other = Target(name="o", format=Format.DEB, arch="amd64", repository=(there,), base=())
    refused = await answer(own, await fetch_metadata(other), EVIL)
    assert refused == Unverified(package=EVIL, reason=Reason.OTHER_SUITE)


async def test_rpm_metadata_has_a_detached_signature(tmp_path: Path, signers: list[Signer]) -> None:
    repodata = tmp_path / "repo/repodata"
    repodata.mkdir(parents=True)
    primary = (
        f'<metadata xmlns="http://linux.duke.edu/metadata/common"><package><name>sed</name><arch>x86_64</arch>'
        f'<version ver="4.9" rel="1"/><checksum type="sha256">{PACKAGE.sha256}</checksum><size package="3"/>'
        f'<location href="sed.rpm"/></package></metadata>'
    ).encode()
    repomd = (
        f'<repomd xmlns="http://linux.duke.edu/metadata/repo"><data type="primary"><timestamp>{SIGNED_AT}'
        f'</timestamp><checksum type="sha256">{sha256_hex(primary)}</checksum>'
        f'<location href="repodata/primary.xml"/></data></repomd>'
    ).encode()
    (repodata / "primary.xml").write_bytes(primary)
    (repodata / "repomd.xml").write_bytes(repomd)
    (repodata / "repomd.xml.asc").write_bytes(await signers[0].gpg("--armor", "--detach-sign", stdin=repomd))
    keyring = await signers[0].key(tmp_path / "key.asc", armor=True)
    repository = Repository(uri=f"file://{tmp_path}/repo", keyring=str(keyring))
    target = Target(name="r", format=Format.RPM, arch="x86_64", repository=(repository,), base=())
    metadata = await fetch_metadata(target)
    package = replace(PACKAGE, arch="x86_64")
    wanted = make_lock(kind=Format.RPM, arch="x86_64", base=frozenset({package}), build=frozenset())
    verified = verify_lock(target, wanted, await vouch(target, metadata), now=SIGNED_AT, fresh=True)
    assert isinstance(verified, Verified)
    assert verified.packages[0].uris == (f"file://{tmp_path}/repo/sed.rpm",)
    changed = replace(metadata.repositories[0], signed=repomd + b"\n")
    vouched = await vouch(target, Metadata(repositories=(changed,)))
    assert (vouched.indexes, vouched.refusals) == ((), (Reason.NO_KEY,))


async def test_a_missing_keyring_or_index_says_so(tmp_path: Path, signers: list[Signer]) -> None:
    await archive(tmp_path / "archive", signers[0], packages(PACKAGE))
    target = await target_of(tmp_path, signers[0])
    (tmp_path / "archive/dists/bookworm/main/binary-amd64/Packages.gz").unlink()
    with pytest.raises(MirrorError, match="No such file"):
        await fetch_metadata(target)
    (tmp_path / "keyring").unlink()
    with pytest.raises(ConfigurationError, match="keyring: cannot be read: No such file"):
        await fetch_metadata(target)
