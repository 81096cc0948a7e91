"""Witnesses over HTTP (C2SP tlog-witness v1.0.0): what an answer looks like, written and read.

    POST <prefix>/add-checkpoint      body: `ledger.add_checkpoint`

| status | meaning | body |
|---|---|---|
| 200 | cosigned | signature lines |
| 400 | malformed, or old is larger than the head | words |
| 403 | no signature by a trusted key | words |
| 404 | unknown origin | words |
| 409 | another size was cosigned last, or another head of this size | that size, `text/x.tlog.size` |
| 422 | the proof does not hold | words |
| 503 | the witness's clock is behind its last cosignature (not in the specification) | words |
"""

from dataclasses import dataclass
from typing import TypeAlias

from f2fbuild.errors import FormatError
from f2fbuild.ledger.checkpoint import parse_size
from f2fbuild.ledger.cosignature import Cosignature, cosignatures, format_cosignature
from f2fbuild.ledger.witness import Refusal, Refused
from f2fbuild.model.vkey import VerifierKey

PATH = "/add-checkpoint"
SIZE_TYPE = "text/x.tlog.size"
_TEXT_TYPE = "text/plain; charset=utf-8"

_STATUS = {
    Refusal.MALFORMED: 400,
    Refusal.OLD_IS_NEWER: 400,
    Refusal.UNTRUSTED: 403,
    Refusal.UNKNOWN_ORIGIN: 404,
    Refusal.CONFLICT: 409,
    Refusal.FORKED: 409,
    Refusal.BAD_PROOF: 422,
    Refusal.CLOCK_BEHIND: 503,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer over HTTP."""

    status: int
    media_type: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """The witness cosigned a head of this size last; ask again from there."""

    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """The witness did not cosign; `why` is safe to show."""

    why: str


Heard: TypeAlias = Cosignature | Conflict | Declined


def reply_to(answer: Cosignature | Refused) -> Reply:
    """Return what a witness answers."""
    if isinstance(answer, Cosignature):
        return Reply(status=200, media_type=_TEXT_TYPE, body=format_cosignature(answer).encode())
    status = _STATUS[answer.refusal]
    if status == 409:
        return Reply(status=status, media_type=SIZE_TYPE, body=f"{answer.size}\n".encode())
    return refuse(status, answer.refusal.value)


def refuse(status: int, words: str) -> Reply:
    """Return an answer of words."""
    return Reply(status=status, media_type=_TEXT_TYPE, body=f"{words}\n".encode())


def hear(reply: Reply, note: bytes, key: VerifierKey) -> Heard:
    """Return what the witness with this key said of the head in `note`, its cosignature verified.

    Nothing of the answer is believed: a cosignature of another key, of another head or time than it says is
    none.
    """
    match reply.status:
        case 200:
            try:
                said = cosignatures(note + reply.body, [key], where="the witness's answer")
            except FormatError as error:
                return Declined(why=str(error))
            return said[0] if said else Declined(why="answered without a cosignature of its key")
        case 409 if reply.media_type.partition(";")[0].strip() == SIZE_TYPE:
            return _conflict(reply.body)
        case status:
            words = reply.body[:100].decode("ascii", "replace")
            return Declined(
                why=f"status {status}: {''.join(c if c.isprintable() else ' ' for c in words)}".strip()
            )


def _conflict(body: bytes) -> Conflict | Declined:
    try:
        return Conflict(size=parse_size(body.decode("ascii", "replace").removesuffix("\n")))
    except FormatError:
        return Declined(why="answered a conflict without a size")
