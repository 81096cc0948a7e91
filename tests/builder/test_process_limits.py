"""Programs that take too much, too long or leave something behind, and what is known of their end."""

import os
import resource
import subprocess  # noqa: TID251  (killed processes are the subject)
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trio

from f2fbuild.builder import cgroups
from f2fbuild.builder.exits import Exit, ExitCause, ProcessLimits
from f2fbuild.builder.hosttools import host_programs
from f2fbuild.builder.idmap import host_id_map
from f2fbuild.builder.process import capture, run
from f2fbuild.builder.running import TRUNCATED, SandboxError
from f2fbuild.builder.sandbox import Bind, Command, Sandbox
from f2fbuild.builder.usage import DiskWatch, tree, tree_usage
from f2fbuild.limits import DISK_SLACK_BYTES, KIB, MIB
from tests.builder.builder_leftovers import groups_left, marked

pytestmark = pytest.mark.unprivileged

LIMITS = ProcessLimits(wall_seconds=60, memory_bytes=512 * MIB, disk_bytes=64 * MIB, processes=64)
ENV = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
PYTHON = "/usr/bin/python3"


@pytest.fixture
def job() -> Iterator[Path]:
    with TemporaryDirectory(prefix="f2f-job-") as directory:
        path = Path(directory)
        os.chown(path, *host_id_map().owner)
        yield path


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def bytes_in(directory: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in directory.iterdir())


async def shell(script: str, limits: ProcessLimits = LIMITS, job: Path | None = None) -> tuple[Exit, bytes]:
    binds = (Bind(source=job, target="/job", writable=True),) if job else ()
    sandbox = Sandbox(mounts=(*host_programs(), *binds))
    output = bytearray()
    command = Command(argv=("sh", "-c", script), env=ENV)
    ended = await run(sandbox, command, limits=limits, on_output=output.extend)
    return ended, bytes(output)


async def test_output_comes_in_order_and_the_exit_code_is_told() -> None:
    ended, output = await shell("echo one; echo two >&2; echo three; exit 3")
    assert output == b"one\ntwo\nthree\n"
    assert (ended.cause, ended.code, ended.signal, ended.ok) == (ExitCause.EXITED, 3, 0, False)
    assert ended.output_bytes == len(output)


async def test_standard_input_is_given_and_the_two_outputs_are_kept_apart() -> None:
    given = os.urandom(3 * MIB)
    command = Command(argv=("sh", "-c", "cat; echo complaint >&2"), env=ENV)
    ended, output, errors = await capture(
        Sandbox(mounts=host_programs()), command, limits=LIMITS, stdin=given
    )
    assert ended.ok
    assert (output, errors) == (given, b"complaint\n")


async def test_a_signal_is_told_apart_from_an_exit_code() -> None:
    ended, _ = await shell("kill -SEGV $$")
    assert (ended.cause, ended.code, ended.signal) == (ExitCause.SIGNALLED, 0, 11)


async def test_a_program_that_is_not_there_is_an_error_of_the_sandbox() -> None:
    sandbox = Sandbox(mounts=host_programs())
    with pytest.raises(SandboxError, match="No such file"):
        await capture(sandbox, Command(argv=("/no/such/program",), env=ENV), limits=LIMITS)


async def test_a_source_that_is_not_there_is_an_error_of_the_sandbox(tmp_path: Path) -> None:
    sandbox = Sandbox(mounts=(*host_programs(), Bind(source=tmp_path / "missing", target="/x")))
    with pytest.raises(SandboxError, match="missing"):
        await capture(sandbox, Command(argv=("true",), env=ENV), limits=LIMITS)


async def test_cpu_seconds_of_grandchildren_count() -> None:
    burn = f"{PYTHON} -c 'import time\nwhile time.process_time() < 0.6: pass'"
    ended, _ = await shell(f"({burn}) & {burn}; wait")
    assert 0.7 <= ended.cpu_seconds < 10


async def test_a_printer_without_end_is_capped() -> None:
    ended, output = await shell("yes", replace(LIMITS, output_bytes=100 * KIB))
    assert ended.cause is ExitCause.LOG_CAPPED
    assert output == b"y\n" * (50 * KIB) + TRUNCATED


async def test_output_of_exactly_the_limit_is_whole() -> None:
    ended, output = await shell("head -c 1024 /dev/zero", replace(LIMITS, output_bytes=1024))
    assert ended.ok
    assert output == bytes(1024)


