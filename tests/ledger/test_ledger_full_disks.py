"""Disks that are full under what is no log of one's own: mirrors, cosigners, what others said, memories."""

import os
import subprocess  # noqa: TID251 - a limit of the kernel is for a process of its own
import sys
from pathlib import Path

import pytest

from f2fbuild.errors import StorageError
from f2fbuild.ledger import monitor
from f2fbuild.ledger.check import verify
from f2fbuild.ledger.checkpoint import Checkpoint, open_checkpoint
from f2fbuild.ledger.collected import Collected
from f2fbuild.ledger.cosignature import Cosignature
from f2fbuild.ledger.cosigner import Cosigner, CosignerRole
from f2fbuild.ledger.directory import COMMIT_POINTS
from f2fbuild.ledger.files import PRUNED
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.memory import SLOT_BYTES, HeadMemory
from f2fbuild.ledger.mirror import Mirror
from f2fbuild.ledger.witness import Refused
from f2fbuild.store.database import Database
from f2fbuild.store.schema import MIGRATIONS
from tests.ledger.ledger_helpers import ALICE
from tests.ledger.log_files import check_whole, entries
from tests.ledger.power_child import WORDS, forked, serve
from tests.ledger.witness_child import STORY, WITNESS, ask

NOW = 1_700_000_000


class Full:
    """Fills a small disk, and makes room again."""

    def __init__(self, disk: Path) -> None:
        self._disk = disk
        self._ballast = disk / "ballast"

    def fill(self) -> None:
        free = os.statvfs(self._disk)
        with self._ballast.open("ab") as file:
            file.write(bytes(free.f_bavail * free.f_frsize))

    def make_room(self) -> None:
        self._ballast.unlink()


@pytest.fixture
def full(store_disk: Path) -> Full:
    return Full(store_disk)


# --- mirrors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", COMMIT_POINTS[:3])
@pytest.mark.parametrize("followed", [0, 3])
async def test_a_mirror_stays_as_it_was(
    tmp_path: Path, store_disk: Path, full: Full, point: str, followed: int
) -> None:
    log = Log.create(tmp_path / "alice", ALICE.log)
    filling: list[str] = []

    def on_commit_point(name: str) -> None:
        if filling and filling[0] == name:
            full.fill()

    mirror = Mirror.open(store_disk / "mirror", ALICE.vkey, on_commit_point=on_commit_point)
    log.append(entries(0, followed))
    await mirror.update(log.checkpoint(), serve(log))
    log.append(entries(followed, 300))
    filling.append(point)
    with pytest.raises(StorageError, match="No space left"):
        await mirror.update(log.checkpoint(), serve(log))
    assert mirror.entries(0, mirror.size) == entries(0, followed)
    full.make_room()
    filling.clear()
    assert isinstance(await mirror.update(log.checkpoint(), serve(log)), monitor.Advanced)
    assert mirror.entries(0, mirror.size) == entries(0, followed + 300)
    assert verify(mirror.directory, ALICE.vkey, hashes_only=True).problems == ()
    assert not list(store_disk.rglob("*.tmp"))
    mirror.close()


async def test_a_fork_that_could_not_be_kept_is_found_again(
    tmp_path: Path, store_disk: Path, full: Full
) -> None:
    log = Log.create(tmp_path / "alice", ALICE.log)
    log.append(entries(0, 9))
    other = forked(log, 9)
    mirror = Mirror.open(store_disk / "mirror", ALICE.vkey)
    await mirror.update(log.checkpoint(), serve(log))
    full.fill()
    with pytest.raises(StorageError, match="No space left"):
        await mirror.update(other.checkpoint(), serve(other))
    with pytest.raises(StorageError, match="No space left"):
        mirror.note_violation(WORDS)
    assert (mirror.evidence, mirror.violation, mirror.size) == (b"", "", 9)
    full.make_room()
    assert isinstance(await mirror.update(other.checkpoint(), serve(other)), monitor.Equivocation)
    mirror.close()
    with Mirror.open(store_disk / "mirror", ALICE.vkey) as again:
        assert again.evidence


async def test_nothing_is_pruned_unless_that_can_be_written_down(
    tmp_path: Path, store_disk: Path, full: Full
) -> None:
    log = Log.create(tmp_path / "alice", ALICE.log)
    log.append(entries(0, 800))
    mirror = Mirror.open(store_disk / "mirror", ALICE.vkey)
    await mirror.update(log.checkpoint(), serve(log))
    full.fill()
    with pytest.raises(StorageError, match="No space left"):
        mirror.prune()
    assert mirror.entries(0, 800) == entries(0, 800)
    full.make_room()
    assert mirror.prune() == 2
    full.fill()
    with pytest.raises(StorageError, match="No space left"):
        await mirror.restore(serve(log))
    assert (store_disk / "mirror" / PRUNED).read_text() == "3"
    full.make_room()
    await mirror.restore(serve(log))
    assert mirror.entries(0, 800) == entries(0, 800)
    mirror.close()


