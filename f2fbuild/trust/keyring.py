"""The node's own keyring: friends' keys, ownertrust, and local certifications, apart from the user's.

An ordinary user's keyring is never changed silently. The node has a GNUPGHOME of its own with public keys
only; its owner's secret key stays in the user's, which signs on request. The owner's public key has ultimate
ownertrust here, so what he certified is valid.
"""

import hashlib
import shutil
import tempfile
from pathlib import Path
from threading import Lock

from f2fbuild.errors import RefusedError
from f2fbuild.limits import RING_OWNERS
from f2fbuild.trust.gpg import Gnupg, GnupgError, OwnerTrust
from f2fbuild.trust.packets import read_key
from f2fbuild.trust.signature import SignatureCheck
from f2fbuild.trust.snapshot import TrustSnapshot

_FILES = ("pubring.kbx", "trustdb.gpg")


class KeyringFullError(RefusedError):
    """The node's keyring has no room for another owner."""


class Keyring:
    """The node's keyring. Calls block (use `trio.to_thread.run_sync`) and take turns among threads.

    What is added or certified is on disk when the call returns. Other programs may change the ring's files:
    the next `snapshot` notices.
    """

    def __init__(self, gnupg: Gnupg, me: str) -> None:
        """Use `open`; this takes the parts."""
        self._gnupg = gnupg
        self._me = me
        self._lock = Lock()
        self._last: TrustSnapshot | None = None

    @classmethod
    def open(cls, home: Path, own_key: bytes) -> "Keyring":
        """Open the keyring in `home`, made with mode 0700 when it is not there.

        Args:
            home: the node's own GNUPGHOME.
            own_key: the node owner's public key, binary packets; it becomes the root of trust.

        Raises:
            FormatError: `own_key` is not one public key.
            GnupgError: GnuPG cannot use the directory.
        """
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        gnupg = Gnupg(home, agent=False)
        me = gnupg.add(own_key)
        gnupg.set_ownertrust(me, OwnerTrust.ULTIMATE)
        return cls(gnupg, me)

    @property
    def me(self) -> str:
        """The fingerprint of the node's owner."""
        return self._me

    def add(self, owner_key: bytes) -> str:
        """Import an owner's public key (binary packets) and return its fingerprint; this makes nothing valid.

        Known keys are updated: new user ids, certifications, expiry and revocations are merged.

        Raises:
            FormatError: not exactly one public key, or a flooded one.
            KeyringFullError: the keyring holds `RING_OWNERS` owners.
        """
        with self._lock:
            known = {owner.fingerprint for owner in self._gnupg.owners()}
            if len(known) >= RING_OWNERS and read_key(owner_key) not in known:
                raise KeyringFullError(f"it holds {RING_OWNERS} owners", hint="f2fbuild peer remove")
            return self._gnupg.add(owner_key)

    def certify(self, fingerprint: str, user: Gnupg) -> None:
        """Let the node's owner certify a key for this node only, so that it becomes valid here.

        A person may take minutes to type a passphrase, and gpg replaces the ring's file while others read it.
        So the certification is made in a copy of the ring, and then brought into the ring in its turn.

        Args:
            fingerprint: the key that its owner was compared with.
            user: the user's GnuPG, which has the secret key; pinentry may ask for the passphrase.

        Raises:
            SigningRefusedError: GnuPG did not sign.
            GnupgError: it signed, but the ring does not show it.
        """
        with tempfile.TemporaryDirectory(prefix="f2fring") as name:
            copy = Gnupg(Path(name), agent=False)
            with self._lock:
                for file in _FILES:
                    shutil.copyfile(self._gnupg.home / file, copy.home / file)
            user.certify_in(copy.home, fingerprint, certifier=self._me)
            certified = copy.export_local(fingerprint)
        with self._lock:
            self._gnupg.add_local(certified)
            self._gnupg.check_trustdb()
            edges = {(edge.certifier, edge.certified) for edge in self._gnupg.certifications()}
        if (self._me, fingerprint) not in edges:
            raise GnupgError("the certification did not arrive in the node's keyring", where=fingerprint)

    def set_ownertrust(self, fingerprint: str, level: OwnerTrust) -> None:
        """Record how far an owner's own certifications are trusted."""
        with self._lock:
            self._gnupg.set_ownertrust(fingerprint, level)

    def verify(self, signature: bytes, text: bytes) -> SignatureCheck:
        """Return whether a detached signature (binary) over `text` is good, and which owner made it."""
        with self._lock:
            return self._gnupg.verify(signature, text)

    def snapshot(self, now: int) -> TrustSnapshot:
        """Return the web of trust as it is: read anew only if the ring changed or something expired.

        Args:
            now: unix seconds.
        """
        with self._lock:
            last = self._last
            if last and last.digest == self._digest() and now < (last.next_change() or now + 1):
                return last
            self._last = self._read(now)
            return self._last

    def _read(self, now: int) -> TrustSnapshot:
        self._gnupg.check_trustdb()
        digest = self._digest()
        owners = {owner.fingerprint: owner for owner in self._gnupg.owners()}
        return TrustSnapshot(
            me=self._me,
            owners=owners,
            certifications=tuple(
                one for one in self._gnupg.certifications() if {one.certifier, one.certified} <= owners.keys()
            ),
            digest=digest,
            taken=now,
        )

    def _digest(self) -> str:
        """Return SHA-256 over the ring's files: times of files are too coarse to see every change."""
        state = hashlib.sha256()
        for name in _FILES:
            path = self._gnupg.home / name
            state.update(hashlib.sha256(path.read_bytes() if path.is_file() else b"").digest())
        return state.hexdigest()
