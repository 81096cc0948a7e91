"""Friends: their rows, their keys, and every decision about them.

The keyring is read in a thread (`refresh`), at start, after every change made here, and every few seconds to
notice what other programs changed; decisions look at the last snapshot only, so none of them runs GnuPG.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import trio

from f2fbuild import limits
from f2fbuild.errors import F2FError, FormatError, RefusedError, UsageError
from f2fbuild.ledger.evidence import OwnedNode, read_node
from f2fbuild.model.friend import Friend
from f2fbuild.model.vkey import format_vkey
from f2fbuild.net import dialer
from f2fbuild.net.hints import Hint, parse_hint
from f2fbuild.store.database import Database, Row
from f2fbuild.trust.admission import AdmittedCard, RefusedCard, admit_card, admit_file
from f2fbuild.trust.armor import Block, dearmor
from f2fbuild.trust.binding import CertificateTable, Unbound, VerifiedCertificate
from f2fbuild.trust.certificate_file import CertificateFile, parse_file
from f2fbuild.trust.gpg import Gnupg
from f2fbuild.trust.graph import edges, independent, standing
from f2fbuild.trust.keyring import Keyring
from f2fbuild.trust.packets import check_signature
from f2fbuild.trust.policy import Decision, FriendState, Gate, Grants, Known, Question, Refusal, Right, decide
from f2fbuild.trust.signature import GoodSignature


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """A card as it would be taken: whose it is and what it would be given."""

    friend: Friend
    rights: frozenset[Right]
    hints: tuple[str, ...]


class Friendships:
    """The friends of this node."""

    def __init__(self, database: Database, keyring: Keyring, user: Gnupg, clock: Callable[[], int]) -> None:
        """Read rows from `database`, keys from `keyring`; `user` is the owner's own GnuPG."""
        self._database = database
        self._keyring = keyring
        self._user = user
        self._clock = clock
        self._changed: list[Callable[[], None]] = []
        self._admitting = trio.Lock()
        self._told: dict[str, str] = {}
        self._refused_offers: dict[str, str] = {}
        self._refused: dict[str, str] = {}
        self._table = CertificateTable([])
        self._known: Known | None = None

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call `callback` whenever a decision may have changed."""
        self._changed.append(callback)

    async def refresh(self) -> None:
        """Take a new snapshot of keyring and rows; tells who listens when anything is different."""
        snapshot = await trio.to_thread.run_sync(self._keyring.snapshot, self._clock())
        table = await trio.to_thread.run_sync(self._verified, self._rows())
        known = Known(
            snapshot=snapshot,
            grants=Grants(rights=self._rights()),
            states=self._states(),
            epochs=table.epochs(),
        )
        different = self._known is None or self._known != known
        self._table, self._known = table, known
        if different:
            for callback in self._changed:
                callback()

    async def watch(self) -> None:
        """Refresh every few seconds until cancelled: trust may change in files, and with time."""
        while True:
            await trio.sleep(limits.TRUST_REFRESH_SECONDS)
            await self.refresh()

    @property
    def known(self) -> Known:
        """What this node knows and allows, as of the last refresh."""
        if self._known is None:
            raise F2FError("trust was asked before it was read")
        return self._known

    # Decisions

    def decide(self, peer: str, question: Question) -> Decision:
        """Return the answer to a question about a friend's node (node id) now."""
        verified = self._table.newest(peer)
        owner = verified.certificate.owner if verified else ""
        certificate = verified.certificate if verified else None
        return decide(question, owner, certificate, self.known, self._clock())

    def authenticate(self, noise_public: bytes, certificate_digest: bytes) -> str | None:
        """Return the node id of a friend that may have a session, None for everybody else.

        A friend whose key or certificate is out of order is let in to be told so; a stranger, and who was
        removed or blocked, hears nothing.
        """
        bound = self._table.bind(noise_public, certificate_digest.hex())
        if isinstance(bound, Unbound):
            self._note_refusal(noise_public.hex()[:16], str(bound.fault))
            return None
        if self.known.states.get(bound.owner) in (FriendState.REMOVED, FriendState.BLOCKED):
            self._note_refusal(bound.node_id, "was removed")
            return None
        return bound.node_id

    async def accept_timestamp(self, peer: str, tai64n: bytes) -> bool:
        """Return whether a handshake's time is newer than every one before; kept durably when it is."""
        changed = self._database.execute(
            "INSERT INTO handshake_time (peer, tai64n) VALUES (?, ?) ON CONFLICT (peer) DO UPDATE SET "
            "tai64n = excluded.tai64n WHERE excluded.tai64n > handshake_time.tai64n",
            (peer, tai64n),
        )
        return changed > 0

    def fresh_nonce(self, sender: str, nonce: bytes, not_after: int) -> bool:
        """Return whether a signed message's nonce is new; kept durably until the message is too old."""
        self._database.execute("DELETE FROM replay WHERE not_after < ?", (self._clock(),))
        changed = self._database.execute(
            "INSERT INTO replay (sender, nonce, not_after) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (sender, nonce, not_after),
        )
        return changed > 0

    def independent(self, owners: tuple[str, ...]) -> int:
        """Return how many of these owners are independent voices for this node's owner."""
        snapshot = self.known.snapshot
        certified = edges(standing(snapshot, self._clock()))
        return independent(snapshot.me, owners, certified).count

    # Who is who

    def find(self, peer: str) -> Friend | None:
        """Return a friend by node id; None for strangers and tombstones."""
        row = self._database.row("SELECT * FROM friend WHERE node = ? AND state = 'active'", (peer,))
        verified = self._table.newest(peer)
        return _friend(row, verified) if row and verified else None

    def author(self, origin: str) -> Friend | None:
        """Return the friend whose log has this origin, None for logs of others."""
        node = self._table.author(origin)
        return self.find(node) if node is not None else None

    def nodes(self) -> list[OwnedNode]:
        """Return the nodes of all friends as their certificates name them."""
        active = [row for row in self._rows() if row["state"] == FriendState.ACTIVE]
        return [read_node(row["certificate"], where=f"certificate of {row['alias']}") for row in active]

    def vouches(self, node: OwnedNode) -> bool:
        """Return whether a certificate in evidence is signed by its owner, whose key is known here."""
        try:
            signature = check_signature(dearmor(Block.SIGNATURE, node.signature.decode()))
        except FormatError:
            return False
        made = self._keyring.verify(signature, node.text)
        return isinstance(made, GoodSignature) and made.owner == node.owner

    def all(self) -> list[tuple[Friend, frozenset[Right], tuple[str, ...]]]:
        """Return all friends by alias, each with its rights and dial hints."""
        found = []
        for row in self._rows():
            verified = self._table.newest(row["node"])
            if row["state"] == FriendState.ACTIVE and verified is not None:
                found.append((_friend(row, verified), _rights(row), tuple(json.loads(row["hints"]))))
        return sorted(found, key=lambda item: (item[0].alias, item[0].node))

    def resolve(self, who: str) -> Friend:
        """Return the friend that a person means: alias, alias@node, fingerprint, or the start of a node id.

        Raises:
            UsageError: nobody, or several.
        """
        plain = who.replace(" ", "")
        found = [
            friend
            for friend, _, _ in self.all()
            if who in (friend.alias, friend.name, friend.node_id)
            or plain.upper() == friend.owner
            or (len(plain) >= limits.SHORT_ID_CHARACTERS and friend.node_id.startswith(plain))
        ]
        if len(found) != 1:
            what = "no friend is called this" if not found else f"{len(found)} friends are called this"
            raise UsageError(what, where=who, hint="see `f2fbuild peer list`")
        return found[0]

    def dial_directory(self) -> Mapping[str, dialer.Friend]:
        """Return whom to dial: friends whose certificates are in order, by hints that may be dialled."""
        found = {}
        for friend, _, hints in self.all():
            verified = self._table.newest(friend.node_id)
            if verified is not None:
                found[friend.node_id] = dialer.Friend(
                    peer=friend.node_id,
                    noise_public=verified.certificate.noise,
                    hints=_dialable(hints),
                )
        return found

    def certificate(self, peer: str) -> VerifiedCertificate | None:
        """Return the newest verified certificate of a node."""
        return self._table.newest(peer)

    def certificate_file(self, peer: str) -> CertificateFile | None:
        """Return the certificate file of a friend's node as it is kept, None for strangers and tombstones."""
        row = self._database.row("SELECT * FROM friend WHERE node = ? AND state = 'active'", (peer,))
        return parse_file(row["certificate"], where=f"certificate of {row['alias']}") if row else None

    async def check(self, file: CertificateFile) -> VerifiedCertificate | Unbound:
        """Return a certificate that came without a card as verified if its owner, who is known, signed it."""
        return await trio.to_thread.run_sync(admit_file, file, self._keyring)

    # Changes

    async def renew(self, held: CertificateFile, file: CertificateFile) -> None:
        """Keep a checked certificate of a friend's node in the place of `held`, if that is still there."""
        self._database.execute(
            "UPDATE friend SET certificate = ? WHERE node = ? AND certificate = ? AND state = 'active'",
            (file.data, held.certificate.node_id, held.data),
        )
        await self.refresh()

    async def admit(self, card: str, rights: frozenset[Right], alias: str, *, certify: bool) -> Proposed:
        """Take a friend card: certify its owner's key when asked, grant `rights` and nothing else.

        Raises:
            RefusedError: the card cannot be used, or GnuPG did not certify.
        """
        # One at a time: GnuPG does not wait for itself in the user's home.
        async with self._admitting:
            result = await trio.to_thread.run_sync(admit_card, card.encode(), self._keyring)
            proposed = self._propose(result, rights, alias)
            if certify and proposed.friend.owner != self._keyring.me:
                await trio.to_thread.run_sync(self._keyring.certify, proposed.friend.owner, self._user)
        if isinstance(result, AdmittedCard):
            self._store(proposed, result.card.certificate_file.data)
        await self.refresh()
        return proposed

    async def propose(self, card: str, rights: frozenset[Right], alias: str) -> Proposed:
        """Return how a card would be taken. Its owner's key is imported, which makes nothing valid."""
        result = await trio.to_thread.run_sync(admit_card, card.encode(), self._keyring)
        return self._propose(result, rights, alias)

    async def remove(self, friend: Friend) -> None:
        """End a friendship; the row stays as a tombstone."""
        self._database.execute(
            "UPDATE friend SET state = 'removed', rights = '[]' WHERE owner = ?", (friend.owner,)
        )
        await self.refresh()

    # What was said

    def note_told(self, peer: str, words: str) -> None:
        """Remember what a friend said about us; shown by `trust explain` and `peer show`."""
        self._told[peer] = words[: limits.MESSAGE_TEXT]

    def told(self, peer: str) -> str:
        """Return what a friend last said against us, or nothing."""
        return self._told.get(peer, "")

    def note_refused_offer(self, peer: str, words: str) -> None:
        """Remember why a friend's offer was not taken; shown by `peer show`."""
        self._refused_offers[peer] = words

    def refused_offer(self, peer: str) -> str:
        """Return why a friend's last refused offer was not taken, or nothing."""
        return self._refused_offers.get(peer, "")

    def refusal(self, peer: str) -> Refusal | None:
        """Return why a friend may not even connect, or None."""
        decision = self.decide(peer, Gate.CONNECT)
        return decision if isinstance(decision, Refusal) else None

    def refused_lately(self) -> tuple[str, ...]:
        """Return who was turned away at the door lately, and why."""
        return tuple(f"{who}: {why}" for who, why in self._refused.items())

    def _note_refusal(self, who: str, why: str) -> None:
        self._refused.pop(who, None)
        self._refused[who] = why
        while len(self._refused) > limits.REFUSALS_REMEMBERED:
            del self._refused[next(iter(self._refused))]

    def _propose(self, result: AdmittedCard | RefusedCard, rights: frozenset[Right], alias: str) -> Proposed:
        if isinstance(result, RefusedCard):
            why = result.why.fault if isinstance(result.why, Unbound) else result.why
            raise RefusedError(f"the card cannot be used: {why}", where="friend card")
        certificate = result.verified.certificate
        friend = Friend(
            node_id=certificate.node_id,
            owner=certificate.owner,
            alias=alias or self._alias(certificate.owner) or certificate.owner[-8:].lower(),
            node=certificate.node,
            vkey=format_vkey(certificate.log),
            statement_key=certificate.statements,
        )
        return Proposed(friend=friend, rights=rights, hints=result.card.hints)

    def _alias(self, owner: str) -> str:
        """Return the first word of the owner's name, as people say it."""
        row = self._database.row("SELECT alias FROM friend WHERE owner = ?", (owner,))
        if row:
            return str(row["alias"])
        key = self._keyring.snapshot(self._clock()).owners.get(owner)
        # The key is not valid yet, so its names are only claims; the fingerprint decides.
        names = (key.user_ids or key.claims) if key else ()
        words = names[0].split() if names else []
        return "".join(c for c in words[0].lower() if c.isalnum())[:32] if words else ""

    def _store(self, proposed: Proposed, certificate: bytes) -> None:
        friend = proposed.friend
        rights = json.dumps(sorted(proposed.rights))
        with self._database.transaction():
            self._database.execute(
                "INSERT INTO friend (node, owner, alias, certificate, hints, rights, state, added) VALUES "
                "(?, ?, ?, ?, ?, ?, 'active', ?) ON CONFLICT (node) DO UPDATE SET alias = excluded.alias, "
                "certificate = excluded.certificate, hints = excluded.hints, state = 'active'",
                (
                    friend.node_id,
                    friend.owner,
                    friend.alias,
                    certificate,
                    json.dumps(proposed.hints),
                    rights,
                    self._clock(),
                ),
            )
            # Rights belong to the owner, whatever the number of nodes.
            self._database.execute("UPDATE friend SET rights = ? WHERE owner = ?", (rights, friend.owner))

    def _rows(self) -> list[Row]:
        return self._database.rows("SELECT * FROM friend ORDER BY added, node")

    def _rights(self) -> dict[str, frozenset[Right]]:
        return {row["owner"]: _rights(row) for row in self._rows() if row["state"] == FriendState.ACTIVE}

    def _states(self) -> dict[str, FriendState]:
        return {row["owner"]: FriendState(row["state"]) for row in self._rows()}

    def _verified(self, rows: list[Row]) -> CertificateTable:
        """Read the stored certificates; their owners' signatures were verified when the cards were taken.

        What became of an owner's key since then is asked of the snapshot, at every decision.
        """
        files = [parse_file(row["certificate"], where=f"certificate of {row['alias']}") for row in rows]
        return CertificateTable(
            VerifiedCertificate(certificate=file.certificate, digest=file.digest) for file in files
        )


def _dialable(hints: tuple[str, ...]) -> tuple[Hint, ...]:
    """Return the hints of a card that may be dialled; a friend may write any port into a card."""
    found = []
    for hint in hints:
        try:
            found.append(parse_hint(hint))
        except FormatError:
            continue
    return tuple(found)


def _rights(row: Row) -> frozenset[Right]:
    return frozenset(Right(right) for right in json.loads(row["rights"]))


def _friend(row: Row, verified: VerifiedCertificate) -> Friend:
    certificate = verified.certificate
    return Friend(
        node_id=row["node"],
        owner=row["owner"],
        alias=row["alias"],
        node=certificate.node,
        vkey=format_vkey(certificate.log),
        statement_key=certificate.statements,
    )
