"""Rows for people out of signed statements, whatever strange things those hold."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.audit.outcomes import OutcomeRow, outcome_row
from f2fbuild.model import canonical
from f2fbuild.model.statement import PROVENANCE, TEST_RESULT
from tests.ledger.ledger_helpers import ALICE, DEFINITION, SOME, failure, outcome, product

ANYTHING = st.recursive(
    st.integers(-5, 5) | st.booleans() | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
    max_leaves=4,
)
FIELDS = (
    "runDetails",
    "metadata",
    "buildDefinition",
    "externalParameters",
    "internalParameters",
    "f2fbuild_buildKey",
    "f2fbuild_acceptance",
    "invocationId",
    "f2fbuild_invocationId",
    "byproducts",
    "resolvedDependencies",
    "failedTests",
    "configuration",
    "format",
    "name",
    "digest",
)


def test_a_success() -> None:
    row = outcome_row(outcome(ALICE.origin, product(b"one"), 7).statement)
    assert (row.result, row.stage, row.exit_class) == ("succeeded", "", "")
    assert (row.job, row.acceptance, row.build_key) == (SOME, 7, DEFINITION.build_key)
    assert (row.format, row.arch, row.log) == ("rpm", "x86_64", SOME)
    assert (row.started, row.finished) == ("1970-01-01T00:10:00Z", "1970-01-01T00:20:00Z")
    (subject,) = row.subjects
    assert (subject.name, subject.size, subject.canonical) == ("hello.rpm", 3, subject.sha256)
    assert [one.name for one in row.sources] == ["hello.src.rpm", "environment.lock"]


def test_a_failure() -> None:
    row = outcome_row(outcome(ALICE.origin, failure(), 7).statement)
    assert (row.result, row.stage, row.exit_class) == ("failed", "build", "nonzero")
    assert (row.job, row.acceptance, row.build_key) == (SOME, 7, DEFINITION.build_key)
    assert (row.started, row.finished) == ("1970-01-01T00:10:00Z", "1970-01-01T00:20:00Z")
    assert row.log == SOME
    (subject,) = row.subjects
    assert (subject.name, subject.size) == ("hello.src.rpm", None)


@pytest.mark.parametrize("kind", [PROVENANCE, TEST_RESULT])
def test_a_statement_that_holds_nothing(kind: str) -> None:
    row = outcome_row(canonical.encode({"predicateType": kind}))
    assert row == OutcomeRow(
        job="",
        acceptance=None,
        build_key="",
        format="",
        arch="",
        result="succeeded" if kind == PROVENANCE else "failed",
        stage="",
        exit_class="",
        started="",
        finished="",
        log="",
        subjects=(),
        sources=(),
    )


def deep(fields: dict[str, Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(st.sampled_from(FIELDS), ANYTHING | st.just(fields), max_size=6)


@given(
    st.sampled_from([PROVENANCE, TEST_RESULT]), ANYTHING | deep({"name": 1}) | deep({"digest": []}), ANYTHING
)
def test_strange_statements_make_rows_of_the_right_types(kind: str, predicate: Any, subject: Any) -> None:
    value = {"predicateType": kind, "predicate": predicate, "subject": [subject, {"name": "x", "digest": 3}]}
    row = outcome_row(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())
    assert row.acceptance is None or type(row.acceptance) is int
    for text in (row.job, row.build_key, row.format, row.arch, row.started, row.finished, row.log, row.stage):
        assert isinstance(text, str)
    assert len(row.subjects) == 2
    for one in (*row.subjects, *row.sources):
        assert isinstance(one.name, str)
        assert isinstance(one.sha256, str)
        assert one.size is None or type(one.size) is int
