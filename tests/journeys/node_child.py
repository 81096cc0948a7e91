"""A node process whose engine is the workbench: `python -m tests.journeys.node_child [NAME]`.

The first word of a source picks what its build does; `broken` fails, and what is not known here succeeds.
`whim` comes out differently in every process, `trap` only at the node that is called dan.
"""

import os
import sys

from f2fbuild.jobs.engine import BuildOrder, BuildReport, Progress
from f2fbuild.node.main import run
from f2fbuild.store.paths import Paths
from tests.scenes.scene_engine import (
    Workbench,
    hanging,
    honestly,
    lying,
    no_infrastructure,
    too_slow,
    with_metadata,
)

OWN = str(os.getpid()).encode()
DEEDS = {
    b"hang": hanging,
    b"infra": no_infrastructure,
    b"slow": too_slow,
    b"whim": lying(OWN),
    b"stamp": with_metadata(OWN),
    b"trap": lying() if sys.argv[1:] == ["dan"] else honestly,
}


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
