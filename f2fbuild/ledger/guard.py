"""Whether this node may sign a head of its own log now: the rollback guard, without I/O.

A node whose log was set back, by a restored backup or a lost disk, must not sign over heads that others hold:
that would be a fork, which nothing ever heals. What it signed last is remembered apart from the log, outside
of what is backed up, and friends who follow the log remember it too.

    the log's head + what is remembered + what friends answered + the time → a decision

| remembered | friends | then |
|---|---|---|
| this head, and nobody ever saw the log | | sign |
| this head | | ask for a while, then sign |
| nothing, or another head | one follows the log and agrees | sign |
| nothing, or another head | nobody has answered | sign nothing |
| anything | one holds a head that is no state of this log | never sign in this epoch |
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from f2fbuild.errors import FormatError
from f2fbuild.ledger.checkpoint import Checkpoint, open_checkpoint
from f2fbuild.model.vkey import VerifierKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What was remembered when a head was last signed.

    `before` is the head that was durable then, `following` the one that was about to be signed; a crash
    leaves the log at either. `followed` says that somebody else may have seen a head. A `retired` log was
    replaced by that of a later epoch.
    """

    before: Checkpoint
    following: Checkpoint
    followed: bool
    retired: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Agrees:
    """The friend follows the log; its head is a state of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Knows:
    """The friend holds a `head` that this log's key signed and that is no state of ours; `note` proves it."""

    head: Checkpoint
    note: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """The friend does not follow the log, or did not say anything that its key has signed."""


Answer: TypeAlias = Agrees | Knows | Silent


class Unsure(Enum):
    """Why nothing is signed until a friend has answered; the value is what the user reads."""

    MISSING = "what this log signed last is not remembered (the state directory was lost)"
    SMALLER = "the log is shorter than what it signed last (was a backup restored?)"
    OTHER = "the log is not the one that was signed last"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignNow:
    """The log goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskFriends:
    """Friends are asked until unix time `until`."""

    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """Nothing is signed until a friend who follows this log has answered, or a new epoch is begun."""

    why: Unsure


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBack:
    """The log was set back: a friend holds `head`. In this epoch nothing is ever signed again."""

    head: Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Retired:
    """The log was replaced by that of a later epoch, and came back: nothing is ever signed in it again."""


Decision: TypeAlias = SignNow | AskFriends | Blocked | RolledBack | Retired


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What is known when it is decided.

    `answers` are those of friends by node id; `friends` all who might be asked; `connected` those who can be
    asked now. `until` is the unix time to which friends are asked even if all seems well.
    """

    head: Checkpoint
    remembered: Remembered | None
    answers: Mapping[str, Answer]
    friends: frozenset[str]
    connected: frozenset[str]
    until: float


def weigh(note: bytes, key: VerifierKey, own: Checkpoint, root_at: Callable[[int], bytes]) -> Answer:
    """Return what the head that a friend holds of our log says.

    Args:
        note: what the friend answered.
        key: our log's key.
        own: our head, read after the friend answered.
        root_at: our log's root at a size from 1 to its own.
    """
    try:
        head = open_checkpoint(note, key)
    except FormatError:
        return Silent()
    if head.size == 0 or (head.size <= own.size and root_at(head.size) == head.root):
        return Agrees()
    return Knows(head=head, note=note)


def decide(situation: Situation, now: float) -> Decision:
    """Return whether the log may go on at `now` (unix time)."""
    known = [answer for answer in situation.answers.values() if isinstance(answer, Knows)]
    if known:
        return RolledBack(head=max((answer.head for answer in known), key=_size))
    remembered = situation.remembered
    if remembered is not None and remembered.retired:
        return Retired()
    if remembered is not None and not remembered.followed:
        return SignNow()
    return _ask(situation, now)


def last_known(situation: Situation) -> Checkpoint:
    """Return the greatest head of the log that was certainly signed: what a new epoch names as `previous`."""
    certain = [situation.head]
    if situation.remembered is not None:
        # Whether the one that followed was signed before the end is not known; it told nobody, or a friend.
        certain.append(situation.remembered.before)
    certain += [answer.head for answer in situation.answers.values() if isinstance(answer, Knows)]
    return max(certain, key=_size)


def _ask(situation: Situation, now: float) -> SignNow | AskFriends | Blocked:
    agreed = any(isinstance(answer, Agrees) for answer in situation.answers.values())
    unsure = _unsure(situation.head, situation.remembered)
    # Where all seems well one friend is enough, else everybody who can be asked in time is heard.
    heard = situation.friends if unsure else situation.connected
    if agreed and heard <= situation.answers.keys():
        return SignNow()
    if now < situation.until:
        return AskFriends(until=situation.until)
    if agreed or unsure is None:
        return SignNow()
    return Blocked(why=unsure)


def _unsure(head: Checkpoint, remembered: Remembered | None) -> Unsure | None:
    if remembered is None:
        return Unsure.MISSING
    if head in (remembered.before, remembered.following):
        return None
    return Unsure.SMALLER if head.size < remembered.before.size else Unsure.OTHER


def _size(head: Checkpoint) -> int:
    return head.size
