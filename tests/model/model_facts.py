"""Facts that the tests of the vocabulary share."""

from f2fbuild.model.job import BuildDefinition, Dependency
from f2fbuild.model.outcome import Product, Result
from f2fbuild.model.statement import BuildStatement

ORIGIN = "f2fbuild.invalid/log/" + "0f" * 32
DEFINITION = BuildDefinition(
    parameters={"arch": "x86_64", "cpus": 2, "format": "rpm", "macros": {"dist": ".fc45"}},
    sources=(
        Dependency(name="hello-2.12.tar.gz", sha256="a1" * 32),
        Dependency(name="hello.spec", sha256="a2" * 32),
    ),
    lock="b0" * 32,
)


def rpm(name: str, *, canonical: str = "c1" * 32, content: str = "d1" * 32) -> Product:
    return Product(kind="rpm", name=name, size=4711, sha256="e1" * 32, canonical=canonical, content=content)


def plain(name: str, *, digest: str = "e2" * 32) -> Product:
    return Product(kind="file", name=name, size=7, sha256=digest, canonical=digest)


def statement(result: Result) -> BuildStatement:
    return BuildStatement(
        definition=DEFINITION,
        result=result,
        origin=ORIGIN,
        job_id="f1" * 32,
        acceptance=12,
        nonce="f2" * 32,
        started=1_790_000_400,
        finished=1_790_001_000,
        log="f3" * 32,
        details="f4" * 32,
    )
