"""Logs of a few owners as a follower holds them, without any node."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from f2fbuild.audit.findings import Findings
from f2fbuild.audit.found import Finding
from f2fbuild.audit.inspection import Compared, Inspector
from f2fbuild.ledger import evidence
from f2fbuild.ledger.log import Log
from f2fbuild.model.digest import sha256_hex
from f2fbuild.model.friend import Friend
from f2fbuild.model.vkey import format_vkey
from f2fbuild.store.database import Database
from f2fbuild.store.schema import MIGRATIONS
from tests.ledger.evidence_people import Node


def friend_with(node: Node) -> Friend:
    return Friend(
        node_id=sha256_hex(node.statements.public),
        owner=node.owner,
        alias="friend",
        node="elm",
        vkey=format_vkey(node.vkey),
        statement_key=node.statements.public,
    )


class Library:
    """Logs that are followed, and what was found in them."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self._directory = directory
        self._stack = stack
        self.database = stack.enter_context(Database.open(directory / "rows" / "db", MIGRATIONS))
        self.findings = Findings(self.database, directory / "evidence", lambda: 1)
        self.logs: dict[str, Log] = {}
        self.lists: dict[str, bytes] = {}
        self.ordered: set[str] = set()
        self.judged: list[tuple[Friend, bytes]] = []
        self.inspector = Inspector(
            self.database,
            self.findings,
            Compared(
                mirror=self.logs.get,
                products=self.lists.get,
                ordered=lambda key: key in self.ordered,
                judged=lambda friend, data: self.judged.append((friend, data)),
            ),
        )

    def add(self, node: Node, entries: Sequence[bytes]) -> Log:
        """Hold a log, without looking into it."""
        place = self._directory / node.origin.rpartition("/")[2]
        log = self._stack.enter_context(Log.create(place, node.log))
        log.append(list(entries))
        self.logs[format_vkey(node.vkey)] = log
        return log

    def take(self, node: Node, entries: Sequence[bytes], start: int = 0) -> None:
        """Look into a log, from an entry on."""
        self.inspector.take(friend_with(node), node.origin, start, entries[start:])

    def follow(self, node: Node, entries: Sequence[bytes]) -> None:
        self.add(node, entries)
        self.take(node, entries)

    def found(self) -> list[Finding]:
        return self.findings.list()

    def proved(self, number: int = 0) -> evidence.Finding:
        return evidence.check(Path(self.found()[number].evidence).read_bytes())


@contextmanager
def library(directory: Path) -> Iterator[Library]:
    with ExitStack() as stack:
        yield Library(directory, stack)
