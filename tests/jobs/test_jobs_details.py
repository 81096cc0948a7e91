"""What a builder's details blob may say."""

import json
from typing import Any

import pytest

from f2fbuild.errors import FormatError
from f2fbuild.jobs.verifying import _read_facts
from f2fbuild.ledger.commitment import salted
from f2fbuild.model import canonical

SALTS = bytes(range(64))
DETAILS: dict[str, Any] = {
    "environment": "verified",
    "facts": {"kernel": "6.1"},
    "salts": SALTS.hex(),
    "schema": "f2fbuild.details/1",
    "submitter": "0" * 64,
}


def test_facts_are_read_from_the_blob_that_the_statement_names() -> None:
    blob = canonical.encode(DETAILS)
    facts = json.loads(_read_facts(blob, salted(SALTS[:32], blob)))
    assert facts == {"environment": "verified", "kernel": "6.1"}


def test_another_blob_than_the_statement_names() -> None:
    blob = canonical.encode(DETAILS)
    with pytest.raises(FormatError, match="not the details that the statement names"):
        _read_facts(blob, salted(SALTS[:32], blob + b" "))


@pytest.mark.parametrize(
    "changed",
    [{"salts": 1}, {"salts": "xy"}, {"facts": []}, {"facts": "none"}],
)
def test_details_of_another_shape(changed: dict[str, Any]) -> None:
    blob = canonical.encode({**DETAILS, **changed})
    with pytest.raises(FormatError, match="not the details of a build"):
        _read_facts(blob, salted(SALTS[:32], blob))
