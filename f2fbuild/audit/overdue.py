"""Promises of followed logs that nobody kept: told to the owner, and proved to others where witnesses allow.

Looked at whenever a friend has shown his newest head himself, for an old head from other hands proves no
silence; and when the time has come and he stays away (`audit.reminders`), under the newest head that anybody
here has shown. This node's own clock is enough for a finding; evidence for others needs a head that two other
owners cosigned a week after the promise was due.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import trio

from f2fbuild.audit.findings import Findings
from f2fbuild.audit.found import HIDDEN_RESULT, Found
from f2fbuild.ledger.checkpoint import open_checkpoint
from f2fbuild.ledger.cosignature import cosignatures
from f2fbuild.ledger.directory import LogDirectory
from f2fbuild.ledger.entry import Acceptance, read
from f2fbuild.ledger.evidence import COSIGNERS, OwnedNode, cosigned_proof, due, format_hidden
from f2fbuild.ledger.proof import format_proof
from f2fbuild.limits import EVIDENCE_WITNESSES, HIDDEN_SPAN_BYTES, OVERDUE_LOOKED_AT
from f2fbuild.model.friend import Friend
from f2fbuild.model.times import format_time


class Overdue:
    """Finds promises that are long overdue."""

    def __init__(
        self, findings: Findings, witnesses: Callable[[], Sequence[OwnedNode]], clock: Callable[[], int]
    ) -> None:
        """Tell `findings`; `witnesses` returns nodes whose owners are known here, `clock` unix seconds."""
        self._findings = findings
        self._witnesses = witnesses
        self._clock = clock

    async def late(self, friend: Friend, mirror: LogDirectory, owed: Sequence[int]) -> list[int]:
        """Return since when each of the acceptances `owed` is overdue, without those proved to be."""
        return [due(acceptance) for _, acceptance in await self._unproved(friend, mirror, owed)]

    async def look(
        self, friend: Friend, mirror: LogDirectory, note: bytes, owed: Sequence[int], *, away: bool = False
    ) -> None:
        """Look at the acceptances `owed` in a friend's log, which is at the head `note`.

        He showed it himself, or he is `away` and it is the newest that anybody here knows.
        """
        head = open_checkpoint(note, mirror.key)
        if head != mirror.head:
            return
        for index, acceptance in await self._unproved(friend, mirror, owed):
            evidence = await self._prove(friend, mirror, note, index, due(acceptance))
            words = f"what was accepted at {index} and due {_day(acceptance)} is closed by nothing"
            words += " that anybody here has shown" if away else ""
            found = Found(
                kind=HIDDEN_RESULT,
                owner=friend.owner,
                node=friend.node_id,
                evidence=evidence,
                detail=words if evidence else f"{words}; too few have cosigned that to prove it",
                origin=mirror.key.name,
                subject=_subject(mirror, index) if evidence else "",
            )
            if evidence or not self._is_said(found):
                self._findings.record(found)

    async def _unproved(
        self, friend: Friend, mirror: LogDirectory, owed: Sequence[int]
    ) -> list[tuple[int, Acceptance]]:
        oldest = owed[:OVERDUE_LOOKED_AT]
        promised = await trio.to_thread.run_sync(_read, mirror, friend.statement_key, oldest)
        return [
            (index, acceptance)
            for index, acceptance in promised
            if self._clock() > due(acceptance)
            and not self._findings.about(HIDDEN_RESULT, _subject(mirror, index))
        ]

    def _is_said(self, found: Found) -> bool:
        said = (one for one in self._findings.list() if one.kind == found.kind)
        return any((one.origin, one.detail) == (found.origin, found.detail) for one in said)

    async def _prove(
        self, friend: Friend, mirror: LogDirectory, note: bytes, index: int, since: int
    ) -> bytes:
        """Return the evidence, nothing when too few owners cosigned the head late enough."""
        known = {node.witness: node for node in self._witnesses() if node.owner != friend.owner}
        late = [known[one.key] for one in cosignatures(note, list(known)) if one.time > since]
        one_each = list({node.owner: node for node in late}.values())[:EVIDENCE_WITNESSES]
        if len(one_each) < COSIGNERS:
            return b""
        return await trio.to_thread.run_sync(_evidence, friend.vkey, mirror, note, index, one_each)


def _evidence(vkey: str, mirror: LogDirectory, note: bytes, index: int, nodes: list[OwnedNode]) -> bytes:
    entries = mirror.entries(index, mirror.size)
    if sum(2 + len(entry) for entry in entries) > HIDDEN_SPAN_BYTES:
        return b""
    proof = replace(mirror.inclusion(index), checkpoint=note)
    return format_hidden(
        vkey,
        (mirror.entry(0), format_proof(mirror.inclusion(0))),
        cosigned_proof(proof, mirror.key, nodes),
        entries,
        [node.file for node in nodes],
    )


def _read(mirror: LogDirectory, statement_key: bytes, indices: Sequence[int]) -> list[tuple[int, Acceptance]]:
    payloads = ((index, read(mirror.entry(index), statement_key).payload) for index in indices)
    return [(index, payload) for index, payload in payloads if isinstance(payload, Acceptance)]


def _subject(mirror: LogDirectory, index: int) -> str:
    return f"{mirror.key.name} {index}"


def _day(acceptance: Acceptance) -> str:
    return format_time(max(acceptance.deadline, acceptance.reveal_by))
