"""Copies of others' logs as they lie on the disk: whose each is, by the certificate in its first entry."""

import contextlib
from pathlib import Path

from f2fbuild.errors import F2FError, LedgerError
from f2fbuild.ledger import entry as entries
from f2fbuild.ledger.checkpoint import parse_checkpoint, parse_log_vkey
from f2fbuild.ledger.files import CHECKPOINT, read_entries
from f2fbuild.ledger.note import parse_note
from f2fbuild.model.envelope import unseal


def logs_in(directory: Path) -> list[str]:
    """Return the vkeys of all logs that are copied below `directory`, friends' and others'.

    Each is read from the certificate in the log's first entry; a directory without one holds nothing to tidy.
    """
    found = []
    for place in sorted(directory.iterdir()) if directory.exists() else []:
        with contextlib.suppress(F2FError, OSError, IndexError):
            vkey = entries.certificate_keys(certificate_in(place)).log
            if parse_log_vkey(vkey).name.rsplit("/", 1)[-1] == place.name:
                found.append(vkey)
    return found


def certificate_in(place: Path) -> entries.NodeCertificate:
    """Return the certificate file in the first entry of the copy at `place`.

    Raises:
        F2FError: its files are damaged, or the entry is no certificate.
        OSError: there is no copy.
        IndexError: it is empty.
    """
    head = parse_checkpoint(parse_note((place / CHECKPOINT).read_bytes()).text)
    if head.size == 0:
        raise IndexError(f"{place} is empty")
    (first,) = read_entries(place, head.size, 0, 1)
    envelope = unseal(first)
    certificate = entries.decode(envelope.payload_type, envelope.payload).payload
    if not isinstance(certificate, entries.NodeCertificate):
        raise LedgerError("is no node certificate", where=str(place))
    return certificate
