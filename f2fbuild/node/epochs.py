"""A new epoch: another log of the same node, certified by its owner, that says where the one before ended.

    1. the old log is locked, so that no node runs; what it certainly signed last becomes `previous`
    2. the new certificate is issued and kept as `certificate.next`
    3. the new log is begun beside the old one, with the certificate as its entry 0
    4. the old log is retired in the memory of heads: a copy of it that comes back signs nothing
    5. `certificate.next` becomes `certificate`: this one rename is the change

Whatever crashes before the rename leaves the old epoch, and running it again goes on from there: nobody has
seen the new log. The old log stays where it is.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from f2fbuild.errors import LedgerError, UsageError
from f2fbuild.ledger import entry as entries
from f2fbuild.ledger.checkpoint import Checkpoint, log_vkey, open_checkpoint, origin_of
from f2fbuild.ledger.files import CHECKPOINT, LogInUseError
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.memory import HeadMemory
from f2fbuild.model.signing import Role
from f2fbuild.model.tree import EMPTY_ROOT
from f2fbuild.node import clock
from f2fbuild.node.certifying import certify
from f2fbuild.node.identity import Identity, load_identity
from f2fbuild.node.setup import begin_log
from f2fbuild.store.files import sync_directory, write_private
from f2fbuild.store.paths import Paths
from f2fbuild.trust.certificate_file import CertificateFile, parse_file
from f2fbuild.trust.certificates import Previous
from f2fbuild.trust.node_keys import role_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """An epoch of this node: its number, its log's origin, and what its certificate says came before."""

    number: int
    origin: str
    previous: Previous | None


def present(paths: Paths) -> Epoch:
    """Return the epoch of the node in `paths`; raises as `load_identity`."""
    certificate = load_identity(paths).certificate.certificate
    return Epoch(number=certificate.epoch, origin=certificate.origin, previous=certificate.previous)


def planned(paths: Paths) -> Epoch:
    """Return the epoch that `begin` would begin.

    Raises:
        UsageError: the node runs.
        F2FError: there is no node, or its files cannot be read.
    """
    identity = load_identity(paths)
    with _old_head(paths, identity) as head:
        return _plan(paths, identity, head)


def begin(paths: Paths) -> Epoch:
    """Begin a new epoch; the owner's GnuPG signs its certificate.

    Raises:
        UsageError: the node runs.
        F2FError: GnuPG did not sign, or the disk did not take it; run it again.
    """
    identity = load_identity(paths)
    with _old_head(paths, identity) as head:
        plan = _plan(paths, identity, head)
        file = _certified(paths, identity, plan)
        following = Identity(seed=identity.seed, certificate=file)
        _discard_other(paths, following)
        begin_log(paths, following)
        HeadMemory(paths.heads, identity.origin).retire(head)
        next_certificate(paths).replace(paths.certificate)
        sync_directory(paths.data)
    return plan


def next_certificate(paths: Paths) -> Path:
    """Return where a certificate is kept that is not in force yet."""
    return paths.certificate.with_name("certificate.next")


@contextmanager
def _old_head(paths: Paths, identity: Identity) -> Iterator[Checkpoint]:
    """Hold the old log's lock, and give the greatest head that it certainly signed.

    The log may be lost or damaged: a new epoch is what helps then.
    """
    directory = paths.log_of(identity.certificate.certificate.epoch)
    with ExitStack() as stack:
        heads = _remembered(paths, identity)
        try:
            heads.append(stack.enter_context(Log.open(directory, identity.log_key)).head)
        except LogInUseError as error:
            raise UsageError("the node runs", where=str(directory), hint="stop it, then try again") from error
        except LedgerError:
            # What is left of it stays where it is.
            pass
        yield max(heads, key=lambda head: head.size)


def _remembered(paths: Paths, identity: Identity) -> list[Checkpoint]:
    """Return heads that were certainly signed, the empty one first; one that only may have been is none."""
    memory = HeadMemory(paths.heads, identity.origin)
    found = [Checkpoint(origin=identity.origin, size=0, root=EMPTY_ROOT)]
    if memory.remembered:
        found.append(memory.remembered.before)
    if memory.ahead:
        found.append(open_checkpoint(memory.ahead, log_vkey(identity.log_key.public)))
    return found


def _plan(paths: Paths, identity: Identity, head: Checkpoint) -> Epoch:
    number = identity.certificate.certificate.epoch + 1
    while _was_begun(paths, identity.seed, number):
        number += 1
    return Epoch(
        number=number,
        origin=_origin(identity.seed, number),
        previous=Previous(origin=identity.origin, size=head.size, root=head.root.hex()),
    )


def _was_begun(paths: Paths, seed: bytes, number: int) -> bool:
    """Return whether an epoch was in force already, and an older copy of the data came back since then."""
    remembered = HeadMemory(paths.heads, _origin(seed, number)).remembered
    lost = not (paths.log_of(number) / CHECKPOINT).exists()
    return remembered is not None and (remembered.followed or (lost and remembered.following.size > 0))


def _origin(seed: bytes, number: int) -> str:
    return origin_of(role_key(seed, Role.LOG, number).public)


def _certified(paths: Paths, identity: Identity, plan: Epoch) -> CertificateFile:
    """Return the certificate of the new epoch, issued now unless an earlier attempt left the same."""
    path, now = next_certificate(paths), clock.now()
    if path.exists():
        file = parse_file(path.read_bytes(), where=str(path))
        found = file.certificate
        if (found.epoch, found.previous) == (plan.number, plan.previous) and now < found.not_after:
            return file
        path.unlink()
    file = certify(paths, identity, epoch=plan.number, previous=plan.previous)
    write_private(path, file.data)
    return file


def _discard_other(paths: Paths, following: Identity) -> None:
    """Remove a log that an earlier attempt began under another certificate; nobody has seen it."""
    directory = paths.log_of(following.certificate.certificate.epoch)
    if not directory.exists():
        return
    expected = entries.write(
        entries.NodeCertificate(text=following.certificate.data), following.statement_key
    )
    try:
        with Log.open(directory, following.log_key) as log:
            same = log.size == 0 or log.entry(0) == expected
    except LedgerError:
        same = False
    if not same:
        shutil.rmtree(directory)
