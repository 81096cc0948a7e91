"""A node process whose engine is the workbench: `python -m tests.journeys.node_child`.

A source that begins with `broken` fails, with `infra` ends outside the package, with `hang` never ends.
"""

import os
import sys

from f2fbuild.jobs.engine import BuildOrder, BuildReport, Progress
from f2fbuild.node.main import run
from f2fbuild.store.paths import Paths
from tests.scenes.scene_engine import Workbench, hanging, honestly, no_infrastructure

DEEDS = {b"hang": hanging, b"infra": no_infrastructure}


async def as_the_source_says(order: BuildOrder, progress: Progress) -> BuildReport:
    """Do what the first word of the source asks for."""
    (source,) = order.sources.values()
    word = source.read_bytes().partition(b" ")[0]
    return await DEEDS.get(word, honestly)(order, progress)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    run(
        Paths.from_environment(os.environ),
        say,
        engine=lambda _needs, _targets: Workbench(deed=as_the_source_says),
    )
