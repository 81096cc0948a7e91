"""How much a program may take, and how its run ended: facts of the runner, never read from a log."""

from dataclasses import dataclass
from enum import StrEnum
from math import inf

from f2fbuild.limits import CAPTURED_BYTES


class ExitCause(StrEnum):
    """Why a program's run ended."""

    EXITED = "exited"
    SIGNALLED = "signalled"
    TIMED_OUT = "timed-out"
    SILENT = "silent"
    LOG_CAPPED = "log-capped"
    MEMORY = "memory"
    DISK = "disk"
    PROCESSES = "processes"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessLimits:
    """What one run may take: seconds, bytes and processes of the whole tree.

    `silence_seconds` is the longest time without output; `disk_bytes` covers all writable mounts
    together; `processes` counts threads too; `cpus` is how many CPUs the program is shown, 0 for all.
    """

    wall_seconds: float
    memory_bytes: int
    disk_bytes: int
    processes: int = 2_048
    output_bytes: int = CAPTURED_BYTES
    silence_seconds: float = inf
    cpus: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How a run ended: `code` where it `EXITED`, `signal` where it was `SIGNALLED`, else both are 0.

    `cpu_seconds` are those of all processes, but for the last `WATCH_SECONDS`.
    """

    cause: ExitCause
    code: int = 0
    signal: int = 0
    wall_seconds: float
    cpu_seconds: float
    output_bytes: int

    @property
    def ok(self) -> bool:
        """Whether the program ended by itself and reported success."""
        return self.cause is ExitCause.EXITED and self.code == 0
