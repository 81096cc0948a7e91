"""What hostile code in a sandbox can see and do: tried from inside, with the host's programs."""

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

import pytest

from f2fbuild.builder.exits import Exit, ExitCause, ProcessLimits
from f2fbuild.builder.hosttools import host_programs
from f2fbuild.builder.idmap import host_id_map
from f2fbuild.builder.process import capture
from f2fbuild.builder.sandbox import Bind, Command, Identity, Overlay, Sandbox
from f2fbuild.limits import MIB

pytestmark = pytest.mark.unprivileged

LIMITS = ProcessLimits(wall_seconds=60, memory_bytes=512 * MIB, disk_bytes=64 * MIB, processes=64)
ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
PYTHON = "/usr/bin/python3"
IDENTITIES = [i for i in Identity if i is Identity.BUILD or host_id_map().has_range]


@pytest.fixture
def job() -> Iterator[Path]:
    with TemporaryDirectory(prefix="f2f-job-") as directory:
        path = Path(directory)
        os.chown(path, *host_id_map().owner)
        yield path


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


async def inside(
    *argv: str, identity: Identity = Identity.BUILD, job: Path | None = None
) -> tuple[Exit, str]:
    binds = (Bind(source=job, target="/job", writable=True),) if job else ()
    sandbox = Sandbox(identity=identity, mounts=(*host_programs(), *binds))
    ended, output, errors = await capture(sandbox, Command(argv=argv, env=ENV), limits=LIMITS)
    return ended, (output + errors).decode()


async def python(script: str, identity: Identity = Identity.BUILD) -> str:
    ended, output = await inside(PYTHON, "-c", script, identity=identity)
    assert ended.ok, output
    return output.strip()


async def test_a_command_sees_its_environment_and_nothing_of_the_hosts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("F2F_SECRET", "of the session")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/run/user/0/bus")
    _, output = await inside("env")
    assert set(output.split("\n")) - {""} == {*(f"{k}={v}" for k, v in ENV.items()), "PWD=/"}


