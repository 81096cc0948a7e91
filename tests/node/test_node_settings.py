"""Settings, targets and identity: files that people edit, and what is said of mistakes in them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.builder.targets import Format, Repository, Target, format_target
from f2fbuild.errors import ConfigurationError, NotInitialisedError, UsageError
from f2fbuild.node import clock, config
from f2fbuild.node.targets import Targets

names = st.from_regex(r"\A[a-z0-9][a-z0-9-]{0,62}\Z")
numbers = st.integers(1, 10**9)
settings = st.builds(
    config.Settings,
    node=st.builds(
        config.NodeSettings, name=names, listen=st.lists(st.text(max_size=20), max_size=3).map(tuple)
    ),
    owner=st.builds(
        config.OwnerSettings,
        fingerprint=st.from_regex(r"\A([0-9A-F]{40}|[0-9A-F]{64})\Z"),
        gnupghome=st.text(st.characters(codec="utf-8"), max_size=20),
    ),
    builder=st.builds(config.BuilderSettings, slots=numbers, waiting=numbers, memory_mib=numbers),
    jobs=st.builds(config.JobSettings, patience_seconds=numbers),
)
FIRST = '[node]\nname = "elm"\n[owner]\nfingerprint = "' + "A" * 40 + '"\n'


def load(tmp_path: Path, text: str) -> config.Settings:
    path = tmp_path / "config.toml"
    path.write_text(text, newline="")
    return config.load(path)


@given(settings)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, made: config.Settings) -> None:
    directory = tmp_path_factory.mktemp("settings")
    assert load(directory, config.dump(made)) == made


def test_what_is_not_said_has_a_default(tmp_path: Path) -> None:
    found = load(tmp_path, FIRST)
    assert found.node.listen == ()
    assert (found.builder, found.jobs) == (config.BuilderSettings(), config.JobSettings())


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (FIRST + "[jobs]\npatience_second = 3\n", 6, "did you mean patience_seconds?"),
        (FIRST + "[job]\n", 5, "did you mean jobs?"),
        ("# slotz\n" + FIRST + "[builder]\nslots = 1\nslotz = 2\n", 8, "did you mean slots?"),
        (FIRST + "[builder]\nslots = 1\n  'slotz' = 2\n", 7, "did you mean slots?"),
        (FIRST + "[jobs]\n[builder]\nslots = 1\npatience_seconds = 2\n", 8, "did you mean processes?"),
        (FIRST + '[builder]\n"slo\\u0074z" = 1\n', 1, "did you mean slots?"),
        (FIRST + "builder.slotz = 1\n", 5, "did you mean fingerprint?"),
        (FIRST + "[builder]\nslots = 1\nlots = 2\n", 7, "did you mean slots?"),
    ],
)
def test_an_unknown_key_is_named_with_its_line(tmp_path: Path, text: str, line: int, what: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, text)
    assert caught.value.where == f"{tmp_path / 'config.toml'}:{line}"
    assert caught.value.hint == what


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[node]\n",
        "node = 3\n" + FIRST[FIRST.index("[owner]") :],
        "[[builder]]\n" + FIRST,
        FIRST + "builder = 1",
    ],
)
def test_what_cannot_be_used(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError):
        load(tmp_path, text)


def test_no_settings(tmp_path: Path) -> None:
    with pytest.raises(NotInitialisedError, match="f2fbuild init"):
        config.load(tmp_path / "config.toml")


def test_the_clock_goes_on() -> None:
    before = clock.nanoseconds()
    assert clock.now() - 1 <= before // 10**9 <= clock.now()
    assert clock.nanoseconds() >= before


def target(tmp_path: Path, name: str = "bookworm") -> Target:
    return Target(
        name=name,
        format=Format.DEB,
        arch="amd64",
        repository=(
            Repository(
                uri="http://deb.example.org/debian",
                keyring=str(tmp_path / "debian.gpg"),
                suite="bookworm",
                components=("main",),
            ),
        ),
        base=("build-essential",),
    )


def test_targets_are_added_once_and_read_anew(tmp_path: Path) -> None:
    directory = tmp_path / "targets"
    targets = Targets(directory)
    assert targets.all() == []
    with pytest.raises(ConfigurationError, match="no such keyring"):
        targets.add(target(tmp_path))
    (tmp_path / "debian.gpg").write_bytes(b"a key")
    targets.add(target(tmp_path))
    assert targets.get("bookworm") == target(tmp_path)
    assert directory.stat().st_mode & 0o777 == 0o700
    with pytest.raises(UsageError, match="edit or remove"):
        targets.add(target(tmp_path))
    (directory / "trixie.toml").write_text(format_target(target(tmp_path, "trixie")))
    assert [one.name for one in targets.all()] == ["bookworm", "trixie"]
    with pytest.raises(UsageError, match="targets here: bookworm, trixie"):
        targets.get("sid")
    (directory / "sid.toml").write_text(format_target(target(tmp_path, "trixie")))
    with pytest.raises(ConfigurationError, match=r"sid\.toml: the target is named trixie"):
        targets.all()
    (directory / "sid.toml").write_text("name = 3")
    with pytest.raises(ConfigurationError, match=r"sid\.toml"):
        targets.all()


def test_no_targets(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="targets here: none"):
        Targets(tmp_path).get("sid")
