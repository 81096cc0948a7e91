"""How a node stands by its own entries: which of its certificates hold, and whom it lets build.

Entry 0 is its certificate; a renewal is an entry of the same log and statement key. A revocation names the
entry of a certificate that held until then. Behind the revocation of the last one stands nothing: the log has
ended, and the node, if there is one, speaks with other keys in another log. Every node begins `distributed`,
and each change of mode leaves the mode in which it is.
"""

from dataclasses import dataclass, replace

from f2fbuild.ledger.certificate import CertificateKeys, certificate_keys
from f2fbuild.ledger.entry import Entry, Mode, ModeChange, NodeCertificate, Revocation


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a log stands: `keys` of its first certificate, indices of the `certificates` that hold."""

    keys: CertificateKeys | None = None
    certificates: tuple[int, ...] = ()
    mode: Mode = Mode.DISTRIBUTED

    @property
    def ended(self) -> bool:
        """Whether all certificates of the log are revoked."""
        return self.keys is not None and not self.certificates


ENDED = "stands behind the revocation of the log's last certificate"
"""What is wrong with every entry behind a log's end."""

BEGINNING = Standing()
"""Where every log begins."""


def stand(standing: Standing, index: int, entry: Entry) -> tuple[Standing, str]:
    """Return how a log stands after one more entry, and what is wrong with that entry, if anything."""
    if standing.ended:
        return standing, ENDED
    match entry.payload:
        case NodeCertificate() as certificate:
            return _certify(standing, index, certificate_keys(certificate))
        case Revocation(certificate=revoked):
            return _revoke(standing, revoked)
        case ModeChange(old=old, new=new):
            if old is not standing.mode:
                return standing, f"leaves the mode {old}, but the node is {standing.mode}"
            return replace(standing, mode=new), ""
        case _:
            return standing, ""


def _revoke(standing: Standing, revoked: int) -> tuple[Standing, str]:
    if revoked not in standing.certificates:
        return standing, f"revokes no certificate that holds ({revoked})"
    held = tuple(one for one in standing.certificates if one != revoked)
    return replace(standing, certificates=held), ""


def _certify(standing: Standing, index: int, keys: CertificateKeys) -> tuple[Standing, str]:
    if standing.keys not in (None, keys):
        return standing, "renews the certificate for another log or statement key"
    return replace(standing, keys=keys, certificates=(*standing.certificates, index)), ""
