"""This node's own certificate is renewed: its owner signs, the node logs it, and only then it is in force.

    1. `issue_renewal`: GnuPG signs it, and it is kept as `certificate.renewed`; the node may run or not
    2. the node, told or started, appends it to its log: an entry of the kind node-certificate
    3. `certificate.renewed` becomes `certificate`, and friends are told

Whatever crashes in between is done again at the next start: the entry is found and not written twice.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from f2fbuild import limits
from f2fbuild.errors import ConfigurationError, F2FError
from f2fbuild.ledger import entry as entries
from f2fbuild.node import clock, config
from f2fbuild.node.identity import Identity, load_identity
from f2fbuild.store.files import sync_directory, write_private
from f2fbuild.store.paths import Paths
from f2fbuild.trust.binding import Unbound
from f2fbuild.trust.certificate_file import CertificateFile, parse_file
from f2fbuild.trust.certificates import Previous
from f2fbuild.trust.gpg import Gnupg
from f2fbuild.trust.issuing import issue
from f2fbuild.trust.node_keys import draft
from f2fbuild.trust.renewal import Renewal, compare, ending

if TYPE_CHECKING:
    from f2fbuild.node.parts import Parts


def renewed_certificate(paths: Paths) -> Path:
    """Return where a renewed certificate waits until the node has logged it."""
    return paths.certificate.with_name("certificate.renewed")


def certify(paths: Paths, identity: Identity, *, epoch: int, previous: Previous | None) -> CertificateFile:
    """Return a new certificate of this node, signed now by its owner's GnuPG.

    Raises:
        F2FError: GnuPG did not sign, or the settings cannot be read.
    """
    settings, now = config.load(paths.config_file), clock.now()
    home = settings.owner.gnupghome or os.environ.get("GNUPGHOME") or Path.home() / ".gnupg"
    held = identity.certificate.certificate
    certificate = draft(
        identity.seed,
        owner=held.owner,
        node=held.node,
        # Later than the one before in any case: friends take the later of two.
        not_before=max(now - limits.CLOCK_SKEW_SECONDS, held.not_before + 1),
        not_after=now + limits.CERTIFICATE_DAYS * 86_400,
        epoch=epoch,
        previous=previous,
    )
    return issue(identity.seed, certificate, Gnupg(Path(home), agent=True))


def issue_renewal(paths: Paths) -> CertificateFile:
    """Have the certificate in force renewed, and leave it for the node to take; raises as `certify`."""
    identity = load_identity(paths)
    held = identity.certificate.certificate
    file = certify(paths, identity, epoch=held.epoch, previous=held.previous)
    write_private(renewed_certificate(paths), file.data)
    return file


class Certifying:
    """Takes this node's renewed certificate, and warns before the one in force ends."""

    def __init__(self, parts: "Parts", clock: Callable[[], int], tell: Callable[[str], None]) -> None:
        """Renew what these parts have; `tell` is given words for the owner."""
        self._parts = parts
        self._clock = clock
        self._tell = tell
        self._one_at_a_time = trio.Lock()

    @property
    def warning(self) -> str:
        """What the owner should do about the certificate's end, nothing as long as it is far."""
        return ending(self._parts.identity.certificate.certificate, self._clock())

    async def take(self) -> bool:
        """Log the renewed certificate that waits and put it in force; return whether there was one.

        Raises:
            F2FError: it is not this node's, or could not be logged; the one before stays in force.
        """
        async with self._one_at_a_time:
            path = renewed_certificate(self._parts.paths)
            if not path.exists():
                return False
            file = parse_file(await trio.to_thread.run_sync(path.read_bytes), where=str(path))
            await self._check(file, path)
            journal = self._parts.journal
            await journal.ensure(journal.seal(entries.NodeCertificate(text=file.data)), since=0)
            path.replace(self._parts.paths.certificate)
            sync_directory(self._parts.paths.data)
            self._parts.identity = Identity(seed=self._parts.identity.seed, certificate=file)
        self._parts.neighbours.certificate_changed()
        return True

    async def run(self) -> None:
        """Warn the owner once a day while the certificate in force is near its end, until cancelled."""
        while True:
            if self.warning:
                self._tell(self.warning)
            await trio.sleep(limits.CERTIFICATE_LOOK_SECONDS)

    async def start(self) -> None:
        """Take what an earlier run left. Containment: a bad certificate keeps no node down."""
        try:
            await self.take()
        except F2FError as error:
            self._tell(f"the renewed certificate was not taken: {error}")

    async def _check(self, file: CertificateFile, path: Path) -> None:
        """Look before it is logged, for what is logged stays: friends would refuse anything else."""
        held = self._parts.identity.certificate.certificate
        what = compare(held, file.certificate, self._clock())
        signed = await self._parts.friendships.check(file)
        if what is not Renewal.RENEWED or isinstance(signed, Unbound):
            why = f"{signed.fault}: {signed.detail}" if isinstance(signed, Unbound) else what.value
            raise ConfigurationError(
                f"is no renewal of this node's certificate ({why})",
                where=str(path),
                hint=f"remove {path}, then run `f2fbuild identity renew` again",
            )
