"""Targets: the TOML form, strict both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.builder.targets import Format, Repository, Target, format_target, parse_target
from f2fbuild.errors import ConfigurationError

DEB = """\
name = "bookworm"
format = "deb"
arch = "amd64"
base = ["build-essential"]

[[repository]]
uri = "http://mirror.example/debian"
keyring = "/usr/share/keyrings/archive.gpg"
suite = "bookworm"
components = ["main"]
"""
RPM = """\
name = "f45"
format = "rpm"
arch = "x86_64"
base = ["bash", "rpm-build"]

[macros]
dist = ".f45"

[[repository]]
uri = "https://mirror.example/f45"
keyring = "/etc/pki/key"
"""

words = st.from_regex(r"[a-z0-9][a-z0-9-]{0,8}", fullmatch=True)
deb_repositories = st.builds(
    Repository,
    uri=words.map("http://{}.example/debian".format),
    keyring=words.map("/keys/{}".format),
    suite=words,
    components=st.lists(words, min_size=1, max_size=3).map(tuple),
)
deb_targets = st.builds(
    Target,
    name=words,
    format=st.just(Format.DEB),
    arch=words,
    repository=st.lists(deb_repositories, min_size=1, max_size=3).map(tuple),
    base=st.lists(words, max_size=3).map(tuple),
    max_age_days=st.integers(1, 3650),
    build_profiles=st.lists(words, max_size=2).map(tuple),
)
rpm_targets = st.builds(
    Target,
    name=words,
    format=st.just(Format.RPM),
    arch=words,
    repository=st.just((Repository(uri="file:///repo", keyring="/key"),)),
    base=st.lists(words, max_size=3).map(tuple),
    macros=st.dictionaries(
        st.from_regex(r"_?[a-z]{2,8}", fullmatch=True), st.text("abc .%{}?\"'\\é", max_size=12), max_size=3
    ),
)


@given(deb_targets | rpm_targets)
def test_a_target_comes_back_from_its_form(target: Target) -> None:
    text = format_target(target)
    assert parse_target(text) == target
    assert format_target(parse_target(text)) == text


@pytest.mark.parametrize("text", [DEB, RPM])
def test_the_forms_that_people_write(text: str) -> None:
    assert format_target(parse_target(text)) == text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('arch = "amd64"', 'arch = "amd64"\nmax_age_day = 3', ":4: unknown key 'max_age_day'. Did you mean"),
        ('suite = "bookworm"', 'suite = "bookworm"\ncomponent = "main"', "Did you mean 'components'"),
        ('arch = "amd64"', 'arch = "amd64"\nzzz = 1', "Known keys: name"),
        ('arch = "amd64"', 'arch = "amd64"\n"zz z" = 1', "unknown key 'zz z'"),
        ('arch = "amd64"', "arch = 64", r"Expected `str`, got `int` - at `\$.arch`"),
        ('arch = "amd64"', "", "missing required field `arch`"),
        ('arch = "amd64"', 'arch = "../amd64"', "arch: '../amd64' cannot be used"),
        ('name = "bookworm"', 'name = "a/b"', "name: 'a/b' cannot be used"),
        ('name = "bookworm"', 'name = "bookworm', "line"),
        ('format = "deb"', 'format = "apk"', "Invalid enum value 'apk'"),
        ('base = ["build-essential"]', 'base = ["--option"]', "'--option' cannot be used"),
        ('base = ["build-essential"]', "base = []\nmax_age_days = 0", "between 1 and 3650"),
        ('base = ["build-essential"]', "base = []\nmacros = {dist = 'x'}", "macros belong to RPM"),
        ('uri = "http://mirror.example/debian"', 'uri = "ftp://mirror.example"', "uri: "),
        ('keyring = "/usr/share/keyrings/archive.gpg"', 'keyring = "archive.gpg"', "not an absolute path"),
        ('components = ["main"]', "", "needs components"),
        ('suite = "bookworm"', 'suite = "flat/"', "a flat one"),
        ('suite = "bookworm"', 'suite = "a/../b"', "leads out of the archive"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(old: str, new: str, said: str) -> None:
    assert old in DEB
    with pytest.raises(ConfigurationError, match=said):
        parse_target(DEB.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('dist = ".f45"', 'dist = "a\\nb"', "not one printable line"),
        ('dist = ".f45"', '"%x" = "a"', "macros: '%x'"),
        ('keyring = "/etc/pki/key"', 'keyring = "/etc/pki/key"\nsuite = "f45"', "belong to Debian"),
        ('arch = "x86_64"', 'arch = "x86_64"\nbuild_profiles = ["nocheck"]', "belong to Debian"),
    ],
)
def test_what_is_wrong_with_an_rpm_target_is_named(old: str, new: str, said: str) -> None:
    assert old in RPM
    with pytest.raises(ConfigurationError, match=said):
        parse_target(RPM.replace(old, new))


def test_a_target_has_a_repository_and_a_size() -> None:
    with pytest.raises(ConfigurationError, match="has no repository"):
        parse_target(RPM[: RPM.index("[macros]")] + "repository = []\n")
    with pytest.raises(ConfigurationError, match="larger than"):
        parse_target("#" * 70_000)
    with pytest.raises(ConfigurationError, match="Expected `array`"):
        parse_target(RPM[: RPM.index("[macros]")] + 'repository = "x"\n')
    with pytest.raises(ConfigurationError, match="Expected `object`"):
        parse_target(RPM[: RPM.index("[macros]")] + 'repository = ["x"]\n')
