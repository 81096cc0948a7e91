"""What messages are made of: their common form, and fields that bound themselves."""

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from f2fbuild import limits

Digest: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
"""A SHA-256 as 64 lower-case hexadecimal digits."""

Word: TypeAlias = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9._-]*\Z", max_length=64)]
"""A name from a closed list of the room that reads it: a state, a reason, a code."""

Text: TypeAlias = Annotated[str, Meta(max_length=limits.MESSAGE_TEXT)]
"""Words for people. Hostile: whoever shows it strips controls and escapes it."""

Origin: TypeAlias = Annotated[str, Meta(min_length=1, max_length=128)]
Count: TypeAlias = Annotated[int, Meta(ge=0, lt=limits.CANONICAL_INTEGER_BOUND)]
Version: TypeAlias = Annotated[int, Meta(ge=1, le=65_535)]
Hash: TypeAlias = Annotated[bytes, Meta(min_length=32, max_length=32)]
Tag: TypeAlias = Annotated[bytes, Meta(min_length=8, max_length=8)]
Entry: TypeAlias = Annotated[bytes, Meta(max_length=limits.ENTRY_BYTES)]
Proof: TypeAlias = Annotated[bytes, Meta(max_length=limits.MESSAGE_PROOF_BYTES)]
Signed: TypeAlias = Annotated[bytes, Meta(max_length=limits.MESSAGE_OFFER_BYTES)]
Checkpoint: TypeAlias = Annotated[bytes, Meta(max_length=limits.NOTE_BYTES)]
Mark: TypeAlias = Annotated[bytes, Meta(min_length=16, max_length=16)]
Hops: TypeAlias = Annotated[int, Meta(ge=0, lt=limits.HEAD_HOPS)]
"""Friends that a head has come through."""
Logs: TypeAlias = Annotated[list[Hash], Meta(max_length=limits.ORIGINS_PER_FRIEND)]
Digests: TypeAlias = Annotated[list[Digest], Meta(max_length=limits.MESSAGE_LIST)]


class Message(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag=True):
    """What every message is: a map whose `type` is the name of its class."""
