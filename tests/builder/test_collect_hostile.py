"""Products with hostile names, kinds, numbers and sizes."""

import hashlib
import os
import socket
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from f2fbuild.builder import collect as module
from f2fbuild.builder.collect import Collected, CollectReason, CollectRefusal, collect
from f2fbuild.builder.steps import ProductPlace

DEB = ProductPlace(directory=".", depth=0, suffixes=(".deb",))
RPM = ProductPlace(directory="build/RPMS", depth=1, suffixes=(".rpm",))

pytestmark = pytest.mark.unprivileged


@pytest.fixture
def job(tmp_path: Path) -> Path:
    path = tmp_path / "job"
    path.mkdir()
    return path


@pytest.fixture
def into(tmp_path: Path) -> Path:
    path = tmp_path / "into"
    path.mkdir()
    return path


def test_products_are_copied_with_their_digests(job: Path, into: Path) -> None:
    (job / "b.deb").write_bytes(b"two")
    (job / "a.deb").write_bytes(b"one")
    (job / "notes.txt").write_bytes(b"no product")
    (job / "a.deb").chmod(0o4000)
    one, two = (hashlib.sha256(data).hexdigest() for data in (b"one", b"two"))
    assert collect(job, DEB, into) == (
        Collected(name="a.deb", size=3, sha256=one),
        Collected(name="b.deb", size=3, sha256=two),
    )
    assert {path.name: path.read_bytes() for path in into.iterdir()} == {"a.deb": b"one", "b.deb": b"two"}
    assert (into / "a.deb").stat().st_mode & 0o7777 == 0o644


def test_rpms_lie_one_directory_below_even_if_it_was_locked(job: Path, into: Path) -> None:
    arch = job / "build" / "RPMS" / "noarch"
    arch.mkdir(parents=True)
    (arch / "a.rpm").write_bytes(b"one")
    (arch / "deeper").mkdir()
    (arch / "deeper" / "b.rpm").write_bytes(b"no product")
    (job / "build" / "RPMS" / "c.rpm").write_bytes(b"beside")
    arch.chmod(0)
    (job / "build").chmod(0)
    found = collect(job, RPM, into)
    assert isinstance(found, tuple)
    assert [product.name for product in found] == ["a.rpm", "c.rpm"]


def test_no_directory_is_no_product(job: Path, into: Path) -> None:
    assert collect(job, RPM, into) == ()
    assert collect(job, DEB, into) == ()


@pytest.mark.parametrize(
    "name", ["\x1b[2Jevil.deb", "two words.deb", "a\nb.deb", "..deb", "-o.deb", "\udcff.deb", "a\\b.deb"]
)
def test_hostile_names_are_refused(job: Path, into: Path, name: str) -> None:
    (job / name).write_bytes(b"x")
    refusal = collect(job, DEB, into)
    assert isinstance(refusal, CollectRefusal)
    assert refusal.reason is CollectReason.NAME
    assert refusal.name.isascii()
    assert refusal.name.isprintable()
    assert list(into.iterdir()) == []


@pytest.mark.parametrize("kind", ["symlink", "dangling", "fifo", "socket", "directory"])
def test_only_regular_files_are_products(job: Path, into: Path, kind: str) -> None:
    path = job / "evil.deb"
    match kind:
        case "symlink":
            path.symlink_to("/etc/hostname")
        case "dangling":
            path.symlink_to("/no/such/file")
        case "fifo":
            os.mkfifo(path)
        case "socket":
            with TemporaryDirectory(prefix="f2f") as short, socket.socket(socket.AF_UNIX) as server:
                server.bind(f"{short}/s")
                Path(short, "s").rename(path)
        case _:
            path.mkdir()
    assert collect(job, DEB, into) == CollectRefusal(reason=CollectReason.NOT_A_FILE, name="evil.deb")


@pytest.mark.parametrize("link", ["build", "build/RPMS", "build/RPMS/noarch.rpm"])
def test_directories_that_are_links_are_not_entered(job: Path, into: Path, tmp_path: Path, link: str) -> None:
    outside = tmp_path / "outside"
    (outside / "RPMS" / "noarch").mkdir(parents=True)
    (outside / "host.rpm").write_bytes(b"of the host")
    (job / link).parent.mkdir(parents=True, exist_ok=True)
    (job / link).symlink_to(outside)
    refusal = collect(job, RPM, into)
    assert isinstance(refusal, CollectRefusal)
    assert refusal.reason is CollectReason.NOT_A_FILE
    assert list(into.iterdir()) == []


def test_one_name_in_two_directories_is_refused(job: Path, into: Path) -> None:
    for arch in ("noarch", "x86_64"):
        (job / "build" / "RPMS" / arch).mkdir(parents=True)
        (job / "build" / "RPMS" / arch / "a.rpm").write_bytes(arch.encode())
    assert collect(job, RPM, into) == CollectRefusal(reason=CollectReason.TWICE, name="a.rpm")


def test_a_sparse_giant_is_refused_unread(job: Path, into: Path) -> None:
    with (job / "giant.deb").open("wb") as file:
        file.truncate(2**40)
    assert collect(job, DEB, into) == CollectRefusal(reason=CollectReason.TOO_LARGE, name="giant.deb")
    assert list(into.iterdir()) == []


def test_all_products_together_are_bounded(job: Path, into: Path) -> None:
    (job / "a.deb").write_bytes(bytes(60))
    (job / "b.deb").write_bytes(bytes(60))
    assert isinstance(collect(job, DEB, into, most_bytes=120), tuple)
    for path in into.iterdir():
        path.unlink()
    refusal = collect(job, DEB, into, most_bytes=119)
    assert refusal == CollectRefusal(reason=CollectReason.TOO_LARGE, name="b.deb")


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PRODUCTS_PER_BUILD", 3)
    monkeypatch.setattr(module, "PRODUCT_ENTRIES", 10)


@pytest.mark.parametrize(
    ("number", "suffix", "fits"), [(3, "deb", True), (4, "deb", False), (11, "txt", False)]
)
def test_products_and_entries_are_counted(
    job: Path, into: Path, small_limits: None, number: int, suffix: str, fits: bool
) -> None:
    for at in range(number):
        (job / f"f{at}.{suffix}").write_bytes(b"")
    found = collect(job, DEB, into)
    assert isinstance(found, tuple) is fits
    if isinstance(found, CollectRefusal):
        assert found.reason is CollectReason.TOO_MANY