@pytest.mark.parametrize("identity", IDENTITIES)
async def test_the_hosts_files_are_not_there(identity: Identity, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of the node")
    tried = ["/root", "/home", "/var/lib", "/run/user", "/etc/shadow", "/etc/hostname", "/sys", str(tmp_path)]
    seen = await python(f"import os; print([p for p in {tried!r} if os.path.exists(p)])", identity)
    assert seen == "[]"


async def test_sockets_of_the_session_cannot_be_reached(tmp_path: Path) -> None:
    server = socket.socket(socket.AF_UNIX)
    abstract = socket.socket(socket.AF_UNIX)
    with server, abstract, TemporaryDirectory(prefix="f2f") as short:
        path = f"{short}/bus"
        server.bind(path)
        server.listen()
        name = f"\0f2f-{os.getpid()}"
        abstract.bind(name)
        abstract.listen()
        script = (
            "import socket\n"
            f"for name in ({path!r}, {name!r}):\n"
            "    try: socket.socket(socket.AF_UNIX).connect(name)\n"
            "    except OSError as error: print(type(error).__name__)\n"
        )
        assert (await python(script)).split() == ["FileNotFoundError", "ConnectionRefusedError"]


@pytest.mark.parametrize("identity", IDENTITIES)
async def test_there_is_no_network(identity: Identity) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        script = (
            "import socket\n"
            "print([name for _, name in socket.if_nameindex()])\n"
            f"for to in (('127.0.0.1', {server.getsockname()[1]}), ('192.0.2.1', 80)):\n"
            "    try: socket.create_connection(to, 2)\n"
            "    except OSError as error: print(error.errno)\n"
        )
        lines = (await python(script, identity)).split("\n")
    assert lines == ["['lo']", str(errno.ECONNREFUSED), str(errno.ENETUNREACH)]


@pytest.mark.parametrize("identity", IDENTITIES)
async def test_no_process_of_the_host_can_be_seen(identity: Identity) -> None:
    pids = await python(
        "import os; print(sorted(int(p) for p in os.listdir('/proc') if p.isdigit()))", identity
    )
    assert pids == "[1, 2]"


@pytest.mark.parametrize("identity", IDENTITIES)
async def test_only_the_three_standard_descriptors_are_open(identity: Identity) -> None:
    with TemporaryFile() as leaked:
        os.set_inheritable(leaked.fileno(), True)
        open_now = await python(
            "import os; print(sorted(map(int, os.listdir('/proc/self/fd')))[:-1])", identity
        )
    assert open_now == "[0, 1, 2]"


@pytest.mark.parametrize("identity", IDENTITIES)
async def test_nothing_can_be_written_outside_its_place(identity: Identity, job: Path) -> None:
    places = "/ /usr /usr/bin /etc /etc/alternatives /dev /proc/sys/kernel/hostname /job"
    script = f"for p in {places}; do (true > $p/x || true > $p) 2>/dev/null && echo $p; done; true"
    ended, output = await inside("sh", "-c", script, identity=identity, job=job)
    assert ended.ok
    assert output.split() == ["/job"]
    assert names(job) == ["x"]


@pytest.mark.skipif(os.getuid() != 0, reason="an ordinary user's sandboxes are that user")
@pytest.mark.parametrize("identity", list(Identity))
async def test_a_node_of_root_runs_nothing_as_root(identity: Identity, job: Path) -> None:
    ended, output = await inside("sh", "-c", "id -u; touch /job/file", identity=identity, job=job)
    assert ended.ok, output
    assert (job / "file").stat().st_uid == host_id_map().owner[0] != 0
    assert output.split() == ["0" if identity is Identity.INSTALL else "1000"]


@pytest.mark.parametrize("identity", IDENTITIES)
async def test_capabilities_are_dropped_and_cannot_come_back(identity: Identity) -> None:
    status = await python("print(open('/proc/self/status').read())", identity)
    facts = dict(line.split(":\t", 1) for line in status.split("\n") if ":\t" in line)
    assert facts["NoNewPrivs"] == "1"
    assert facts["Seccomp"] == "2"
    held = int(facts["CapPrm"], 16)
    if identity is Identity.BUILD:
        assert held == int(facts["CapBnd"], 16) == 0
    for forbidden in (12, 16, 17, 19, 21, 22, 24, 25, 27, 38, 39, 40):
        assert not held >> forbidden & 1, f"capability {forbidden}"


SYSCALLS = {
    "keyctl": (250, errno.EPERM),
    "add_key": (248, errno.EPERM),
    "request_key": (249, errno.EPERM),
    "bpf": (321, errno.EPERM),
    "perf_event_open": (298, errno.EPERM),
    "unshare": (272, errno.EPERM),
    "setns": (308, errno.EPERM),
    "mount": (165, errno.EPERM),
    "userfaultfd": (323, errno.ENOSYS),
    "io_uring_setup": (425, errno.ENOSYS),
    "clone3": (435, errno.ENOSYS),
    "fsopen": (430, errno.ENOSYS),
    "open_tree": (428, errno.ENOSYS),
}


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers are those of x86_64")
@pytest.mark.parametrize("identity", IDENTITIES)
async def test_the_filter_answers_for_the_kernel(identity: Identity) -> None:
    script = (
        "import ctypes; libc = ctypes.CDLL(None, use_errno=True)\n"
        f"for name, (number, _) in {SYSCALLS!r}.items():\n"
        "    result = libc.syscall(number, 0, 0, 0, 0, 0, 0)\n"
        "    print(name, result, ctypes.get_errno())\n"
    )
    answers = (await python(script, identity)).split("\n")
    assert answers == [f"{name} -1 {number}" for name, (_, number) in SYSCALLS.items()]


@pytest.mark.parametrize("identity", IDENTITIES)
async def test_new_namespaces_are_refused_to_clone_too(identity: Identity) -> None:
    flags = [0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000]
    script = (
        "import ctypes; libc = ctypes.CDLL(None, use_errno=True)\n"
        f"for flag in {flags}:\n"
        "    result = libc.syscall(56, flag | 17, 0, 0, 0, 0)\n"
        "    if result == 0: libc._exit(9)\n"
        "    print(result, ctypes.get_errno())\n"
    )
    assert set((await python(script, identity)).split("\n")) == {f"-1 {errno.EPERM}"}


async def test_only_the_common_socket_families_exist() -> None:
    script = (
        "import socket\n"
        "def tried(family):\n"
        "    try: socket.socket(family, socket.SOCK_DGRAM).close(); return 0\n"
        "    except OSError as error: return error.errno\n"
        "print([f for f in range(1, 46) if tried(f) != 97])\n"
    )
    assert await python(script) == "[1, 2, 10, 16]"


async def test_an_overlay_takes_what_is_written_and_leaves_the_root_alone(job: Path, tmp_path: Path) -> None:
    lower = tmp_path / "with,comma:and colon"
    (lower / "etc").mkdir(parents=True)
    (lower / "usr").mkdir()
    (lower / "etc" / "kept").write_text("kept")
    for path in (lower, lower / "etc", lower / "usr"):
        os.chown(path, *host_id_map().owner)
    programs = tuple(mount for mount in host_programs() if not mount.target.startswith("/etc"))
    root = Overlay(lower=(lower,), size=8 * MIB)
    sandbox = Sandbox(root=root, read_only=("/etc",), mounts=programs)
    script = "cat /etc/kept; mkdir /new && echo made; true > /etc/kept || echo refused"
    ended, output, _ = await capture(sandbox, Command(argv=("sh", "-c", script), env=ENV), limits=LIMITS)
    assert ended.ok
    assert output == b"keptmade\nrefused\n"
    assert names(lower) == ["etc", "usr"]


async def test_an_overlay_that_is_kept_holds_what_was_written(job: Path, tmp_path: Path) -> None:
    upper, work = job / "upper", job / "work"
    for path in (upper, work):
        path.mkdir()
        os.chown(path, *host_id_map().owner)
    lower = tmp_path / "lower"
    lower.mkdir()
    root = Overlay(lower=(lower,), upper=upper, work=work, size=MIB)
    sandbox = Sandbox(root=root, mounts=host_programs())
    command = Command(argv=("sh", "-c", "echo new > /file"), env=ENV)
    ended, output, errors = await capture(sandbox, command, limits=LIMITS)
    assert ended.ok, output + errors
    assert (upper / "file").read_text() == "new\n"


async def test_memory_of_an_overlay_is_bounded(job: Path) -> None:
    sandbox = Sandbox(root=Overlay(lower=(job,), size=4 * MIB), mounts=host_programs())
    command = Command(argv=("sh", "-c", "head -c 8M /dev/zero > /file"), env=ENV)
    ended, _, errors = await capture(sandbox, command, limits=LIMITS)
    assert ended.cause is ExitCause.EXITED
    assert ended.code
    assert b"No space left" in errors
