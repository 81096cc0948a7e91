"""Whose cosignatures this node knows: those of friends, of outside witnesses, and its own."""

from collections.abc import Mapping
from dataclasses import dataclass

from f2fbuild.ledger.cosigner import Cosigner, CosignerRole
from f2fbuild.model.vkey import VerifierKey
from f2fbuild.node.friendships import Friendships


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Whose key it is. `name` is for people; `node` is a friend's node id, empty for others."""

    name: str
    role: CosignerRole
    node: str = ""


class Cosigners:
    """The keys by which cosignatures are verified here."""

    def __init__(
        self, friendships: Friendships, own: tuple[Cosigner, ...], outside: Mapping[VerifierKey, str]
    ) -> None:
        """Know friends, one's `own` keys, and the witnesses `outside` with a name for each."""
        self._friendships = friendships
        self._own = {one.vkey: Who(name="this node", role=one.role) for one in own}
        self._outside = {key: Who(name=name, role=CosignerRole.WITNESS) for key, name in outside.items()}

    def all(self) -> Mapping[VerifierKey, Who]:
        """Return every key that is known now, and whose it is; of friends those whose certificates stand."""
        found = self._own | self._outside
        for friend, _, _ in self._friendships.all():
            verified = self._friendships.certificate(friend.node_id)
            if verified is None or self._friendships.refusal(friend.node_id) is not None:
                continue
            for role, key in (
                (CosignerRole.WITNESS, verified.certificate.witness),
                (CosignerRole.MIRROR, verified.certificate.mirror),
            ):
                found[key] = Who(name=friend.name, role=role, node=friend.node_id)
        return found
