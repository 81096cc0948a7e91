"""A new epoch: another log that says where the one before ended; no crash on the way forks either."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from f2fbuild.errors import UsageError
from f2fbuild.ledger import entry as entries
from f2fbuild.ledger.checkpoint import log_vkey, sign_checkpoint
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.memory import HeadMemory
from f2fbuild.ledger.reading import bound_statement_key
from f2fbuild.node import certifying, epochs
from f2fbuild.node.epochs import begin, next_certificate, planned, present
from f2fbuild.node.identity import load_identity
from f2fbuild.node.settling import settle
from f2fbuild.node.setup import begin_log
from f2fbuild.store.database import Database
from f2fbuild.store.paths import Paths
from f2fbuild.store.schema import MIGRATIONS
from f2fbuild.trust.certificates import Previous
from f2fbuild.trust.issuing import issue
from tests.cli.cli_runs import Home
from tests.node.node_house import gnupg, house, init, paths, running, stop


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    with house() as made:
        init(made)
        monkeypatch.setenv("GNUPGHOME", str(made.directory / "gnupg"))
        yield made


def head_of(here: Paths) -> Previous:
    identity = load_identity(here)
    directory = here.log_of(identity.certificate.certificate.epoch)
    with Log.open(directory, identity.log_key) as log:
        return Previous(origin=log.head.origin, size=log.head.size, root=log.head.root.hex())


def written(here: Paths) -> Log:
    """The log of the first epoch as the node writes it."""
    identity = load_identity(here)
    return Log.open(here.log, identity.log_key, remember=HeadMemory(here.heads, identity.origin).remember)


def check_epoch(here: Paths, number: int, previous: Previous) -> None:
    """The certificate in force begins the log that is there, and its owner signed it."""
    identity = load_identity(here)
    certificate = identity.certificate.certificate
    assert (certificate.epoch, certificate.previous) == (number, previous)
    directory = here.log_of(number)
    with Log.open(directory, identity.log_key) as log:
        assert log.size == 1
        first = entries.read(log.entry(0), identity.statement_key.public).payload
    assert first == entries.NodeCertificate(text=identity.certificate.data)
    assert bound_statement_key(directory, log_vkey(identity.log_key.public)) == certificate.statements
    assert not next_certificate(here).exists()


def test_a_new_epoch_names_the_old_log_s_end_and_keeps_the_node(place: Home) -> None:
    here = paths(place)
    old, before = load_identity(here), head_of(here)
    files = {path: path.read_bytes() for path in here.log.rglob("*") if path.is_file()}
    result = place.run("ledger", "epoch", "new", "--yes", "--json")
    assert result.exit_code == 0, result.stderr
    said = json.loads(result.stdout)
    check_epoch(here, 1, before)
    new = load_identity(here)
    assert said["schema"] == "f2fbuild.epoch/1"
    assert (said["epoch"], said["origin"], said["previous_size"]) == (1, new.origin, 1)
    assert (new.node_id, new.statement_key.public) == (old.node_id, old.statement_key.public)
    assert new.origin != old.origin
    assert {path: path.read_bytes() for path in files} == files, "the old log is as it was"
    checked = gnupg(place).verify(new.certificate.signature, new.certificate.text)
    assert getattr(checked, "owner", "") == new.certificate.certificate.owner
    memory = HeadMemory(here.heads, old.origin).remembered
    assert memory is not None
    assert memory.retired


def test_it_is_shown_asked_for_and_tried(place: Home) -> None:
    shown = place.run("ledger", "epoch", "show")
    assert shown.exit_code == 0
    assert "epoch     0" in shown.stdout
    assert "previous  none" in shown.stdout
    tried = place.run("ledger", "epoch", "new", "--dry-run")
    assert tried.exit_code == 0
    assert "epoch 1 begins a new log; the old one ends for ever at 1 entries" in tried.stderr
    refused = place.run("ledger", "epoch", "new")
    assert refused.exit_code == 2
    assert "--yes" in refused.stderr
    assert present(paths(place)).number == 0
    assert place.run("ledger", "epoch", "new", "--yes").exit_code == 0
    shown = place.run("ledger", "epoch", "show")
    assert "epoch     1" in shown.stdout
    assert "previous  1 entries  f2fbuild.invalid/log/" in shown.stdout
    told = place.run("ledger", "show", "0")
    assert told.exit_code == 0, told.stderr
    assert "epoch 1" in told.stdout + place.run("ledger", "show", "0", "--payload").stdout


def test_a_running_node_is_to_be_stopped_and_the_new_epoch_runs(place: Home) -> None:
    with running(place) as process:
        refused = place.run("ledger", "epoch", "new", "--yes")
        assert refused.exit_code == 2
        assert "the node runs" in refused.stderr
        assert "stop it" in refused.stderr
        assert stop(process)[0] == 0
    assert place.run("ledger", "epoch", "new", "--yes").exit_code == 0
    with running(place) as process:
        status = json.loads(place.run("status", "--json").stdout)
        assert (status["origin"], status["log_size"]) == (load_identity(paths(place)).origin, 1)
        assert status["log_path"] == str(paths(place).log_of(1))
        assert stop(process)[0] == 0


class Fuse:
    """Raises in the place of the first call of what it is put before or after."""

    def __init__(self, *, after: bool) -> None:
        self.after = after
        self.blown = False

    def on(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            result = function(*arguments, **named) if self.after else None
            if not self.blown:
                self.blown = True
                if isinstance(result, Log):
                    # A process that ends lets go of its locks.
                    result.close()
                raise KeyboardInterrupt
            return result if self.after else function(*arguments, **named)

        return call


STEPS = {
    "issue": (certifying, "issue"),
    "certificate": (epochs, "write_private"),
    "begin": (epochs, "begin_log"),
    "create": (Log, "create"),
    "entry": (Log, "append"),
    "retire": (HeadMemory, "retire"),
    "rename": (Path, "replace"),
}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_broken_off_at_any_step_it_is_finished_by_running_it_again(
    place: Home, step: str, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = paths(place)
    before = head_of(here)
    holder, name = STEPS[step]
    fuse = Fuse(after=after)
    with monkeypatch.context() as patched:
        patched.setattr(holder, name, fuse.on(getattr(holder, name)))
        with pytest.raises(KeyboardInterrupt):
            begin(here)
    assert fuse.blown
    if present(here).number == 0:
        assert planned(here).number == 1
        begin(here)
    check_epoch(here, 1, before)


def test_a_lost_log_ends_where_it_was_last_remembered(place: Home) -> None:
    here = paths(place)
    before = head_of(here)
    with written(here) as log:
        log.append([b"one"])
        durable = log.head
        log.append([b"two"])
    shutil.rmtree(here.log)
    begin(here)
    check_epoch(here, 1, Previous(origin=before.origin, size=2, root=durable.root.hex()))


def test_the_head_that_a_friend_showed_is_the_old_log_s_end(place: Home) -> None:
    here = paths(place)
    identity = load_identity(here)
    shutil.copytree(here.log, here.log.with_name("backup"))
    with Log.open(here.log, identity.log_key) as log:
        log.append([b"one", b"two"])
        ahead = log.head
    HeadMemory(here.heads, identity.origin).keep_ahead(sign_checkpoint(ahead, identity.log_key))
    shutil.rmtree(here.log)
    here.log.with_name("backup").rename(here.log)
    begin(here)
    check_epoch(here, 1, Previous(origin=ahead.origin, size=3, root=ahead.root.hex()))


def test_an_epoch_that_was_seen_is_never_begun_again(place: Home) -> None:
    """The data of epoch 0 come back from a backup: epoch 1 is used up, and epoch 0 is over."""
    here = paths(place)
    before = head_of(here)
    shutil.copytree(here.data, here.data.with_name("backup"))
    begin(here)
    first = load_identity(here)
    shutil.rmtree(here.data)
    here.data.with_name("backup").rename(here.data)
    remembered = HeadMemory(here.heads, before.origin).remembered
    assert remembered is not None
    assert remembered.retired, "the guard lets nothing be signed in it"
    assert planned(here).number == 2
    begin(here)
    check_epoch(here, 2, before)
    assert load_identity(here).origin != first.origin


def test_a_log_begun_under_another_certificate_is_begun_again(
    place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = paths(place)
    with monkeypatch.context() as patched:
        fuse = Fuse(after=False)
        patched.setattr(HeadMemory, "retire", fuse.on(HeadMemory.retire))
        with pytest.raises(KeyboardInterrupt):
            begin(here)
    with written(here) as log:
        log.append([b"the node ran meanwhile"])
    before = head_of(here)
    begin(here)
    check_epoch(here, 1, before)


def test_the_second_attempt_asks_the_owner_only_once(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    here = paths(place)
    signed: list[int] = []

    def counted(seed: bytes, certificate: Any, user: Any) -> Any:
        signed.append(certificate.epoch)
        return issue(seed, certificate, user)

    monkeypatch.setattr(certifying, "issue", counted)
    with monkeypatch.context() as patched:
        patched.setattr(epochs, "begin_log", Fuse(after=False).on(begin_log))
        with pytest.raises(KeyboardInterrupt):
            begin(here)
    begin(here)
    assert signed == [1]


def test_a_log_in_use_is_not_replaced(place: Home) -> None:
    here = paths(place)
    with (
        Log.open(here.log, load_identity(here).log_key),
        pytest.raises(UsageError, match="the node runs"),
    ):
        planned(here)


def test_rows_are_brought_into_the_epoch_once(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with Database.open(tmp_path / "rows", MIGRATIONS) as database:
        assert not settle(database, "a"), "the first log is no change"
        database.execute(
            "INSERT INTO note (name, entry, log_size, made) VALUES ('one', x'00', 7, 1), ('two', x'01', 9, 1)"
        )
        assert not settle(database, "a")
        assert [row["log_size"] for row in database.rows("SELECT log_size FROM note")] == [7, 9]
        assert settle(database, "b")
        assert [row["log_size"] for row in database.rows("SELECT log_size FROM note")] == [0, 0]
        assert not settle(database, "b")


def test_a_certificate_that_is_not_in_force_yet_of_another_plan_is_not_used(place: Home) -> None:
    here = paths(place)
    identity = load_identity(here)
    wrong = replace(planned(here), previous=Previous(origin=identity.origin, size=9, root="0" * 64))
    file = epochs._certified(here, identity, wrong)
    before = head_of(here)
    begin(here)
    check_epoch(here, 1, before)
    assert load_identity(here).certificate.digest != file.digest
