"""Who this node is: its seed, its certificate, and the keys that follow from them."""

import os
from dataclasses import dataclass
from pathlib import Path

from nacl.public import PrivateKey

from f2fbuild.errors import ConfigurationError, NotInitialisedError
from f2fbuild.model.signing import SEED_BYTES, Role, SigningKey
from f2fbuild.store.paths import Paths
from f2fbuild.trust.certificate_file import CertificateFile, parse_file
from f2fbuild.trust.node_keys import noise_key, role_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The secrets and the public face of this node."""

    seed: bytes
    certificate: CertificateFile

    @property
    def node_id(self) -> str:
        """The SHA-256 of the statement key."""
        return self.certificate.certificate.node_id

    @property
    def origin(self) -> str:
        """The origin of this node's log."""
        return self.certificate.certificate.origin

    @property
    def statement_key(self) -> SigningKey:
        """The node key: signs every envelope and message."""
        return role_key(self.seed, Role.STATEMENTS, 0)

    @property
    def log_key(self) -> SigningKey:
        """The key that signs checkpoints of this epoch's log."""
        return role_key(self.seed, Role.LOG, self.certificate.certificate.epoch)

    @property
    def witness_key(self) -> SigningKey:
        """The key that cosigns heads as seen."""
        return role_key(self.seed, Role.WITNESS, self.certificate.certificate.epoch)

    @property
    def mirror_key(self) -> SigningKey:
        """The key that cosigns heads whose entries are held here."""
        return role_key(self.seed, Role.MIRROR, self.certificate.certificate.epoch)

    @property
    def noise_key(self) -> PrivateKey:
        """The static key of this node's sessions."""
        return noise_key(self.seed)


def load_identity(paths: Paths) -> Identity:
    """Return the identity that `init` made.

    Raises:
        NotInitialisedError: there is none.
        ConfigurationError: the seed is damaged or others may read it.
    """
    seed = load_seed(paths.seed)
    try:
        data = paths.certificate.read_bytes()
    except FileNotFoundError as error:
        raise _not_initialised(paths.certificate) from error
    return Identity(seed=seed, certificate=parse_file(data, where=str(paths.certificate)))


def load_seed(path: Path) -> bytes:
    """Return the node's 32-byte seed; raises like `load_identity`."""
    try:
        with path.open("rb") as file:
            mode, seed = os.fstat(file.fileno()).st_mode, file.read(SEED_BYTES + 1)
    except FileNotFoundError as error:
        raise _not_initialised(path) from error
    if mode & 0o077:
        raise ConfigurationError(
            "the seed can be read by others",
            where=str(path),
            hint=f"chmod 600 {path}; if it leaked: new seed",
        )
    if len(seed) != SEED_BYTES:
        raise ConfigurationError(
            f"not a seed of {SEED_BYTES} bytes", where=str(path), hint="restore a backup"
        )
    return seed


def _not_initialised(path: Path) -> NotInitialisedError:
    return NotInitialisedError("nothing here", where=str(path), hint="run `f2fbuild init`")
