"""What followed logs say together: results of one build that differ, whoever asked for it.

Every outcome that is read of a mirrored log is kept by its build key. Two results of one owner are a
self-contradiction, in whatever logs of his they stand. Results of several owners are a divergence, which
accuses nobody by itself; for builds that this node ordered, its own verdict says more, and nothing is said
here. An outcome whose list of products is a blob that is not here cannot be compared.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from f2fbuild.audit.findings import Findings
from f2fbuild.audit.found import CONTRADICTION, DIVERGENCE, Found
from f2fbuild.errors import F2FError
from f2fbuild.ledger.directory import LogDirectory
from f2fbuild.ledger.entry import Outcome, VerdictSummary, read
from f2fbuild.ledger.evidence import Side, format_contradiction, format_divergence
from f2fbuild.ledger.proof import format_proof
from f2fbuild.model import statement
from f2fbuild.model.digest import short_id
from f2fbuild.model.envelope import unseal
from f2fbuild.model.friend import Friend
from f2fbuild.model.outcome import result_digest
from f2fbuild.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrored:
    """One outcome in a mirrored log: where it stands, whose it is, and what came out of which build."""

    origin: str
    idx: int
    vkey: str
    owner: str
    node: str
    build_key: str
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What an inspector asks others: a mirror by its vkey, a products list by its digest, own orders.

    `judged` is given every verdict that a friend's log holds.
    """

    mirror: Callable[[str], LogDirectory | None]
    products: Callable[[str], bytes | None]
    ordered: Callable[[str], bool]
    judged: Callable[[Friend, bytes], None]


class Inspector:
    """Compares the outcomes of all followed logs."""

    def __init__(self, database: Database, findings: Findings, sources: Compared) -> None:
        """Keep rows in `database` and tell `findings`."""
        self._database = database
        self._findings = findings
        self._sources = sources

    def take(self, friend: Friend, origin: str, start: int, entries: Sequence[bytes]) -> None:
        """Take the entries from `start` on of a friend's log, read and found in order before."""
        found = tuple(self._read(friend, origin, start, entries))
        with self._database.transaction():
            for one in found:
                self._database.execute(
                    "INSERT INTO mirrored_outcome (origin, idx, vkey, owner, node, build_key, result) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    (one.origin, one.idx, one.vkey, one.owner, one.node, one.build_key, one.result),
                )
        # If we crash here, the entries are read, and compared, again after the restart.
        for build_key in {one.build_key for one in found}:
            self._compare(build_key)

    def _read(self, friend: Friend, origin: str, start: int, entries: Sequence[bytes]) -> Iterable[Mirrored]:
        for idx, data in enumerate(entries, start):
            payload = read(data, friend.statement_key).payload
            if isinstance(payload, VerdictSummary):
                self._sources.judged(friend, payload.statement)
            if not isinstance(payload, Outcome):
                continue
            built = self._statement(payload.statement)
            if built is not None:
                yield Mirrored(
                    origin=origin,
                    idx=idx,
                    vkey=friend.vkey,
                    owner=friend.owner,
                    node=friend.node_id,
                    build_key=built.definition.build_key,
                    result=result_digest(built.result),
                )

    def _statement(self, payload: bytes) -> statement.BuildStatement | None:
        """Return what an outcome says, None when it cannot be compared."""
        try:
            digest = statement.products_blob(payload)
            products = self._sources.products(digest) if digest else b""
            return None if products is None else statement.decode(payload, products)
        except F2FError:
            return None

    def _compare(self, build_key: str) -> None:
        # One outcome for each owner and result: a log may repeat itself without end.
        rows = self._database.rows(
            "SELECT origin, min(idx) AS idx, vkey, owner, node, build_key, result FROM mirrored_outcome "
            "WHERE build_key = ? GROUP BY owner, result ORDER BY owner, result",
            (build_key,),
        )
        outcomes = [Mirrored(**row) for row in rows]
        for one, other in pairwise(outcomes):
            if one.owner == other.owner:
                self._contradiction(one, other)
        pair = _of_two_owners(outcomes)
        if pair is not None and not self._sources.ordered(build_key):
            self._divergence(*pair)

    def _contradiction(self, one: Mirrored, other: Mirrored) -> None:
        subject = f"{one.owner} {one.build_key}"
        if self._findings.about(CONTRADICTION, subject):
            return
        sides = self._sides(one, other)
        if sides is not None:
            self._findings.record(
                Found(
                    kind=CONTRADICTION,
                    owner=other.owner,
                    node=other.node,
                    evidence=format_contradiction(sides),
                    detail=f"two results of the build {short_id(one.build_key)}",
                    origin=other.origin,
                    subject=subject,
                )
            )

    def _divergence(self, one: Mirrored, other: Mirrored) -> None:
        if self._findings.about(DIVERGENCE, one.build_key):
            return
        sides = self._sides(one, other)
        if sides is not None:
            words = f"results of the build {short_id(one.build_key)} differ; this accuses nobody by itself"
            self._findings.record(
                Found(
                    kind=DIVERGENCE,
                    owner="",
                    node="",
                    evidence=format_divergence(sides),
                    detail=words,
                    subject=one.build_key,
                )
            )

    def _sides(self, a: Mirrored, b: Mirrored) -> tuple[Side, Side] | None:
        sides = [side for side in (self._side(a), self._side(b)) if side is not None]
        return (sides[0], sides[1]) if len(sides) == 2 else None

    def _side(self, one: Mirrored) -> Side | None:
        mirror = self._sources.mirror(one.vkey)
        if mirror is None or mirror.size <= one.idx:
            return None
        outcome = mirror.entry(one.idx)
        proof = format_proof(mirror.inclusion(one.idx))
        return side_of(one.vkey, mirror, outcome, proof, self._list(outcome))

    def _list(self, outcome: bytes) -> bytes:
        digest = statement.products_blob(unseal(outcome).payload)
        return (self._sources.products(digest) or b"") if digest else b""


def side_of(vkey: str, mirror: LogDirectory, outcome: bytes, proof: bytes, products: bytes) -> Side:
    """Return an outcome as one side of a contradiction, bound to its log by the mirror of that log."""
    return Side(
        log=vkey,
        certificate=mirror.entry(0),
        certificate_proof=format_proof(mirror.inclusion(0)),
        outcome=outcome,
        outcome_proof=proof,
        products=products,
    )


def _of_two_owners(outcomes: list[Mirrored]) -> tuple[Mirrored, Mirrored] | None:
    """Return two that differ in owner and in result, if there are such; in time linear in their number."""
    for first in outcomes[:1]:
        others = [one for one in outcomes if one.owner != first.owner]
        differing = [one for one in outcomes if one.result != first.result]
        for one in others:
            if one.result != first.result:
                return first, one
        # Now all other owners say what the first does, so only the first's owner can say something else.
        if others and differing:
            return differing[0], others[0]
    return None
