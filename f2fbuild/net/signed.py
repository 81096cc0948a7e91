"""Signed messages: an offer or a cancel, by one node for one other node, for one job, for a short time.

A signed message is a DSSE envelope whose payload is canonical JSON. It names who says it and to whom, so it
cannot be forwarded to another builder; it is valid for a day at most and carries a nonce, so it cannot be
said twice.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Final, TypeAlias

import msgspec

from f2fbuild import limits
from f2fbuild.errors import FormatError
from f2fbuild.model import canonical, envelope
from f2fbuild.model.digest import sha256_hex
from f2fbuild.model.signing import SigningKey
from f2fbuild.net.wire import Count, Digest

_WHERE: Final = "signed message"
Nonce: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")]


class Kind(Enum):
    """What a signed message is; the value is its DSSE payload type."""

    OFFER = "application/vnd.f2fbuild.offer+json"
    CANCEL = "application/vnd.f2fbuild.cancel+json"


class SignedMessage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was signed.

    `sender` and `recipient` are node ids, times unix seconds (inclusive), `body` whatever the kind needs in
    canonical JSON.
    """

    type: Kind
    sender: Digest
    recipient: Digest
    job_id: Digest
    not_before: Count
    not_after: Count
    nonce: Nonce
    body: dict[str, Any]


def sign_message(message: SignedMessage, key: SigningKey) -> bytes:
    """Return the envelope of `message`, signed by the sender's node key.

    Raises:
        FormatError: `key` is not the sender's, or the message breaks its own rules.
    """
    _check(message, sha256_hex(key.public))
    return envelope.seal(message.type.value, canonical.encode(msgspec.to_builtins(message)), key)


def open_message(data: bytes, *, kind: Kind, public: bytes, recipient: str, now: int) -> SignedMessage:
    """Return the message in `data`, if it is for us and for now.

    The checks, in order: one spelling, the signature, the type, the fields, the sender, the recipient, the
    times. That it has not been said before is the `ReplayGuard`'s to say.

    Args:
        data: the envelope's bytes.
        kind: what it must be.
        public: the 32-byte node key of the peer who must have signed it.
        recipient: our node id.
        now: unix seconds.

    Raises:
        FormatError: it is not, and why.
    """
    sealed = envelope.unseal(data, public=public, where=_WHERE)
    if sealed.payload_type != kind.value:
        raise FormatError(f"of another type than {kind.value}", where=_WHERE)
    fields = canonical.decode(sealed.payload, where=_WHERE)
    try:
        message = msgspec.convert(fields, type=SignedMessage, strict=True)
    except msgspec.ValidationError as error:
        raise FormatError(str(error), where=_WHERE) from error
    if message.type is not kind:
        raise FormatError("its payload names another type than its envelope", where=_WHERE)
    _check(message, sha256_hex(public))
    if message.recipient != recipient:
        raise FormatError("made for another node", where=_WHERE)
    if not message.not_before - limits.CLOCK_SKEW_SECONDS <= now <= message.not_after:
        raise FormatError("not valid at this time", where=_WHERE, hint="Check the clocks of both nodes")
    return message


def _check(message: SignedMessage, sender: str) -> None:
    if message.sender != sender:
        raise FormatError("the sender is not who signed", where=_WHERE)
    if not 0 <= message.not_after - message.not_before <= limits.SIGNED_SECONDS:
        raise FormatError("valid for longer than a day, or never", where=_WHERE)


@dataclass(slots=True)
class ReplayGuard:
    """Remembers what was said until it is no longer valid. Keep `seen` across restarts."""

    seen: dict[tuple[str, str], int] = field(default_factory=dict)
    """When each (sender, nonce) may be forgotten, in unix seconds."""

    @classmethod
    def load(cls, rows: Iterable[tuple[str, str, int]]) -> "ReplayGuard":
        """Return a guard that knows `rows` of sender, nonce and not-after."""
        return cls({(sender, nonce): not_after for sender, nonce, not_after in rows})

    def dump(self) -> list[tuple[str, str, int]]:
        """Return the rows that `load` takes."""
        return [(sender, nonce, not_after) for (sender, nonce), not_after in self.seen.items()]

    def admit(self, message: SignedMessage, now: int) -> bool:
        """Return whether `message` is said for the first time, and remember that it was.

        A sender with too many messages that are still valid is refused like a replay.
        """
        self.seen = {key: until for key, until in self.seen.items() if until >= now}
        key = (message.sender, message.nonce)
        said = sum(sender == message.sender for sender, _ in self.seen)
        if key in self.seen or said >= limits.SIGNED_PER_SENDER:
            return False
        self.seen[key] = message.not_after
        return True
