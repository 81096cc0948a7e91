"""Ann and the friends who build for her, made once for each file."""

from collections.abc import Iterator

import pytest

from tests.cli.cli_runs import Home
from tests.journeys.journey_people import friends


@pytest.fixture(scope="module")
def people() -> Iterator[tuple[Home, ...]]:
    """Ann, and Bob and Cyd who build for her; their nodes run and are connected."""
    with friends("Ann", "Bob", "Cyd") as found:
        yield found


@pytest.fixture(scope="module")
def crowd() -> Iterator[tuple[Home, ...]]:
    """Ann, and Bob, Cyd and Dan who build for her: enough for a failure to be agreed on."""
    with friends("Ann", "Bob", "Cyd", "Dan") as found:
        yield found
