"""The node's answers to its API about logs: archives that are brought, and what makes a head believable."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, assert_never

import trio

from f2fbuild.api import ledger_replies, requests
from f2fbuild.api.replies import Reply
from f2fbuild.api.requests import Request
from f2fbuild.audit.importing import Taken, take_in
from f2fbuild.audit.ondemand import Unread, Why
from f2fbuild.audit.policy_text import format_policy
from f2fbuild.errors import F2FError, NobodyError, RefusedError, UsageError
from f2fbuild.ledger.carried import Carried
from f2fbuild.ledger.checkpoint import parse_log_vkey
from f2fbuild.model.vkey import VerifierKey, format_vkey
from f2fbuild.node.log_views import copy_view
from f2fbuild.node.parts import Parts
from f2fbuild.node.witness_views import witnessing_view
from f2fbuild.store.files import open_regular


class LedgerHandlers:
    """Answers about logs."""

    def __init__(self, parts: Parts) -> None:
        """Answer from the node's parts."""
        self._parts = parts
        self._importing = trio.Lock()
        self.table: dict[type[Request], Callable[[Any], Awaitable[Reply]]] = {
            requests.ImportLogs: self._import,
            requests.ReadStrangersLog: self._read,
            requests.GetTlogPolicy: self._policy,
            requests.GetWitnessing: self._witnessing,
            requests.DateEntry: self._date,
        }

    async def _import(self, request: requests.ImportLogs) -> ledger_replies.Imported:
        parts = self._parts
        # One archive at a time: its list of names is what an import keeps in memory.
        async with self._importing:
            with open_regular(Path(request.file)) as file:
                carried = await trio.to_thread.run_sync(Carried, file, request.file)
                friends = [friend for friend, _, _ in parts.friendships.all()]
                taken = await take_in(carried, parts.identity.origin, friends, parts.follower)
        return ledger_replies.Imported(logs=tuple(_taken_view(one) for one in taken))

    async def _read(self, request: requests.ReadStrangersLog) -> ledger_replies.StrangersLog:
        found = await self._parts.strangers.read(request.log)
        if isinstance(found, Unread):
            raise _unread(found, request.log)
        return ledger_replies.StrangersLog(
            log=copy_view(self._parts, found.author, followed=False), giver=found.giver
        )

    async def _policy(self, request: requests.GetTlogPolicy) -> ledger_replies.TlogPolicy:
        log, log_owner = self._log(request.origin or self._parts.identity.origin)
        witnesses: dict[str, dict[str, VerifierKey]] = {}
        for friend, _, _ in self._parts.friendships.all():
            verified = self._parts.friendships.certificate(friend.node_id)
            trusted = self._parts.friendships.refusal(friend.node_id) is None
            if verified is not None and trusted and friend.owner != log_owner:
                witnesses.setdefault(friend.owner, {})[friend.node] = verified.certificate.witness
        own = self._parts.identity.certificate.certificate
        if own.owner != log_owner:
            # This node's word counts for its owner like a friend's, and needs no path.
            witnesses.setdefault(own.owner, {})[own.node] = own.witness
        text = format_policy(log, witnesses, self._parts.friendships.independent)
        return ledger_replies.TlogPolicy(origin=log.name, text=text)

    async def _witnessing(self, request: requests.GetWitnessing) -> ledger_replies.Witnessing:
        origin = request.origin or self._parts.identity.origin
        key, _ = self._log(origin)
        log = self._parts.log if key == self._parts.log.key else self._parts.follower.kept(format_vkey(key))
        return witnessing_view(self._parts, key, log.checkpoint() if log else b"")

    async def _date(self, request: requests.DateEntry) -> ledger_replies.Dated:
        key, _ = self._log(request.origin or self._parts.identity.origin)
        log = self._parts.log if key == self._parts.log.key else self._parts.follower.kept(format_vkey(key))
        if log is None or request.index >= log.size:
            raise UsageError("the log has no such entry here", where=f"entry {request.index} of {key.name}")
        before, text = self._parts.witnessing.dating.evidence(log, request.index, request.before)
        return ledger_replies.Dated(
            origin=key.name, index=request.index, before=before, evidence=text.decode()
        )

    def _log(self, origin: str) -> tuple[VerifierKey, str]:
        """Return the key of a log kept here, and its owner."""
        own = self._parts.identity.certificate.certificate
        if origin == own.origin:
            return own.log, own.owner
        author = self._parts.author(origin)
        if author is not None:
            return parse_log_vkey(author.vkey), author.owner
        raise UsageError("no such log here", where=origin, hint="f2fbuild peer list")


def _unread(unread: Unread, where: str) -> F2FError:
    """Return the error that tells a person why a log is not read here."""
    what = ": ".join(part for part in (unread.why.text, unread.detail) if part)
    hint = unread.advice or unread.why.advice
    match unread.why:
        case Why.UNHEARD | Why.SEVERAL:
            return UsageError(what, where=where, hint=hint)
        case Why.NOBODY | Why.SPOILED | Why.NOT_CERTIFIED:
            return NobodyError(what, where=where, hint=hint)
        case Why.NOT_VOUCHED | Why.NOT_SIGNED | Why.TOO_MANY | Why.TOO_LONG:
            return RefusedError(what, where=where, hint=hint)
        case _:
            assert_never(unread.why)


def _taken_view(taken: Taken) -> ledger_replies.ImportedLog:
    return ledger_replies.ImportedLog(
        origin=f"f2fbuild.invalid/log/{taken.log}",
        name=taken.friend.name if taken.friend else "",
        state=str(taken.brought),
        size=taken.size,
        detail=taken.detail,
    )
