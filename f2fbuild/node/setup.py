"""`init`: a node comes into being. Every step is done once; running it again finds what is there.

The settings are written last: as long as they are missing the node does not start, and whoever runs `init`
again after a crash goes on where it stopped. Nothing that exists is ever overwritten.
"""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from f2fbuild import limits
from f2fbuild.builder.hostsources import Proposal, from_host_apt, from_host_dnf
from f2fbuild.builder.targets import format_target
from f2fbuild.errors import ConfigurationError, UsageError
from f2fbuild.ledger import entry as entries
from f2fbuild.ledger.checkpoint import Checkpoint
from f2fbuild.ledger.files import CHECKPOINT
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.memory import HeadMemory
from f2fbuild.model.signing import SEED_BYTES
from f2fbuild.model.tree import EMPTY_ROOT
from f2fbuild.node import clock, config
from f2fbuild.node.identity import Identity, load_identity, load_seed
from f2fbuild.store.files import private_directory, write_private
from f2fbuild.store.paths import Paths
from f2fbuild.trust.gpg import Gnupg
from f2fbuild.trust.issuing import issue
from f2fbuild.trust.node_keys import draft
from f2fbuild.trust.snapshot import Owner


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the owner said to `init`.

    `key` is a fingerprint, or empty to choose; `new_key` a user id `Name <address>` for a new key, made
    without a passphrase only when `unprotected`. `gnupghome` is the owner's GnuPG, None for its default.
    """

    name: str
    key: str
    new_key: str
    unprotected: bool
    gnupghome: Path | None
    listen: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What `init` made or found: the identity, and the targets that it proposed (name, what was left out)."""

    identity: Identity
    created: bool
    targets: tuple[Proposal, ...]


def set_up(paths: Paths, wishes: Wishes, choose: Callable[[tuple[Owner, ...]], str]) -> Done:
    """Make a node in `paths`, or return the one that is there.

    Args:
        paths: where the node keeps its things.
        wishes: what the owner said.
        choose: returns the fingerprint of the key to use, given those that can sign.

    Raises:
        F2FError: no usable key, GnuPG refused to sign, or the disk did not take it.
    """
    if paths.config_file.exists():
        config.load(paths.config_file)
        return Done(identity=load_identity(paths), created=False, targets=())
    for directory in (paths.config, paths.data, paths.state, paths.targets):
        private_directory(directory)
    user = Gnupg(wishes.gnupghome or _default_home(), agent=True)
    if not paths.seed.exists():
        write_private(paths.seed, secrets.token_bytes(SEED_BYTES))
    if not paths.certificate.exists():
        _certify(paths, wishes, user, choose)
    identity = load_identity(paths)
    begin_log(paths, identity)
    proposals = propose_targets()
    for proposal in proposals:
        path = paths.targets / f"{proposal.target.name}.toml"
        if not path.exists():
            write_private(path, format_target(proposal.target).encode())
    settings = config.Settings(
        node=config.NodeSettings(name=wishes.name, listen=wishes.listen),
        owner=config.OwnerSettings(
            fingerprint=identity.certificate.certificate.owner,
            gnupghome=str(wishes.gnupghome) if wishes.gnupghome else "",
        ),
    )
    write_private(paths.config_file, config.dump(settings).encode())
    return Done(identity=identity, created=True, targets=proposals)


def propose_targets() -> tuple[Proposal, ...]:
    """Return the targets that this host's own package sources suggest, with the keys it trusts for them."""
    release = _os_release()
    arch = os.uname().machine
    proposals = []
    codename = release.get("VERSION_CODENAME", "")
    apt = _read_all(Path("/etc/apt"), ("sources.list", "sources.list.d/*.sources", "sources.list.d/*.list"))
    dnf = _read_all(Path("/etc/yum.repos.d"), ("*.repo",))
    deb_arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(arch, arch)
    makers: list[Callable[[], Proposal]] = []
    if apt and codename:
        keyring = Path(f"/usr/share/keyrings/{release.get('ID', '')}-archive-keyring.gpg")
        known = str(keyring) if keyring.is_file() else ""
        makers.append(
            lambda: from_host_apt(apt, name=codename, arch=deb_arch, suite=codename, archive_keyring=known)
        )
    if dnf:
        version = release.get("VERSION_ID", "")
        name = f"{release.get('ID', 'rpm')}{version}"
        makers.append(lambda: from_host_dnf(dnf, name=name, arch=arch, release=version))
    for make in makers:
        try:
            proposals.append(make())
        except ConfigurationError:
            # A host without usable sources still gets a node; its owner adds targets by hand.
            continue
    return tuple(proposals)


def _certify(paths: Paths, wishes: Wishes, user: Gnupg, choose: Callable[[tuple[Owner, ...]], str]) -> None:
    owner = wishes.key or _owner(wishes, user, choose)
    now = clock.now()
    seed = load_seed(paths.seed)
    certificate = draft(
        seed,
        owner=owner,
        node=wishes.name,
        not_before=now - limits.CLOCK_SKEW_SECONDS,
        not_after=now + limits.CERTIFICATE_DAYS * 86_400,
    )
    write_private(paths.certificate, issue(seed, certificate, user).data)


def _owner(wishes: Wishes, user: Gnupg, choose: Callable[[tuple[Owner, ...]], str]) -> str:
    if wishes.new_key:
        return user.generate(wishes.new_key, protect=not wishes.unprotected)
    keys = user.secret_keys()
    if not keys:
        raise UsageError(
            "no OpenPGP key that can sign", hint="give --new-key 'Name <address>', or make one with gpg"
        )
    return choose(keys)


def begin_log(paths: Paths, identity: Identity) -> None:
    """Create the log of an epoch with its entry 0, the node certificate, unless it is there.

    That nobody has seen the log is remembered before there is anything to see.
    """
    directory = paths.log_of(identity.certificate.certificate.epoch)
    memory = HeadMemory(paths.heads, identity.origin)
    if (directory / CHECKPOINT).exists():
        log = Log.open(directory, identity.log_key, remember=memory.remember)
    else:
        memory.begin(Checkpoint(origin=identity.origin, size=0, root=EMPTY_ROOT))
        log = Log.create(directory, identity.log_key, remember=memory.remember)
    with log:
        if log.size == 0:
            certificate = entries.NodeCertificate(text=identity.certificate.data)
            log.append([entries.write(certificate, identity.statement_key)])


def _default_home() -> Path:
    return Path(os.environ.get("GNUPGHOME") or Path.home() / ".gnupg")


def _os_release() -> dict[str, str]:
    lines = Path("/etc/os-release").read_text().splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {key: value.strip("\"'") for key, _, value in pairs}


def _read_all(base: Path, patterns: tuple[str, ...]) -> dict[str, str]:
    files = sorted(path for pattern in patterns for path in base.glob(pattern) if path.is_file())
    return {str(path): path.read_text(errors="replace") for path in files}
