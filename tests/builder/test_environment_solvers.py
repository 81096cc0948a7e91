"""What solvers and installers are told, and how their answers are read."""

import json
from pathlib import PurePosixPath

import pytest

from f2fbuild.builder import installers, solvers
from f2fbuild.builder.dnf import parse_repomd
from f2fbuild.builder.solvers import UnsolvableError
from f2fbuild.builder.targets import Format, Repository, Target
from f2fbuild.errors import FormatError
from f2fbuild.model.digest import sha256_hex

REPOSITORY = Repository(uri="file:///r", keyring="/k", suite="s", components=("main",))
TARGET = Target(
    name="t",
    format=Format.DEB,
    arch="amd64",
    repository=(REPOSITORY,),
    base=("build-essential", "dpkg"),
    build_profiles=("nocheck", "nodoc"),
)
SIMULATION = """\
NOTE: This is only a simulation!
Reading package lists...
Inst libc6 (2.36-9 localhost [amd64]) []
Inst libfoo:i386 (1:1.0~rc1-1+b2 Debian:12.5/stable, localhost [i386])
Inst dpkg [1.20] (1.21 localhost [all])
Conf libc6 (2.36-9 localhost [amd64])
"""


def test_apt_sees_one_directory_and_nothing_of_the_host() -> None:
    settings = solvers.apt_settings(PurePosixPath("/solve"), TARGET)
    assert 'Dir::Etc::Parts "/dev/null";' in settings
    assert 'Dir::State::status "/solve/status";' in settings
    assert 'APT::Build-Profiles { "nocheck"; "nodoc"; };' in settings
    assert 'APT::Architectures { "amd64"; };' in settings


def test_the_base_of_a_merged_distribution_says_so() -> None:
    assert solvers.apt_base(TARGET, ["sed", "dpkg"], merged=False) == ["build-essential", "dpkg", "sed"]
    assert "usr-is-merged" in solvers.apt_base(TARGET, [], merged=True)


def test_a_simulation_is_read() -> None:
    assert solvers.parse_simulation(SIMULATION) == {
        ("libc6", "2.36-9", "amd64"),
        ("libfoo", "1:1.0~rc1-1+b2", "i386"),
        ("dpkg", "1.21", "all"),
    }


def test_a_simulation_that_removes_or_puzzles_is_refused() -> None:
    with pytest.raises(UnsolvableError, match="conflict with the base: Remv sed"):
        solvers.parse_simulation(SIMULATION + "Remv sed [4.9]\n")
    with pytest.raises(FormatError, match="cannot be read: 'Inst sed'"):
        solvers.parse_simulation("Inst sed\n")


def test_index_stanzas_become_installed_packages() -> None:
    status = solvers.installed_status([b"Package: a\nVersion: 1", b"Package: b"])
    assert status == (
        b"Package: a\nVersion: 1\nStatus: install ok installed\n\n"
        b"Package: b\nStatus: install ok installed\n\n"
    )


def test_dnf_is_told_its_world() -> None:
    request = json.loads(solvers.dnf_request(PurePosixPath("/solve"), TARGET, 2, ["make"]))
    assert request["repositories"] == ["file:///solve/repository/0", "file:///solve/repository/1"]
    assert (request["base"], request["requires"]) == (["build-essential", "dpkg"], ["make"])
    assert (request["arch"], request["root"]) == ("amd64", "/solve/root")


def test_the_answer_of_dnf_is_read() -> None:
    assert solvers.parse_dnf_answer(b'{"base": ["1", "2"], "all": ["1", "2", "3"]}') == ({"1", "2"}, {"3"})


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b'{"problem": "no package provides x"}', UnsolvableError),
        (b'{"base": ["1"], "all": ["2"]}', UnsolvableError),
        (b'{"base": ["1"]}', FormatError),
        (b'{"base": 1, "all": []}', FormatError),
        (b"[]", FormatError),
        (b"Traceback", FormatError),
    ],
)
def test_an_answer_of_dnf_that_is_none_is_refused(answer: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        solvers.parse_dnf_answer(answer)


def test_a_local_repomd_names_its_primary() -> None:
    repomd = parse_repomd(solvers.local_repomd(b"primary", 7).encode())
    assert (repomd.sha256, repomd.signed_at) == (sha256_hex(b"primary"), 7)
    assert repomd.location == "repodata/primary.xml"


def test_what_is_installed_is_read() -> None:
    assert installers.parse_installed(b"ii |sed|4.9|amd64\nii |a|1:1|all\n") == {
        ("sed", "4.9", "amd64"),
        ("a", "1:1", "all"),
    }
    for line in (b"iF |sed|4.9|amd64", b"ii |sed|4.9", b"rubbish"):
        with pytest.raises(FormatError, match="not completely installed"):
            installers.parse_installed(line)


def test_installations_differ_by_format_and_layout() -> None:
    assert "dpkg --force-unsafe-io" in installers.installation(Format.DEB, "/")
    assert 'rpm $debian --root "$root"' in installers.installation(Format.RPM, "/layer")
    assert installers.query(Format.DEB)[0] == "dpkg-query"
    assert installers.query(Format.RPM)[0] == "rpm"
    assert "libraries='lib32 lib64 libx32'" in installers.deb_extraction("amd64", merged=True)
    assert "ln -s" in installers.deb_extraction("arm64", merged=True)
    assert "ln -s" not in installers.deb_extraction("arm64", merged=False)
