"""One row for an outcome and one for each product: what tables for people are made of.

Read by field name, with nothing invented: a field that a statement does not have is empty.
"""

from dataclasses import dataclass
from typing import Any

from f2fbuild.ledger.facts import package_of
from f2fbuild.model import canonical
from f2fbuild.model.statement import OURS, PROVENANCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A product (or, of a failed build, a source). `canonical` is what builders agree on."""

    name: str
    package: str
    size: int | None
    sha256: str
    canonical: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRow:
    """One builder's word about one build; times as RFC 3339, `stage` empty when it succeeded."""

    job: str
    acceptance: int | None
    build_key: str
    format: str
    arch: str
    result: str
    stage: str
    exit_class: str
    started: str
    finished: str
    log: str
    subjects: tuple[Subject, ...]
    sources: tuple[Subject, ...]


def outcome_row(statement: bytes) -> OutcomeRow:
    """Return the row of a signed statement; whatever it lacks is empty."""
    value = canonical.decode(statement)
    predicate = _dict(value, "predicate")
    succeeded = value["predicateType"] == PROVENANCE
    run = _dict(predicate, "runDetails") if succeeded else predicate
    metadata, prefix = (_dict(run, "metadata"), "") if succeeded else (predicate, OURS)
    definition = _dict(predicate, "buildDefinition" if succeeded else "f2fbuild_buildDefinition")
    parameters = _dict(definition, "externalParameters")
    tests = _list(predicate, "failedTests")
    byproducts = [_subject(one) for one in _list(run, "byproducts" if succeeded else "configuration")]
    acceptance = metadata.get("f2fbuild_acceptance")
    return OutcomeRow(
        job=_text(metadata, prefix + "invocationId"),
        acceptance=acceptance if type(acceptance) is int else None,
        build_key=_text(_dict(definition, "internalParameters"), "f2fbuild_buildKey"),
        format=_text(parameters, "format"),
        arch=_text(parameters, "arch"),
        result="succeeded" if succeeded else "failed",
        stage=str(tests[0]) if tests and not succeeded else "",
        exit_class=_text(predicate, "f2fbuild_exitClass"),
        started=_text(metadata, prefix + "startedOn"),
        finished=_text(metadata, prefix + "finishedOn"),
        log=next((one.sha256 for one in byproducts if one.name == "build.log"), ""),
        subjects=tuple(_subject(one) for one in _list(value, "subject")),
        sources=tuple(_subject(one) for one in _list(definition, "resolvedDependencies")),
    )


def _subject(value: Any) -> Subject:
    fields = value if isinstance(value, dict) else {}
    digest, name = _dict(fields, "digest"), _text(fields, "name")
    size = _dict(fields, "annotations").get("size")
    return Subject(
        name=name,
        package=package_of(name),
        size=size if type(size) is int else None,
        sha256=_text(digest, "sha256"),
        canonical=_text(digest, "f2fbuild_rpmCanonical") or _text(digest, "sha256"),
    )


def _dict(value: dict[str, Any], field: str) -> dict[str, Any]:
    found = value.get(field)
    return found if isinstance(found, dict) else {}


def _list(value: dict[str, Any], field: str) -> list[Any]:
    found = value.get(field)
    return found if isinstance(found, list) else []


def _text(value: dict[str, Any], field: str) -> str:
    found = value.get(field)
    return found if isinstance(found, str) else ""
