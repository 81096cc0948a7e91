"""A submitter's desk and a builder's bench over real rows, logs and blobs, with nobody else about."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio

from f2fbuild.jobs.access import BlobAccess
from f2fbuild.jobs.bench import Bench
from f2fbuild.jobs.changes import Changes
from f2fbuild.jobs.desk import Desk
from f2fbuild.jobs.friends import NotGivenError
from f2fbuild.jobs.journal import Journal
from f2fbuild.jobs.queue import Queue
from f2fbuild.jobs.tasks import Tasks
from f2fbuild.ledger.checkpoint import log_vkey
from f2fbuild.ledger.log import Log
from f2fbuild.model.friend import Friend
from f2fbuild.model.signing import SigningKey
from f2fbuild.net.exchange import Exchange
from f2fbuild.net.messages import Request
from f2fbuild.net.peers import NotConnectedError
from f2fbuild.store.blobs import BlobStore
from f2fbuild.store.database import Database
from f2fbuild.store.schema import MIGRATIONS
from tests.scenes.scene_engine import Workbench

NODE = "1a" * 32
STATEMENTS, LOG = SigningKey.from_seed(b"s" * 32), SigningKey.from_seed(b"l" * 32)
ORIGIN = log_vkey(LOG.public).name


class Nobody:
    """Fulfils `jobs.friends.Friends` for who has none."""

    def find(self, peer: str) -> Friend | None:
        return None

    async def wait_connected(self, peer: str) -> None:
        await trio.sleep_forever()

    async def call(self, peer: str, request: Request) -> Exchange:
        raise NotConnectedError("no link", where=peer)

    async def fetch(self, peer: str, digest: str, size: int) -> Path:
        raise NotGivenError("no friend", where=peer)


@dataclass
class Workshop:
    """Both ends of the work of one node. `now` is what its clock says, `drawn` how often it drew numbers."""

    directory: Path
    log: Log
    database: Database
    blobs: BlobStore
    now: int = 2000
    drawn: int = 0
    engine: Workbench = field(default_factory=Workbench)
    changes: Changes = field(default_factory=Changes)
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.journal = Journal(self.log, STATEMENTS, lambda: None)

    def random(self, size: int) -> bytes:
        self.drawn += 1
        return self.drawn.to_bytes(size, "big")

    @property
    def desk(self) -> Desk:
        return Desk(
            node_id=NODE,
            statement_key=STATEMENTS,
            queue=Queue(self.database),
            journal=self.journal,
            engine=self.engine,
            friends=Nobody(),
            blobs=self.blobs,
            access=BlobAccess(self.database),
            changes=self.changes,
            logs=self.directory / "logs",
            patience=60,
            clock=lambda: self.now,
            random=self.random,
            tell=self.told.append,
            proved=lambda _friend, _proof: None,
        )

    @property
    def bench(self) -> Bench:
        return Bench(
            node_id=NODE,
            origin=ORIGIN,
            tasks=Tasks(self.database),
            journal=self.journal,
            engine=self.engine,
            blobs=self.blobs,
            access=BlobAccess(self.database),
            changes=self.changes,
            logs=self.directory / "logs",
            work=self.directory / "work",
            clock=lambda: self.now,
            random=self.random,
            tell=self.told.append,
        )


@contextmanager
def workshop(directory: Path) -> Iterator[Workshop]:
    for name in ("rows", "blobs", "logs", "work"):
        (directory / name).mkdir(mode=0o700)
    with ExitStack() as stack:
        yield Workshop(
            directory=directory,
            log=stack.enter_context(Log.create(directory / "log", LOG)),
            database=stack.enter_context(Database.open(directory / "rows" / "node.sqlite", MIGRATIONS)),
            blobs=BlobStore.open(directory / "blobs", reserve=0),
        )
