"""How long an example of a property takes decides nothing: the suite runs on slow and busy machines too."""

from hypothesis import settings


def test_a_slow_example_is_no_failure() -> None:
    assert settings.default is not None
    assert settings.default.deadline is None
