"""The node's answers to its API: requests about the node itself, friends, trust, targets and logs.

Requests about jobs are in `job_handlers`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.metadata import version
from typing import Any

import trio

from f2fbuild.api import ledger_replies, replies, requests
from f2fbuild.api.replies import Reply
from f2fbuild.api.requests import Request
from f2fbuild.audit.found import Finding
from f2fbuild.builder.protections import probe_protections
from f2fbuild.builder.targets import Target, format_target, parse_target
from f2fbuild.errors import UsageError
from f2fbuild.model.friend import Friend
from f2fbuild.model.times import format_time
from f2fbuild.model.vkey import format_vkey
from f2fbuild.node.job_handlers import JobHandlers
from f2fbuild.node.ledger_handlers import LedgerHandlers
from f2fbuild.node.log_views import copy_view
from f2fbuild.node.parts import Parts
from f2fbuild.node.roles import check_owner
from f2fbuild.trust.explanation import Explanation, explain
from f2fbuild.trust.issuing import make_card
from f2fbuild.trust.policy import Allowed, Question, Refusal, Right

_QUESTIONS: dict[Question, str] = {
    Right.BUILD: "may build for you",
    Right.SUBMIT: "may give you jobs",
    Right.LEDGER: "may read your ledger",
}


class NodeHandlers:
    """Fulfils `api.app.Handlers`."""

    def __init__(self, parts: Parts) -> None:
        """Answer from the node's parts."""
        self._parts = parts
        self._jobs = JobHandlers(parts)
        self._table: dict[type[Request], Callable[[Any], Awaitable[Reply]]] = {
            requests.GetStatus: self._status,
            requests.GetProtections: self._protections,
            requests.GetCard: self._card,
            requests.TakeRenewal: self._renewal,
            requests.AddPeer: self._add_peer,
            requests.GetPeer: self._peer,
            requests.RemovePeer: self._remove_peer,
            requests.ListPeers: self._peers,
            requests.ExplainTrust: self._explain,
            requests.ListTargets: self._list_targets,
            requests.GetTarget: self._target,
            requests.AddTarget: self._add_target,
            requests.ListLogs: self._logs,
            **self._jobs.table,
            **LedgerHandlers(parts).table,
        }

    async def call(self, request: Request) -> Reply:
        """Return the reply to a request."""
        if self._parts.is_auditor:
            check_owner(request)
        return await self._table[type(request)](request)

    def stream(self, request: Request) -> AsyncIterator[Reply]:
        """Return the replies to a request that is answered by a stream."""
        return self._jobs.stream(request)

    async def _status(self, _request: requests.GetStatus) -> replies.Status:
        parts = self._parts
        certificate = parts.identity.certificate.certificate
        owner = parts.friendships.known.snapshot.owners.get(certificate.owner)
        return replies.Status(
            version=version("f2fbuild"),
            node=certificate.node,
            node_id=certificate.node_id,
            owner=certificate.owner,
            owner_name=", ".join(owner.user_ids[:1]) if owner else "",
            origin=certificate.origin,
            vkey=format_vkey(certificate.log),
            statement_key=certificate.statements.hex(),
            log_path=str(parts.log_directory),
            log_size=parts.log.size,
            listen=parts.settings.node.listen,
            friends=len(parts.friendships.all()),
            connected=len(parts.peers.connected()),
            jobs_running=len(parts.desk.queue.unfinished()),
            builds_running=parts.fulfilment.building,
            held=parts.guard.held,
            notices=(
                *([warning] if (warning := parts.certifying.warning) else []),
                *(self._notice(one) for one in parts.findings.list()),
            ),
        )

    def _notice(self, one: Finding) -> str:
        friend = self._parts.friendships.find(one.node)
        whose = friend.name if friend else one.owner or one.origin
        return " ".join(part for part in (f"{one.kind}:", whose, one.detail, one.evidence) if part)

    async def _protections(self, _request: requests.GetProtections) -> replies.Protections:
        found = [
            replies.Protection(name=one.name, holds=one.holds, by=one.by, hint=one.hint)
            for one in await probe_protections()
        ]
        until = self._parts.identity.certificate.certificate.not_after
        certificate = replies.Protection(
            name="certificate",
            holds=self._parts.clock() < until,
            by=f"in force until {format_time(until)}",
            hint=self._parts.certifying.warning,
        )
        return replies.Protections(protections=(*found, certificate))

    async def _renewal(self, _request: requests.TakeRenewal) -> replies.Renewed:
        await self._parts.certifying.take()
        certificate = self._parts.identity.certificate.certificate
        return replies.Renewed(
            node=certificate.node,
            origin=certificate.origin,
            epoch=certificate.epoch,
            not_before=certificate.not_before,
            not_after=certificate.not_after,
            in_force=True,
        )

    async def _card(self, request: requests.GetCard) -> replies.Card:
        hints = request.dial or self._parts.settings.node.listen
        file = self._parts.identity.certificate
        card = await trio.to_thread.run_sync(make_card, file, hints, self._parts.user)
        return replies.Card(text=card.decode())

    async def _add_peer(self, request: requests.AddPeer) -> replies.Peer:
        rights = _parse_rights(request.rights)
        friendships = self._parts.friendships
        if request.dry_run:
            proposed = await friendships.propose(request.card, rights, request.alias)
        else:
            proposed = await friendships.admit(request.card, rights, request.alias, certify=request.certify)
            self._parts.peers.refresh()
        return self._peer_view(proposed.friend, proposed.rights, proposed.hints)

    async def _peer(self, request: requests.GetPeer) -> replies.Peer:
        wanted = self._parts.friendships.resolve(request.peer)
        return next(view for view in self._views() if view.id == wanted.node_id)

    async def _peers(self, _request: requests.ListPeers) -> replies.Peers:
        return replies.Peers(peers=tuple(self._views()), refused=self._parts.friendships.refused_lately())

    async def _remove_peer(self, request: requests.RemovePeer) -> replies.Peer:
        view = await self._peer(request)
        await self._parts.friendships.remove(self._parts.friendships.resolve(request.peer))
        return view

    def _views(self) -> list[replies.Peer]:
        return [self._peer_view(*found) for found in self._parts.friendships.all()]

    def _peer_view(self, friend: Friend, rights: frozenset[Right], hints: tuple[str, ...]) -> replies.Peer:
        parts = self._parts
        refusal, told = parts.friendships.refusal(friend.node_id), parts.friendships.told(friend.node_id)
        said = [f"here: {refusal.reason.text} ({refusal.rule})"] if refusal else []
        offer = parts.friendships.refused_offer(friend.node_id)
        said += [f"here: an offer was refused: {offer}"] if offer else []
        verified = parts.friendships.certificate(friend.node_id)
        mirror, fork = parts.mirrored(friend), parts.convictions.of(friend)
        connected = friend.node_id in parts.peers.connected()
        return replies.Peer(
            id=friend.node_id,
            alias=friend.alias,
            node=friend.node,
            owner=friend.owner,
            origin=friend.vkey.split("+")[0],
            rights=tuple(sorted(rights)),
            hints=hints,
            connected=connected,
            path="direct TCP" if connected else "no link",
            refusals=(*said, *([f"there: {told}"] if told else [])),
            log_size=mirror.size if mirror else 0,
            frozen=bool(fork or (mirror and mirror.evidence)),
            fork=fork,
            violation=mirror.violation if mirror else "",
            certificate_until=verified.certificate.not_after if verified else 0,
        )

    async def _explain(self, request: requests.ExplainTrust) -> replies.Trust:
        parts = self._parts
        plain = request.who.replace(" ", "").upper()
        theirs = [friend for friend, _, _ in parts.friendships.all() if friend.owner == plain]
        if plain in parts.friendships.known.snapshot.owners and not theirs:
            # In the keyring and no friend: what stands in the way is worth knowing too.
            owner, peer, alias = plain, "", ""
        else:
            friend = theirs[0] if theirs else parts.friendships.resolve(request.who)
            owner, peer, alias = friend.owner, friend.node_id, friend.alias
        verified = parts.friendships.certificate(peer)
        certificate = verified.certificate if verified else None
        found = explain(owner, certificate, parts.friendships.known, parts.desk.clock())
        return _trust(found, alias, parts.friendships.told(peer))

    async def _list_targets(self, _request: requests.ListTargets) -> replies.Targets:
        return replies.Targets(targets=tuple(self._target_view(one) for one in self._parts.targets.all()))

    async def _target(self, request: requests.GetTarget) -> replies.Target:
        return self._target_view(self._parts.targets.get(request.name))

    async def _add_target(self, request: requests.AddTarget) -> replies.Target:
        target = parse_target(request.text)
        self._parts.targets.add(target)
        return self._target_view(target)

    def _target_view(self, target: Target) -> replies.Target:
        return replies.Target(
            name=target.name,
            format=str(target.format),
            arch=target.arch,
            text=format_target(target),
            keys=tuple(repository.keyring for repository in target.repository),
        )

    async def _logs(self, _request: requests.ListLogs) -> ledger_replies.Logs:
        parts = self._parts
        certificate = parts.identity.certificate.certificate
        own = ledger_replies.Log(
            origin=certificate.origin,
            owner=certificate.owner,
            node=certificate.node,
            vkey=format_vkey(certificate.log),
            statement_key=certificate.statements.hex(),
            path=str(parts.log_directory),
            size=parts.log.size,
            frozen=False,
        )
        mirrors = [copy_view(parts, friend, followed=True) for friend, _, _ in parts.friendships.all()]
        mirrors += [copy_view(parts, one, followed=False) for one in parts.strangers.all()]
        findings = tuple(
            ledger_replies.Finding(
                kind=one.kind,
                owner=one.owner,
                node=one.node,
                evidence=one.evidence,
                found=one.found,
                detail=one.detail,
            )
            for one in parts.findings.list()
        )
        return ledger_replies.Logs(logs=(own, *mirrors), findings=findings)


