"""The parts by which this node witnesses others' logs and others witness its own."""

import secrets
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from f2fbuild.audit.dating import Around as DatingAround
from f2fbuild.audit.dating import Dating
from f2fbuild.audit.found import EQUIVOCATION, Found
from f2fbuild.errors import ConfigurationError
from f2fbuild.ledger.checkpoint import Checkpoint, parse_log_vkey
from f2fbuild.ledger.collected import Collected
from f2fbuild.ledger.cosigned import write_cosigned
from f2fbuild.ledger.cosigner import Cosigner, CosignerRole
from f2fbuild.ledger.evidence import read_node
from f2fbuild.ledger.known import Known
from f2fbuild.ledger.mirror import Mirror
from f2fbuild.ledger.sighted import Sighted
from f2fbuild.model.friend import Friend
from f2fbuild.model.vkey import KeyKind, VerifierKey, parse_vkey
from f2fbuild.node.cosigners import Cosigners
from f2fbuild.node.cosigning import Cosigning, Surroundings
from f2fbuild.node.gathering import Gathering, Sources
from f2fbuild.node.outside import OutsideWitness, OutsideWitnesses
from f2fbuild.node.outside_door import OutsideDoor
from f2fbuild.node.returning import Authors, Returning
from f2fbuild.trust.policy import Refusal, Right

if TYPE_CHECKING:
    from f2fbuild.node.parts import Parts


class Witnessing:
    """What a node needs to cosign, and to be cosigned; fulfils `audit.others.Witness`."""

    def __init__(self, parts: "Parts", clock: Callable[[], int], tell: Callable[[str], None]) -> None:
        """Make nothing yet."""
        self._parts = parts
        self._clock = clock
        self._tell = tell

    @cached_property
    def witness(self) -> Cosigner:
        """Cosigns heads as seen."""
        key = self._parts.identity.witness_key
        return Cosigner(self._parts.database, CosignerRole.WITNESS, key, self._clock)

    @cached_property
    def keeper(self) -> Cosigner:
        """Cosigns heads whose entries are held here."""
        key = self._parts.identity.mirror_key
        return Cosigner(self._parts.database, CosignerRole.MIRROR, key, self._clock)

    @cached_property
    def collected(self) -> Collected:
        """The cosignatures held."""
        collected = Collected(self._parts.database)
        collected.on_add(self._cosigned)
        return collected

    @cached_property
    def dating(self) -> Dating:
        """Keeps heads that others saw, and dates entries by them."""
        parts = self._parts
        around = DatingAround(
            log=lambda origin: parts.log if origin == parts.identity.origin else self._copy(origin),
            owner=self._owner,
            said=self.collected.of,
            witnesses=lambda: [read_node(parts.identity.certificate.data), *parts.friendships.nodes()],
            independent=parts.friendships.independent,
            clock=self._clock,
        )
        return Dating(Sighted(parts.database), around)

    @cached_property
    def cosigners(self) -> Cosigners:
        """Whose cosignatures are known."""
        outside = {one.key: one.name for one in self._outside_witnesses}
        return Cosigners(self._parts.friendships, (self.witness, self.keeper), outside)

    @cached_property
    def gathering(self) -> Gathering:
        """Takes cosignatures in and shows them."""
        sources = Sources(
            keys=self.cosigners.all,
            kept=self._copy,
            clock=self._clock,
            random=secrets.token_bytes,
        )
        return Gathering(self._parts.log, self.collected, sources, self.returning)

    @cached_property
    def returning(self) -> Returning:
        """Lets friends have the cosignatures of their heads that came here."""
        authors = Authors(
            find=self._parts.friendships.author,
            is_here=lambda peer: peer in self._parts.peers.connected(),
        )
        return Returning(self._parts.reach, authors)

    @cached_property
    def cosigning(self) -> Cosigning:
        """Cosigns friends' heads."""
        surroundings = Surroundings(
            may=self._may,
            mirror=self._parts.mirrored,
            bringer=self._parts.gossiping.source,
            forked=self._forked,
            tell=self._tell,
            clock=self._clock,
        )
        return Cosigning((self.witness, self.keeper), self.collected, self._parts.reach, surroundings)

    @cached_property
    def outside(self) -> OutsideWitnesses:
        """Brings this node's heads to witnesses that are no friends."""
        return OutsideWitnesses(
            self._parts.log, self.collected, self._outside_witnesses, self._clock, self._tell
        )

    @cached_property
    def door(self) -> OutsideDoor:
        """Answers logs that ask over HTTP."""
        outside = {
            one.origin: tuple(parse_vkey(vkey, where="ledger.witnessed") for vkey in one.vkeys)
            for one in self._parts.settings.ledger.witnessed
        }
        return OutsideDoor(self.witness, self._witnessed_friend, outside, self._forked)

    @cached_property
    def _outside_witnesses(self) -> list[OutsideWitness]:
        return [
            OutsideWitness(name=one.name, key=_cosigner(one.vkey, one.name), url=one.url)
            for one in self._parts.settings.ledger.witness
        ]

    def known(self) -> Known:
        """Return the cosigners whose lines are wanted with a head."""
        return self.gathering.known()

    def followed(self, friend: Friend, note: bytes) -> None:
        """Keep the lines under a head of a friend's log, and cosign it."""
        self.gathering.came(note, parse_log_vkey(friend.vkey))
        self.cosigning.followed(friend)

    def _cosigned(self, head: Checkpoint) -> None:
        self._show(head)
        self.dating.seen(head)

    def _show(self, head: Checkpoint) -> None:
        """Let everybody who is shown the own log's head see who cosigned it."""
        log = self._parts.log
        if head == log.head:
            known = self.cosigners.all()
            write_cosigned(log.directory, self.gathering.dressed(log.checkpoint(), log.key, known))

    def _copy(self, origin: str) -> Mirror | None:
        friend = self._parts.friendships.author(origin)
        return self._parts.mirrored(friend) if friend else None

    def _owner(self, origin: str) -> str:
        own = self._parts.identity.certificate.certificate
        friend = None if origin == own.origin else self._parts.friendships.author(origin)
        return friend.owner if friend else own.owner

    def _witnessed_friend(self, origin: str) -> tuple[Friend, VerifierKey] | None:
        friend = self._parts.friendships.author(origin)
        if friend is None or not self._may(friend.node_id):
            return None
        mirror = self._parts.mirrored(friend)
        if mirror is None or mirror.evidence:
            return None
        return friend, mirror.key

    def _may(self, peer: str) -> bool:
        return not isinstance(self._parts.friendships.decide(peer, Right.WITNESS), Refusal)

    def _forked(self, friend: Friend, evidence: bytes) -> None:
        origin = parse_log_vkey(friend.vkey).name
        self._parts.findings.record(
            Found(
                kind=EQUIVOCATION,
                owner=friend.owner,
                node=friend.node_id,
                evidence=evidence,
                detail="two heads that cannot both be true",
                origin=origin,
                subject=origin,
            )
        )
        self._parts.follower.convict(origin, evidence)


def _cosigner(vkey: str, name: str) -> VerifierKey:
    where = f"ledger.witness {name}"
    key = parse_vkey(vkey, where=where)
    if key.kind is not KeyKind.COSIGNATURE:
        raise ConfigurationError("not the key of a cosigner", where=where, hint="its type byte is 0x04")
    return key
