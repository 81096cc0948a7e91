"""People with real keys in short-lived GnuPG homes, and what they sign."""

import shutil
import subprocess  # noqa: TID251 - drives gpg in ways that the product must never offer
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from f2fbuild.trust.cards import FriendCard, format_card
from f2fbuild.trust.certificate_file import CertificateFile, assemble
from f2fbuild.trust.certificates import NodeCertificate, Previous, format_certificate
from f2fbuild.trust.gpg import Gnupg
from f2fbuild.trust.node_keys import draft

NOW = 1_795_578_455
YEAR = 365 * 86_400
SEED = bytes(range(32))
FINGERPRINT = "0123456789ABCDEF0123456789ABCDEF01234567"

PINENTRY = """#!/bin/sh
echo "OK at your service"
while read -r command rest; do
    echo "$command" >> {log}
    case "$command" in
        GETPIN) {answer} ;;
        BYE) echo OK; exit 0 ;;
        *) echo OK ;;
    esac
done
"""


def fingerprint(number: int) -> str:
    """A made-up owner."""
    return f"{number:040X}"


def certificate(
    owner: str = FINGERPRINT,
    *,
    seed: bytes = SEED,
    node: str = "elm",
    epoch: int = 0,
    since: int = NOW - 100,
    until: int = NOW + YEAR,
    previous: Previous | None = None,
) -> NodeCertificate:
    return draft(
        seed, owner=owner, node=node, not_before=since, not_after=until, epoch=epoch, previous=previous
    )


def gpg(home: Path, *arguments: str, stdin: bytes = b"", codes: tuple[int, ...] = (0,)) -> bytes:
    """Run gpg as a user would."""
    command = ["gpg", "--homedir", str(home), "--batch", "--yes", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False)
    assert done.returncode in codes, done.stderr.decode()
    return done.stdout


@contextmanager
def short_home() -> Iterator[Path]:
    """A GNUPGHOME that agents fit into; they are ended with it."""
    home = Path(tempfile.mkdtemp(prefix="f2f", dir="/tmp"))
    try:
        yield home
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)
        for _ in range(2):  # the agent removes its sockets while it ends
            shutil.rmtree(home, ignore_errors=True)


@dataclass(frozen=True)
class Person:
    """Somebody with a secret key in a home of his own."""

    gnupg: Gnupg
    fingerprint: str
    key: bytes = field(repr=False)

    @property
    def home(self) -> Path:
        return self.gnupg.home

    def signed(self, one: NodeCertificate, seed: bytes = SEED) -> CertificateFile:
        """The certificate's file, signed by this person whoever its owner is."""
        text = format_certificate(one)
        return assemble(seed, text, self.gnupg.sign(self.fingerprint, text))

    def card(self, one: NodeCertificate | None = None, *, key: bytes | None = None) -> bytes:
        """A card, which may hold another's key."""
        file = self.signed(one or certificate(self.fingerprint))
        return format_card(
            FriendCard(hints=("elm.example.org:8594",), certificate_file=file, owner_key=key or self.key)
        )

    def certify(self, other: "Person") -> None:
        """Certify another's key so that others can see it."""
        self.gnupg.add(other.key)
        gpg(self.home, "--quick-sign-key", other.fingerprint)

    def knows(self, other: "Person") -> bytes:
        """Another's key with the certifications that this person has of it."""
        return self.gnupg.export(other.fingerprint, minimal=False)

    def revocation(self) -> bytes:
        """The key with its revocation on it."""
        with short_home() as elsewhere:
            stored = self.home / "openpgp-revocs.d" / f"{self.fingerprint}.rev"
            gpg(elsewhere, "--import", stdin=self.key)
            gpg(elsewhere, "--import", stdin=stored.read_bytes().replace(b":-----", b"-----"))
            return gpg(elsewhere, "--export", self.fingerprint)


@contextmanager
def person(name: str, *, expires: str = "never") -> Iterator[Person]:
    with short_home() as home:
        gnupg = Gnupg(home, agent=True)
        made = gnupg.generate(f"{name} <{name.lower()}@example.org>", expires=expires, protect=False)
        yield Person(gnupg=gnupg, fingerprint=made, key=gnupg.export(made))


def pinentry(home: Path, answer: str) -> Path:
    """Let the home's agent ask a program instead of a person; returns the log of what it was asked."""
    program, log = home / "pinentry", home / "asked"
    program.write_text(PINENTRY.format(log=log, answer=answer))
    program.chmod(0o700)
    (home / "gpg-agent.conf").write_text(f"pinentry-program {program}\n")
    Gnupg(home, agent=True).stop()
    return log
