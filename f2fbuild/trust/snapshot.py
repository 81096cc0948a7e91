"""What the web of trust said at one moment: a value that decisions are made over.

GnuPG is the authority on validity: its letters are carried, never computed here. A snapshot's `digest` is
the state of the ring it was read from; another digest means that every open session is judged again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Validity(StrEnum):
    """GnuPG's validity letters (its doc/DETAILS, field 2): how sure it is that a key is its owner's."""

    ULTIMATE = "u"
    FULL = "f"
    MARGINAL = "m"
    NEVER = "n"
    UNDEFINED = "q"
    UNKNOWN = "-"
    NEW = "o"
    INVALID = "i"
    DISABLED = "d"
    REVOKED = "r"
    EXPIRED = "e"

    @property
    def sure(self) -> bool:
        """Whether the key counts as its owner's. Marginal is not enough, as in GnuPG."""
        return self in (Validity.ULTIMATE, Validity.FULL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """An owner's key as the ring knows it.

    `fingerprint` is 40 upper-case hexadecimal digits, `expires` unix seconds or None for never. `user_ids`
    are those that the web of trust confirms, `claims` what the owner says beyond that: anybody can add the
    name of somebody else to his own key. Both are stripped of control characters and safe to show.
    """

    fingerprint: str
    validity: Validity
    expires: int | None
    user_ids: tuple[str, ...]
    claims: tuple[str, ...]

    @property
    def revoked(self) -> bool:
        """Whether the owner, or a revoker he named, revoked the key."""
        return self.validity is Validity.REVOKED

    def expired(self, now: int) -> bool:
        """Whether the key's time is over: by its own date at `now`, or as GnuPG found it."""
        return self.validity is Validity.EXPIRED or (self.expires is not None and self.expires <= now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certification:
    """A certification whose signature GnuPG verified: `certifier` says that the key is `certified`'s own.

    Both are fingerprints. `made` and `expires` are unix seconds; `local` ones never leave the node.
    """

    certifier: str
    certified: str
    made: int
    expires: int | None
    local: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustSnapshot:
    """The ring at one moment.

    `me` is the fingerprint of the node's own owner, `owners` are by fingerprint and hold both ends of every
    certification, `taken` is unix seconds.
    """

    me: str
    owners: Mapping[str, Owner]
    certifications: tuple[Certification, ...]
    digest: str
    taken: int

    def next_change(self) -> int | None:
        """Return the unix second at which a key or certification expires next, None if none does.

        The ring's files do not change then, so a reader must look at the clock as well.
        """
        times = [owner.expires for owner in self.owners.values()]
        times += [certification.expires for certification in self.certifications]
        return min((time for time in times if time is not None and time > self.taken), default=None)
