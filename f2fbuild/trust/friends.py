"""Friends: the owners that this node's owner granted something, as they are stored."""

from collections.abc import Iterable

import msgspec

from f2fbuild.trust.policy import FriendState, Grants, Right


class Friend(msgspec.Struct, frozen=True, kw_only=True):
    """A friend of this node, or a former one: removed and blocked friends stay as tombstones.

    `owner` is the fingerprint, `alias` this node's own name for him, `certificates` are his nodes'
    certificate files verbatim, `hints` are `HOST:PORT`, `since` is unix seconds of the last change of state.
    """

    owner: str
    alias: str
    certificates: tuple[bytes, ...]
    hints: tuple[str, ...]
    rights: frozenset[Right]
    state: FriendState
    since: int


def grants(friends: Iterable[Friend]) -> Grants:
    """Return what the friends may do; those removed or blocked are friends no more."""
    gone = (FriendState.REMOVED, FriendState.BLOCKED)
    return Grants(rights={friend.owner: friend.rights for friend in friends if friend.state not in gone})


def states(friends: Iterable[Friend]) -> dict[str, FriendState]:
    """Return the state of each friendship by owner."""
    return {friend.owner: friend.state for friend in friends}
