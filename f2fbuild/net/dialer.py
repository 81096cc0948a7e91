"""Dialling a friend: its hints in turn, and when to try again."""

import ipaddress
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import trio

from f2fbuild import limits
from f2fbuild.errors import F2FError, first_words
from f2fbuild.net.handshake import Identity, PeerId, Secured, initiate
from f2fbuild.net.hints import Hint, may_connect, may_dial

_EXPONENT_MAX: Final = 16


class UnreachableError(F2FError):
    """A friend cannot be reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Friend:
    """Whom to dial: node id, 32-byte Noise key, and where."""

    peer: PeerId
    noise_public: bytes
    hints: tuple[Hint, ...]


def redial_seconds(failures: int, spread: float) -> float:
    """Return how long to wait after `failures` (1 or more) attempts in a row failed.

    The wait doubles up to a limit; `spread`, random in [0, 1), takes away up to half, so that friends who
    lost the same network do not all come back in the same second.
    """
    doubled = limits.REDIAL_FIRST_SECONDS * 2 ** min(failures - 1, _EXPONENT_MAX)
    return float(min(doubled, limits.REDIAL_MAX_SECONDS) * (1 - spread / 2))


async def dial(
    friend: Friend, *, identity: Identity, stamp: Callable[[], bytes], loopback: bool
) -> tuple[trio.abc.Stream, Secured]:
    """Return a stream to `friend` with a session on it, by the first hint that leads there.

    Args:
        friend: whom to dial.
        identity: who we are.
        stamp: gives a TAI64N greater than any it gave before.
        loopback: whether loopback addresses may be dialled (`hints.may_dial`).

    Raises:
        UnreachableError: no hint leads to the friend; the message says what happened at each.
    """
    why: list[str] = []
    for hint in friend.hints[: limits.HINTS_PER_PEER]:
        try:
            stream = await _connect(hint, loopback=loopback)
            return stream, await _secure(stream, friend, identity=identity, stamp=stamp())
        except UnreachableError as error:
            why.append(f"{hint}: {error.what}")
    raise UnreachableError("; ".join(why) or "no address is known", where=friend.peer)


async def _connect(hint: Hint, *, loopback: bool) -> trio.SocketStream:
    """Open a TCP connection to the first address behind a hint that may be dialled and answers."""
    if not may_dial(hint, loopback=loopback):
        raise UnreachableError("this address is not dialled")
    try:
        with trio.fail_after(limits.DIAL_SECONDS):
            found = await trio.socket.getaddrinfo(hint.host, hint.port, type=trio.socket.SOCK_STREAM)
        hosts = [str(entry[4][0]) for entry in found]
        allowed = [host for host in hosts if _may_connect(host, loopback=loopback)]
        if not allowed:
            raise UnreachableError("its name leads to addresses that are not dialled")
        return await _open_first(allowed[: limits.HINTS_PER_PEER], hint.port)
    except OSError as error:
        raise UnreachableError(_words(error)) from error
    except trio.TooSlowError as error:
        raise UnreachableError("no answer in time") from error


async def _open_first(hosts: list[str], port: int) -> trio.SocketStream:
    """Connect to the first of `hosts` that answers; each has an equal share of the time."""
    *others, last = hosts
    share = limits.DIAL_SECONDS / len(hosts)
    for host in others:
        with suppress(OSError, trio.TooSlowError), trio.fail_after(share):
            return await trio.open_tcp_stream(host, port)
    with trio.fail_after(share):
        return await trio.open_tcp_stream(last, port)


def _words(error: OSError) -> str:
    """Return what went wrong; trio says only that it did, and keeps why as the cause."""
    cause = error.__cause__
    return first_words(cause) if isinstance(cause, BaseExceptionGroup) else str(error)


def _may_connect(host: str, *, loopback: bool) -> bool:
    return may_connect(ipaddress.ip_address(host.partition("%")[0]), loopback=loopback)


async def _secure(stream: trio.SocketStream, friend: Friend, *, identity: Identity, stamp: bytes) -> Secured:
    """Run the handshake; the stream is closed if it leads nowhere."""
    secured = None
    try:
        with trio.fail_after(limits.DIAL_SECONDS + limits.STRANGER_SECONDS):
            secured = await initiate(
                stream,
                identity=identity,
                ephemeral=os.urandom(32),
                peer=friend.peer,
                remote=friend.noise_public,
                stamp=stamp,
            )
    except (F2FError, trio.TooSlowError) as error:
        what = error.what if isinstance(error, F2FError) else "no answer in time"
        raise UnreachableError(what) from error
    finally:
        if secured is None:
            await trio.aclose_forcefully(stream)
    return secured
