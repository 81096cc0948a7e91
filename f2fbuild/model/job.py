"""Orders: what shall be built, by how many, and how far it has come.

A build definition is SLSA v1 provenance's `buildDefinition` without its `internalParameters`. Its digest is
the build key: two builds with one key must give one result.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from f2fbuild.errors import FormatError
from f2fbuild.model import canonical
from f2fbuild.model.digest import parse_digest, sha256_hex

BUILD_TYPE = "https://f2fbuild.invalid/buildtypes/{format}/v1"
LOCK_NAME = "environment.lock"
ORDER_NONCE_BYTES = 16
_KEY_CONTEXT = b"f2fbuild build key v1\n"
_PARAMETERS = frozenset(
    {
        "arch",
        "build_profiles",
        "compression",
        "cpus",
        "format",
        "format_version",
        "hostname",
        "locale",
        "macros",
        "mode",
        "path",
        "sandbox_profile",
        "source_date_epoch",
        "timezone",
        "tools",
        "umask",
        "user",
        "vendor",
    }
)


class JobClass(StrEnum):
    """How much agreement a job needs before its products count."""

    SCRATCH = "scratch"
    TESTING = "testing"
    RELEASE = "release"


class JobState(StrEnum):
    """Where a job is. What the ledger says of it is its verdict, another word."""

    QUEUED = "queued"
    BLOCKED = "blocked"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    GAVEBACK = "gaveback"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class AssignmentState(StrEnum):
    """Where one builder is with a job."""

    OFFERED = "offered"
    REFUSED = "refused"
    ACCEPTED = "accepted"
    PREPARING = "preparing"
    BUILDING = "building"
    VERIFYING = "verifying"
    COMMITTED = "committed"
    DONE = "done"
    LOST = "lost"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """One resolved dependency: a source file or the environment lock, by name and SHA-256."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildDefinition:
    """Everything that decides the bits of a result.

    `parameters` are SLSA externalParameters as canonical JSON values; `sources` are sorted by name; `lock`
    is the digest of the environment lock.
    """

    parameters: Mapping[str, Any]
    sources: tuple[Dependency, ...]
    lock: str

    @property
    def format(self) -> str:
        """The package format: rpm, deb, recipe or image."""
        return str(self.parameters["format"])

    def to_json(self) -> dict[str, Any]:
        """Return the SLSA buildDefinition as canonical JSON values."""
        dependencies = (*self.sources, Dependency(name=LOCK_NAME, sha256=self.lock))
        return {
            "buildType": BUILD_TYPE.format(format=self.format),
            "externalParameters": dict(self.parameters),
            "resolvedDependencies": [{"digest": {"sha256": d.sha256}, "name": d.name} for d in dependencies],
        }

    @classmethod
    def from_json(cls, value: Any, *, where: str = "build definition") -> "BuildDefinition":
        """Return the definition whose `to_json` is `value`.

        Raises:
            FormatError: anything missing, unknown, unsorted or of another type.
        """
        try:
            *sources, lock = (
                Dependency(name=d["name"], sha256=parse_digest(d["digest"]["sha256"]))
                for d in value["resolvedDependencies"]
            )
            parameters = value["externalParameters"]
            definition = cls(parameters=parameters, sources=tuple(sources), lock=lock.sha256)
            spelled = definition.to_json()
            unknown = set(parameters) - _PARAMETERS
            names = [source.name for source in sources]
            ordered = sorted({str(name) for name in names})
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError("not a build definition", where=where) from error
        if spelled != value or unknown or names != ordered or not names:
            raise FormatError("not the one spelling of a build definition", where=where)
        return definition

    @property
    def build_key(self) -> str:
        """The digest that names all builds which must give one result."""
        return sha256_hex(_KEY_CONTEXT + canonical.encode(self.to_json()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Quorum:
    """How many builders are asked, how many must agree, and how many ties may be broken."""

    builders: int
    agree: int
    tie_breakers: int = 2


DEFAULT_QUORUM: Mapping[JobClass, Quorum] = {
    JobClass.SCRATCH: Quorum(builders=1, agree=1),
    JobClass.TESTING: Quorum(builders=2, agree=2),
    JobClass.RELEASE: Quorum(builders=3, agree=3),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a submitter ordered. Its signed payload carries a nonce, so two orders are never one job.

    Times are unix seconds, `nonce` 16 bytes in hexadecimal; `reveal_by` ends an embargo, 0 (and absent from
    the payload) where there is none. Nobody sees an order before its verdict opens it: an offer tells a
    builder neither the quorum nor who else is asked.
    """

    build_key: str
    job_class: JobClass
    quorum: Quorum
    created: int
    deadline: int
    nonce: str
    reveal_by: int = 0

    def encode(self) -> bytes:
        """Return the canonical payload that is signed; its SHA-256 is the job id."""
        quorum = self.quorum
        embargo = {"revealBy": self.reveal_by} if self.reveal_by else {}
        return canonical.encode(
            {
                "agree": quorum.agree,
                "buildKey": self.build_key,
                "builders": quorum.builders,
                "class": str(self.job_class),
                "created": self.created,
                "deadline": self.deadline,
                "nonce": self.nonce,
                "tieBreakers": quorum.tie_breakers,
                **embargo,
            }
        )

    @classmethod
    def decode(cls, payload: bytes, *, where: str = "order") -> "Order":
        """Return the order whose `encode` is `payload`.

        Raises:
            FormatError: anything missing, unknown, or spelled in another way.
        """
        value = canonical.decode(payload, where=where)
        try:
            order = cls(
                build_key=parse_digest(value["buildKey"], where=where),
                job_class=JobClass(value["class"]),
                quorum=Quorum(
                    builders=_count(value["builders"]),
                    agree=_count(value["agree"]),
                    tie_breakers=_count(value["tieBreakers"]),
                ),
                created=_count(value["created"]),
                deadline=_count(value["deadline"]),
                nonce=_nonce(value["nonce"]),
                reveal_by=_count(value.get("revealBy", 0)),
            )
            spelled = order.encode()
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError("not an order", where=where) from error
        if spelled != payload:
            raise FormatError("not the one spelling of an order", where=where)
        return order

    @property
    def job_id(self) -> str:
        """The SHA-256 of the payload."""
        return sha256_hex(self.encode())


def _nonce(value: Any) -> str:
    nonce = bytes.fromhex(value)
    if len(nonce) != ORDER_NONCE_BYTES:
        raise ValueError("not the nonce of an order")
    return nonce.hex()


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is not a number of things or seconds")
    return value
