"""The demonstration for real: nodes in processes, real packages of two formats, a liar, a stranger."""

import json
import subprocess  # noqa: TID251  (the program as a person starts it)
import sys
from pathlib import Path
from typing import Any

import pytest

from f2fbuild.ledger.evidence import DivergenceFinding, check

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """Play the demonstration once; return its last line and the file that holds it."""
    kept = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "f2fbuild", "demo", "--json", "--keep", str(kept / "homes")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-1000:]
    file = kept / "demo.json"
    file.write_text(done.stdout.splitlines()[-1])
    return json.loads(file.read_text()), file


pytestmark = [pytest.mark.unprivileged, pytest.mark.timeout(900)]


def test_both_formats_agree_and_the_liar_is_named(shown: tuple[dict[str, Any], Path]) -> None:
    result, _ = shown
    assert result["schema"] == "f2fbuild.demo/1"
    assert [job["format"] for job in result["jobs"]] == ["deb", "rpm"]
    for job in result["jobs"]:
        assert job["verdict"] == "disputed"
        assert job["agree"] == 3
        honest = [one for one in job["builders"] if one["node"] != "mallory-box"]
        (liar,) = [one for one in job["builders"] if one["node"] == "mallory-box"]
        assert len(honest) == 3
        assert all(one["products"] and one["products"] == honest[0]["products"] for one in honest)
        assert liar["products"] != honest[0]["products"]
        assert {one["node"] for one in honest} == {"bob-box", "carol-box", "dave-box"}
        assert {one["owner"] for one in result["caught"]} == {liar["owner"]}
    assert len(result["caught"]) == 2


def test_the_evidence_is_checked_without_a_node(shown: tuple[dict[str, Any], Path]) -> None:
    result, _ = shown
    for caught, job in zip(result["caught"], result["jobs"], strict=True):
        found = check(Path(caught["evidence"]).read_bytes())
        assert isinstance(found, DivergenceFinding)
        (liar,) = [one for one in job["builders"] if one["owner"] == caught["owner"]]
        assert liar["log"] in found.origins


def test_the_stranger_heard_nothing(shown: tuple[dict[str, Any], Path]) -> None:
    result, _ = shown
    assert result["refused"]
    assert all("no known certificate" in one["reason"] for one in result["refused"])


def test_an_independent_program_accepts_every_log(shown: tuple[dict[str, Any], Path]) -> None:
    result, file = shown
    assert len(result["logs"]) == 5
    command = [sys.executable, "tests/checker.py", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok ") == 5


def test_an_independent_program_sees_a_flipped_bit(
    shown: tuple[dict[str, Any], Path], tmp_path: Path
) -> None:
    result, _ = shown
    log = result["logs"][0]
    copy = tmp_path / "log"
    subprocess.run(["cp", "-r", log["path"], copy], check=True)
    (bundle,) = [path for path in (copy / "tile" / "entries").rglob("*") if path.is_file()]
    data = bytearray(bundle.read_bytes())
    data[len(data) // 2] ^= 1
    bundle.write_bytes(data)
    file = tmp_path / "demo.json"
    file.write_text(json.dumps({"logs": [{**log, "path": str(copy)}]}))
    command = [sys.executable, "tests/checker.py", str(file)]
    assert subprocess.run(command, capture_output=True, cwd=ROOT, check=False).returncode != 0
