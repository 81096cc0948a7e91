"""A cosigner's memory: durable before it speaks, one winner of two, and never back, whatever dies."""

import signal
import subprocess  # noqa: TID251  the forced kill needs a process of its own
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from f2fbuild.errors import StorageError
from f2fbuild.ledger.cosignature import Cosignature, attach, verify_cosignature
from f2fbuild.ledger.cosigner import Cosigner, CosignerRole
from f2fbuild.ledger.witness import Refusal, Refused
from f2fbuild.model.signing import Role, SigningKey, derive_seed
from f2fbuild.model.vkey import own_name
from f2fbuild.store.database import ConflictError, Database
from f2fbuild.store.schema import MIGRATIONS
from tests.ledger.ledger_helpers import ALICE, BOB
from tests.ledger.witness_child import STORY, WITNESS, ask

NOW = 1_700_000_000
KEYS = [ALICE.vkey]
CHILD = Path(__file__).with_name("witness_child.py")


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "rows" / "node.sqlite"


@pytest.fixture
def database(store: Path) -> Iterator[Database]:
    with Database.open(store, MIGRATIONS) as opened:
        yield opened


@pytest.fixture
def witness(database: Database, clock: Clock) -> Cosigner:
    return Cosigner(database, CosignerRole.WITNESS, WITNESS, clock)


