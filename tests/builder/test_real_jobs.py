"""Ordinary and hostile jobs in real locked environments: what holds for both formats alike."""

import os
import re
import socket
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trio

from f2fbuild.builder.exits import ExitCause
from f2fbuild.builder.layers import discard
from f2fbuild.builder.resolve import BuildRequirements
from f2fbuild.builder.running import TRUNCATED
from f2fbuild.builder.sandbox import HOSTNAME
from f2fbuild.builder.targets import Format
from f2fbuild.limits import KIB, MIB
from f2fbuild.model.outcome import ExitClass, Failed, Infra, Stage, Succeeded, TimedOut
from tests.builder.builder_jobs import (
    HOME,
    NEEDS,
    PRODUCT,
    PRODUCTS,
    Environment,
    Jobs,
    said,
    source_of,
    usual_environment,
)
from tests.builder.builder_leftovers import groups_left, marked
from tests.builder.builder_sources import LIMITS
from tests.builder.builder_worlds import World

pytestmark = [pytest.mark.timeout(900), pytest.mark.unprivileged]


@pytest.fixture(scope="module", params=[Format.DEB, Format.RPM], ids=str)
def environment(request: pytest.FixtureRequest) -> Environment:
    """The usual environment of each format in turn."""
    world: World = request.getfixturevalue(f"{request.param}_world")
    return trio.run(usual_environment, world)


@pytest.fixture
def jobs(environment: Environment, place: Path) -> Jobs:
    return Jobs(environment, place)


def tree(lower: Sequence[Path]) -> set[tuple[str, int, int]]:
    """Return name, size and time of change of everything below the environment's own directories."""
    found = set()
    for layer in lower:
        for directory, folders, files in os.walk(layer):
            for name in (*folders, *files):
                status = os.lstat(f"{directory}/{name}")
                found.add((f"{directory}/{name}", status.st_size, status.st_ctime_ns))
    return found


