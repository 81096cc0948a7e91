"""Errors on their way to the command line: as replies, and back as the same classes.

A reply names a class of `f2fbuild.errors`. An error that a room defines for itself is told as its nearest
ancestor there, so that the exit code arrives whole; only its first sentence becomes more general.
"""

from f2fbuild import errors
from f2fbuild.api.replies import ErrorReply
from f2fbuild.errors import F2FError


def to_reply(error: F2FError) -> ErrorReply:
    """Return the reply that carries an error."""
    known = next(kind for kind in type(error).__mro__ if getattr(errors, kind.__name__, None) is kind)
    return ErrorReply(
        error=known.__name__,
        exit_code=error.exit_code,
        what=error.what,
        where=error.where,
        hint=error.hint,
    )


def from_reply(reply: ErrorReply) -> F2FError:
    """Return the error that a reply carries; a class that this version does not know becomes F2FError."""
    found = getattr(errors, reply.error, None)
    kind = found if isinstance(found, type) and issubclass(found, F2FError) else F2FError
    return kind(reply.what, where=reply.where, hint=reply.hint)
