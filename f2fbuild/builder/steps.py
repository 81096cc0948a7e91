"""A plan: the commands of one build in their order, and where its products will be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from f2fbuild.builder.sandbox import Command
from f2fbuild.model.outcome import Stage

SOURCES: Final = "/sources"
"""Where the source files are seen, read-only and flat."""

PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"
LOCALE: Final = "C.UTF-8"
TIMEZONE: Final = "UTC"
UMASK: Final = "0022"
USER: Final = "build"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command in a sandbox of its own.

    `stage` is what fails when it fails; `exit_stages` are exit codes by which the tool itself tells of
    another stage.
    """

    stage: Stage
    command: Command
    exit_stages: Mapping[int, Stage] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductPlace:
    """Files with one of `suffixes` in `directory`, a path below the job's, and `depth` levels below it."""

    directory: str
    depth: int
    suffixes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a build does. `home` is where the job's directory is seen; `cpus` how many CPUs are shown."""

    home: str
    cpus: int
    steps: tuple[Step, ...]
    products: ProductPlace


def environment(*, home: str, source_date_epoch: int, **more: str) -> dict[str, str]:
    """Return the whole environment of a build command."""
    return {
        "HOME": home,
        "LANG": LOCALE,
        "LC_ALL": LOCALE,
        "LOGNAME": USER,
        "PATH": PATH,
        "SOURCE_DATE_EPOCH": str(source_date_epoch),
        "TZ": TIMEZONE,
        "USER": USER,
        **more,
    }
