"""The page docs/howto/audit.md: every command in it is run, on logs of real nodes, and stops at every lie."""

import re
import shutil
import subprocess  # noqa: TID251 - the page is run as an auditor runs it
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.cli_runs import Home, clean_environment, records
from tests.journeys.journey_people import order, source, started, typed, until

PAGE = Path(__file__).parent.parent.parent / "docs/howto/audit.md"


def script() -> str:
    """All commands of the page, in their order."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) > 10
    return "".join(blocks)


@dataclass(frozen=True)
class Handed:
    """What an auditor is given, in a directory, and where the logs are served."""

    directory: Path
    url: str


@pytest.fixture(scope="module")
def handed(people: tuple[Home, ...], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Handed]:
    ann, bob, _ = people
    directory = tmp_path_factory.mktemp("handed")
    built = ann.run("build", "toy", source(ann, "hello auditor"), *order(2, 2), "--wait")
    assert built.exit_code == 0, built.output
    typed(ann, "download", built.stdout.split("job ")[1].split()[0], "--output", str(directory / "got"))
    (product,) = (directory / "got").glob("*.deb")
    product.rename(directory / "hello.deb")
    digest = subprocess.run(
        ["sha256sum", directory / "hello.deb"], capture_output=True, text=True, check=True
    ).stdout.split()[0]
    search = ("ledger", "log", "--hash", digest, "--kind", "outcome", "--json")
    until(lambda: len({line["origin"] for line in records(ann.run(*search).stdout)}) == 2)
    assert ann.run("ledger", "export", "--all", "-o", str(directory / "logs.tar")).exit_code == 0
    gpg = ["gpg", "--homedir", str(bob.directory / "gnupg"), "--armor", "--export"]
    (directory / "owner.asc").write_bytes(subprocess.run(gpg, capture_output=True, check=True).stdout)
    own = typed(bob, "status")["origin"]
    (mine,) = records(bob.run("ledger", "log", own, *search[2:]).stdout)
    index = str(mine["index"])
    proof = directory / "outcome.tlog-proof"
    assert bob.run("ledger", "proof", "write", index, "-o", str(proof)).exit_code == 0
    (directory / "outcome.json").write_bytes(bob.run("ledger", "show", index, "--entry").stdout_bytes)
    with started(ann, "ledger", "serve", "--all", "--listen", "127.0.0.1:0") as serving:
        assert serving.stdout is not None
        yield Handed(directory=directory, url=serving.stdout.readline().strip().rstrip("/"))


def follow(
    handed: Handed, directory: Path, alter: Callable[[Path], None] = lambda _: None
) -> tuple[int, str]:
    """Do all that the page says in a copy of what was handed over; return how it ended and what it said."""
    place = directory / "work"
    shutil.copytree(handed.directory, place)
    alter(place)
    try:
        done = subprocess.run(
            ["bash", "-x"],
            input=script(),
            cwd=place,
            env=clean_environment() | {"URL": handed.url, "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
    finally:
        subprocess.run(["gpgconf", "--homedir", str(place / "gnupg"), "--kill", "all"], check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_page_leads_from_gpg_to_the_bytes(handed: Handed, tmp_path: Path) -> None:
    code, said = follow(handed, tmp_path)
    assert code == 0, said
    assert "Good signature" in said
    assert re.search(r"accepted at \d+, sealed at \d+, shown at \d+", said)
    assert len(set(re.findall(r"^[0-9A-F]{40} same bytes$", said, flags=re.MULTILINE))) == 2
    assert re.search(r"^entry \d+ of \d+ in f2fbuild.invalid/log/", said, flags=re.MULTILINE)


def flip(name: str, mark: bytes, offset: int = 0) -> Callable[[Path], None]:
    def alter(place: Path) -> None:
        data = bytearray((place / name).read_bytes())
        at = bytes(data).rindex(mark) + offset
        data[at] ^= 1
        (place / name).write_bytes(data)

    return alter


def other_owner(place: Path) -> None:
    """The key of somebody who made no log."""
    home = place / "other"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--pinentry-mode", "loopback", "--passphrase", ""]
    subprocess.run([*gpg, "--quick-generate-key", "Eve <eve@example.org>", "ed25519"], check=True)
    key = subprocess.run([*gpg, "--armor", "--export"], capture_output=True, check=True).stdout
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)
    (place / "owner.asc").write_bytes(key)


@pytest.mark.parametrize(
    ("alter", "last"),
    [
        (other_owner, "grep -la"),
        (flip("hello.deb", b"toy"), "OUTCOME="),
        (flip("outcome.json", b'"payload":"', 40), "included.py"),
    ],
    ids=["another owner's key", "another package", "another entry"],
)
def test_the_page_stops_at_a_lie(
    handed: Handed, tmp_path: Path, alter: Callable[[Path], None], last: str
) -> None:
    code, said = follow(handed, tmp_path, alter)
    assert code != 0
    assert last in "\n".join(said.splitlines()[-12:])


@pytest.mark.parametrize(
    ("member", "last"),
    [("checkpoint", "openssl pkeyutl"), ("tile/entries", "tree.py"), ("certificate", "cmp")],
)
def test_the_page_stops_at_a_changed_log(handed: Handed, tmp_path: Path, member: str, last: str) -> None:
    def alter(place: Path) -> None:
        # The last log of the archive may be another's: all of them are changed, each in one bit.
        subprocess.run(["tar", "-xf", "logs.tar"], cwd=place, check=True)
        files = [path for path in place.glob(f"*/{member}/**/*") if path.is_file()]
        for path in files or place.glob(f"*/{member}"):
            data = bytearray(path.read_bytes())
            data[-200 if "tile" in member else 90] ^= 1
            path.write_bytes(data)
        logs = sorted(path.parent.name for path in place.glob("*/checkpoint"))
        subprocess.run(["tar", "-cf", "logs.tar", "README", *logs], cwd=place, check=True)
        for log in logs:
            shutil.rmtree(place / log)

    code, said = follow(handed, tmp_path, alter)
    assert code != 0
    assert last in "\n".join(said.splitlines()[-12:])


def test_the_page_uses_no_program_of_ours() -> None:
    for line in script().splitlines():
        assert "f2fbuild" not in line.split("#")[0].replace("f2fbuild.invalid", "").replace(
            "f2fbuild commit/1", ""
        ).replace("f2fbuild build key v1", "").replace("f2fbuild_", ""), line
