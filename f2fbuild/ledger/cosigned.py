"""The head of an own log with its cosigners' lines, as everybody is shown it: a file beside `checkpoint`.

It is made from what the node has collected, anew whenever a line came, so it may be missing or be of an older
head: then the head is shown as the log signed it. Only an own log's directory has the file. Who cosigned the
heads of others shows who knows them, and is theirs to publish.
"""

from pathlib import Path

from f2fbuild.errors import FormatError
from f2fbuild.ledger.checkpoint import open_checkpoint
from f2fbuild.ledger.disk import write_file
from f2fbuild.limits import NOTE_BYTES
from f2fbuild.model.vkey import VerifierKey

COSIGNED = "cosigned"
"""File in an own log's directory: its newest cosigned head."""


def write_cosigned(directory: Path, note: bytes) -> None:
    """Show the head in `note` with all the lines under it.

    Raises:
        StorageError: the disk is full or fails; what was shown before is still there.
    """
    write_file(directory / COSIGNED, note)


def read_cosigned(directory: Path, key: VerifierKey, note: bytes) -> bytes:
    """Return the head in `note`, of the log of `key`, with its cosigners' lines if they are here."""
    try:
        with (directory / COSIGNED).open("rb") as file:
            held = file.read(NOTE_BYTES + 1)
        same = open_checkpoint(held, key) == open_checkpoint(note, key)
    except (OSError, FormatError):
        # It says nothing that the head's own signature does not: a damaged one is as good as none.
        return note
    return held if same else note
