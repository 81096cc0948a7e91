"""GnuPG over one home directory: the only module that starts it, through python-gnupg.

Everything here is synchronous and takes milliseconds to seconds: callers in trio use `to_thread.run_sync`.
No passphrase ever passes through this program: gpg-agent and pinentry ask for it, so that smartcards and
forwarded agents work alike.

GnuPG's exit codes are not asked where they lie (`--verify` is silent about revoked signers); its status
lines and colon listings are.
"""

import os
import subprocess  # noqa: TID251 - gpgconf and gpg are GnuPG's own programs, started here and nowhere else
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from io import BytesIO
from pathlib import Path

import gnupg

from f2fbuild.errors import ConfigurationError, F2FError, RefusedError
from f2fbuild.limits import AGENT_SOCKET_PATH_BYTES
from f2fbuild.trust.listing import clean_text, parse_certifications, parse_owners
from f2fbuild.trust.packets import check_signature, read_key
from f2fbuild.trust.signature import SignatureCheck, Status, judge
from f2fbuild.trust.snapshot import Certification, Owner

_SYSTEM_CONF = Path("/etc/gnupg/common.conf")


class OwnerTrust(IntEnum):
    """How far an owner is trusted to certify others, in the numbers of `--export-ownertrust`."""

    UNDEFINED = 2
    NEVER = 3
    MARGINAL = 4
    FULL = 5
    ULTIMATE = 6


class GnupgError(F2FError):
    """GnuPG did not do what was asked."""


class GnupgHomeError(ConfigurationError):
    """This GnuPG home directory cannot be used."""


class SigningRefusedError(RefusedError):
    """GnuPG did not sign."""


@dataclass(slots=True)
class _Report:
    """What one run of gpg left: filled by python-gnupg, which names the attributes."""

    status: list[Status] = field(default_factory=list)
    stderr: str = ""
    data: bytes = b""
    returncode: int = 0

    def handle_status(self, keyword: str, value: str) -> None:
        """Take one status line (python-gnupg's interface)."""
        self.status.append((keyword, value))

    def has(self, keyword: str) -> bool:
        return any(key == keyword for key, _ in self.status)

    def complaint(self) -> str:
        """GnuPG's last own words that are not its sums."""
        lines = [line[5:].strip() for line in self.stderr.splitlines() if line.startswith("gpg: ")]
        lines = [clean_text(line) for line in lines if not line.startswith(("Total", "  "))]
        return lines[-1] if lines else f"gpg left with code {self.returncode}"


class _Program(gnupg.GPG):  # type: ignore[misc]  # python-gnupg has no type information
    """python-gnupg, with one way to run any command of GnuPG and see all that it reports."""

    def run(self, arguments: Sequence[str], stdin: bytes = b"") -> _Report:
        report = _Report()
        with suppress(BrokenPipeError):  # gpg left before it read everything; its report says why
            self._handle_io(list(arguments), BytesIO(stdin), report, binary=True)
        return report


