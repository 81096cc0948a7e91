"""GnuPG's colon listings, read into values (its doc/DETAILS).

Only what `--check-sigs` marks `!` is a certification: `--list-sigs` prints forged ones like good ones.
User ids are another's words, so they lose control, format and bidirectional characters before anybody
sees them.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from f2fbuild.errors import FormatError
from f2fbuild.limits import USER_ID_CHARACTERS
from f2fbuild.trust.snapshot import Certification, Owner, Validity

_ESCAPE = re.compile(rb"\\x([0-9a-fA-F]{2})")
_PERSONAL = ("10", "11", "12", "13")
_REVOCATION = "30"
_BREAKS = ("Zl", "Zp")
_SURE = ("u", "f")
_REVOKED = "r"
_DEAD_USER_ID = ("r", "e", "i", "n")


@dataclass(frozen=True, slots=True)
class _Record:
    """One line: the record's kind and its fields by the numbers of doc/DETAILS."""

    fields: tuple[bytes, ...]

    def __getitem__(self, number: int) -> str:
        return self.raw(number).decode("ascii", "replace")

    def raw(self, number: int) -> bytes:
        return self.fields[number - 1] if number <= len(self.fields) else b""

    def time(self, number: int) -> int | None:
        text = self[number]
        return int(text) if text else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """The records of one key up to its first subkey or photo."""

    key: _Record
    fingerprint: str
    user_ids: tuple[tuple[_Record, tuple[_Record, ...]], ...]


def parse_owners(listing: bytes) -> tuple[Owner, ...]:
    """Return the owners in the output of `--with-colons --fixed-list-mode --list-keys` (or secret keys).

    Raises:
        FormatError: the listing is not of the form that GnuPG documents.
    """
    try:
        return tuple(_owner(block) for block in _blocks(listing))
    except ValueError as error:
        raise _undocumented(error) from error


def parse_certifications(listing: bytes) -> tuple[Certification, ...]:
    """Return the verified, unrevoked certifications in the output of `--check-sigs --with-colons`.

    Self-signatures, certifications by keys that are not in the listing and those on user ids that are
    revoked or invalid are left out. Several of one certifier on one key become one: an exportable one
    before a local one, then the latest.

    Raises:
        FormatError: the listing is not of the form that GnuPG documents.
    """
    try:
        return _best(tuple(_blocks(listing)))
    except ValueError as error:
        raise _undocumented(error) from error


def clean_text(text: str, limit: int = USER_ID_CHARACTERS) -> str:
    """Return another's `text` fit for a terminal or a page: no control, format or private characters.

    Letters that look alike stay: a name is always shown beside its fingerprint.
    """
    kinds = ((character, unicodedata.category(character)) for character in text)
    kept = (
        " " if kind == "Zs" else character
        for character, kind in kinds
        if kind[0] != "C" and kind not in _BREAKS
    )
    return "".join(kept)[:limit]


def _undocumented(error: ValueError) -> FormatError:
    return FormatError(f"GnuPG's listing is not as documented: {error}", where="gpg")


def _best(blocks: tuple[_Block, ...]) -> tuple[Certification, ...]:
    certifiers = _certifiers(blocks)
    best: dict[tuple[str, str], Certification] = {}
    for block in blocks:
        for user_id, signatures in block.user_ids:
            if user_id[2] in _DEAD_USER_ID:
                continue
            for found in _standing(signatures, certifiers, block.fingerprint):
                pair = (found.certifier, found.certified)
                best[pair] = max(best.get(pair, found), found, key=lambda one: (not one.local, one.made))
    return tuple(best[pair] for pair in sorted(best))


def _blocks(listing: bytes) -> Iterator[_Block]:
    return (_block(lines) for lines in _split(listing))


def _split(listing: bytes) -> Iterator[list[_Record]]:
    lines: list[_Record] = []
    for line in listing.split(b"\n"):
        record = _Record(tuple(line.split(b":")))
        if record[1] in ("pub", "sec"):
            if lines:
                yield lines
            lines = []
        if lines or record[1] in ("pub", "sec"):
            lines.append(record)
    if lines:
        yield lines


def _block(lines: list[_Record]) -> _Block:
    fingerprint = next((record[10] for record in lines if record[1] == "fpr"), "")
    if not fingerprint:
        raise ValueError("a key without fingerprint")
    user_ids: list[tuple[_Record, list[_Record]]] = []
    for record in lines:
        match record[1]:
            case "sub" | "ssb" | "uat":
                break
            case "uid":
                user_ids.append((record, []))
            case "sig" | "rev" if user_ids:
                user_ids[-1][1].append(record)
    frozen = tuple((record, tuple(signatures)) for record, signatures in user_ids)
    return _Block(key=lines[0], fingerprint=fingerprint, user_ids=frozen)


def _owner(block: _Block) -> Owner:
    disabled = "D" in block.key[12]
    letter = block.key[2] or "-"
    return Owner(
        fingerprint=block.fingerprint,
        validity=Validity.DISABLED if disabled else Validity(letter),
        expires=block.key.time(7),
        user_ids=tuple(_text(record.raw(10)) for record, _ in block.user_ids if record[2] in _SURE),
        claims=tuple(
            _text(record.raw(10)) for record, _ in block.user_ids if record[2] not in (*_SURE, _REVOKED)
        ),
    )


def _text(raw: bytes) -> str:
    plain = _ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), raw)
    return clean_text(plain.decode("utf-8", "replace"))


def _certifiers(blocks: tuple[_Block, ...]) -> dict[str, str]:
    """Return fingerprints by fingerprint and by long key id; an id that two keys share names nobody."""
    names = {block.fingerprint: block.fingerprint for block in blocks}
    for block in blocks:
        short = block.fingerprint[-16:]
        names[short] = "" if short in names else block.fingerprint
    return names


def _standing(
    signatures: tuple[_Record, ...], certifiers: dict[str, str], certified: str
) -> Iterator[Certification]:
    """Yield the verified certifications of one user id that their certifier did not revoke later."""
    good = [record for record in signatures if record[2] == "!"]
    revoked: dict[str, int] = {}
    for record in good:
        if record[1] == "rev" or record[11][:2] == _REVOCATION:
            certifier = _certifier(record, certifiers)
            revoked[certifier] = max(revoked.get(certifier, 0), record.time(6) or 0)
    for record in good:
        certifier = _certifier(record, certifiers)
        made = record.time(6) or 0
        if record[1] != "sig" or record[11][:2] not in _PERSONAL or certifier in ("", certified):
            continue
        if made > revoked.get(certifier, -1):
            yield Certification(
                certifier=certifier,
                certified=certified,
                made=made,
                expires=record.time(7),
                local=record[11].endswith("l"),
            )


def _certifier(record: _Record, certifiers: dict[str, str]) -> str:
    return certifiers.get(record[13] or record[5], "")
