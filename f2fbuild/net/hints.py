"""Dial hints: where a peer says it can be reached. Unsigned, so they decide nothing but where we knock."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from f2fbuild.errors import FormatError

_HOST_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*", re.ASCII
)
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_HTTPS: Final = 443
_FIRST_USER_PORT: Final = 1024
_LAST_PORT: Final = 65_535

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """A host (lower-case name, IPv4 or IPv6 address in its one spelling) and a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_hint(text: str, *, where: str = "dial hint") -> Hint:
    """Return the hint `HOST:PORT`, with an IPv6 address in brackets.

    Raises:
        FormatError: another spelling, or a port that is neither 443 nor 1024 or more.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not _PORT.fullmatch(port):
        raise FormatError(f"not HOST:PORT: {text[:300]!r}", where=where)
    number = int(port)
    if number > _LAST_PORT or (number < _FIRST_USER_PORT and number != _HTTPS):
        raise FormatError(f"port {number} is neither 443 nor within 1024 to 65535", where=where)
    bracketed = host.startswith("[") and host.endswith("]")
    hint = Hint(host=host[1:-1] if bracketed else host, port=number)
    if not _is_host(hint.host) or str(hint) != text:
        raise FormatError(f"not a host name or address in its one spelling: {host[:300]!r}", where=where)
    return hint


def may_dial(hint: Hint, *, loopback: bool) -> bool:
    """Return whether a hint may be dialled.

    A hint is not to make this node knock on itself, on its own network segment's services or on a cloud's
    metadata address. A host name passes here; `may_connect` then judges what it resolved to.

    Args:
        hint: the hint.
        loopback: whether this node itself listens on loopback only, as in a demonstration on one machine;
            then its friends do as well.
    """
    address = _parse_address(hint.host)
    if address is None:
        return hint.host != "localhost" or loopback
    return may_connect(address, loopback=loopback)


def may_connect(address: _Address, *, loopback: bool) -> bool:
    """Return whether an address may be connected to; see `may_dial`."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback:
        return loopback
    return not (
        address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved
    )


def _is_host(host: str) -> bool:
    address = _parse_address(host)
    if address is not None:
        return str(address) == host
    return _HOST_NAME.fullmatch(host) is not None and not host.rpartition(".")[2].isdigit()


def _parse_address(host: str) -> _Address | None:
    """Return the address that `host` spells, without a zone, which would be of this machine only."""
    if "%" in host:
        return None
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
