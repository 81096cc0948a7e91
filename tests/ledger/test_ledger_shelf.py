"""What lies at a path of a served log, and that no path leads anywhere else."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from f2fbuild.errors import LedgerError, StorageError
from f2fbuild.ledger import entry, tiles
from f2fbuild.ledger.carried import digits
from f2fbuild.ledger.checkpoint import open_checkpoint
from f2fbuild.ledger.cosigned import write_cosigned
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.note import parse_note
from f2fbuild.ledger.shelf import Lasting, Shelf, Shelved
from tests.ledger.ledger_helpers import ALICE, BOB, NodeKeys

SIZE = 600


def make_log(directory: Path, node: NodeKeys, size: int) -> Path:
    payloads: list[entry.Payload] = [
        node.certificate(),
        *(entry.Order(commit=f"{n:064x}") for n in range(size - 1)),
    ]
    with Log.create(directory, node.log) as log:
        log.append(node.write(*payloads))
    return directory


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("logs")
    make_log(directory / "alice", ALICE, SIZE)
    make_log(directory / "bob", BOB, 3)
    (directory / "secret").write_text("secret")
    return directory


@pytest.fixture(scope="module")
def shelf(place: Path) -> Shelf:
    logs = {
        digits(ALICE.vkey): Shelved(directory=place / "alice", key=ALICE.vkey, own=True),
        digits(BOB.vkey): Shelved(directory=place / "bob", key=BOB.vkey, own=False),
    }
    return Shelf(lambda: logs, digits(ALICE.vkey))


def test_every_stored_file_is_served_as_it_is(shelf: Shelf, place: Path) -> None:
    for name, node in (("alice", ALICE), ("bob", BOB)):
        for file in (path for path in (place / name).rglob("*") if path.is_file()):
            below = file.relative_to(place / name).as_posix()
            found = shelf.find(f"{digits(node.vkey)}/{below}")
            assert found is not None
            assert found.data == file.read_bytes()
            assert shelf.find(below) == found or node is BOB


def test_partials_of_every_width_are_cut(shelf: Shelf, place: Path) -> None:
    hashes = (place / "alice" / "tile/0/002.p/88").read_bytes()
    entries = tiles.decode_bundle((place / "alice" / "tile/entries/002.p/88").read_bytes(), 88)
    for width in range(1, 89):
        tile, bundle = shelf.find(f"tile/0/002.p/{width}"), shelf.find(f"tile/entries/002.p/{width}")
        assert tile is not None
        assert bundle is not None
        assert tile.data == hashes[: 32 * width]
        assert tiles.decode_bundle(bundle.data, width) == entries[:width]
    assert shelf.find("tile/0/002.p/89") is None
    full, cut = shelf.find("tile/0/000"), shelf.find("tile/0/000.p/7")
    assert full is not None
    assert cut is not None
    assert cut.data == full.data[: 7 * 32]


@pytest.mark.parametrize(
    ("path", "lasting"),
    [
        ("checkpoint", Lasting.MOVING),
        ("tile/0/000", Lasting.FOR_EVER),
        ("tile/entries/001", Lasting.FOR_EVER),
        ("tile/0/002.p/88", Lasting.FOR_NOW),
        ("tile/entries/002.p/3", Lasting.FOR_NOW),
    ],
)
def test_how_long_it_lasts(shelf: Shelf, path: str, lasting: Lasting) -> None:
    found = shelf.find(path)
    assert found is not None
    assert found.lasting is lasting


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "secret",
        "../secret",
        "tile/../../secret",
        "tile/0/../../../secret",
        "tile/0/000/",
        "//tile/0/000",
        "/etc/passwd",
        "tile/0/003",
        "tile/9/000",
        "tile/0/0",
        "tile/0/000.p/256",
        "tile/0/000.p/0",
        "tile/00/000",
        "tile/entries/999",
        "checkpoint/",
        "CHECKPOINT",
        "equivocation.evidence",
        "0" * 64 + "/checkpoint",
        digits(BOB.vkey),
        digits(BOB.vkey) + "/../alice/checkpoint",
        digits(BOB.vkey) + "/" + digits(ALICE.vkey) + "/checkpoint",
        "tile/0/" + "x001/" * 1000 + "000",
        "tile/0/\u0660\u0660\u0660",
        "\0",
    ],
)
def test_nothing_lies_there(shelf: Shelf, path: str) -> None:
    assert shelf.find(path) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text("./x019tilensckpo%\\", max_size=40))
def test_no_path_leads_out(shelf: Shelf, path: str) -> None:
    found = shelf.find(path)
    assert found is None or b"secret" not in found.data


def test_the_head_of_another_is_served_without_who_cosigned_it(place: Path, tmp_path: Path) -> None:
    directory = make_log(tmp_path / "log", BOB, 3)
    note = (directory / "checkpoint").read_bytes()
    (directory / "checkpoint").write_bytes(note + "— friend AAAAAAAAAAAAAAAA\n".encode())
    heads = []
    for own in (True, False):
        logs = {"b": Shelved(directory=directory, key=BOB.vkey, own=own)}
        found = Shelf(lambda logs=logs: logs, "").find("b/checkpoint")  # type: ignore[misc]
        assert found is not None
        heads.append(found.data)
        assert open_checkpoint(found.data, BOB.vkey).size == 3
    assert [len(parse_note(head).signatures) for head in heads] == [2, 1]
    assert heads[1] == note


def test_a_mirror_of_nothing_yet_and_a_shelf_without_logs(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").touch()
    empty = {"e": Shelved(directory=tmp_path, key=BOB.vkey, own=False)}
    assert Shelf(lambda: empty, "e").find("checkpoint") is None
    assert Shelf(lambda: empty, "e").find("tile/0/000.p/1") is None
    assert Shelf(dict, "e").find("checkpoint") is None


def test_what_is_damaged_is_said(place: Path, tmp_path: Path) -> None:
    directory = make_log(tmp_path / "log", ALICE, 5)
    logs = {"a": Shelved(directory=directory, key=ALICE.vkey, own=True)}
    shelf = Shelf(lambda: logs, "a")
    (directory / "tile/entries/000.p/5").write_bytes(b"\xff\xff")
    with pytest.raises(StorageError, match="damaged"):
        shelf.find("tile/entries/000.p/3")
    (directory / "tile/0/000.p/5").unlink()
    with pytest.raises(StorageError):
        shelf.find("tile/0/000.p/5")
    (directory / "checkpoint").write_bytes(b"nonsense")
    with pytest.raises(LedgerError):
        shelf.find("checkpoint")


def test_a_head_that_moves_meanwhile(tmp_path: Path) -> None:
    directory = make_log(tmp_path / "log", ALICE, 5)
    logs = {"a": Shelved(directory=directory, key=ALICE.vkey, own=True)}
    shelf = Shelf(lambda: logs, "a")
    before = shelf.find("tile/entries/000.p/5")
    with Log.open(directory, ALICE.log) as log:
        log.append(ALICE.write(entry.Order(commit="f" * 64)))
    # The narrower file is gone from the disk; it is served all the same.
    assert not (directory / "tile/entries/000.p/5").exists()
    assert shelf.find("tile/entries/000.p/5") == before


def test_the_head_of_an_own_log_is_served_with_the_lines_that_were_collected(tmp_path: Path) -> None:
    directory = make_log(tmp_path / "log", BOB, 3)
    note = (directory / "checkpoint").read_bytes()
    lines = note + "— friend AAAAAAAAAAAAAAAA\n".encode()

    def served(*, own: bool = True) -> bytes:
        logs = {"b": Shelved(directory=directory, key=BOB.vkey, own=own)}
        found = Shelf(lambda: logs, "").find("b/checkpoint")
        assert found is not None
        return found.data

    assert served() == note
    write_cosigned(directory, lines)
    assert served() == lines
    assert served(own=False) == note
    # Of an older head, of another log, damaged or endless: the head as it is signed.
    with Log.open(directory, BOB.log) as log:
        log.append(BOB.write(entry.Order(commit="f" * 64)))
    assert served() == (directory / "checkpoint").read_bytes() != note
    for other in (ALICE.head([b"x"]), b"", b"\xff", lines * 20_000):
        write_cosigned(directory, other)
        assert served() == (directory / "checkpoint").read_bytes()
