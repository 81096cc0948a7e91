"""Certificates that friends send when a link comes up: renewed ones, and those of a new epoch.

Nobody has to bring a new card: what the owner signed, for the node at the other end of this very session, is
taken in and its log is followed from then on. The copy of the old log stays, and what is missing from the end
that the certificate names for it becomes a finding before the new log counts.
"""

from collections.abc import Callable
from typing import assert_never

import trio

from f2fbuild import limits
from f2fbuild.audit.findings import Findings
from f2fbuild.audit.follow import Follower
from f2fbuild.audit.found import LEFT_OUT, REPEATED_EPOCH, Found
from f2fbuild.errors import F2FError, FormatError
from f2fbuild.ledger.checkpoint import Checkpoint
from f2fbuild.ledger.evidence import format_repeated_epoch
from f2fbuild.ledger.mirror import Mirror
from f2fbuild.ledger.succession import Contradicts, LeavesOut, Skips, Succeeds, Succession, Unknown, decide
from f2fbuild.model.tree import EMPTY_ROOT, range_root
from f2fbuild.model.vkey import format_vkey
from f2fbuild.net.ledger_messages import CertificateSeen, RenewCertificate
from f2fbuild.net.messages import Failure
from f2fbuild.node.friendships import Friendships
from f2fbuild.trust.binding import Unbound
from f2fbuild.trust.certificate_file import CertificateFile, parse_file
from f2fbuild.trust.certificates import NodeCertificate, Previous
from f2fbuild.trust.renewal import Renewal, compare

_REFUSALS = {
    Renewal.ANOTHER_NODE: "the certificate is of another node than this session's",
    Renewal.ANOTHER_OWNER: "the certificate names another owner",
    Renewal.ANOTHER_SESSION_KEY: "a node keeps its session key in every epoch",
    Renewal.OTHER_KEYS: "other keys are another epoch, and an epoch has keys of its own",
    Renewal.NOT_IN_FORCE: "the certificate is not in force now",
    Renewal.REPEATED_EPOCH: "this epoch has another log already",
}


class Renewing:
    """Takes in friends' new certificates."""

    def __init__(
        self,
        friendships: Friendships,
        findings: Findings,
        follower: Callable[[], Follower],
        *,
        clock: Callable[[], int],
        tell: Callable[[str], None],
        ended: Callable[[str], None],
    ) -> None:
        """Keep certificates in `friendships` and what is wrong with them in `findings`.

        `follower` has the copies of logs; `clock` returns unix seconds; `tell` is given words for the owner;
        `ended` hears whose log was replaced by that of a new epoch.
        """
        self._ended = ended
        self._friendships = friendships
        self._findings = findings
        self._follower = follower
        self._clock = clock
        self._tell = tell
        self._taken: dict[str, float] = {}
        self._one_at_a_time = trio.Lock()

    async def heard(self, peer: str, request: RenewCertificate) -> CertificateSeen | Failure:
        """Take the certificate that a friend sends of his node; what is refused changes nothing."""
        async with self._one_at_a_time:
            held = self._friendships.certificate_file(peer)
            if held is None:
                return _refused("not-a-friend", "")
            if held.data == request.certificate:
                return CertificateSeen()
            if trio.current_time() < self._taken.get(peer, -limits.RENEWAL_SECONDS) + limits.RENEWAL_SECONDS:
                return _refused("too-much", "one other certificate a minute")
            self._taken[peer] = trio.current_time()
            try:
                offered = parse_file(request.certificate)
            except FormatError as error:
                return _refused("malformed", str(error))
            return await self._consider(held, offered)

    async def _consider(self, held: CertificateFile, offered: CertificateFile) -> CertificateSeen | Failure:
        what = compare(held.certificate, offered.certificate, self._clock())
        match what:
            case Renewal.OLDER:
                return CertificateSeen()
            case Renewal.NEW_EPOCH | Renewal.RENEWED | Renewal.REPEATED_EPOCH:
                signed = await self._friendships.check(offered)
                if isinstance(signed, Unbound):
                    return _refused("not-signed", f"{signed.fault}: {signed.detail}")
            case _:
                return _refused(what.value, _REFUSALS[what])
        if what is Renewal.REPEATED_EPOCH:
            self._accuse(held, offered)
            return _refused(what.value, _REFUSALS[what])
        if what is Renewal.NEW_EPOCH:
            # Before the row: if we crash here, the friend sends it again and the finding is made once.
            await self._examine(held.certificate, offered.certificate)
        await self._friendships.renew(held, offered)
        self._follower().want(offered.certificate.node_id)
        if what is Renewal.NEW_EPOCH:
            self._ended(offered.certificate.node_id)
        return CertificateSeen()

    def _accuse(self, held: CertificateFile, offered: CertificateFile) -> None:
        certificate = offered.certificate
        self._findings.record(
            Found(
                kind=REPEATED_EPOCH,
                owner=certificate.owner,
                node=certificate.node_id,
                evidence=format_repeated_epoch((held.data, offered.data)),
                detail=f"two logs in the epoch {certificate.epoch}",
                origin=certificate.origin,
                subject=f"{certificate.node_id} {certificate.epoch}",
            )
        )

    async def _examine(self, held: NodeCertificate, offered: NodeCertificate) -> None:
        """Compare the end that the new certificate names with the copy of the log before it."""
        words = await self._missing(held, offered)
        if words:
            self._findings.record(
                Found(
                    kind=LEFT_OUT,
                    owner=offered.owner,
                    node=offered.node_id,
                    evidence=b"",
                    detail=f"epoch {offered.epoch} {words}",
                    origin=held.origin,
                    subject=f"{held.origin} {offered.epoch}",
                )
            )

    async def _missing(self, held: NodeCertificate, offered: NodeCertificate) -> str:
        """Return what the new epoch does not own up to, nothing when it does."""
        try:
            mirror = self._follower().kept(format_vkey(held.log))
        except F2FError as error:
            self._tell(f"the end of {held.node}'s old log cannot be compared: {error}")
            return ""
        if mirror is None:
            return ""
        previous, next_epoch = _end(offered.previous), offered.epoch == held.epoch + 1
        decision = await trio.to_thread.run_sync(
            lambda: decide(previous, mirror.head, lambda size: _root_at(mirror, size), next_epoch=next_epoch)
        )
        if isinstance(decision, Unknown):
            self._tell(f"epochs of {held.node} lie between {held.epoch} and {offered.epoch}")
        return _words(decision, mirror.size, held.epoch)


def _words(decision: Succession, size: int, epoch: int) -> str:
    """Return what is wrong with how an epoch goes on from the log of `epoch`, `size` entries of it held."""
    match decision:
        case Succeeds() | Unknown():
            return ""
        case LeavesOut(entries=entries):
            return f"leaves out the last {entries} of {size} entries held here; they still count"
        case Contradicts(size=where):
            return f"names another root than the log had at {where} entries; what is held here counts"
        case Skips():
            return f"goes on from epoch {epoch}; what was logged in between is disowned, and still counts"
    assert_never(decision)


def _end(previous: Previous | None) -> Checkpoint | None:
    if previous is None:
        return None
    return Checkpoint(origin=previous.origin, size=previous.size, root=bytes.fromhex(previous.root))


def _root_at(mirror: Mirror, size: int) -> bytes:
    return range_root(0, size, mirror.read_hash) if size else EMPTY_ROOT


def _refused(code: str, detail: str) -> Failure:
    return Failure(code=code, detail=detail[: limits.MESSAGE_TEXT])
