"""Which log is meant: this node's own, a friend's by a name or the start of its origin, or any directory.

A log whose node is no friend is meant by the start of its origin, and the node brings it here first.
"""

import difflib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from f2fbuild.api import ledger_replies, replies, requests
from f2fbuild.api.client import Client
from f2fbuild.cli.main import client
from f2fbuild.cli.output import Output
from f2fbuild.errors import NodeNotRunningError, NotInitialisedError, UsageError
from f2fbuild.ledger.certificate import certificate_epoch
from f2fbuild.ledger.checkpoint import parse_log_vkey
from f2fbuild.ledger.entry import NodeCertificate, certificate_keys
from f2fbuild.model.vkey import VerifierKey
from f2fbuild.store.paths import Paths

vkey_option = click.option(
    "--vkey", default="", metavar="VKEY", help="The log's verifier key; LOG is then a directory."
)
log_option = click.option(
    "--log", "which", default="", metavar="LOG", help="Whose log; this node's own without."
)
log_argument = click.argument("which", metavar="[LOG]", default="")

_ORIGIN = re.compile(r"(f2fbuild\.invalid/log/)?[0-9a-f]{8,64}", re.ASCII)
"""What can only be an origin, or the start of one: as many digits as of any id on a screen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptLog:
    """A log in a directory of this machine. `names` are words for it besides its origin."""

    directory: Path
    vkey: str
    names: tuple[str, ...]
    frozen: bool = False
    followed: bool = True

    @property
    def origin(self) -> str:
        """The log's origin, which is the name of its key."""
        return self.vkey.partition("+")[0]

    @property
    def title(self) -> str:
        """What to call it on a screen: a name, else the end of its origin."""
        return self.names[0] if self.names else self.origin.rpartition("/")[2][:16]


def find(which: str, vkey: str) -> tuple[KeptLog, VerifierKey]:
    """Return the log that is meant, and its key."""
    if vkey:
        if not which:
            raise UsageError("--vkey needs the directory of a log")
        kept = KeptLog(directory=Path(which), vkey=vkey, names=())
    elif which:
        with client() as api:
            kept = _find_or_bring(api, which)
    else:
        kept = _own_log()
    return kept, parse_log_vkey(kept.vkey, where="--vkey" if vkey else kept.title)


def all_logs(output: Output) -> list[KeptLog]:
    """Return every log that is kept here; without a running node only its own is found."""
    try:
        with client() as api:
            return _kept_logs(api)
    except NodeNotRunningError:
        output.hint("the node is not running: only its own log is checked")
        return [_own_log()]


def _find_or_bring(api: Client, which: str) -> KeptLog:
    """Return a log that the node keeps, or one of no friend as far as friends give it now."""
    logs = _kept_logs(api)
    if _ORIGIN.fullmatch(which) and not any(which in log.names or _begins(log, which) for log in logs):
        return _brought(api, which)
    kept = choose(logs, which)
    return kept if kept.followed else _brought(api, kept.origin)


def _brought(api: Client, which: str) -> KeptLog:
    return _kept(api.call(requests.ReadStrangersLog(log=which), ledger_replies.StrangersLog).log, None)


def _kept_logs(api: Client) -> list[KeptLog]:
    """Return all logs that the node keeps, its own first."""
    aliases = {peer.origin: peer for peer in api.call(requests.ListPeers(), replies.Peers).peers}
    found = api.call(requests.ListLogs(), ledger_replies.Logs).logs
    return [_kept(log, aliases.get(log.origin)) for log in found]


def _kept(log: ledger_replies.Log, peer: replies.Peer | None) -> KeptLog:
    return KeptLog(
        directory=Path(log.path),
        vkey=log.vkey,
        names=_names(log, peer),
        frozen=log.frozen,
        followed=log.followed,
    )


def choose(logs: Sequence[KeptLog], wanted: str) -> KeptLog:
    """Return the one log that `wanted` names.

    Args:
        logs: where to look.
        wanted: an alias, alias@node, node, owner's fingerprint, or the start of the origin or of its digits.

    Raises:
        UsageError: no log, or more than one, is called so.
    """
    named = [log for log in logs if wanted in log.names]
    # The log that is followed comes before those of the same owner or node that once were.
    found = [log for log in named if log.followed] or named or [log for log in logs if _begins(log, wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{len(found)} logs are called so", where=wanted, hint="give more of the origin")
    names = [name for log in logs for name in log.names]
    near = difflib.get_close_matches(wanted, names, n=1)
    hint = f"did you mean {near[0]}?" if near else "see `f2fbuild peer list`, or give a directory and --vkey"
    raise UsageError("no log here is called so", where=wanted, hint=hint)


def _names(log: ledger_replies.Log, peer: replies.Peer | None) -> tuple[str, ...]:
    called = (f"{peer.alias}@{peer.node}", peer.alias) if peer else ()
    return (*called, log.node, log.owner)


def _begins(log: KeptLog, wanted: str) -> bool:
    return log.origin.startswith(wanted) or log.origin.rpartition("/")[2].startswith(wanted)


def _own_log() -> KeptLog:
    paths = Paths.from_environment(os.environ)
    try:
        certificate = NodeCertificate(text=paths.certificate.read_bytes())
    except FileNotFoundError as error:
        hint = "set it up with `f2fbuild init`, or give a directory with --vkey"
        raise NotInitialisedError("there is no log of your own", where=str(paths.data), hint=hint) from error
    keys = certificate_keys(certificate, where=str(paths.certificate))
    directory = paths.log_of(certificate_epoch(certificate))
    return KeptLog(directory=directory, vkey=keys.log, names=("own",))
