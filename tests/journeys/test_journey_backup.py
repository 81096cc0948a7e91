"""The page docs/howto/backup.md: its commands are run on a real node, saved, set back and begun anew."""

import os
import re
import shutil
import subprocess  # noqa: TID251 - the page is run as its reader runs it
import sys
from pathlib import Path

from f2fbuild.node.identity import load_identity
from tests.cli.cli_runs import Home, clean_environment
from tests.node.node_house import house, init, paths, running, stop

PAGE = Path(__file__).parent.parent.parent / "docs/howto/backup.md"


def blocks() -> list[str]:
    """The commands of the page: who I am, save, restore, begin anew, renew."""
    found = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert len(found) == 5
    return found


def follow(place: Home, directory: Path, commands: str) -> str:
    """Run commands as the node's owner in `directory`."""
    programs = directory / "bin"
    programs.mkdir(exist_ok=True)
    program = programs / "f2fbuild"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m f2fbuild "$@"\n')
    program.chmod(0o755)
    environment = clean_environment() | place.environment
    environment["PATH"] = f"{programs}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-e"],
        input=commands,
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_node_is_saved_restored_and_begun_anew(tmp_path: Path) -> None:
    named, save, restore, anew, renew = blocks()
    # What one block learns, the reader's shell knows in the next.
    knows = "owner=$(cat owner); " + "\n".join(named.splitlines()[:2]) + "\n"
    with house() as place:
        init(place)
        before = load_identity(paths(place))
        with running(place) as process:
            follow(place, tmp_path, named + 'echo "$owner" > owner\n')
            assert stop(process)[0] == 0
        assert (tmp_path / "owner").read_text().strip() == before.certificate.certificate.owner
        (tmp_path / "passphrase").write_text("a long random line\n")
        follow(place, tmp_path, knows + save)
        assert {"data.tar.gpg", "config.tar.gpg", "owner.asc"} <= {one.name for one in tmp_path.iterdir()}
        assert not (tmp_path / "data.tar").exists(), "the seed lies nowhere in the clear"
        shutil.rmtree(place.directory / "state")
        said = follow(place, tmp_path, knows + restore)
        assert before.origin in said
        assert load_identity(paths(place)) == before
        assert paths(place).seed.stat().st_mode & 0o077 == 0
        follow(place, tmp_path, knows + anew)
        after = load_identity(paths(place))
        assert (after.node_id, after.certificate.certificate.epoch) == (before.node_id, 1)
        follow(place, tmp_path, knows + renew)
        with running(place) as process:
            assert stop(process)[0] == 0
