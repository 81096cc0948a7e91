"""Words for what went wrong.

Every error that a user can meet is a subclass of `F2FError`. The class docstring is what the user reads
first; the message then names what, where and what to do next. Expected refusals between peers are values,
not errors; errors are for broken promises and for input that cannot be used.
"""

from typing import ClassVar


class F2FError(Exception):
    """Something went wrong."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        """Name `what` is wrong, `where` (file, field, peer) and, as `hint`, what to do next."""
        super().__init__(what, where, hint)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        hint = f". {self.hint}" if self.hint else ""
        return f"{where}{self.what}{hint}"

    @classmethod
    def headline(cls) -> str:
        """The sentence a user reads first."""
        return (cls.__doc__ or "").strip().splitlines()[0]


class UsageError(F2FError):
    """The command was not understood."""

    exit_code = 2


class ConfigurationError(F2FError):
    """The configuration cannot be used."""

    exit_code = 3


class NotInitialisedError(ConfigurationError):
    """This node has not been set up yet."""


class BuildFailedError(F2FError):
    """The build failed."""

    exit_code = 4


class CancelledByUserError(F2FError):
    """The job was cancelled."""

    exit_code = 5


class NodeNotRunningError(F2FError):
    """The node is not running."""

    exit_code = 6


class RefusedError(F2FError):
    """Refused by trust, policy or key."""

    exit_code = 7


class NobodyError(F2FError):
    """No eligible or reachable builder."""

    exit_code = 8


class GaveBackError(F2FError):
    """Timed out or given back; worth retrying."""

    exit_code = 9


class DivergenceError(F2FError):
    """Builders disagree, or fewer agreed than were asked for."""

    exit_code = 10


class LedgerError(F2FError):
    """A ledger's promise is broken: bad signature, bad proof, fork or rollback."""

    exit_code = 11


class IncompatibleVersionError(F2FError):
    """Written by a newer version of this program."""

    exit_code = 12


class FormatError(F2FError):
    """Input is malformed, or spelled in a second way."""


class LocalProtocolError(F2FError):
    """This node used a protocol wrongly: a bug in f2fbuild, please report it."""


class RemoteProtocolError(F2FError):
    """A peer broke the protocol."""


class StorageError(F2FError):
    """The disk does not hold what was asked, or cannot take what is given."""


def first_words(group: BaseExceptionGroup[BaseException]) -> str:
    """Return what the first cause in a group of errors says of itself."""
    first = group.exceptions[0]
    return first_words(first) if isinstance(first, BaseExceptionGroup) else str(first)
