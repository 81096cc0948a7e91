"""A workbench: an engine whose builds are a few deterministic bytes, and which misbehaves when it is told to.

A source is a text. Its one product is a file of kind `deb`: a first line that says so, the text's SHA-256
(its content), and a line of metadata. Digests are recomputed from the bytes, as every engine must.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import trio

from f2fbuild.builder.metadata import (
    Metadata,
    RepositoryMetadata,
    manifest_digests,
    metadata_blobs,
    metadata_manifest,
)
from f2fbuild.errors import F2FError, FormatError, UsageError
from f2fbuild.jobs.engine import BuildOrder, BuildReport, Prepared, Progress
from f2fbuild.model.digest import sha256_hex
from f2fbuild.model.job import AssignmentState, BuildDefinition, Dependency
from f2fbuild.model.outcome import ExitClass, Failed, Infra, Outcome, Product, Stage, Succeeded, TimedOut

TARGET = "toy"
PRODUCT = "toy_1.0_all.deb"
LOCK = b"nothing is needed to build a toy\n"
METADATA = Metadata(repositories=(RepositoryMetadata(signed=b"toys", signature=b"!", indexes=(b"toy\n",)),))
_MAGIC = b"a toy\n"

Deed: TypeAlias = Callable[[BuildOrder, Progress], Awaitable[BuildReport]]
"""What a build does."""


@dataclass
class Workbench:
    """Fulfils `jobs.engine.Engine`. What it does can be changed at any moment.

    `begun` are the jobs whose build began, in that order, `stopped` those whose build was cancelled.
    """

    deed: Deed | None = None
    has_target: bool = True
    distribution: str = ""
    begun: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)

    async def prepare(self, target: str, source: Path) -> Prepared:
        """A toy's source is one file."""
        if target != TARGET:
            raise UsageError("no such target", where=target)
        definition = BuildDefinition(
            parameters={"arch": "all", "format": "deb"},
            sources=(Dependency(name=source.name, sha256=sha256_hex(source.read_bytes())),),
            lock=sha256_hex(LOCK),
        )
        return Prepared(
            title=source.stem,
            arch="all",
            definition=definition,
            sources={source.name: source},
            lock=LOCK,
            metadata=metadata_manifest(METADATA),
            metadata_blobs=metadata_blobs(METADATA),
        )

    def target_for(self, definition: BuildDefinition) -> str | None:
        """Toys only, as long as there is a target for them."""
        toy = definition.parameters == {"arch": "all", "format": "deb"}
        return TARGET if toy and self.has_target else None

    async def build(self, order: BuildOrder, progress: Progress) -> BuildReport:
        """Fetch the environment's metadata, check the sources, and do the deed."""
        self.begun.append(order.job)
        progress.state(AssignmentState.PREPARING, "checking the environment")
        for digest, most in manifest_digests(order.metadata).items():
            path = await order.fetch(digest, most)
            if sha256_hex(path.read_bytes()) != digest:
                raise FormatError("not the metadata that was named", where=digest)
        for source in order.definition.sources:
            if sha256_hex(order.sources[source.name].read_bytes()) != source.sha256:
                raise FormatError("not the source that was named", where=source.name)
        progress.state(AssignmentState.BUILDING, "build")
        progress.log(b"making a toy\n")
        try:
            report = await (self.deed or honestly)(order, progress)
            own = {"distribution": self.distribution} if self.distribution else {}
            return replace(report, facts={**report.facts, **own})
        except trio.Cancelled:
            self.stopped.append(order.job)
            raise

    async def digest(self, files: Mapping[str, Path], definition: BuildDefinition) -> tuple[Product, ...]:
        """Recompute from bytes."""
        return tuple(read_product(name, path.read_bytes()) for name, path in sorted(files.items()))

    def report(self, outcome: Outcome, products: Mapping[str, Path], detail: str = "") -> BuildReport:
        """A report with this bench's facts."""
        facts = {"distribution": self.distribution or "toyland", "kernel": "toy 1"}
        return BuildReport(outcome=outcome, products=products, verified=True, facts=facts, detail=detail)


