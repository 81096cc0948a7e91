"""What is said to hold does hold, and what is missing is said."""

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from f2fbuild.builder import idmap
from f2fbuild.builder.cgroups import own_group
from f2fbuild.builder.idmap import RootRefusedError, host_id_map
from f2fbuild.builder.protections import probe_protections
from f2fbuild.errors import StorageError
from f2fbuild.limits import SANDBOX_IDS, SANDBOX_ROOT_ID

pytestmark = pytest.mark.unprivileged


async def test_this_host_builds_installs_and_layers() -> None:
    found = {protection.name: protection for protection in await probe_protections()}
    assert list(found) == ["build", "install", "overlay", "memory", "processes", "disk"]
    assert found["build"].holds
    assert found["overlay"].holds
    assert found["install"].holds is host_id_map().has_range
    assert found["install"].holds or "subuid" in found["install"].hint
    if os.getuid() == 0:
        assert found["build"].by == f"uid {SANDBOX_ROOT_ID} of this host"


async def test_a_missing_bubblewrap_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    (build,) = await probe_protections()
    assert not build.holds
    assert "bwrap" in build.by or "No such file" in build.by


async def test_root_without_a_range_for_builds_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0)
    monkeypatch.setattr(idmap, "SANDBOX_ROOT_ID", 2**32 - 100)
    with pytest.raises(RootRefusedError, match="not available"):
        host_id_map()
    (build,) = await probe_protections()
    assert not build.holds
    assert "ordinary user" in build.hint


@pytest.mark.parametrize(
    ("lines", "by"),
    [
        ("{name}:200000:65536\n", "newuidmap"),
        ("other:1:1\n{uid}:300000:70000\n", "newuidmap"),
        ("other:100000:65536\n", "self"),
        ("{name}:many:65536\n", "self"),
        ("", "self"),
        (None, "self"),
    ],
)
def test_an_ordinary_users_range_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, lines: str | None, by: str
) -> None:
    path = tmp_path_factory.mktemp("etc") / "subuid"
    if lines is not None:
        path.write_text(lines.format(name="daemon", uid=1))
    monkeypatch.setattr(idmap, "_SUBORDINATE", {"uid": path, "gid": path})
    monkeypatch.setattr(os, "getuid", lambda: 1)
    monkeypatch.setattr(os, "getgid", lambda: 1)
    found = host_id_map()
    assert found.by == by
    assert found.owner == (1, 1)
    assert found.uid[0] == (0, 1, 1)
    if by == "newuidmap":
        assert found.uid[1][2] == SANDBOX_IDS - 1


@pytest.mark.skipif(os.getuid() != 0, reason="only root makes control groups here")
def test_a_control_group_that_is_still_used_is_not_forgotten() -> None:
    stack = ExitStack()
    group = stack.enter_context(own_group(memory=2**28, processes=8))
    inner = [Path(entrance).parent / "inner" for entrance in group.entrances]
    if not inner:
        pytest.skip("there is no control group v1")
    for path in inner:
        path.mkdir()
    with pytest.raises(StorageError, match="removed"):
        stack.close()
    for path in inner:
        path.rmdir()
        path.parent.rmdir()


def test_an_ordinary_user_makes_no_control_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    with own_group(memory=2**28, processes=8) as group:
        assert group.entrances == []
        assert not group.ran_out_of_memory()
        assert not group.ran_out_of_processes()
