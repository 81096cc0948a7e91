"""The town, made once, and a scene for each test, at whose end every log is checked."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trio

from f2fbuild import limits
from tests.scenes.scene_node import Scene
from tests.scenes.scene_town import Town, make_town


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with make_town(tmp_path_factory.mktemp("town")) as made:
        yield made


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that only spare the network are short."""
    monkeypatch.setattr(limits, "EXCHANGE_RETRY_SECONDS", 0.05)
    monkeypatch.setattr(limits, "REVEAL_POLL_SECONDS", 0.05)
    monkeypatch.setattr(limits, "CONDUCT_POLL_SECONDS", 1)
    monkeypatch.setattr(limits, "GUARD_SECONDS", 0.2)
    monkeypatch.setattr(limits, "PEERS_POLL_SECONDS", 0.1)
    monkeypatch.setattr(limits, "SWAP_SECONDS", 0.5)
    monkeypatch.setattr(limits, "REDIAL_FIRST_SECONDS", 0.1)


@pytest.fixture
async def scene(town: Town, tmp_path: Path, quick: None) -> AsyncIterator[Scene]:
    async with trio.open_nursery() as nursery:
        scene = Scene(nursery, town, tmp_path)
        await scene.prepare()
        yield scene
        await scene.curtain()
        await scene.close()
        nursery.cancel_scope.cancel()