def child(store: Path, point: str, *numbers: int) -> tuple[int, list[str]]:
    ended = subprocess.run(
        [sys.executable, str(CHILD), str(store), point, *map(str, numbers)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=Path(__file__).parents[2],
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert ended.returncode in (0, -signal.SIGKILL), ended.stderr
    return ended.returncode, ended.stdout.splitlines()


def refused(answer: Cosignature | Refused) -> Refused:
    assert isinstance(answer, Refused)
    return answer


def test_what_it_says_verifies_and_is_remembered(witness: Cosigner, clock: Clock) -> None:
    request = ask(0, 3)
    said = witness.add(request, KEYS)
    assert isinstance(said, Cosignature)
    assert said.key == witness.vkey
    assert verify_cosignature(attach(request.note, [said]), witness.vkey) == clock.now
    (kept,) = witness.all()
    assert kept == witness.last(ALICE.origin)
    assert (kept.role, kept.witnessed.head.size, kept.time) == (CosignerRole.WITNESS, 3, NOW)


def test_its_key_is_named_after_its_role_and_itself(database: Database, clock: Clock) -> None:
    for role in CosignerRole:
        vkey = Cosigner(database, role, WITNESS, clock).vkey
        assert vkey.name == own_name(role, WITNESS.public)


def test_it_remembers_when_it_is_opened_again(store: Path, clock: Clock) -> None:
    with Database.open(store, MIGRATIONS) as first:
        Cosigner(first, CosignerRole.WITNESS, WITNESS, clock).add(ask(0, 7), KEYS)
    with Database.open(store, MIGRATIONS) as again:
        witness = Cosigner(again, CosignerRole.WITNESS, WITNESS, clock)
        assert witness.add(ask(0, 3), KEYS) == Refused(refusal=Refusal.CONFLICT, size=7)
        assert isinstance(witness.add(ask(7, 9), KEYS), Cosignature)


def test_witness_and_mirror_remember_apart(database: Database, clock: Clock, witness: Cosigner) -> None:
    key = SigningKey.from_seed(derive_seed(b"\x77" * 32, Role.MIRROR, 0))
    mirror = Cosigner(database, CosignerRole.MIRROR, key, clock)
    witness.add(ask(0, 7), KEYS)
    assert isinstance(mirror.add(ask(0, 3), KEYS), Cosignature)
    assert [kept.witnessed.head.size for kept in (*witness.all(), *mirror.all())] == [7, 3]


def test_a_refused_head_changes_nothing(witness: Cosigner) -> None:
    witness.add(ask(0, 7), KEYS)
    before = witness.all()
    for request, keys in ((ask(7, 9), []), (ask(7, 9), [BOB.vkey]), (ask(3, 9), KEYS), (ask(7, 3), KEYS)):
        refused(witness.add(request, keys))
    assert witness.all() == before


def test_the_clock_counts_over_all_logs(witness: Cosigner, clock: Clock) -> None:
    assert isinstance(witness.add(ask(0, 3), KEYS), Cosignature)
    clock.now = NOW - 1
    other = ask(0, 1)
    note = BOB.head(STORY[:1])
    request = type(other)(old=0, proof=(), note=note)
    assert refused(witness.add(request, [BOB.vkey])).refusal is Refusal.CLOCK_BEHIND
    clock.now = NOW
    assert isinstance(witness.add(request, [BOB.vkey]), Cosignature)


def test_a_fork_is_kept_through_everything(store: Path, clock: Clock) -> None:
    second = type(ask(0, 1))(old=7, proof=(), note=ALICE.head([*STORY[:6], b"another"]))
    with Database.open(store, MIGRATIONS) as first:
        witness = Cosigner(first, CosignerRole.WITNESS, WITNESS, clock)
        witness.add(ask(0, 7), KEYS)
        assert refused(witness.add(second, KEYS)).refusal is Refusal.FORKED
    with Database.open(store, MIGRATIONS) as again:
        witness = Cosigner(again, CosignerRole.WITNESS, WITNESS, clock)
        (kept,) = witness.all()
        assert (kept.witnessed.note, kept.witnessed.fork) == (ask(0, 7).note, second.note)
        assert refused(witness.add(ask(7, 9), KEYS)).refusal is Refusal.FORKED


@pytest.mark.parametrize("change", ["size = 6", f"time = {NOW - 1}", "fork = x'02'"])
def test_the_store_itself_lets_nothing_go_back(witness: Cosigner, database: Database, change: str) -> None:
    witness.add(ask(0, 7), KEYS)
    database.execute("UPDATE witnessed SET fork = x'01'")
    with pytest.raises(ConflictError, match="never goes back"):
        database.execute(f"UPDATE witnessed SET {change}")


def test_what_could_not_be_stored_was_not_signed(
    witness: Cosigner, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed: list[str] = []
    monkeypatch.setattr(witness, "_on_commit_point", signed.append)
    # The trigger stands for a disk that fails in the middle of the step.
    database.execute("CREATE TRIGGER full BEFORE INSERT ON witnessed BEGIN SELECT RAISE(ABORT, 'full'); END")
    with pytest.raises(StorageError):
        witness.add(ask(0, 3), KEYS)
    assert witness.all() == []
    assert signed == []


@pytest.mark.parametrize("point", ["durable, not signed", "signed, not answered"])
def test_a_kill_between_storing_and_answering_leaves_a_witness_that_never_signs_smaller(
    store: Path, point: str
) -> None:
    assert child(store, "", NOW, 0, 3) == (0, ["cosigned 3"])
    assert child(store, point, NOW, 3, 9) == (-signal.SIGKILL, [])
    # Smaller, from wherever it is asked; then what a log does: it starts from the size that it is told.
    assert child(store, "", NOW, 3, 5, 3) == (0, ["refused conflict 9", "refused old-is-newer 9"])
    assert child(store, "", NOW, 9, 9, 12) == (0, ["cosigned 9", "cosigned 12"])


def test_a_kill_before_anything_is_durable_leaves_the_witness_as_it_was(store: Path) -> None:
    assert child(store, "", NOW, 0, 3) == (0, ["cosigned 3"])
    assert child(store, "stored, not durable", NOW, 3, 9) == (-signal.SIGKILL, [])
    assert child(store, "", NOW, 9, 12, 3) == (0, ["refused conflict 3", "refused old-is-newer 3"])
    assert child(store, "", NOW, 3, 5) == (0, ["cosigned 5"])


@pytest.mark.parametrize("attempt", range(5))
def test_of_two_requests_at_once_only_one_wins(store: Path, attempt: int) -> None:
    start = threading.Barrier(2, timeout=60)
    answers: dict[int, Cosignature | Refused] = {}

    def request(size: int) -> None:
        with Database.open(store, MIGRATIONS) as database:
            witness = Cosigner(database, CosignerRole.WITNESS, WITNESS, lambda: NOW + attempt)
            start.wait()
            answers[size] = witness.add(ask(3, size), KEYS)

    with Database.open(store, MIGRATIONS) as database:
        Cosigner(database, CosignerRole.WITNESS, WITNESS, lambda: NOW).add(ask(0, 3), KEYS)
    threads = [threading.Thread(target=request, args=(size,)) for size in (5, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    (winner,) = (size for size, answer in answers.items() if isinstance(answer, Cosignature))
    (loser,) = {5, 9} - {winner}
    assert answers[loser] == Refused(refusal=Refusal.CONFLICT, size=winner)
    with Database.open(store, MIGRATIONS) as database:
        (kept,) = Cosigner(database, CosignerRole.WITNESS, WITNESS, lambda: NOW).all()
        assert kept.witnessed.head.size == winner
