"""`f2fbuild init`: a node comes into being once, with a real key, whatever interrupts it."""

import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from f2fbuild.builder.targets import parse_target
from f2fbuild.errors import UsageError
from f2fbuild.ledger import entry
from f2fbuild.ledger.checkpoint import parse_log_vkey
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.reading import bound_statement_key, read_proved, split_certificate
from f2fbuild.model.vkey import format_vkey
from f2fbuild.node import config, setup
from f2fbuild.node.identity import load_identity
from f2fbuild.store.files import private_directory, write_private
from f2fbuild.store.paths import Paths
from tests.cli.cli_runs import Home
from tests.node.node_house import NEW, contents, gnupg, house, init, log_size, paths
from tests.trust.trust_people import gpg, pinentry


@pytest.fixture
def place() -> Iterator[Home]:
    with house() as made:
        yield made


def test_a_node_comes_into_being(place: Home, tmp_path: Path) -> None:
    said = init(place, *NEW, "--listen", "127.0.0.1:8594")
    here, identity = paths(place), load_identity(paths(place))
    certificate = identity.certificate.certificate
    assert (said["created"], said["node"], said["owner"]) == (True, "elm", certificate.owner)
    assert [owner.fingerprint for owner in gnupg(place).secret_keys()] == [certificate.owner]
    # Nobody else can come near it.
    for directory in (here.config, here.data, here.state):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(here.seed.stat().st_mode) == 0o600
    assert len(here.seed.read_bytes()) == 32
    # The settings are those that were asked for.
    settings = config.load(here.config_file)
    assert (settings.node.name, settings.node.listen) == ("elm", ("127.0.0.1:8594",))
    assert settings.owner.fingerprint == certificate.owner
    # Entry 0 is the certificate, and gpg itself finds the owner's signature good.
    key = parse_log_vkey(format_vkey(certificate.log))
    assert log_size(place) == 1
    assert bound_statement_key(here.log, key) == identity.statement_key.public
    first = entry.read(read_proved(here.log, key, 0)[0], identity.statement_key.public).payload
    assert isinstance(first, entry.NodeCertificate)
    assert first.text == identity.certificate.data
    text, signature = split_certificate(first)
    (tmp_path / "sig").write_bytes(signature)
    told = gpg(gnupg(place).home, "--status-fd", "1", "--verify", str(tmp_path / "sig"), "-", stdin=text)
    assert f"VALIDSIG {certificate.owner}".encode() in told


def test_targets_are_proposed_from_the_sources_of_this_host(place: Home) -> None:
    said = init(place)
    assert said["targets"], "this host has package sources"
    for name in said["targets"]:
        path = paths(place).targets / f"{name}.toml"
        assert parse_target(path.read_text(), where=str(path)).name == name


def test_a_second_time_changes_nothing(place: Home) -> None:
    first, before = init(place), contents(place)
    again = init(place, "--new-key", "Other <other@example.org>", "--unprotected", "--name", "oak")
    assert (again["created"], again["node_id"]) == (False, first["node_id"])
    assert contents(place) == before
    assert len(gnupg(place).secret_keys()) == 1


class Crash(BaseException):
    """The end of the process: nothing catches it."""


class Fuse:
    """Lets so many steps happen, and the process end right after the last one."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def after(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def stepping(*arguments: Any, **options: Any) -> Any:
            done = step(*arguments, **options)
            self.left -= 1
            if not self.left:
                if isinstance(done, Log):
                    done.close()
                raise Crash
            return done

        return stepping


def crash_after(steps: int, here: Paths, wishes: setup.Wishes, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Set up until so many steps are done; return whether all was done before."""
    fuse = Fuse(steps)
    with monkeypatch.context() as patched:
        patched.setattr(setup, "write_private", fuse.after(write_private))
        patched.setattr(setup, "private_directory", fuse.after(private_directory))
        patched.setattr(Log, "create", fuse.after(Log.create))
        patched.setattr(Log, "append", fuse.after(Log.append))
        try:
            setup.set_up(here, wishes, lambda keys: keys[0].fingerprint)
        except Crash:
            return False
    return True


