"""Scenes with real nodes, as the workshop of jobs plays them."""

from tests.scenes.conftest import quick, scene, town

__all__ = ["quick", "scene", "town"]