async def test_whoever_calls_gets_the_same_package(
    jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = 'echo "seen: $(uname -n) $(umask) $(date +%Z) $(nproc)"'
    sources = await source_of(jobs.format, jobs.place, script)
    first = await jobs.build(sources)
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    monkeypatch.setenv("LANG", "tr_TR.UTF-8")
    monkeypatch.setenv("DEB_BUILD_OPTIONS", "nocheck parallel=7")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    monkeypatch.chdir(tmp_path)
    old = os.umask(0o077)
    time.tzset()
    try:
        second = await jobs.build(sources)
    finally:
        os.umask(old)
        monkeypatch.undo()
        time.tzset()
    for report in (first, second):
        assert f"seen: {HOSTNAME} 0022 UTC 2" in said(report)
    assert socket.gethostname() != HOSTNAME
    name = PRODUCT[jobs.format]
    assert first.products[name].read_bytes() == second.products[name].read_bytes()
    assert first.outcome == second.outcome


@pytest.mark.parametrize(
    ("end", "exit_class"),
    [("exit 7", ExitClass.NONZERO), ("echo Killed; echo Out of memory; exit 137", ExitClass.NONZERO)],
)
async def test_a_build_that_fails_fails_in_its_stage(jobs: Jobs, end: str, exit_class: ExitClass) -> None:
    report = await jobs.run(end)
    assert report.outcome == Failed(stage=Stage.BUILD, exit_class=exit_class), report.log.read_text()
    assert report.products == {}


async def test_a_build_that_hangs_is_ended_at_its_wall_limit(jobs: Jobs) -> None:
    report = await jobs.run("trap '' TERM INT HUP; sleep 987654", limits=replace(LIMITS, wall_seconds=10))
    assert report.outcome == TimedOut(stage=Stage.BUILD)
    assert report.exits[-1].cause is ExitCause.TIMED_OUT
    assert marked("987654") == []


async def test_a_build_that_forks_without_end_is_bounded(jobs: Jobs) -> None:
    report = await jobs.run(
        "bomb() { bomb f2f-bomb | bomb f2f-bomb & }; sleep 271828182 & bomb; wait; sleep 600",
        limits=replace(LIMITS, processes=64),
    )
    assert report.outcome == Infra(stage=Stage.BUILD, reason=str(ExitCause.PROCESSES))
    assert marked("271828182") == []
    assert groups_left() == []


async def test_a_build_that_fills_the_disk_is_ended_and_leaves_nothing(jobs: Jobs) -> None:
    script = f"for n in 1 2 3 4; do head -c 20M /dev/zero > {HOME[jobs.format]}/$n; done; sleep 600"
    report = await jobs.run(script)
    assert report.outcome == Infra(stage=Stage.BUILD, reason=str(ExitCause.DISK))
    assert sum(path.stat().st_size for path in jobs.place.rglob("*") if path.is_file()) < MIB


@pytest.mark.parametrize("where", ["/var/full", "/run/full"])
async def test_memory_behind_other_places_is_bounded_too(jobs: Jobs, where: str) -> None:
    script = f"head -c 1536M /dev/zero > {where}; echo ended $? $(du -m {where} | cut -f1); rm {where}"
    report = await jobs.run(script, limits=replace(LIMITS, memory_bytes=4096 * MIB))
    found = re.search(r"ended 1 (\d+)", said(report))
    assert found is not None
    assert int(found[1]) <= 512


async def test_a_build_that_prints_without_end_has_a_short_log(jobs: Jobs) -> None:
    report = await jobs.run("yes 'without end'", limits=replace(LIMITS, output_bytes=64 * KIB))
    assert report.outcome == Failed(stage=Stage.BUILD, exit_class=ExitClass.LOG_CAPPED)
    log = report.log.read_bytes()
    assert log.endswith(TRUNCATED)
    assert log.count(TRUNCATED) == 1
    assert len(log) <= 64 * KIB + 2 * len(TRUNCATED)


OUTSIDE = (
    "/usr",
    "/usr/bin",
    "/etc",
    "/sources",
    "/var/lib",
    "/opt",
    "/root",
    "/home",
    "/dev",
    "/proc/sys",
    "/run",
)
REFUSED = {"/usr", "/usr/bin", "/etc", "/sources", "/dev", "/proc/sys"}


async def test_what_is_written_elsewhere_is_refused_or_gone(jobs: Jobs) -> None:
    before = tree(jobs.environment.lower)
    home = HOME[jobs.format]
    script = (
        f"for p in '' {' '.join(OUTSIDE)} {home}/..; do\n"
        "(echo x > $p/f2f-left) 2> /dev/null && echo wrote:$p: || echo refused:$p:\ndone\n"
        "rm -rf /usr/bin/env /bin/sh 2> /dev/null; echo 'root::0:0::/:/bin/sh' >> /etc/passwd\n"
        "chmod -R 777 /usr/share/doc 2> /dev/null; ln -sf /tmp /etc/alternatives/awk; true"
    )
    log = said(await jobs.run(script))
    assert set(re.findall(r"refused:(.*):", log)) >= REFUSED
    found = said(await jobs.run("find / -name 'f2f-left*' 2> /dev/null; echo looked; ls -l /usr/bin/env"))
    assert "looked" in found
    assert "/f2f-left" not in found
    assert tree(jobs.environment.lower) == before
    assert not Path("/f2f-left").exists()
    assert not Path("/tmp/f2f-left").exists()


async def test_there_is_nobody_to_connect_to(jobs: Jobs) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, TemporaryDirectory(prefix="f2f") as short:
        bus = socket.socket(socket.AF_UNIX)
        bus.bind(f"{short}/bus")
        bus.listen()
        port = server.getsockname()[1]
        addresses = [f"127.0.0.1/{port}", "192.0.2.1/80", "2001:db8::1/80", "deb.debian.org/80"]
        script = "".join(
            f"(exec 3<>/dev/tcp/{each}) 2> said && echo reached {each}; tail -n 1 said\n"
            for each in addresses
        )
        script += f"[ -e {short} ] && echo reached the bus; cat /proc/net/dev; echo asked"
        log = said(await jobs.run(script))
        for each in (server, bus):
            each.setblocking(False)
            with pytest.raises(BlockingIOError):
                each.accept()
        bus.close()
    assert "asked" in log
    assert "\nreached" not in log
    assert log.count("Connection refused") == 1
    assert log.count("Network is unreachable") == 2
    assert set(re.findall(r"^ *(\w+): +\d", log, re.MULTILINE)) == {"lo"}


async def test_nothing_of_the_host_is_there(
    jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("F2F_TOKEN", "of-the-session")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/user/0/agent")
    (tmp_path / "key").write_text("of-the-" + "node")
    script = (
        f"ls {tmp_path} {Path.home() / '.cache'} {Path(__file__).parent} 2> /dev/null\n"
        "echo home: $(ls -A /root /home 2> /dev/null | grep -v : )\n"
        "echo pids: $(ls /proc | grep -c '^[0-9]')\n"
        "env | cut -d= -f1 | sed 's/^/variable:/'\n"
        "grep -rs 'of-the-[ns]' /root /home /run /tmp /var /srv /mnt /proc/[0-9]*/environ\n"
        "for f in /etc/shadow /proc/kcore /dev/mem /dev/vda; do head -c 9 $f && echo read: $f; done\n"
        "ls -A /sys /run /media /boot 2> /dev/null; echo looked"
    )
    log = said(await jobs.run(script))
    assert "looked" in log
    assert "of-the-node" not in log.replace(script, "")
    assert "of-the-session" not in log
    assert "\nread: " not in log
    variables = set(re.findall(r"variable:(\w+)", log))
    assert variables
    assert not variables & {"F2F_TOKEN", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR", "SUDO_USER", "DISPLAY"}
    pids = re.search(r"pids: (\d+)", log)
    assert pids is not None
    assert int(pids[1]) < 20


async def test_a_daemon_dies_with_its_build(jobs: Jobs) -> None:
    script = (
        "setsid nohup bash -c 'trap \"\" TERM HUP; while :; do sleep 313373133; done' f2f-daemon"
        " < /dev/null > /dev/null 2>&1 &\n(setsid sleep 313373133 > /dev/null 2>&1 &) &"
    )
    said(await jobs.run(script))
    assert marked("313373133") == []
    assert marked("f2f-daemon") == []
    assert groups_left() == []


LONG = "a" * 240


@pytest.mark.parametrize(
    ("make", "words"),
    [
        ("echo x > $'{d}/evil\\n_1_all.{e}'", "name"),
        ("echo x > $'{d}/\\e]0;evil\\a.{e}'", "name"),
        ("echo x > $'{d}/\\xff\\xfe.{e}'", "name"),
        ("echo x > '{d}/ .{e}'", "name"),
        ("echo x > {d}/..{e}", "name"),
        ("echo x > {d}/--help.{e}", "name"),
        ("ln -s /etc/passwd {d}/evil.{e}", "not-a-file"),
        ("ln -s ../../../../../../etc/shadow {d}/evil.{e}", "not-a-file"),
        ("mkfifo {d}/evil.{e}", "not-a-file"),
        ("head -c 99999 /dev/urandom > {d}/evil.{e}", "evil"),
    ],
    ids=[
        "newline",
        "escape",
        "no-utf8",
        "space",
        "dots",
        "option",
        "symlink",
        "up",
        "fifo",
        "noise",
    ],
)
async def test_a_product_that_cannot_be_taken_is_refused(jobs: Jobs, make: str, words: str) -> None:
    places = {"d": PRODUCTS[jobs.format], "e": str(jobs.format)}
    report = await jobs.run("true", after=f"mkdir -p {places['d']}; {make.format(**places)}")
    expected = Failed(stage=Stage.PACKAGE, exit_class=ExitClass.REFUSED_PRODUCT)
    assert report.outcome == expected, (report.detail, report.log.read_text())
    assert words in report.detail
    assert report.detail.isprintable()
    assert report.products == {}


async def test_jobs_over_one_environment_do_not_see_each_other(jobs: Jobs) -> None:
    places = f"{HOME[jobs.format]} /var /var/tmp /tmp /run /dev/shm /opt"
    written = trio.Event()

    def on_log(data: bytes) -> None:
        if b"all written" in data:
            written.set()

    async with trio.open_nursery() as nursery:
        busy = f"for p in {places}; do echo x > $p/f2f-other; done; echo all written; sleep 42424242"
        nursery.start_soon(lambda: jobs.run(busy, on_log=on_log))
        await written.wait()
        look = f"for p in {places}; do ls -A $p | sed s/^/sees:/; done; cat /proc/[0-9]*/cmdline; echo looked"
        log = said(await jobs.run(look))
        nursery.cancel_scope.cancel()
    assert "looked" in log
    assert "sees:" in log
    assert "sees:f2f-other" not in log
    assert "42424242" not in log
    assert marked("42424242") == []


async def test_a_build_that_is_cancelled_leaves_nothing(jobs: Jobs) -> None:
    with trio.CancelScope() as scope:

        def on_log(data: bytes) -> None:
            if b"now it sleeps" in data:
                scope.cancel()

        home = HOME[jobs.format]
        script = f"mkdir {home}/locked; chmod 0 {home}/locked; setsid sleep 535353 & echo now it sleeps; wait"
        await jobs.run(script, on_log=on_log)
    assert scope.cancelled_caught
    assert marked("535353") == []
    assert groups_left() == []
    assert list(jobs.place.rglob("locked")) == []
    assert said(await jobs.run("true"))


async def test_what_a_build_leaves_unreadable_is_removed(jobs: Jobs) -> None:
    home = HOME[jobs.format]
    report = await jobs.run(f"cd {home}; mkdir -p a/b/c; touch a/b/c/d; chmod 0 a/b/c a/b a; ln -s / slash")
    assert isinstance(report.outcome, Succeeded), report.detail


async def test_a_narrow_umask_of_the_node_resolves_the_same_lock(
    environment: Environment, request: pytest.FixtureRequest, place: Path
) -> None:
    lock = environment.lock
    world: World = request.getfixturevalue(f"{lock.format}_world")
    old = os.umask(0o077)
    try:
        assert await world.lock_for(BuildRequirements(requires=NEEDS[lock.format]), place / "solve") == lock
    finally:
        os.umask(old)
        for made in (place / "solve").iterdir():
            if made.is_dir():
                await discard(made)