def test_a_crash_after_any_step_is_taken_up_again(
    place: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = gnupg(place).generate("Ann <ann@example.org>", protect=False)
    wishes = setup.Wishes(
        name="elm", key=owner, new_key="", unprotected=False, gnupghome=gnupg(place).home, listen=()
    )
    steps, finished, with_settings = 0, False, []
    while not finished:
        steps += 1
        base = tmp_path / str(steps)
        base.mkdir()
        here = Paths.from_environment(
            {"HOME": str(base), "XDG_DATA_HOME": str(base / "d"), "XDG_CONFIG_HOME": str(base / "c")}
        )
        finished = crash_after(steps, here, wishes, monkeypatch)
        kept = {path: path.read_bytes() for path in (here.seed, here.certificate) if path.exists()}
        with_settings.append(here.config_file.exists())
        done = setup.set_up(here, wishes, lambda keys: keys[0].fingerprint)
        assert {path: path.read_bytes() for path in kept} == kept
        with Log.open(here.log, done.identity.log_key) as log:
            assert log.size == 1
        assert config.load(here.config_file).owner.fingerprint == owner
        assert sorted(here.data.rglob("*.part")) == []
    assert with_settings.index(True) == len(with_settings) - 2, "settings are the last thing written"
    assert steps > 9, "directories, seed, certificate, log, entry, targets, settings"


def test_several_keys_without_a_terminal(place: Home) -> None:
    keys = [gnupg(place).generate(f"{name} <{name}@example.org>", protect=False) for name in ("a", "b")]
    result = place.run("init", "--name", "elm")
    assert result.exit_code == 2
    assert "several OpenPGP keys can sign\n  give one with --key FINGERPRINT" in result.stderr
    assert not paths(place).config_file.exists()
    spaced = " ".join(keys[1][at : at + 4] for at in range(0, 40, 4)).lower()
    assert init(place, "--name", "elm", "--key", spaced)["owner"] == keys[1]


def test_the_only_key_is_taken(place: Home) -> None:
    owner = gnupg(place).generate("Ann <ann@example.org>", protect=False)
    said = init(place, "--gnupghome", str(gnupg(place).home))
    assert said["owner"] == owner
    assert config.load(paths(place).config_file).owner.gnupghome == str(gnupg(place).home)


def test_no_key_at_all(place: Home) -> None:
    result = place.run("init", "--name", "elm")
    assert result.exit_code == 2
    assert "--new-key" in result.stderr


def test_a_key_that_is_not_there(place: Home) -> None:
    result = place.run("init", "--name", "elm", "--key", "0" * 40)
    assert result.exit_code == 7
    assert not paths(place).config_file.exists()
    assert init(place, *NEW)["created"], "what was begun is in nobody's way"


def test_a_passphrase_is_asked_for_by_the_agent(place: Home) -> None:
    asked = pinentry(gnupg(place).home, "echo 'D secret'; echo OK")
    said = init(place, "--new-key", "Ann <ann@example.org>", "--name", "elm")
    assert "GETPIN" in asked.read_text()
    assert log_size(place) == 1
    assert said["owner"] == load_identity(paths(place)).certificate.certificate.owner


def test_a_cancelled_passphrase_is_a_refusal_and_can_be_tried_again(place: Home) -> None:
    pinentry(gnupg(place).home, "echo 'D secret'; echo OK")
    owner = gnupg(place).generate("Ann <ann@example.org>")
    pinentry(gnupg(place).home, 'echo "ERR 83886179 Operation cancelled <Pinentry>"')
    result = place.run("init", "--name", "elm")
    assert result.exit_code == 7
    assert not paths(place).certificate.exists()
    pinentry(gnupg(place).home, "echo 'D secret'; echo OK")
    assert init(place, "--name", "elm")["owner"] == owner


def test_a_host_without_usable_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    unusable = {"/etc/apt/sources.list": "deb [trusted=yes] http://example.org/ stable main\n"}
    rpm = {"/etc/yum.repos.d/x.repo": "[x]\nname=x\nbaseurl=ftp://x\n"}
    found = {"/etc/apt": unusable, "/etc/yum.repos.d": rpm}
    monkeypatch.setattr(setup, "_read_all", lambda base, _patterns: found[str(base)])
    assert setup.propose_targets() == ()
    monkeypatch.setattr(setup, "_read_all", lambda _base, _patterns: {})
    assert setup.propose_targets() == ()


def test_settings_that_cannot_be_used_are_no_new_node(place: Home) -> None:
    init(place)
    paths(place).config_file.write_text("[node]\nname = 'elm'\nlisen = []\n")
    result = place.run("init")
    assert result.exit_code == 3
    assert "config.toml:3: unknown key lisen\n  did you mean listen?" in result.stderr


def test_nobody_chooses_between_no_keys(place: Home) -> None:
    wishes = setup.Wishes(
        name="elm", key="", new_key="", unprotected=False, gnupghome=gnupg(place).home, listen=()
    )
    with pytest.raises(UsageError, match="no OpenPGP key that can sign"):
        setup.set_up(paths(place), wishes, lambda keys: keys[0].fingerprint)
