"""What this log signed last, remembered outside of what is backed up: the memory of the rollback guard.

A file of two slots, written in turn and in place: one durable write for each head, and a write that a crash
tears leaves the other slot. Each slot is a line, so that people can read it:

    <number> <size before> <root before> <size following> <root following> <flags> <SHA-256 of all this>

The slot with the greater number counts. Beside it lies, as `<name>.ahead`, the head that a friend showed when
the log had been set back.
"""

import os
import re
import threading
from dataclasses import replace
from pathlib import Path

from f2fbuild.errors import StorageError
from f2fbuild.ledger.checkpoint import Checkpoint
from f2fbuild.ledger.disk import sync_directories, write_file
from f2fbuild.ledger.guard import Remembered
from f2fbuild.model.digest import sha256_hex
from f2fbuild.store.files import write_at

SLOT_BYTES = 512
"""Bytes of a slot: the smallest block that disks write whole; a line has some 260."""

_LINE = re.compile(
    r"(\d{1,19}) (\d{1,16}) ([0-9a-f]{64}) (\d{1,16}) ([0-9a-f]{64}) ([-fr]{2}) ([0-9a-f]{64})"
)
_AHEAD = ".ahead"


class HeadMemory:
    """The memory of one log, by its origin. Methods may be called from any thread, and block on the disk."""

    def __init__(self, directory: Path, origin: str) -> None:
        """Read what is remembered of the log `origin` in `directory`, which need not exist.

        Raises:
            StorageError: the disk fails.
        """
        self._path = directory / origin.rsplit("/", 1)[-1]
        self._origin = origin
        self._lock = threading.Lock()
        self._number, self._remembered = self._read()

    @property
    def remembered(self) -> Remembered | None:
        """What is remembered; None when the file is missing, or neither slot is whole."""
        return self._remembered

    @property
    def ahead(self) -> bytes:
        """The head that a friend showed when the log had been set back, empty when none did."""
        path = self._path.with_name(self._path.name + _AHEAD)
        return path.read_bytes() if path.exists() else b""

    def begin(self, head: Checkpoint) -> None:
        """Remember the `head` of a log that nobody has seen, unless something is remembered already."""
        with self._lock:
            if self._remembered is None:
                self._keep(Remembered(before=head, following=head, followed=False))

    def remember(self, before: Checkpoint, following: Checkpoint) -> None:
        """Remember, durably, that `following` is about to be signed.

        Raises:
            StorageError: the disk does not take it.
        """
        with self._lock:
            known = self._remembered
            # Where nothing is remembered, whether somebody saw the log is not known either.
            followed, retired = (known.followed, known.retired) if known else (True, False)
            self._keep(Remembered(before=before, following=following, followed=followed, retired=retired))

    def note_followed(self) -> None:
        """Remember that somebody may now see a head; cheap when that is known."""
        with self._lock:
            if self._remembered is not None and not self._remembered.followed:
                self._keep(replace(self._remembered, followed=True))

    def retire(self, head: Checkpoint) -> None:
        """Remember that the log, whose last head was `head`, is replaced by one of a later epoch."""
        with self._lock:
            known = self._remembered or Remembered(before=head, following=head, followed=True)
            self._keep(replace(known, retired=True))

    def keep_ahead(self, note: bytes) -> None:
        """Keep the head that a friend showed when the log had been set back."""
        path = self._path.with_name(self._path.name + _AHEAD)
        write_file(path, note)
        sync_directories([path], self._path.parent)

    def _keep(self, remembered: Remembered) -> None:
        number = self._number + 1
        line = _format(number, remembered).encode()
        data = line.ljust(SLOT_BYTES - 1) + b"\n"
        try:
            created = not self._path.exists()
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                write_at(file, data, number % 2 * SLOT_BYTES)
                os.fdatasync(descriptor)
        except OSError as error:
            raise StorageError(f"cannot write: {error.strerror}", where=str(self._path)) from error
        if created:
            sync_directories([self._path], self._path.parent.parent)
        self._number, self._remembered = number, remembered

    def _read(self) -> tuple[int, Remembered | None]:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return 0, None
        except OSError as error:
            raise StorageError(f"cannot read: {error.strerror}", where=str(self._path)) from error
        slots = [self._parse(data[start : start + SLOT_BYTES]) for start in (0, SLOT_BYTES)]
        return max((slot for slot in slots if slot is not None), key=lambda slot: slot[0], default=(0, None))

    def _parse(self, slot: bytes) -> tuple[int, Remembered] | None:
        match = _LINE.fullmatch(slot.decode("ascii", "replace").rstrip())
        if match is None or sha256_hex(match[0].rpartition(" ")[0].encode()) != match[7]:
            return None
        before = Checkpoint(origin=self._origin, size=int(match[2]), root=bytes.fromhex(match[3]))
        following = Checkpoint(origin=self._origin, size=int(match[4]), root=bytes.fromhex(match[5]))
        return int(match[1]), Remembered(
            before=before, following=following, followed="f" in match[6], retired="r" in match[6]
        )


def _format(number: int, remembered: Remembered) -> str:
    before, following = remembered.before, remembered.following
    flags = ("f" if remembered.followed else "-") + ("r" if remembered.retired else "-")
    line = f"{number} {before.size} {before.root.hex()} {following.size} {following.root.hex()} {flags}"
    return f"{line} {sha256_hex(line.encode())}"
