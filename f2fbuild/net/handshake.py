"""Noise over a stream: how an initiator shows who it is, and how a responder stays silent until then.

| message | direction | payload |
|---|---|---|
| pattern byte, first | to the responder | 12 bytes TAI64N, 32 bytes SHA-256 of the initiator's certificate |
| second | to the initiator | none |
| first transport record | to the responder | the greeting's first frame: only now is the initiator live |
"""

import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import trio

from f2fbuild import limits
from f2fbuild.errors import RefusedError, RemoteProtocolError
from f2fbuild.net import records
from f2fbuild.net.noise import IK, Handshake, Pattern, PrivateKey, Session
from f2fbuild.net.records import RecordReader

PeerId: TypeAlias = str
"""A node id: SHA-256 of the node's statement key in hexadecimal."""

TIMESTAMP_BYTES: Final = 12
DIGEST_BYTES: Final = 32
_TAI64: Final = 2**62 + 10
_READ_BYTES: Final = 4 * limits.KIB


class HandshakeError(RefusedError):
    """The peer did not let us in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who this node is towards its peers: its Noise key and the SHA-256 (32 bytes) of its certificate."""

    node_id: PeerId
    static: PrivateKey
    certificate_digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """How a responder decides, by callables from outside.

    `authenticate(noise_public, certificate_digest)` names the peer or returns None for a stranger.
    `accept_timestamp(peer, tai64n)` returns whether the 12 bytes are greater than every one accepted of this
    peer before, and has kept them durably when it does; check and keeping are one atomic step.
    """

    authenticate: Callable[[bytes, bytes], PeerId | None]
    accept_timestamp: Callable[[PeerId, bytes], Awaitable[bool]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    """A stream with a session on it. `frames` are transport records that were decrypted already."""

    peer: PeerId
    session: Session
    reader: RecordReader
    frames: tuple[bytes, ...] = ()


def prologue(pattern: Pattern) -> bytes:
    """Return what both sides bind the handshake to."""
    return b"f2fbuild/1\n" + bytes([pattern.number])


def tai64n(nanoseconds: int) -> bytes:
    """Return unix `nanoseconds` as a 12-byte TAI64N label: byte order is time order (cr.yp.to, TAI64)."""
    seconds, rest = divmod(nanoseconds, 10**9)
    return struct.pack(">QI", _TAI64 + seconds, rest)


async def initiate(
    stream: trio.abc.Stream,
    *,
    identity: Identity,
    ephemeral: bytes,
    peer: PeerId,
    remote: bytes,
    stamp: bytes,
) -> Secured:
    """Be let in by `peer`, whose Noise key is `remote` (32 bytes).

    Args:
        stream: any stream to the peer.
        identity: who we are.
        ephemeral: 32 fresh random bytes.
        peer: whom we expect.
        remote: the key that only this peer can answer for.
        stamp: a TAI64N greater than in every handshake before with this peer.

    Raises:
        HandshakeError: no answer, which is all that a peer ever says to a stranger.
        RemoteProtocolError: an answer by somebody else.
    """
    handshake = Handshake(
        IK,
        static=identity.static,
        ephemeral=PrivateKey.from_secret(ephemeral),
        prologue=prologue(IK),
        remote_static=remote,
    )
    first = handshake.write(stamp + identity.certificate_digest)
    reader = RecordReader()
    try:
        await stream.send_all(bytes([IK.number]) + records.head(first) + first)
        answer = await _next_record(stream, reader, limits.RECORD_BYTES)
    except trio.BrokenResourceError:
        answer = None
    if answer is None:
        raise HandshakeError(
            "it closed without a word",
            where=peer,
            hint="It may not know this node (yet), or our clock is behind",
        )
    handshake.read(answer)
    return Secured(peer=peer, session=handshake.session(), reader=reader)


async def respond(
    stream: trio.abc.Stream, *, identity: Identity, ephemeral: bytes, gate: Gate
) -> Secured | None:
    """Return a session with whom the gate lets in, or None; to a stranger no byte has been sent.

    Returns only when the initiator's first transport record has decrypted: a recorded first message alone
    can start nothing. There is no deadline here; the listener has one for all failures alike.
    """
    reader = RecordReader()
    handshake = Handshake(
        IK,
        static=identity.static,
        ephemeral=PrivateKey.from_secret(ephemeral),
        prologue=prologue(IK),
    )
    try:
        peer = await _hear_first(stream, reader, handshake, gate)
        if peer is None:
            return None
        second = handshake.write(b"")
        await stream.send_all(records.head(second) + second)
        record = await _next_record(stream, reader, limits.RECORD_BYTES)
        if record is None:
            return None
        session = handshake.session()
        frame = session.receiving.decrypt(record)
    except (RemoteProtocolError, trio.BrokenResourceError):
        return None
    return Secured(peer=peer, session=session, reader=reader, frames=(frame,))


async def _hear_first(
    stream: trio.abc.Stream, reader: RecordReader, handshake: Handshake, gate: Gate
) -> PeerId | None:
    """Read the pattern byte and the first message; return who it is, if the gate knows and believes it."""
    record = await _next_record(stream, reader, limits.STRANGER_BYTES, pattern=IK.number)
    if record is None:
        return None
    payload = handshake.read(record)
    if len(payload) != TIMESTAMP_BYTES + DIGEST_BYTES:
        return None
    stamp, digest = payload[:TIMESTAMP_BYTES], payload[TIMESTAMP_BYTES:]
    peer = gate.authenticate(handshake.remote_static, digest)
    if peer is None or not await gate.accept_timestamp(peer, stamp):
        return None
    return peer


async def _next_record(
    stream: trio.abc.Stream, reader: RecordReader, most: int, *, pattern: int | None = None
) -> bytes | None:
    """Return the next record, after the byte `pattern` if one is given; None if it cannot come."""
    read = 0
    while True:
        if pattern is not None and (byte := reader.next_byte()) is not None:
            if byte != pattern:
                return None
            pattern = None
        if pattern is None and (record := reader.next_record()) is not None:
            return record
        if reader.ended or read > most:
            return None
        data = await stream.receive_some(_READ_BYTES)
        read += len(data)
        reader.receive_data(data)