async def test_a_program_that_hangs_is_ended() -> None:
    ended, _ = await shell("trap '' TERM INT HUP; echo here; sleep 1000", replace(LIMITS, wall_seconds=0.3))
    assert ended.cause is ExitCause.TIMED_OUT
    assert not ended.ok


async def test_a_program_that_says_nothing_is_ended() -> None:
    ended, _ = await shell("while true; do :; done", replace(LIMITS, silence_seconds=0.3))
    assert ended.cause is ExitCause.SILENT


async def test_a_hog_of_memory_is_ended() -> None:
    script = f"exec {PYTHON} -c 'a = []\nwhile True: a.append(b\"x\" * 1048576)'"
    ended, _ = await shell(script, replace(LIMITS, memory_bytes=64 * MIB))
    assert ended.cause is ExitCause.MEMORY


async def test_many_small_hogs_are_one_big_one() -> None:
    hog = f"{PYTHON} -c 'a = b\"x\" * 20971520; import time; time.sleep(1000)' &"
    ended, _ = await shell(
        f"for i in 1 2 3 4 5 6 7 8; do {hog} done; wait", replace(LIMITS, memory_bytes=96 * MIB)
    )
    assert ended.cause is ExitCause.MEMORY


@pytest.mark.parametrize(
    "start", ["if os.fork() == 0: time.sleep(1000)", "_thread.start_new_thread(time.sleep, (1000,))"]
)
async def test_a_bomb_of_processes_or_threads_is_ended(start: str) -> None:
    marker = f"f2f-bomb-{os.getpid()}"
    script = (
        "import os, time, _thread\n"
        "alive = 1\n"
        "try:\n"
        f"    while True:\n        {start}\n        alive += 1\n"
        "except (OSError, RuntimeError): print(alive, flush=True)\n"
        "time.sleep(1000)\n"
    )
    command = Command(argv=(PYTHON, "-c", script), env={**ENV, "MARK": marker})
    ended, output, _ = await capture(Sandbox(mounts=host_programs()), command, limits=LIMITS)
    assert ended.cause is ExitCause.PROCESSES
    assert 30 < int(output or 31) <= LIMITS.processes
    assert marked(marker) == []


async def test_a_filler_of_the_disk_is_ended(job: Path) -> None:
    script = "i=0; while true; do head -c 4M /dev/zero > /job/$i; i=$((i+1)); done"
    ended, _ = await shell(script, LIMITS, job)
    assert ended.cause is ExitCause.DISK
    assert LIMITS.disk_bytes * 0.9 < bytes_in(job) < 20 * LIMITS.disk_bytes


async def test_one_file_cannot_pass_the_limit_by_more_than_the_slack(job: Path) -> None:
    script = f"truncate -s {LIMITS.disk_bytes + DISK_SLACK_BYTES + 1} /job/file"
    ended, output = await shell(script, LIMITS, job)
    assert ended.cause is ExitCause.EXITED
    assert b"File too large" in output


async def test_what_was_written_last_counts_too(job: Path) -> None:
    ended, _ = await shell("head -c 65M /dev/zero > /job/file; exit 1", LIMITS, job)
    assert ended.cause is ExitCause.DISK


async def test_temporary_files_end_with_no_space() -> None:
    ended, output = await shell(
        "head -c 2G /dev/zero > /dev/shm/x || df /dev/shm", replace(LIMITS, disk_bytes=2**31)
    )
    assert ended.ok
    assert b"No space left" in output


async def test_a_descendant_that_leaves_the_session_does_not_outlive_the_program() -> None:
    marker = f"f2f-daemon-{os.getpid()}"
    command = Command(
        argv=(
            "sh",
            "-c",
            "setsid sh -c 'sleep 1000 >/dev/null 2>&1 & exec sleep 1000 >/dev/null 2>&1' & exit 0",
        ),
        env={**ENV, "MARK": marker},
    )
    ended, _, _ = await capture(Sandbox(mounts=host_programs()), command, limits=LIMITS)
    assert ended.ok
    assert marked(marker) == []


