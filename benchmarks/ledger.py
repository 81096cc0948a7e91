"""How fast a log takes entries, opens, proves and is audited: `python -m benchmarks.ledger [--smoke]`.

A builder's log of 1,000,000 entries is made as a node makes it: a certificate, then for each job an
acceptance, a commitment and a signed outcome in SLSA provenance, appended durably in groups of 100. Appends
of one entry are measured beside it, alone and with the head remembered in a second file, as in a node. The
audits are `f2fbuild ledger verify`, in a process of their own, whose memory is that of the process and its
workers together at its highest.
"""

import argparse
import resource
import statistics
import subprocess  # noqa: TID251 - what is measured is a program of its own
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from benchmarks.report import Bar, at_least, at_most, emit
from f2fbuild.errors import F2FError
from f2fbuild.ledger import entry
from f2fbuild.ledger.checkpoint import Checkpoint, log_vkey
from f2fbuild.ledger.commitment import commitment_digest
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.memory import HeadMemory
from f2fbuild.model import statement
from f2fbuild.model.digest import sha256_hex
from f2fbuild.model.envelope import seal
from f2fbuild.model.job import BuildDefinition, Dependency
from f2fbuild.model.outcome import Product, Succeeded, result_digest
from f2fbuild.model.signing import SigningKey
from f2fbuild.model.tree import EMPTY_ROOT, leaf_hash
from f2fbuild.model.vkey import format_vkey

_ENTRIES: Final = 1_000_000
_SMOKE_ENTRIES: Final = 20_000
_GROUP: Final = 100
_ALONE: Final = 3_000
_PROOFS: Final = 500
_AUDITS: Final = 3
_LOG: Final = SigningKey.from_seed(b"\x01" * 32)
_STATEMENTS: Final = SigningKey.from_seed(b"\x02" * 32)
_ORIGIN: Final = log_vkey(_LOG.public).name

_Result = TypeVar("_Result")


def _payloads() -> Iterator[entry.Payload]:
    """Yield what a builder logs, without end."""
    lines = [
        "f2fbuild node certificate v1",
        "owner " + "A" * 40,
        "node benchmark",
        f"statements {_STATEMENTS.public.hex()}",
        f"log {format_vkey(log_vkey(_LOG.public))}",
        "epoch 0",
    ]
    yield entry.NodeCertificate(text="\n".join([*lines, "", "proof …", ""]).encode())
    index = 1
    while True:
        job = sha256_hex(b"job %d" % index)
        definition = BuildDefinition(
            parameters={"format": "deb", "arch": "amd64"},
            sources=(Dependency(name="hello_2.10-3.dsc", sha256=job),),
            lock=sha256_hex(b"lock"),
        )
        accepted = entry.Acceptance(
            job=job, deadline=1_200_000, reveal_by=600_000, submitter=job, build_key=definition.build_key
        )
        yield accepted
        digest = sha256_hex(b"product %d" % index)
        product = Product(
            kind="deb", name="hello_2.10-3_amd64.deb", size=56_132, sha256=digest, canonical=digest
        )
        result, nonce = Succeeded(products=(product,)), sha256_hex(b"nonce %d" % index)
        leaf = leaf_hash(seal(*entry.encode(accepted), _STATEMENTS)).hex()
        sealed = commitment_digest(
            _ORIGIN, definition.build_key, leaf, result_digest(result), bytes.fromhex(nonce)
        )
        yield entry.Commitment(acceptance=index, digest=sealed)
        build = statement.BuildStatement(
            definition=definition,
            result=result,
            origin=_ORIGIN,
            job_id=job,
            acceptance=index,
            nonce=nonce,
            started=600,
            finished=1200,
            log=job,
            details=job,
        )
        yield entry.Outcome(statement=statement.encode(build).payload)
        index += 3


def _entries() -> Iterator[bytes]:
    return (seal(*entry.encode(payload), _STATEMENTS) for payload in _payloads())


def _timed(work: Callable[[], _Result]) -> tuple[float, _Result]:
    begun = time.perf_counter()
    result = work()
    return time.perf_counter() - begun, result


def _make(place: Path, count: int) -> dict[str, float]:
    """Write the log, and return how fast it took the entries; making them is not counted."""
    entries, seconds, left = _entries(), 0.0, count
    with Log.create(place, _LOG) as log:
        while left:
            group = list(islice(entries, min(left, _GROUP)))
            taken, _ = _timed(lambda group=group: log.append(group))  # type: ignore[misc]
            seconds += taken
            left -= len(group)
    size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    blocks = sum(path.stat().st_blocks * 512 for path in place.rglob("*"))
    with Log.open(place, _LOG) as log:
        sample = log.entries(0, 1 + 3 * 50)
    return {
        "groups_per_s": count / seconds,
        "bytes_per_entry": size / count,
        "disk_bytes_per_entry": blocks / count,
        "entry_bytes": sum(map(len, sample)) / len(sample),
    }


