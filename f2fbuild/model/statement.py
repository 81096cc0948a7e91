"""What a builder signs: an in-toto Statement v1 about one build, whatever its result.

Success is SLSA provenance v1 about the products; failure is a test-result v0.1 about the sources. Our own
fields carry the prefix `f2fbuild_`, as SLSA's extension rules ask. The statement names the acceptance that it
closes and opens the commitment by its nonce.
"""

from dataclasses import dataclass
from typing import Any, assert_never

from f2fbuild.errors import FormatError
from f2fbuild.limits import PRODUCTS_PER_BUILD, STATEMENT_BYTES
from f2fbuild.model import canonical
from f2fbuild.model.digest import parse_digest, sha256_hex
from f2fbuild.model.job import BuildDefinition
from f2fbuild.model.outcome import ExitClass, Failed, Product, Result, Stage, Succeeded, check_product
from f2fbuild.model.times import format_time, parse_time

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
PRODUCTS_NAME = "products.json"
OURS = "f2fbuild_"
"""What the names of our own fields begin with, where a predicate's schema has no such field."""
_CONTENT = {"rpm": "f2fbuild_rpmContent", "deb": "f2fbuild_debContent", "udeb": "f2fbuild_debContent"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildStatement:
    """One builder's word about one build.

    `origin` names the builder's log, `acceptance` the index there; `nonce` is 32 bytes in hexadecimal;
    `started` and `finished` are unix seconds, already rounded; `log` is the digest of build.log and `details`
    the salted hash of what may be deleted.
    """

    definition: BuildDefinition
    result: Result
    origin: str
    job_id: str
    acceptance: int
    nonce: str
    started: int
    finished: int
    log: str
    details: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedStatement:
    """A statement's payload, and the products list that had to become a blob (empty when it did not)."""

    payload: bytes
    products: bytes = b""


def encode(statement: BuildStatement) -> EncodedStatement:
    """Return the canonical bytes of a statement; many products move into a blob named by its digest."""
    match statement.result:
        case Succeeded(products=products):
            subjects = [_subject(p) for p in sorted(products, key=lambda p: p.name)]
            payload = canonical.encode(_provenance(statement, subjects))
            if len(payload) <= STATEMENT_BYTES:
                return EncodedStatement(payload=payload)
            blob = canonical.encode(subjects)
            subject = {"digest": {"sha256": sha256_hex(blob)}, "name": PRODUCTS_NAME}
            return EncodedStatement(
                payload=canonical.encode(_provenance(statement, [subject])), products=blob
            )
        case Failed() as failure:
            return EncodedStatement(payload=canonical.encode(_test_result(statement, failure)))
    assert_never(statement.result)


def decode(payload: bytes, products: bytes = b"", *, where: str = "statement") -> BuildStatement:
    """Return the statement whose encoding is `payload` (and `products`, when its list is a blob).

    Raises:
        FormatError: not a statement of ours in its one spelling.
    """
    value = canonical.decode(payload, where=where)
    try:
        statement = _read(value, products)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError("not a build statement", where=where) from error
    if encode(statement) != EncodedStatement(payload=payload, products=products):
        raise FormatError("not the one spelling of a build statement", where=where)
    return statement


def shown_result(payload: bytes) -> tuple[str, Result] | None:
    """Return the build key that a statement names and the result that it shows.

    None when the products are in a blob, or when it is no build statement of ours. This looks at no more of
    the statement than it returns: `decode` does.
    """
    value: Any = canonical.decode_shared(payload)
    try:
        predicate = value["predicate"]
        if value["predicateType"] == PROVENANCE:
            definition = predicate["buildDefinition"]
            subjects = value["subject"]
            if len(subjects) == 1 and subjects[0]["name"] == PRODUCTS_NAME:
                return None
            result: Result = Succeeded(products=_products(subjects))
        else:
            definition, result = predicate["f2fbuild_buildDefinition"], _failure(predicate)
        return parse_digest(definition["internalParameters"]["f2fbuild_buildKey"]), result
    except (KeyError, TypeError, ValueError, AttributeError, FormatError):
        return None


def products_blob(payload: bytes, *, where: str = "statement") -> str:
    """Return the digest of the blob that holds the products list, or "" when the payload holds it itself."""
    match canonical.decode(payload, where=where):
        case {"subject": [{"name": "products.json", "digest": {"sha256": str(digest)}}]}:
            return parse_digest(digest, where=where)
        case _:
            return ""


def _subject(product: Product) -> dict[str, Any]:
    digest = {"sha256": product.sha256}
    if product.kind == "rpm":
        digest["f2fbuild_rpmCanonical"] = product.canonical
    if product.content:
        digest[_CONTENT[product.kind]] = product.content
    return {
        "annotations": {"kind": product.kind, "size": product.size},
        "digest": digest,
        "name": product.name,
    }


def _product(subject: dict[str, Any]) -> Product:
    digest, kind = subject["digest"], subject["annotations"]["kind"]
    product = Product(
        kind=kind,
        name=subject["name"],
        size=subject["annotations"]["size"],
        sha256=digest["sha256"],
        canonical=digest.get("f2fbuild_rpmCanonical", digest["sha256"]),
        content=digest.get(_CONTENT.get(kind, ""), ""),
    )
    return check_product(product)


def _products(subjects: list[dict[str, Any]]) -> tuple[Product, ...]:
    if not 0 < len(subjects) <= PRODUCTS_PER_BUILD:
        raise ValueError("no product, or more than a build may have")
    products = tuple(_product(subject) for subject in subjects)
    if len({product.name for product in products}) < len(products):
        raise ValueError("two products of one name")
    return products


def _failure(predicate: dict[str, Any]) -> Failed:
    (stage,) = predicate["failedTests"]
    return Failed(stage=Stage(stage), exit_class=ExitClass(predicate["f2fbuild_exitClass"]))


def _index(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("not the index of an entry")
    return value


def _definition(statement: BuildStatement) -> dict[str, Any]:
    key = {"f2fbuild_buildKey": statement.definition.build_key}
    return {**statement.definition.to_json(), "internalParameters": key}


def _metadata(statement: BuildStatement) -> dict[str, Any]:
    return {
        "f2fbuild_acceptance": statement.acceptance,
        "f2fbuild_nonce": statement.nonce,
        "finishedOn": format_time(statement.finished),
        "invocationId": statement.job_id,
        "startedOn": format_time(statement.started),
    }


def _byproducts(statement: BuildStatement) -> list[dict[str, Any]]:
    return [
        {"digest": {"sha256": statement.log}, "name": "build.log"},
        {"digest": {"sha256": statement.details}, "name": "details"},
    ]


def _provenance(statement: BuildStatement, subjects: list[dict[str, Any]]) -> dict[str, Any]:
    run = {
        "builder": {"id": statement.origin},
        "byproducts": _byproducts(statement),
        "metadata": _metadata(statement),
    }
    predicate = {"buildDefinition": _definition(statement), "runDetails": run}
    return _statement(PROVENANCE, predicate, subjects)


def _test_result(statement: BuildStatement, failure: Failed) -> dict[str, Any]:
    definition = _definition(statement)
    predicate = {
        # A test result has no place for these, so they are extensions like our own.
        **{OURS + name.removeprefix(OURS): value for name, value in _metadata(statement).items()},
        "configuration": _byproducts(statement),
        "f2fbuild_buildDefinition": definition,
        "f2fbuild_builder": statement.origin,
        "f2fbuild_exitClass": str(failure.exit_class),
        "failedTests": [str(failure.stage)],
        "result": "FAILED",
    }
    sources = definition["resolvedDependencies"][:-1]
    return _statement(TEST_RESULT, predicate, sources)


def _statement(kind: str, predicate: dict[str, Any], subjects: list[dict[str, Any]]) -> dict[str, Any]:
    return {"_type": STATEMENT_TYPE, "predicate": predicate, "predicateType": kind, "subject": subjects}


def _read(value: dict[str, Any], products: bytes) -> BuildStatement:
    predicate = value["predicate"]
    if value["predicateType"] == PROVENANCE:
        run = predicate["runDetails"]
        definition, metadata, prefix = predicate["buildDefinition"], run["metadata"], ""
        origin, byproducts = run["builder"]["id"], run["byproducts"]
        subjects = canonical.decode(products, where=PRODUCTS_NAME) if products else value["subject"]
        result: Result = Succeeded(products=_products(subjects))
    else:
        definition, metadata, prefix = predicate["f2fbuild_buildDefinition"], predicate, OURS
        origin, byproducts = predicate["f2fbuild_builder"], predicate["configuration"]
        result = _failure(predicate)
    public = {name: item for name, item in definition.items() if name != "internalParameters"}
    log, details = (parse_digest(item["digest"]["sha256"]) for item in byproducts)
    return BuildStatement(
        definition=BuildDefinition.from_json(public),
        result=result,
        origin=origin,
        job_id=parse_digest(metadata[prefix + "invocationId"]),
        acceptance=_index(metadata["f2fbuild_acceptance"]),
        nonce=parse_digest(metadata["f2fbuild_nonce"]),
        started=parse_time(metadata[prefix + "startedOn"]),
        finished=parse_time(metadata[prefix + "finishedOn"]),
        log=log,
        details=details,
    )