def _parse_rights(words: tuple[str, ...]) -> frozenset[Right]:
    known = [str(right) for right in Right]
    unknown = sorted(set(words) - set(known))
    if unknown:
        raise UsageError(f"no such right: {', '.join(unknown)}", hint=f"rights are {', '.join(known)}")
    return frozenset(Right(word) for word in words)


def _trust(found: Explanation, alias: str, told: str) -> replies.Trust:
    answers = []
    for answer in found.answers:
        question = _QUESTIONS.get(answer.question)
        if question is None:
            continue
        match answer.decision:
            case Allowed(rules=rules):
                said = ("", str(rules[-1]), "")
            case Refusal(reason=reason, rule=rule, detail=detail):
                said = (reason.word, str(rule), f"{reason.text}; {detail}; next: {reason.advice}")
        allowed = isinstance(answer.decision, Allowed)
        answers.append(
            replies.TrustAnswer(
                question=question, allowed=allowed, reason=said[0], rule=said[1], detail=said[2]
            )
        )
    names = {found.owner: alias or found.owner}
    return replies.Trust(
        owner=found.owner,
        alias=alias or (", ".join(found.key.user_ids[:1]) if found.key else ""),
        validity=str(found.key.validity.name.lower()) if found.key else "unknown",
        answers=tuple(answers),
        paths=tuple(
            ("you", *(names.get(step.certification.certified, step.certification.certified) for step in path))
            for path in found.paths
        ),
        would_change=tuple(f"{one.what} on {format_time(one.when)} ({one.owner})" for one in found.changes),
        told_us=(told,) if told else (),
    )