def _alone(place: Path, count: int) -> dict[str, float]:
    """Append entries one by one: with a second memory of the head, as in a node, and without."""
    figures: dict[str, float] = {}
    entries = list(islice(_entries(), count))
    memory = HeadMemory(place / "memory", _ORIGIN)
    memory.begin(Checkpoint(origin=_ORIGIN, size=0, root=EMPTY_ROOT))
    for name, remember in (("alone_per_s", None), ("alone_remembered_per_s", memory.remember)):
        Log.create(place / name, _LOG).close()
        opened = Log.open(place / name, _LOG, remember=remember) if remember else Log.open(place / name, _LOG)
        with opened as log:
            seconds, _ = _timed(lambda log=log: [log.append([one]) for one in entries])  # type: ignore[misc]
        figures[name] = count / seconds
    return figures


def _use(place: Path, proofs: int) -> dict[str, float]:
    """Open the log and prove entries all over it."""
    start, log = _timed(lambda: Log.open(place, _LOG))
    with log:
        step = max(1, log.size // proofs)
        taken = [_timed(lambda at=at: log.inclusion(at))[0] for at in range(0, log.size, step)]  # type: ignore[misc]
    return {"open_s": start, "proof_ms": statistics.median(taken) * 1e3, "proof_worst_ms": max(taken) * 1e3}


_AUDIT: Final = """
import sys
from pathlib import Path
from f2fbuild.ledger.check import verify
from f2fbuild.ledger.checkpoint import parse_log_vkey

if __name__ == "__main__":
    report = verify(Path(sys.argv[1]), parse_log_vkey(sys.argv[2]), hashes_only=sys.argv[3] == "hashes")
    sys.exit(f"not in order: {report.problems[0]}" if report.problems else 0)
"""


def _audits(place: Path, program: Path, mode: str) -> dict[str, float]:
    """Audit the log a few times; return the medians of time and of the processors' time, and the most MB."""
    program.write_text(_AUDIT)
    seconds, processors, memory = zip(*(_audit(place, program, mode) for _ in range(_AUDITS)), strict=True)
    return {
        f"audit_{mode}_s": statistics.median(seconds),
        f"audit_{mode}_cpu_s": statistics.median(processors),
        f"audit_{mode}_mb": max(memory),
    }


def _audit(place: Path, program: Path, mode: str) -> tuple[float, float, float]:
    """Audit the log in a new process; return seconds, seconds of processors and MB."""
    used = _children_seconds()
    command = [sys.executable, str(program), str(place), format_vkey(log_vkey(_LOG.public)), mode]
    begun = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    highest, done = [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            highest[0] = max(highest[0], _memory(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, errors = process.communicate()
    seconds = time.perf_counter() - begun
    done.set()
    watcher.join()
    if process.returncode:
        raise F2FError(f"the audit failed: {errors}")
    return seconds, _children_seconds() - used, highest[0]


def _children_seconds() -> float:
    """Return the processors' time of all processes that were begun here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _memory(pid: int) -> float:
    """Return the resident MB of a process and its children, what they share counted each time."""
    total = 0
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for one in (pid, *map(int, children)):
            lines = Path(f"/proc/{one}/status").read_text().splitlines()
            total += next((int(line.split()[1]) for line in lines if line.startswith("VmRSS:")), 0)
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return total * 1024 / 1e6


def _measure(entries: int, alone: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="f2fbench-", dir="/var/tmp") as name:
        place = Path(name)
        figures = {"entries": float(entries), **_alone(place, alone), **_make(place / "log", entries)}
        figures |= _use(place / "log", _PROOFS)
        for mode in ("hashes", "signatures"):
            figures |= _audits(place / "log", place / "audit.py", mode)
    return figures


def _bars(figures: dict[str, float]) -> list[Bar]:
    memory = max(figures["audit_hashes_mb"], figures["audit_signatures_mb"])
    return [
        at_least("durable appends alone", figures["alone_per_s"], 1_500, "1/s"),
        at_least("durable entries in groups of 100", figures["groups_per_s"], 15_000, "1/s"),
        at_most("opening the log", figures["open_s"], 1.0, "s"),
        at_most("a proof of inclusion", figures["proof_ms"], 2.0, "ms"),
        at_most("audit by hashes", figures["audit_hashes_s"], 3.0, "s"),
        at_most("audit with every signature", figures["audit_signatures_s"], 45.0, "s"),
        at_most("memory of an audit", memory, 300.0, "MB"),
    ]


def main() -> None:
    """Measure, print, and say whether the bars hold."""
    parser = argparse.ArgumentParser(description="how fast a log is")
    parser.add_argument("--smoke", action="store_true", help="a small log, to see that it works")
    is_smoke = parser.parse_args().smoke
    figures = _measure(_SMOKE_ENTRIES, 300) if is_smoke else _measure(_ENTRIES, _ALONE)
    emit("ledger", figures, _bars(figures))


if __name__ == "__main__":
    main()
