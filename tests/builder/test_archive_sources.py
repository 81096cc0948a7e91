"""A source package from a signed archive with real keys: found, and refused when anything is not right."""

import gzip
import lzma
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio

from f2fbuild.builder.archive import fetch_source
from f2fbuild.builder.fetch import UntrustedMirrorError
from f2fbuild.builder.mirror import MirrorError
from f2fbuild.builder.targets import Format, Repository, Target
from f2fbuild.errors import FormatError, UsageError
from f2fbuild.model.digest import sha256_hex
from tests.builder.builder_signers import Signer

DATE = "Fri, 15 Jan 2027 08:00:00 UTC"
FILES = {"tiny_1.0.dsc": b"Format: 3.0 (native)\n", "tiny_1.0.tar.xz": b"\x00packed"}


def stanza(package: str, files: dict[str, bytes], directory: str = "pool/t") -> str:
    listed = "".join(f" {sha256_hex(data)} {len(data)} {name}\n" for name, data in files.items())
    return (
        f"Package: {package}\nBinary: {package}\nVersion: 1.0\nDirectory: {directory}\n"
        f"Files:\n {'0' * 32} 1 {package}_1.0.dsc\nChecksums-Sha256:\n{listed}Section: misc\n"
    )


@dataclass
class Archive:
    """An archive on disk; what is wrong with it can be said before it is made."""

    root: Path
    signer: Signer
    index: str = field(default_factory=lambda: stanza("other", {}) + "\n" + stanza("tiny", FILES))
    files: dict[str, bytes] = field(default_factory=lambda: dict(FILES))
    suite: str = "bookworm"
    component: str = "main"
    ending: str = ".xz"
    listed: str = ""

    async def make(self) -> Repository:
        """Write and sign it; return it as a repository whose components are `main` and `contrib`."""
        place = self.root / "dists/bookworm" / self.component / "source"
        place.mkdir(parents=True)
        packing: dict[str, Callable[[bytes], bytes]] = {".xz": lzma.compress, ".gz": gzip.compress, "": bytes}
        packed = packing[self.ending](self.index.encode("utf-8", "surrogateescape"))
        await trio.Path(place / f"Sources{self.ending}").write_bytes(packed)
        (self.root / "pool/t").mkdir(parents=True)
        for name, data in self.files.items():
            await trio.Path(self.root / "pool/t" / name).write_bytes(data)
        digest = self.listed or sha256_hex(packed)
        release = (
            f"Suite: {self.suite}\nDate: {DATE}\nSHA256:\n"
            f" {digest} {len(packed)} {self.component}/source/Sources{self.ending}\n"
        )
        signed = await self.signer.gpg("--clearsign", stdin=release.encode())
        await trio.Path(self.root / "dists/bookworm/InRelease").write_bytes(signed)
        keyring = await self.signer.key(self.root / "keyring", armor=False)
        return Repository(
            uri=f"file://{self.root}",
            keyring=str(keyring),
            suite="bookworm",
            components=("main", "contrib"),
        )


def target(*repositories: Repository) -> Target:
    return Target(name="t", format=Format.DEB, arch="amd64", repository=repositories, base=())


@pytest.fixture
def archive(tmp_path: Path, signers: list[Signer]) -> Archive:
    return Archive(root=tmp_path / "archive", signer=signers[0])


@pytest.fixture
def place(tmp_path: Path) -> Path:
    directory = tmp_path / "fetched"
    directory.mkdir()
    return directory


@pytest.mark.parametrize("ending", [".xz", ".gz", ""])
@pytest.mark.parametrize("component", ["main", "contrib"])
async def test_a_source_is_fetched_with_all_its_files(
    archive: Archive, place: Path, ending: str, component: str
) -> None:
    archive.ending, archive.component = ending, component
    found = await fetch_source(target(await archive.make()), "tiny", place)
    assert found == place / "tiny_1.0.dsc"
    assert {path.name: path.read_bytes() for path in place.iterdir()} == FILES


async def test_the_first_repository_that_has_it_gives_it(
    tmp_path: Path, signers: list[Signer], archive: Archive, place: Path
) -> None:
    empty = Archive(root=tmp_path / "empty", signer=signers[1], index=stanza("other", {}))
    found = await fetch_source(target(await empty.make(), await archive.make()), "tiny", place)
    assert found.read_bytes() == FILES["tiny_1.0.dsc"]


@pytest.mark.parametrize("package", ["tin", "tiny-tools", "ti.y", ""])
async def test_a_source_that_nobody_has_is_not_there(archive: Archive, place: Path, package: str) -> None:
    with pytest.raises(UsageError, match="no repository of this target has the source"):
        await fetch_source(target(await archive.make()), package, place)


async def test_an_index_that_another_key_signed_is_not_read(
    archive: Archive, place: Path, signers: list[Signer]
) -> None:
    repository = await archive.make()
    await signers[1].key(Path(repository.keyring), armor=False)
    with pytest.raises(UntrustedMirrorError, match="not signed by a key of"):
        await fetch_source(target(repository), "tiny", place)


async def test_a_release_of_another_suite_by_the_same_key_is_not_read(archive: Archive, place: Path) -> None:
    archive.suite = "trixie"
    with pytest.raises(UntrustedMirrorError, match="not for bookworm"):
        await fetch_source(target(await archive.make()), "tiny", place)


async def test_an_index_must_be_the_one_that_was_signed(archive: Archive, place: Path) -> None:
    archive.listed = "0" * 64
    with pytest.raises(FormatError, match="not the index that the archive signed"):
        await fetch_source(target(await archive.make()), "tiny", place)


async def test_a_file_must_be_the_one_that_was_signed(archive: Archive, place: Path) -> None:
    archive.files["tiny_1.0.tar.xz"] = b"\x01packed"
    with pytest.raises(FormatError, match="not the file that the archive signed"):
        await fetch_source(target(await archive.make()), "tiny", place)
    assert not (place / "tiny_1.0.tar.xz").exists()


async def test_a_file_that_is_not_there_is_the_mirrors_fault(archive: Archive, place: Path) -> None:
    del archive.files["tiny_1.0.tar.xz"]
    with pytest.raises(MirrorError, match="cannot be read"):
        await fetch_source(target(await archive.make()), "tiny", place)


@pytest.mark.parametrize(
    "index",
    [
        "Package: tiny\nVersion: 1.0\n",
        stanza("tiny", {}),
        stanza("tiny", {"tiny.tar.xz": b"x"}),
        stanza("tiny", {"a.dsc": b"x", "b.dsc": b"y"}),
        stanza("tiny", {"../../evil.dsc": b"x"}),
        stanza("tiny", FILES, "../outside"),
        stanza("tiny", FILES, "/etc"),
        stanza("tiny", FILES).replace("Directory", "\udcff"),
    ],
    ids=["bare", "no files", "no dsc", "two dsc", "evil name", "outside", "absolute", "no text"],
)
async def test_a_stanza_that_cannot_be_used_is_refused(archive: Archive, place: Path, index: str) -> None:
    archive.index = index
    with pytest.raises(FormatError):
        await fetch_source(target(await archive.make()), "tiny", place)
    assert not list(place.iterdir())
