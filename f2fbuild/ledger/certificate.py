"""What the ledger reads of a node certificate: which log it is of, and which key signs the entries.

Whether its owner signed it, and whether it is in date, is for `trust` to say.
"""

import re
from dataclasses import dataclass

from f2fbuild.errors import FormatError
from f2fbuild.ledger.payloads import NodeCertificate

NODE_CERTIFICATE = "text/vnd.f2fbuild.node-certificate"
_TEXT = re.compile(r"f2fbuild node certificate v1\n(?:.*\n)*?statements ([0-9a-f]{64})\nlog (\S+)\n")
_EPOCH = re.compile(r"^epoch (0|[1-9][0-9]{0,9})$", re.ASCII | re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateKeys:
    """The keys that a node certificate names: the vkey of its log, its statement key (32 bytes)."""

    log: str
    statements: bytes


def certificate_keys(certificate: NodeCertificate, *, where: str = "node certificate") -> CertificateKeys:
    """Return the keys that bind a log to a statement key.

    Raises:
        FormatError: not the text of a node certificate.
    """
    text = certificate.text.partition(b"\n\n")[0].decode("ascii", "replace")
    match = _TEXT.match(text)
    # A second line of either would be another node to a reader that takes the last.
    if match is None or any(text.count(f"\n{name} ") != 1 for name in ("statements", "log")):
        raise FormatError("not the text of a node certificate", where=where)
    return CertificateKeys(log=match[2], statements=bytes.fromhex(match[1]))


def certificate_epoch(certificate: NodeCertificate, *, where: str = "node certificate") -> int:
    """Return the number of the epoch that a node certificate begins or renews.

    Raises:
        FormatError: it names none.
    """
    text = certificate.text.partition(b"\n\n")[0].decode("ascii", "replace")
    found = _EPOCH.findall(text)
    if len(found) != 1:
        raise FormatError("not the text of a node certificate", where=where)
    return int(found[0])
