"""A key of this node that cosigns heads: what it said is stored before it is said.

Reading what was cosigned last, the decision and storing the new head are one transaction of the store, so of
two requests that come at once, in one process or in two, the second meets what the first has stored. Only
after that is durable is anything signed:

    read · decide · store · commit     ← if we crash here, the next request starts from the stored head
    sign · answer                      ← if we crash here, nobody has the cosignature; it is asked for again

In both cases no smaller and no other head is ever signed. A store that was restored from a backup belongs to
an older node: a new epoch has new cosigner keys.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum

from f2fbuild.ledger.add_checkpoint import AddCheckpoint
from f2fbuild.ledger.checkpoint import parse_checkpoint
from f2fbuild.ledger.cosignature import Cosignature, cosign
from f2fbuild.ledger.note import parse_note
from f2fbuild.ledger.witness import Cosign, Refused, Witnessed, decide
from f2fbuild.model.signing import SigningKey
from f2fbuild.model.vkey import KeyKind, VerifierKey, own_name
from f2fbuild.store.database import Database, Row


class CosignerRole(StrEnum):
    """What a cosignature says: seen as the newest head, or that and all entries held durably."""

    WITNESS = "witness"
    MIRROR = "mirror"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What one key of this node cosigned last of one log, and when (unix seconds)."""

    role: CosignerRole
    witnessed: Witnessed
    time: int


def _nothing(_name: str) -> None:
    return


class Cosigner:
    """One cosigning key and its memory. Used from the thread of the database only."""

    def __init__(
        self,
        database: Database,
        role: CosignerRole,
        key: SigningKey,
        clock: Callable[[], int],
        on_commit_point: Callable[[str], None] = _nothing,
    ) -> None:
        """Cosign by `key`; `clock` returns unix seconds, `on_commit_point` hears how far a request got."""
        self._database = database
        self._role = role
        self._key = key
        self._clock = clock
        self._on_commit_point = on_commit_point

    @property
    def role(self) -> CosignerRole:
        """What its cosignatures say."""
        return self._role

    @property
    def vkey(self) -> VerifierKey:
        """The key by which others verify what this one says."""
        name = own_name(self._role, self._key.public)
        return VerifierKey(name=name, kind=KeyKind.COSIGNATURE, public=self._key.public)

    def add(self, request: AddCheckpoint, keys: Collection[VerifierKey]) -> Cosignature | Refused:
        """Return the cosignature that was asked for, or why there is none.

        Args:
            request: what is asked.
            keys: the keys trusted for the request's origin, none when the log is unknown here.

        Raises:
            StorageError: the disk is full or fails; then nothing was signed.
        """
        origin = request.origin
        with self._database.transaction():
            kept = self.last(origin)
            last = self._database.rows(
                "SELECT coalesce(max(time), 0) AS time FROM witnessed WHERE role = ?", (self._role,)
            )[0]["time"]
            answer = decide(request, keys, kept.witnessed if kept else None, last=last, now=self._clock())
            match answer:
                case Cosign(witnessed=witnessed, at=at):
                    self._store(witnessed, at)
                case Refused(forked=Witnessed() as forked):
                    self._database.execute(
                        "UPDATE witnessed SET fork = ? WHERE role = ? AND origin = ?",
                        (forked.fork, self._role, origin),
                    )
            self._on_commit_point("stored, not durable")
        if isinstance(answer, Refused):
            return answer
        self._on_commit_point("durable, not signed")
        said = cosign(answer.text, self.vkey.name, self._key, answer.at)
        self._on_commit_point("signed, not answered")
        return said

    def last(self, origin: str) -> Kept | None:
        """Return what was cosigned last of the log `origin`."""
        row = self._database.row(
            "SELECT * FROM witnessed WHERE role = ? AND origin = ?", (self._role, origin)
        )
        return _kept(row) if row else None

    def all(self) -> list[Kept]:
        """Return what was cosigned last of every log."""
        rows = self._database.rows("SELECT * FROM witnessed WHERE role = ? ORDER BY origin", (self._role,))
        return [_kept(row) for row in rows]

    def _store(self, witnessed: Witnessed, at: int) -> None:
        self._database.execute(
            "INSERT INTO witnessed (role, origin, size, note, time) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (role, origin) DO UPDATE SET size = excluded.size, note = excluded.note,"
            " time = excluded.time",
            (self._role, witnessed.head.origin, witnessed.head.size, witnessed.note, at),
        )


def _kept(row: Row) -> Kept:
    head = parse_checkpoint(parse_note(row["note"]).text)
    witnessed = Witnessed(head=head, note=row["note"], fork=row["fork"])
    return Kept(role=CosignerRole(row["role"]), witnessed=witnessed, time=row["time"])
