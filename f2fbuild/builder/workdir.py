"""A build's directory on this node: sources to be read, the job's own place, products and log.

Contract. `work` belongs to one execution. What a job wrote lies in `job` alone and is removed as soon as the
products are picked up; `products` and `build.log` stay until whoever owns `work` removes it.
"""

import hashlib
import os
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from f2fbuild.builder.layers import make_owned
from f2fbuild.errors import StorageError
from f2fbuild.limits import PRODUCT_CHUNK_BYTES


class SourceDigestError(StorageError):
    """A source file is not the one that was ordered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkDirectory:
    """The places of one execution."""

    sources: Path
    job: Path
    products: Path
    log: Path


def make_work_directory(work: Path) -> WorkDirectory:
    """Make the places below the empty directory `work`."""
    places = WorkDirectory(
        sources=work / "sources", job=work / "job", products=work / "products", log=work / "build.log"
    )
    for read_inside in (places.sources, places.products):
        read_inside.mkdir()
        read_inside.chmod(0o755)  # whatever the umask of the node
    make_owned(places.job)
    return places


def place_sources(places: WorkDirectory, sources: Mapping[str, Path], digests: Mapping[str, str]) -> None:
    """Copy each source file by its name, readable for the sandbox's users, and check its SHA-256.

    Raises:
        SourceDigestError: a file is missing or has another digest than `digests` says.
    """
    for name, wanted in digests.items():
        if name not in sources:
            raise SourceDigestError("is missing", where=name)
        digest = hashlib.sha256()
        target = places.sources / name
        with sources[name].open("rb") as source, target.open("xb") as copy:
            while block := source.read(PRODUCT_CHUNK_BYTES):
                digest.update(block)
                copy.write(block)
        target.chmod(0o644)
        if digest.hexdigest() != wanted:
            raise SourceDigestError(f"has the SHA-256 {digest.hexdigest()}, not {wanted}", where=name)


def remove_tree(path: Path) -> None:
    """Remove what a build wrote below `path`, directories that it made unreadable included.

    All of it belongs to the build's one user, who is this node's own or, for root, anybody.
    """
    for _, names, _, descriptor in os.fwalk(path, follow_symlinks=False):
        for name in names:
            if stat.S_ISDIR(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode):
                os.chmod(name, 0o700, dir_fd=descriptor)
    shutil.rmtree(path)
