"""Strangers at a real listener: whether they scan, loiter, shout or lie, it is silent, and serves friends."""

import time
from contextlib import AsyncExitStack, suppress
from random import Random

import pytest
import trio

from f2fbuild import limits
from f2fbuild.net import records
from f2fbuild.net.handshake import tai64n
from tests.net.hostile_peer import PATIENCE, Child, bob, friend_link, is_well
from tests.net.netpair import ALICE, dial_in
from tests.net.test_net_silence import Tap, first_message

pytestmark = pytest.mark.unprivileged

SECONDS = 5
"""What strangers are given: friends need less for a handshake, on a slow machine too."""


async def heard(stream: trio.abc.Stream) -> bytes:
    """What Bob says until he closes; he may close on unread bytes, which resets the connection."""
    said = b""
    with suppress(trio.BrokenResourceError), trio.fail_after(PATIENCE):
        while data := await stream.receive_some():
            said += data
    return said


async def shout(child: Child, data: bytes, address: str) -> bytes:
    async with await child.connect(address) as stream:
        with suppress(trio.BrokenResourceError):
            await stream.send_all(data)
        return await heard(stream)


async def recorded(child: Child) -> bytes:
    """All that Alice sent when she was let in."""
    async with Tap(await child.connect("127.0.0.9")) as wire:
        secured = await dial_in(wire, identity=ALICE, stamp=tai64n(time.time_ns()))
        record = secured.session.sending.encrypt(bytes([9]) + bytes(8))
        await wire.send_all(records.head(record) + record)
        assert "unknown type 9" in await child.wait_said()
        return bytes(wire.sent)


async def test_whatever_a_stranger_says_he_hears_nothing() -> None:
    async with bob(SECONDS) as child:
        replay = await recorded(child)
        said = [
            Random(1).randbytes(200_000),
            b"GET / HTTP/1.1\r\n\r\n",
            b"\x01\xff\xff" + bytes(65_535),
            replay,
            replay[:145],
            bytes(10 * limits.STRANGER_BYTES),
        ]
        async with friend_link(child) as alice, trio.open_nursery() as nursery:
            answers: list[bytes] = []

            async def one(data: bytes, address: str) -> None:
                answers.append(await shout(child, data, address))

            for index, data in enumerate(said):
                nursery.start_soon(one, data, f"127.0.0.{10 + index}")
            await is_well(alice)
        assert answers == [b""] * len(said)
        assert not [line for line in child.said if line.startswith("eve")]


async def test_who_says_a_byte_now_and_then_is_cut_at_the_same_moment() -> None:
    async with bob(SECONDS) as child, friend_link(child) as alice:
        async with await child.connect("127.0.0.2") as stream:
            sent = 0
            with suppress(trio.BrokenResourceError):
                for byte in first_message():
                    await stream.send_all(bytes([byte]))
                    sent += 1
                    await trio.sleep(SECONDS / 10)
            assert 0 < sent < len(first_message())
            assert await heard(stream) == b""
        await is_well(alice)


async def test_a_scan_uses_up_only_the_scanners_own_share() -> None:
    async with bob(SECONDS) as child:
        idle = child.files()
        for _ in range(3 * limits.ARRIVALS_PER_ADDRESS):
            async with await child.connect("127.0.0.2"):
                pass
        assert await shout(child, first_message(), "127.0.0.2") == b""
        async with friend_link(child) as alice:
            await is_well(alice)
        with trio.fail_after(PATIENCE):
            while child.files() > idle:
                await trio.sleep(0.01)


async def test_hundreds_of_half_open_connections_are_few_at_the_other_end() -> None:
    async with bob(PATIENCE) as child, AsyncExitStack() as stack:
        idle, before = child.files(), child.peak()
        closed = 0

        async def wait(stream: trio.abc.Stream) -> None:
            nonlocal closed
            await heard(stream)
            closed += 1

        async with trio.open_nursery() as nursery:
            for _ in range(300):
                stream = await stack.enter_async_context(await child.connect("127.0.0.2"))
                nursery.start_soon(wait, stream)
            with trio.fail_after(PATIENCE):
                while closed < 300 - limits.STRANGERS_PER_ADDRESS:
                    await trio.sleep(0.01)
            assert child.files() == idle + limits.STRANGERS_PER_ADDRESS
            async with friend_link(child) as alice:
                await is_well(alice)
                assert closed == 300 - limits.STRANGERS_PER_ADDRESS
            nursery.cancel_scope.cancel()
        assert child.peak() - before < limits.STRANGERS_PER_ADDRESS * limits.STRANGER_BYTES + 8 * limits.MIB


async def test_strangers_of_many_addresses_are_bounded_together() -> None:
    async with bob(PATIENCE) as child, friend_link(child) as alice, AsyncExitStack() as stack:
        idle = child.files()
        crowd = limits.STRANGERS // limits.STRANGERS_PER_ADDRESS + 4
        for address in range(crowd):
            for _ in range(limits.STRANGERS_PER_ADDRESS):
                await stack.enter_async_context(await child.connect(f"127.0.1.{1 + address}"))
        await is_well(alice)
        with trio.fail_after(PATIENCE):
            while child.files() != idle + limits.STRANGERS:
                await trio.sleep(0.01)
        await is_well(alice)
