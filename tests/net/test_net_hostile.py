"""A friend gone bad loses her link or gets no more than her share; the other friends notice nothing."""

import struct
from collections.abc import Awaitable, Callable

import pytest
import trio

from f2fbuild import limits
from f2fbuild.net import codec
from f2fbuild.net.frames import DATA_BYTES, FrameType, format_frame
from f2fbuild.net.messages import WantBlob
from tests.net.hostile_peer import PATIENCE, Eve, bob, eve, friend_link, is_well, spoken

pytestmark = pytest.mark.unprivileged

BLOB = WantBlob(digest="ab" * 32, first_chunk=0)
OPEN = format_frame(FrameType.OPEN, 1)
PING = format_frame(FrameType.PING, 0, bytes(8))
STREAMS = [1 + 2 * index for index in range(1, limits.LINK_STREAMS)]

FLOOD = "asks without reading the answers"
UNREAD = limits.LINK_STREAMS * limits.STREAM_WINDOW_BYTES + limits.LINK_GROWTH_BYTES
HALF_MESSAGES = limits.LINK_STREAMS * limits.MESSAGE_BYTES
WAITING = 2 * limits.LINK_STREAMS * limits.MESSAGE_BYTES
"""Answers that wait to be read: each as a message, and as the bytes of one."""

SLACK = 32 * limits.MIB
"""For the interpreter's heap: what it has freed stays resident."""


def data(stream: int, size: int = DATA_BYTES) -> bytes:
    return format_frame(FrameType.DATA, stream, bytes(size))


def credit(stream: int, count: int) -> bytes:
    return format_frame(FrameType.CREDIT, stream, struct.pack(">I", count))


GREETED = "beyond its credit"
"""What can go wrong only on a stream that is being answered."""

BROKEN: dict[str, tuple[list[bytes], str]] = {
    "frames of an unknown type": ([bytes([9]) + bytes(8)], "unknown type 9"),
    "an empty frame": ([b""], "without a head"),
    "data on an unknown stream": ([data(99, 1)], "never opened"),
    "a stream of Bob's": ([format_frame(FrameType.OPEN, 2)], "OPEN of stream 2"),
    "a stream twice": ([OPEN, OPEN], "OPEN of stream 1"),
    "credit beyond the window": ([OPEN, credit(1, 2**32 - 1)], "CREDIT of"),
    "data beyond its credit": ([*spoken(3, BLOB), *[data(3)] * 9], GREETED),
    "data after the end": (
        [format_frame(FrameType.OPEN, 1), format_frame(FrameType.FIN, 1), data(1)],
        "after FIN",
    ),
}


async def test_who_breaks_the_rules_is_cut_and_told_from_the_others() -> None:
    async with bob() as child, friend_link(child) as alice:
        for frames, reason in BROKEN.values():
            async with eve(child) as attacker:
                if reason == GREETED:
                    await attacker.greet()
                await attacker.send(*frames)
                await attacker.stream.send_eof()
                said = await child.wait_said()
                assert said.startswith("eve: ")
                assert reason in said
            await is_well(alice)
        assert child.said == []


async def never_reads(attacker: Eve) -> None:
    """Asks for endless blobs on all streams, with all the credit there is, and takes nothing."""
    more = limits.STREAM_WINDOW_MAX_BYTES - limits.STREAM_WINDOW_BYTES
    for stream in STREAMS:
        await attacker.send(*spoken(stream, BLOB), credit(stream, more))


async def floods_with_pings(attacker: Eve) -> None:
    await never_reads(attacker)
    for _ in range(200):
        await attacker.send(*[PING] * limits.LINK_CONTROL_FRAMES)


async def never_ends_a_message(attacker: Eve) -> None:
    """Says all but the last byte of the largest message on every stream at once."""
    frames = limits.MESSAGE_BYTES // DATA_BYTES
    for stream in STREAMS:
        await attacker.send(format_frame(FrameType.OPEN, stream))
        head = codec.prefix(limits.MESSAGE_BYTES)
        await attacker.send(format_frame(FrameType.DATA, stream, head))
    for _ in range(frames):
        for stream in STREAMS:
            await attacker.send(data(stream))


async def says_large_nonsense(attacker: Eve) -> None:
    for stream in STREAMS:
        head = codec.prefix(limits.MESSAGE_BYTES)
        await attacker.send(format_frame(FrameType.OPEN, stream), format_frame(FrameType.DATA, stream, head))
        await attacker.send(*[data(stream)] * 3)


async def opens_without_end(attacker: Eve) -> None:
    await attacker.send(*[format_frame(FrameType.OPEN, stream) for stream in range(3, 40_001, 2)])


COSTLY: dict[str, tuple[Callable[[Eve], Awaitable[None]], bool, int, str | None]] = {
    "never reads": (never_reads, False, WAITING, None),
    "floods with pings": (floods_with_pings, False, WAITING, FLOOD),
    "opens without end": (opens_without_end, True, UNREAD, FLOOD),
    "never ends a message": (never_ends_a_message, True, HALF_MESSAGES + UNREAD, None),
    "says large nonsense": (says_large_nonsense, True, HALF_MESSAGES + UNREAD, None),
}


@pytest.mark.parametrize("name", COSTLY)
async def test_who_stays_within_the_rules_gets_no_more_than_her_share(name: str) -> None:
    attack, reads, share, reason = COSTLY[name]
    async with bob() as child, friend_link(child) as alice, trio.open_nursery() as nursery:
        before = child.peak()
        async with eve(child) as attacker:
            await attacker.greet()
            if reads:
                nursery.start_soon(attacker.read_away)
            with trio.fail_after(PATIENCE):
                await attack(attacker)
            await is_well(alice)
            await alice.ping()
            if reason is not None:
                assert reason in await child.wait_said()
            else:
                assert child.said == []
        if reason is None:
            said = await child.wait_said()
            assert said.startswith("eve: the "), said
        await is_well(alice)
        assert child.peak() - before < share + SLACK
        nursery.cancel_scope.cancel()
