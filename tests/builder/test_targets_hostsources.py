"""Proposals for targets out of the host's own package sources."""

import pytest

from f2fbuild.builder.hostsources import from_host_apt, from_host_dnf
from f2fbuild.builder.targets import Repository
from f2fbuild.errors import ConfigurationError

DEB822 = """\
# the host's
Types: deb deb-src
URIs: http://mirror.example/debian/
Suites: bookworm bookworm-updates
 trixie
Components: main
stray
# a comment
Signed-By: /usr/share/keyrings/archive.gpg

Types: deb-src
URIs: http://mirror.example/debian
Suites: bookworm
Components: main
Signed-By: /usr/share/keyrings/archive.gpg

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
Signed-By: /usr/share/keyrings/archive.gpg

Types: deb
URIs: http://inline.example/debian
Suites: bookworm
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 AAAA
"""
ONE_LINE = """\
# deb http://commented.example/ bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://security.example/debian bookworm-security main contrib # why
deb-src http://source.example bookworm main
deb http://nokey.example/ bookworm main
"""
DNF = """\
[good]
name=Good $releasever
baseurl=https://mirror.example/$releasever/${basearch}/os/ https://second.example/
gpgkey=file:///etc/pki/rpm-gpg/KEY%20one
repo_gpgcheck=1
[off]
baseurl=https://off.example
enabled=0
[meta]
metalink=https://meta.example
[nokey]
baseurl=https://nokey.example
gpgkey=https://nokey.example/key
[unsigned]
baseurl=https://unsigned.example
gpgkey=file:///key
"""


def test_apt_sources_of_one_suite_become_a_target() -> None:
    proposal = from_host_apt(
        {"debian.sources": DEB822, "more.list": ONE_LINE}, name="bookworm", arch="amd64", suite="bookworm"
    )
    key = "/usr/share/keyrings/archive.gpg"
    uri = "http://mirror.example/debian"
    assert proposal.target.repository == (
        Repository(uri=uri, keyring=key, suite="bookworm", components=("main",), max_age_days=400),
        Repository(uri=uri, keyring=key, suite="bookworm-updates", components=("main",)),
        Repository(
            uri="http://security.example/debian",
            keyring="/k.gpg",
            suite="bookworm-security",
            components=("main", "contrib"),
        ),
    )
    assert proposal.target.base == ("build-essential", "fakeroot")
    assert proposal.left_out == (
        "debian.sources: trixie: not of bookworm",
        "debian.sources: http://inline.example/debian: no Signed-By keyring file",
        "more.list: http://nokey.example/: no Signed-By keyring file",
    )


def test_sources_that_name_no_keyring_are_held_to_the_archive_keyring() -> None:
    line = "deb http://mirror.example/debian bookworm main\n"
    proposal = from_host_apt(
        {"sources.list": line},
        name="bookworm",
        arch="amd64",
        suite="bookworm",
        archive_keyring="/usr/share/keyrings/archive.gpg",
    )
    assert [one.keyring for one in proposal.target.repository] == ["/usr/share/keyrings/archive.gpg"]


def test_dnf_repositories_become_a_target_and_the_others_say_why_not() -> None:
    proposal = from_host_dnf({"f.repo": DNF}, name="f45", arch="x86_64", release="45")
    assert proposal.target.repository == (
        Repository(uri="https://mirror.example/45/x86_64/os", keyring="/etc/pki/rpm-gpg/KEY one"),
    )
    assert "rpm-build" in proposal.target.base
    assert proposal.left_out == (
        "f.repo: off: not enabled",
        "f.repo: meta: has no baseurl",
        "f.repo: nokey: has no gpgkey file",
        "f.repo: unsigned: its metadata is not signed (repo_gpgcheck is off)",
    )


def test_nothing_usable_is_an_error_that_says_why() -> None:
    with pytest.raises(ConfigurationError, match=r"nokey\.example"):
        from_host_apt({"a.list": "deb http://nokey.example/ sid main"}, name="s", arch="amd64", suite="sid")
    with pytest.raises(ConfigurationError, match=r"Write a target file"):
        from_host_dnf({}, name="f45", arch="x86_64", release="45")
    with pytest.raises(ConfigurationError, match=r"bad\.repo: not a dnf repository file"):
        from_host_dnf({"bad.repo": "no section = 1"}, name="f45", arch="x86_64", release="45")
