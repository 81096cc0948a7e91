"""Friend cards (`.f2fcard`): what a friend needs to know a node, in one file to hand over.

    f2fbuild friend card v1
    dial <host>:<port>              (0 to 8 lines, unsigned hints)
                                    (an empty line)
    <certificate file>
    -----BEGIN PGP PUBLIC KEY BLOCK-----  …

A card grants nothing and proves nothing about its owner: that is what the web of trust is for.
"""

import re
from dataclasses import dataclass

from f2fbuild.errors import FormatError
from f2fbuild.limits import CARD_BYTES, CARD_HINTS
from f2fbuild.trust.armor import Block, armor, dearmor, first_line
from f2fbuild.trust.certificate_file import CertificateFile, parse_file
from f2fbuild.trust.packets import read_key

HEADER = b"f2fbuild friend card v1\n"

_HINT = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\]):([1-9][0-9]{0,4})", re.ASCII
)
_KEY_LINE = first_line(Block.PUBLIC_KEY).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class FriendCard:
    """A card: `hints` are `HOST:PORT`, `owner_key` the owner's public key as binary OpenPGP packets."""

    hints: tuple[str, ...]
    certificate_file: CertificateFile
    owner_key: bytes


def format_card(card: FriendCard) -> bytes:
    """Return the card's file."""
    hints = "".join(f"dial {hint}\n" for hint in card.hints).encode()
    key = armor(Block.PUBLIC_KEY, card.owner_key).encode()
    return b"".join([HEADER, hints, b"\n", card.certificate_file.data, key])


def parse_card(data: bytes, *, where: str = "friend card") -> FriendCard:
    """Return the card in `data`: certificate proofs verified, the key's fingerprint the certificate's owner.

    The OpenPGP signature is not verified yet: that needs the key in a keyring (`trust.admission`).

    Raises:
        FormatError: not a card, too large, a second spelling, or a key of somebody else.
    """
    if len(data) > CARD_BYTES:
        raise FormatError(f"larger than {CARD_BYTES} bytes", where=where)
    head, empty, rest = data.partition(b"\n\n")
    if not empty or not (head + b"\n").startswith(HEADER):
        raise FormatError("not a friend card of version 1", where=where)
    certificate, begin, key = rest.partition(_KEY_LINE)
    if not begin or not key.isascii():
        raise FormatError("no public key of the owner", where=where)
    file = parse_file(certificate, where=where)
    owner_key = dearmor(Block.PUBLIC_KEY, (begin + key).decode(), where=f"{where}: owner key")
    if read_key(owner_key, where=f"{where}: owner key") != file.certificate.owner:
        raise FormatError("the key is not the owner's whom the certificate names", where=where)
    hints = _parse_hints((head + b"\n")[len(HEADER) :], where)
    return FriendCard(hints=hints, certificate_file=file, owner_key=owner_key)


def check_hint(text: str, *, where: str = "dial hint") -> str:
    """Return `text` if it is `HOST:PORT` in its one spelling; where it may be dialled is for `net` to say.

    Raises:
        FormatError: anything else.
    """
    match = _HINT.fullmatch(text)
    if not match or int(match[1]) > 65535:
        raise FormatError("not HOST:PORT", where=where)
    return text


def _parse_hints(lines: bytes, where: str) -> tuple[str, ...]:
    if not lines.isascii():
        raise FormatError("dial hints that are not ASCII", where=where)
    hints = lines.decode().splitlines(keepends=True)
    if len(hints) > CARD_HINTS:
        raise FormatError(f"more than {CARD_HINTS} dial hints", where=where)
    if not all(line.startswith("dial ") and line.endswith("\n") for line in hints):
        raise FormatError("a line that is no dial hint", where=where)
    return tuple(check_hint(line[5:-1], where=where) for line in hints)
