"""What the workshop of jobs asks of the builder's room, in its own words.

An engine turns a source into facts and an environment lock, a build order into products, and artifacts into
digests. The node wires one; tests may bring a simpler one, and one conformance suite runs on both.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from f2fbuild.model.job import AssignmentState, BuildDefinition
from f2fbuild.model.outcome import Outcome, Product


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A source that is ready to be ordered: its definition and the files behind every digest in it.

    `sources` are the source files by name; `lock` and `metadata` are bytes, `metadata_blobs` the files that
    the metadata manifest names, by digest.
    """

    title: str
    arch: str
    definition: BuildDefinition
    sources: Mapping[str, Path]
    lock: bytes
    metadata: bytes
    metadata_blobs: Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOrder:
    """What to build: the definition, and files that were fetched and match their digests.

    `work` is an empty directory for this execution; who ordered removes it.
    `fetch` gets a further blob (a metadata file, a package that no mirror has) from the submitter by digest
    and size limit in bytes.
    """

    job: str
    target: str
    definition: BuildDefinition
    sources: Mapping[str, Path]
    lock: bytes
    metadata: bytes
    work: Path
    fetch: Callable[[str, int], Awaitable[Path]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildReport:
    """What an engine says of one execution; the files lie in the order's work directory.

    `verified` tells whether every package of the environment was found in metadata signed by a key of this
    node's own target. `facts` describe host and environment; they are kept out of the ledger's leaves.
    """

    outcome: Outcome
    products: Mapping[str, Path]
    verified: bool
    facts: Mapping[str, str]
    detail: str


class Progress(Protocol):
    """Where an engine tells how it is getting on."""

    def state(self, state: AssignmentState, detail: str) -> None:
        """Say what is being done now."""
        ...

    def log(self, data: bytes) -> None:
        """Give bytes of the build log, in order."""
        ...


class Engine(Protocol):
    """The builder's room as the workshop uses it. Every method may raise F2FError for bad input."""

    async def prepare(self, target: str, source: Path) -> Prepared:
        """Inspect a source file and resolve its environment for a target of this node."""
        ...

    def target_for(self, definition: BuildDefinition) -> str | None:
        """Return the name of this node's target that can build the definition, or None."""
        ...

    async def build(self, order: BuildOrder, progress: Progress) -> BuildReport:
        """Build in a clean sandbox; cancelling the call kills the whole process tree first."""
        ...

    async def digest(self, files: Mapping[str, Path], definition: BuildDefinition) -> tuple[Product, ...]:
        """Recompute the products' digests from their bytes, in a sandbox.

        Raises:
            FormatError: a file is not a product that may be counted; names it and why.
        """
        ...