# --- cosigners and what others cosigned ---------------------------------------------------------------


def test_a_cosigner_signs_nothing_that_it_could_not_store(store_disk: Path, full: Full) -> None:
    """However the pages of the store fall, what was said is what is stored, and it goes on."""
    said = 1
    with Database.open(store_disk / "rows" / "node.sqlite", MIGRATIONS) as database:
        cosigner = Cosigner(database, CosignerRole.WITNESS, WITNESS, lambda: NOW)
        assert isinstance(cosigner.add(ask(0, 1), [ALICE.vkey]), Cosignature)
        full.fill()
        while says(cosigner, said):
            said += 1
        full.make_room()
        (kept,) = cosigner.all()
        assert kept.witnessed.head.size == said
        assert says(cosigner, said)
    with Database.open(store_disk / "rows" / "node.sqlite", MIGRATIONS) as database:
        (kept,) = Cosigner(database, CosignerRole.WITNESS, WITNESS, lambda: NOW).all()
        assert kept.witnessed.head.size == said + 1


def says(cosigner: Cosigner, old: int) -> bool:
    """Tell whether the next head is cosigned; if not, the disk is full."""
    try:
        return isinstance(cosigner.add(ask(old, old + 1), [ALICE.vkey]), Cosignature)
    except StorageError:
        return False


def test_cosignatures_that_do_not_fit_are_none(store_disk: Path, full: Full, tmp_path: Path) -> None:
    with Database.open(tmp_path / "rows" / "node.sqlite", MIGRATIONS) as other:
        witness = Cosigner(other, CosignerRole.WITNESS, WITNESS, lambda: NOW)
        said = [witness.add(ask(size - 1, size), [ALICE.vkey]) for size in range(1, len(STORY))]
    heads = [open_checkpoint(ALICE.head(STORY[:size]), ALICE.vkey) for size in range(1, len(STORY))]
    kept = 0
    with Database.open(store_disk / "rows" / "node.sqlite", MIGRATIONS) as database:
        collected = Collected(database)
        full.fill()
        while holds(collected, heads[kept], said[kept]):
            kept += 1
        assert [one.head for one in collected.all(ALICE.origin)] == heads[:kept][-1:]
        full.make_room()
        assert holds(collected, heads[kept], said[kept])
        assert collected.of(heads[kept]) == [said[kept]]


def holds(collected: Collected, head: Checkpoint, said: Cosignature | Refused) -> bool:
    """Tell whether what was said of a head is kept; if not, the disk is full."""
    assert isinstance(said, Cosignature)
    try:
        collected.add(head, [said])
    except StorageError:
        return False
    return True


# --- what is remembered of one's own log --------------------------------------------------------------


def test_a_head_that_cannot_be_remembered_is_not_signed(tmp_path: Path, store_disk: Path, full: Full) -> None:
    """The state directory is on a disk of its own, as it should be, and that one is full."""
    memory = HeadMemory(store_disk / "heads", ALICE.origin)
    with Log.create(tmp_path / "log", ALICE.log, remember=memory.remember) as log:
        full.fill()
        with pytest.raises(StorageError, match="No space left"):
            log.append(entries(0, 5))
        assert memory.remembered is None
        check_whole(log, [])
        full.make_room()
        log.append(entries(0, 5))
        check_whole(log, entries(0, 5))
        assert HeadMemory(store_disk / "heads", ALICE.origin).remembered == memory.remembered is not None


LIMITED = """
import resource, sys
from pathlib import Path
from f2fbuild.errors import StorageError
from f2fbuild.ledger.memory import HeadMemory
from tests.ledger.ledger_helpers import ALICE
from tests.ledger.test_ledger_full_disks import head

memory = HeadMemory(Path(sys.argv[1]), ALICE.origin)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
for size in range(4):
    try:
        memory.remember(head(size), head(size + 1))
    except StorageError as error:
        print(size, error.what)
print(memory.remembered.following.size if memory.remembered else None)
"""


def head(size: int) -> Checkpoint:
    return open_checkpoint(ALICE.head(entries(0, size)), ALICE.vkey)


@pytest.mark.unprivileged
@pytest.mark.parametrize("limit", [SLOT_BYTES + 100, SLOT_BYTES + 300, 2 * SLOT_BYTES - 1])
def test_a_slot_that_was_written_in_part_is_not_taken_for_remembered(tmp_path: Path, limit: int) -> None:
    """The kernel takes what fits and says how much that was; only asking for the rest brings the error."""
    path = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "heads"), str(limit)]
    run = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": path}, check=False)
    # The first head goes to the second slot, and nothing else may until that one is written.
    lines = "".join(f"{size} cannot write: File too large\n" for size in range(4))
    assert (run.stdout, run.stderr) == (f"{lines}None\n", "")