def read_product(name: str, data: bytes) -> Product:
    """The digests of a product, from its bytes."""
    content = data.removeprefix(_MAGIC).partition(b"\n")[0]
    if not data.startswith(_MAGIC) or len(content) != 64:
        raise FormatError("no toy", where=name)
    digest = sha256_hex(data)
    return Product(
        kind="deb", name=name, size=len(data), sha256=digest, canonical=digest, content=content.decode()
    )


def make(
    order: BuildOrder, *, twist: bytes = b"", metadata: bytes = b"as always", name: str = PRODUCT
) -> Path:
    """Make a product in the order's work directory; `twist` changes what is inside."""
    text = b"".join(path.read_bytes() for _, path in sorted(order.sources.items()))
    path = order.work / name
    path.write_bytes(_MAGIC + sha256_hex(text + twist).encode() + b"\n" + metadata + b"\n")
    return path


def _succeeded(*paths: Path) -> BuildReport:
    products = tuple(read_product(path.name, path.read_bytes()) for path in sorted(paths))
    files = {path.name: path for path in paths}
    return Workbench().report(Succeeded(products=products), files)


async def honestly(order: BuildOrder, progress: Progress) -> BuildReport:
    """Build what was asked for; a text that says `broken` cannot be built."""
    if any(path.read_bytes().startswith(b"broken") for path in order.sources.values()):
        return Workbench().report(
            Failed(stage=Stage.BUILD, exit_class=ExitClass.NONZERO), {}, "exit status 2"
        )
    progress.state(AssignmentState.VERIFYING, "digests")
    return _succeeded(make(order))


def lying(twist: bytes = b"a little door in the back") -> Deed:
    """Deliver something else."""

    async def deed(order: BuildOrder, progress: Progress) -> BuildReport:
        return _succeeded(make(order, twist=twist))

    return deed


def with_metadata(metadata: bytes) -> Deed:
    """Deliver the same contents with other metadata."""

    async def deed(order: BuildOrder, progress: Progress) -> BuildReport:
        return _succeeded(make(order, metadata=metadata))

    return deed


async def many_products(order: BuildOrder, progress: Progress) -> BuildReport:
    """Deliver more products than an entry holds."""
    return _succeeded(*[make(order, name=f"toy{n:03}_1.0_all.deb") for n in range(300)])


async def no_infrastructure(order: BuildOrder, progress: Progress) -> BuildReport:
    """End for a reason outside the package."""
    return Workbench().report(Infra(stage=Stage.DEPS, reason="mirror"), {}, "the mirror is down")


async def too_slow(order: BuildOrder, progress: Progress) -> BuildReport:
    """End because it took too long."""
    return Workbench().report(TimedOut(stage=Stage.BUILD), {}, "took longer than this node allows")


async def raising(order: BuildOrder, progress: Progress) -> BuildReport:
    """Raise what an engine may raise."""
    raise F2FError("the workbench has collapsed")


async def out_of_order(order: BuildOrder, progress: Progress) -> BuildReport:
    """Raise what the operating system raises."""
    raise OSError(28, "No space left on device")


async def hanging(order: BuildOrder, progress: Progress) -> BuildReport:
    """Never end."""
    await trio.sleep_forever()
    raise AssertionError


@dataclass
class Gate:
    """A deed that waits at a gate, then does another one; tells when it is there."""

    then: Deed = honestly
    open: trio.Event = field(default_factory=trio.Event)
    reached: trio.Event = field(default_factory=trio.Event)

    async def __call__(self, order: BuildOrder, progress: Progress) -> BuildReport:
        self.reached.set()
        await self.open.wait()
        return await self.then(order, progress)


def logging(data: bytes, block: int = 64 * 1024) -> Deed:
    """Write a long log, and then build."""

    async def deed(order: BuildOrder, progress: Progress) -> BuildReport:
        for start in range(0, len(data), block):
            progress.log(data[start : start + block])
            await trio.lowlevel.checkpoint()
        return await honestly(order, progress)

    return deed


def wrongly_signed(order_twist: bytes) -> Deed:
    """Sign for one file and hand out another: the report's digests are not those of the file."""

    async def deed(order: BuildOrder, progress: Progress) -> BuildReport:
        report = await lying(b"what is signed")(order, progress)
        make(order, twist=order_twist)
        return report

    return deed
