"""Logs as C2SP tlog-tiles serves them: what lies at a path, read beside the node that writes.

    checkpoint, tile/…             this node's own log
    <hex>/checkpoint, <hex>/tile/… any log on the shelf; <hex> is the last part of its origin

A path is parsed in its one spelling before any file is named, so none leads out of a log's directory.
Partial tiles of any width up to the present one are cut from the widest.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from f2fbuild.errors import FormatError
from f2fbuild.ledger import reading, tiles
from f2fbuild.ledger.checkpoint import strip_checkpoint
from f2fbuild.ledger.cosigned import read_cosigned
from f2fbuild.ledger.files import CHECKPOINT
from f2fbuild.limits import TILE_WIDTH
from f2fbuild.model.vkey import VerifierKey


class Lasting(Enum):
    """How long what was served stays what it is."""

    MOVING = "a head"
    FOR_NOW = "a partial file: its bytes stay, but a wider one will be asked for"
    FOR_EVER = "a full tile or bundle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The bytes at a path."""

    data: bytes
    lasting: Lasting


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelved:
    """A log on the shelf.

    The head of an `own` log is served with its cosignatures, which its owner publishes with it; of another's
    without, since they show friends.
    """

    directory: Path
    key: VerifierKey
    own: bool


class Shelf:
    """The logs that are served, looked up anew for every path."""

    def __init__(self, logs: Callable[[], Mapping[str, Shelved]], root: str) -> None:
        """Serve `logs` by the last part of their origins; the one named `root` also without a prefix."""
        self._logs = logs
        self._root = root

    def find(self, path: str) -> Served | None:
        """Return what lies at `path` (without a leading slash), None when nothing does.

        Raises:
            LedgerError: no log of its key there.
            StorageError: a file is missing or damaged.
        """
        logs = self._logs()
        first, _, rest = path.partition("/")
        log, below = (logs[first], rest) if first in logs else (logs.get(self._root), path)
        if log is None:
            return None
        if below == CHECKPOINT:
            return _head(log)
        try:
            wanted = tiles.parse_path(below)
        except FormatError:
            return None
        data = reading.read_resource(log.directory, log.key, wanted)
        lasting = Lasting.FOR_EVER if wanted.width == TILE_WIDTH else Lasting.FOR_NOW
        return None if data is None else Served(data=data, lasting=lasting)


def _head(log: Shelved) -> Served | None:
    note = reading.read_head(log.directory, log.key).note
    if note:
        own = log.own
        note = read_cosigned(log.directory, log.key, note) if own else strip_checkpoint(note, log.key)
    return Served(data=note, lasting=Lasting.MOVING) if note else None