async def test_cancelling_kills_the_whole_tree_before_it_returns() -> None:
    marker = f"f2f-cancel-{os.getpid()}"
    # Forty processes with memory of their own take longer to die than bubblewrap does.
    child = (
        f'setsid {PYTHON} -c \'a = b"x" * 8388608; print("up", flush=True); import time; time.sleep(1000)\' &'
    )
    script = f"trap '' TERM; for i in $(seq 40); do {child} done; wait"
    command = Command(argv=("sh", "-c", script), env={**ENV, "MARK": marker})
    alive: list[int] = []

    said = bytearray()

    def on_output(data: bytes) -> None:
        said.extend(data)
        if said.count(b"up") == 40:
            alive.extend(marked(marker))
            scope.cancel()

    with trio.CancelScope() as scope:
        await run(Sandbox(mounts=host_programs()), command, limits=LIMITS, on_output=on_output)
    assert scope.cancelled_caught
    assert alive
    assert marked(marker) == []


async def test_cancelling_while_the_sandbox_is_being_made_leaves_nothing() -> None:
    marker = f"f2f-early-{os.getpid()}"
    command = Command(argv=("sleep", "1000"), env={**ENV, "MARK": marker})
    for checkpoints in range(0, 40, 3):
        async with trio.open_nursery() as nursery:

            async def one() -> None:
                await run(Sandbox(mounts=host_programs()), command, limits=LIMITS, on_output=print)

            nursery.start_soon(one)
            for _ in range(checkpoints):
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
    assert marked(marker) == []


async def test_no_descriptor_is_lost() -> None:
    await shell("true")
    before = descriptors()
    for _ in range(3):
        await shell("true")
    assert descriptors() == before


async def test_the_program_is_shown_as_many_cpus_as_asked_for() -> None:
    _, output = await shell("nproc", replace(LIMITS, cpus=1))
    assert output == b"1\n"


async def test_resource_limits_are_never_raised() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    _, output = await shell("ulimit -H -n")
    assert int(output) <= hard if hard >= 0 else 4096


def test_the_tree_of_this_process_holds_it() -> None:
    assert os.getpid() in dict(tree(os.getpid()))
    usage = tree_usage(os.getpid())
    assert usage.processes >= 1
    assert usage.memory > MIB
    assert list(tree(2**22 + 1)) == []
    assert tree_usage(2**22 + 1).processes == 0


def test_hard_links_count_once_and_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(MIB))
    os.link(tmp_path / "file", tmp_path / "again")
    (tmp_path / "away").symlink_to("/usr")
    assert not DiskWatch([tmp_path], 2 * MIB).exceeded()
    assert DiskWatch([tmp_path], MIB // 2).exceeded()


@pytest.mark.skipif(
    os.getuid() != 0 or not Path("/sys/fs/cgroup/memory").is_dir(), reason="control groups are not ours here"
)
async def test_memory_that_no_process_shows_counts_in_the_control_group() -> None:
    script = f"exec {PYTHON} -c 'import os\nwhile True: os.write(os.memfd_create(\"x\"), bytes(8388608))'"
    ended, _ = await shell(script, replace(LIMITS, memory_bytes=96 * MIB))
    assert ended.cause is ExitCause.MEMORY


async def test_no_control_group_is_left() -> None:
    await shell("true")
    assert groups_left() == []


@pytest.mark.skipif(
    os.getuid() != 0 or not Path("/sys/fs/cgroup/pids").is_dir(), reason="control groups are not ours here"
)
def test_the_group_of_a_maker_that_was_killed_is_swept() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    left = cgroups._parents()["pids"] / f"f2fbuild-{gone.pid}-0"
    left.mkdir()
    sleeper = subprocess.Popen(["sleep", "1000"])
    (left / "cgroup.procs").write_text(str(sleeper.pid))
    for _ in range(2):
        with cgroups.own_group(memory=MIB, processes=1):
            assert sleeper.wait(timeout=120) == -9
    assert not left.exists()


@pytest.mark.parametrize("step", range(12))
async def test_a_start_that_is_cancelled_leaves_no_process(step: int) -> None:
    marker = f"f2f-start-{os.getpid()}-{step}"
    command = Command(argv=("/usr/bin/sleep", "1000"), env={**ENV, "MARK": marker})
    with trio.move_on_after(step * 0.01) as scope:
        await run(Sandbox(mounts=host_programs()), command, limits=LIMITS, on_output=lambda _: None)
    assert scope.cancelled_caught
    assert marked(marker) == []
    assert groups_left() == []