class Gnupg:
    """GnuPG over one GNUPGHOME. Any thread may call: a call is a process, and gpg locks what it writes."""

    def __init__(self, home: Path, *, agent: bool) -> None:
        """Use `home`, an existing directory of mode 0700.

        Args:
            home: the GNUPGHOME.
            agent: whether this home signs. Without, no agent is ever started and gpg.conf is not read, so
                that nobody's options change what is verified.

        Raises:
            GnupgHomeError: no such directory, no gpg, or a path that gpg-agent's socket does not fit.
        """
        self.home = home
        if not home.is_dir():
            raise GnupgHomeError("no such directory", where=str(home), hint="create it with mode 0700")
        if agent:
            _check_socket(home)
        options = ["--no-auto-check-trustdb", "--trust-model", "pgp", "--no-auto-key-locate"]
        options += ["--no-auto-key-retrieve"] + ([] if agent else ["--no-options", "--no-autostart"])
        environment = {**os.environ, "LC_ALL": "C.UTF-8"}
        try:
            self._program = _Program(gnupghome=str(home), options=options, env=environment)
        except (OSError, ValueError) as error:
            raise GnupgHomeError(str(error), where=str(home), hint="is gpg installed?") from error

    def secret_keys(self) -> tuple[Owner, ...]:
        """Return the owners whose secret keys are in this home (on its smartcards too)."""
        return parse_owners(self._do(["--list-secret-keys"]).data)

    def owners(self) -> tuple[Owner, ...]:
        """Return every key with GnuPG's validity as of the last `check_trustdb`."""
        return parse_owners(self._do(["--list-keys"]).data)

    def certifications(self) -> tuple[Certification, ...]:
        """Return every verified certification among the keys: seconds for thousands of signatures."""
        return parse_certifications(self._do(["--check-sigs"]).data)

    def generate(self, user_id: str, *, expires: str = "2y", protect: bool = True) -> str:
        """Make an Ed25519 key for certifying and signing, and return its fingerprint.

        Args:
            user_id: `Name <address>`.
            expires: as GnuPG takes it: `2y`, `seconds=60`, `never`.
            protect: whether pinentry asks for a passphrase; without only where the user said so.

        Raises:
            GnupgError: GnuPG refused, or the passphrase dialog was cancelled.
        """
        bare = [] if protect else ["--pinentry-mode", "loopback", "--passphrase", ""]
        report = self._do([*bare, "--quick-generate-key", "--", user_id, "ed25519", "sign,cert", expires])
        created = [value.split() for keyword, value in report.status if keyword == "KEY_CREATED"]
        if not created:
            raise GnupgError(report.complaint(), where="new key")
        return created[0][1]

    def export(self, fingerprint: str, *, minimal: bool = True) -> bytes:
        """Return a public key as binary packets; minimal is without other people's certifications.

        Raises:
            GnupgError: no such key.
        """
        options = "no-export-attributes" + (",export-minimal" if minimal else "")
        data = self._do(["--export-options", options, "--export", "--", fingerprint]).data
        if not data:
            raise GnupgError("no such key in this keyring", where=fingerprint)
        return data

    def add(self, key: bytes) -> str:
        """Import one public key (binary packets; new signatures and revocations too): its fingerprint.

        Without `import-clean`: it drops junk, but also the revocation of a certification that is already
        here (2.2.40), which would then stand for ever.

        Raises:
            FormatError: not exactly one public key within the limits.
            GnupgError: GnuPG did not take it.
        """
        fingerprint = read_key(key)
        report = self._do(["--import-options", "no-import-local-sigs", "--import"], key)
        taken = {value.split()[1] for keyword, value in report.status if keyword == "IMPORT_OK"}
        if taken != {fingerprint}:
            raise GnupgError(report.complaint(), where=fingerprint)
        return fingerprint

    def export_local(self, fingerprint: str) -> bytes:
        """Return a public key with all its certifications, local ones too, for another ring of this node."""
        return self._do(["--export-options", "export-local-sigs", "--export", "--", fingerprint]).data

    def add_local(self, key: bytes) -> None:
        """Import what `export_local` gave, local certifications too; never for keys that somebody sent."""
        self._do(["--import-options", "import-local-sigs", "--import"], key)

    def sign(self, fingerprint: str, text: bytes) -> bytes:
        """Return the owner's detached signature over `text`, binary. Pinentry may ask for a passphrase.

        Raises:
            SigningRefusedError: no such secret key, a wrong passphrase, or the dialog was cancelled.
        """
        options = ["--no-armor", "--no-textmode", "--digest-algo", "SHA512", "--local-user", fingerprint]
        report = self._program.run([*options, "--output", "-", "--detach-sign"], text)
        if report.returncode or not report.has("SIG_CREATED"):
            raise SigningRefusedError(
                report.complaint(), where=fingerprint, hint="check it with: gpg --list-secret-keys"
            )
        return check_signature(report.data)

    def verify(self, signature: bytes, text: bytes) -> SignatureCheck:
        """Return whether the detached `signature` (binary) over `text` is good, and by whom.

        Raises:
            FormatError: not exactly one signature packet.
        """
        check_signature(signature)
        with tempfile.NamedTemporaryFile(prefix="f2fsig") as file:
            file.write(signature)
            file.flush()
            return judge(self._program.run(["--verify", "--", file.name, "-"], text).status)

    def set_ownertrust(self, fingerprint: str, level: OwnerTrust) -> None:
        """Record how far an owner is trusted to certify others; say `check_trustdb` afterwards."""
        self._do(["--import-ownertrust"], f"{fingerprint}:{level}:\n".encode())

    def check_trustdb(self) -> None:
        """Recompute the validity of every key. Needed after each change, and when something expired.

        Without `--yes`, gpg in batch mode skips it unless it thinks the time has come, and it does not think
        so after importing the revocation of an introducer (2.2.40).
        """
        self._do(["--yes", "--check-trustdb"])

    def certify_in(self, ring: Path, certified: str, *, certifier: str) -> None:
        """Certify a key of another home locally, with a secret key of this one. Nothing here is changed.

        Args:
            ring: the other GNUPGHOME, which has both public keys.
            certified: fingerprint of the key that is found to be its owner's.
            certifier: fingerprint of the secret key.

        Raises:
            SigningRefusedError: no such keys, a revoked one, or the passphrase dialog was cancelled.
            GnupgHomeError: this home is kept by keyboxd, which would certify in the user's own ring.
        """
        if any("use-keyboxd" in _text_of(path) for path in (self.home / "common.conf", _SYSTEM_CONF)):
            raise GnupgHomeError(
                "keys kept by keyboxd cannot be used for local certification in another ring",
                where=str(self.home),
                hint="certify with gpg --lsign-key and add the exported certification",
            )
        files = ["--no-options", "--no-default-keyring", "--keyring", str(ring / "pubring.kbx")]
        files += ["--trustdb-name", str(ring / "trustdb.gpg")]
        command = ["--yes", "--local-user", certifier, "--quick-lsign-key", "--", certified]
        report = self._program.run([*files, *command])
        if report.returncode:
            raise SigningRefusedError(report.complaint(), where=certified)

    def stop(self) -> None:
        """End this home's gpg-agent and its helpers, if any run."""
        _gpgconf(self.home, "--kill", "all")

    def _do(self, arguments: Sequence[str], stdin: bytes = b"") -> _Report:
        report = self._program.run(arguments, stdin)
        if report.returncode:
            raise GnupgError(report.complaint(), where=str(self.home))
        return report


def _text_of(path: Path) -> str:
    return path.read_text(errors="replace") if path.is_file() else ""


def _check_socket(home: Path) -> None:
    """Refuse a home whose agent could not listen: its Unix socket's path would be too long."""
    lines = _gpgconf(home, "--list-dirs").splitlines()
    names = [line.partition(":")[2] for line in lines if line.startswith("agent-") and "socket:" in line]
    longest = max((len(os.fsencode(name)) for name in names), default=0)
    if longest > AGENT_SOCKET_PATH_BYTES:
        raise GnupgHomeError(
            f"gpg-agent cannot listen here: its socket's path would have {longest} bytes,"
            f" more than {AGENT_SOCKET_PATH_BYTES}",
            where=str(home),
            hint="use a GNUPGHOME with a shorter path",
        )


def _gpgconf(home: Path, *arguments: str) -> str:
    command = ["gpgconf", "--homedir", str(home), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError as error:
        raise GnupgHomeError(str(error), where=str(home), hint="is GnuPG installed?") from error
