"""Packages that are built once for all tests of digests."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.builder.digests.digest_forge import EMPTY_SPEC, SPEC, rpmbuild, run


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An RPM with one of everything that an archive can hold (except device nodes)."""
    (path,) = rpmbuild(SPEC, tmp_path_factory.mktemp("tiny")).values()
    return path


@pytest.fixture(scope="session")
def tiny_both(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The same, built together with its source package (`-ba`)."""
    return rpmbuild(SPEC, tmp_path_factory.mktemp("both"), mode="-ba")


@pytest.fixture(scope="session")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An RPM without files, for no architecture."""
    (path,) = rpmbuild(EMPTY_SPEC, tmp_path_factory.mktemp("nothing")).values()
    return path


@pytest.fixture(scope="session")
def signed(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """`tiny` with an OpenPGP signature by rpmsign and the real gpg."""
    home = Path(tempfile.mkdtemp(prefix="f2f", dir="/tmp"))
    gpg = ("gpg", "--homedir", home, "--batch", "--pinentry-mode", "loopback", "--passphrase", "")
    run(*gpg, "--quick-generate-key", "signer@example.invalid", "rsa2048", "sign", "never")
    path = tmp_path_factory.mktemp("signed") / tiny.name
    path.write_bytes(tiny.read_bytes())
    macros = {"_gpg_name": "signer@example.invalid", "__gpg": "/usr/bin/gpg", "_gpg_path": str(home)}
    options = [part for name, value in macros.items() for part in ("-D", f"{name} {value}")]
    run("rpmsign", *options, "--addsign", path)
    yield path
    run("gpgconf", "--homedir", home, "--kill", "all")
    shutil.rmtree(home)
