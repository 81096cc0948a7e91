"""What a node has on its disk, each opened when it is first asked for, and what it was made from."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

from f2fbuild import limits
from f2fbuild.audit.findings import Findings
from f2fbuild.errors import F2FError
from f2fbuild.jobs.access import BlobAccess
from f2fbuild.jobs.changes import Changes
from f2fbuild.jobs.engine import Engine
from f2fbuild.node.config import Settings
from f2fbuild.node.convictions import Convictions
from f2fbuild.node.identity import Identity
from f2fbuild.node.roles import NoEngine
from f2fbuild.node.settling import settle
from f2fbuild.node.targets import Targets
from f2fbuild.store.blobs import BlobStore
from f2fbuild.store.database import Database
from f2fbuild.store.paths import Paths
from f2fbuild.store.schema import MIGRATIONS
from f2fbuild.trust.gpg import Gnupg


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a node is made from.

    `tell` is given words that its owner may want to read; `clock` returns unix seconds.
    """

    paths: Paths
    settings: Settings
    identity: Identity
    tell: Callable[[str], None]
    clock: Callable[[], int]


MakeEngine: TypeAlias = Callable[[Needs, Targets], Engine]


class Kept:
    """What needs nothing but the disk. Opened files are closed by the stack that was given."""

    def __init__(self, needs: Needs, make_engine: MakeEngine, stack: ExitStack) -> None:
        """Make nothing yet."""
        self.paths = needs.paths
        self.settings = needs.settings
        self.identity = needs.identity
        self.clock = needs.clock
        self._needs = needs
        self._make_engine = make_engine
        self._stack = stack

    @property
    def is_auditor(self) -> bool:
        """Whether this node has no part in jobs and artifacts."""
        return self.settings.node.role == "auditor"

    @property
    def log_directory(self) -> Path:
        """Where the log of this epoch lies."""
        return self.paths.log_of(self.identity.certificate.certificate.epoch)

    @cached_property
    def database(self) -> Database:
        """This node's rows."""
        database = self._stack.enter_context(Database.open(self.paths.database, MIGRATIONS))
        settle(database, self.identity.origin)
        return database

    @cached_property
    def blobs(self) -> BlobStore:
        """This node's blobs."""
        return BlobStore.open(self.paths.blobs)

    @cached_property
    def targets(self) -> Targets:
        """This node's targets."""
        return Targets(self.paths.targets)

    @cached_property
    def engine(self) -> Engine:
        """What inspects, builds and digests."""
        return NoEngine() if self.is_auditor else self._make_engine(self._needs, self.targets)

    @cached_property
    def user(self) -> Gnupg:
        """The owner's own GnuPG."""
        home = self.settings.owner.gnupghome or os.environ.get("GNUPGHOME") or Path.home() / ".gnupg"
        return Gnupg(Path(home), agent=True)

    @cached_property
    def access(self) -> BlobAccess:
        """Who may fetch which blob."""
        return BlobAccess(self.database)

    @cached_property
    def changes(self) -> Changes:
        """The bells of jobs and tasks."""
        return Changes()

    @cached_property
    def findings(self) -> Findings:
        """What was found against somebody."""
        return Findings(self.database, self.paths.evidence, self._needs.clock)

    @cached_property
    def convictions(self) -> Convictions:
        """Whose logs tell two stories."""
        return Convictions(self.findings)

    def products_list(self, digest: str) -> bytes | None:
        """Return a products list that is kept here, None when it is not."""
        try:
            return self.blobs.read(digest, limits.PRODUCTS_LIST_BYTES)
        except F2FError:
            return None
