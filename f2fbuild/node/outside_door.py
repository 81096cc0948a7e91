"""This node as a witness for outsiders: of which logs, and what it answers them over HTTP.

Known are the logs of friends with the right `witness`, whose certificates stand and which did not fork, and
those that the settings name. Everything else is unknown.
"""

from collections.abc import Callable, Mapping

from f2fbuild.errors import FormatError, StorageError
from f2fbuild.ledger.add_checkpoint import parse_request
from f2fbuild.ledger.cosignature import Cosignature
from f2fbuild.ledger.cosigner import Cosigner
from f2fbuild.ledger.evidence import format_equivocation
from f2fbuild.ledger.witness import Refused, Witnessed
from f2fbuild.ledger.witness_http import Reply, refuse, reply_to
from f2fbuild.model.friend import Friend
from f2fbuild.model.vkey import VerifierKey, format_vkey


class OutsideDoor:
    """Answers add-checkpoint requests."""

    def __init__(
        self,
        witness: Cosigner,
        friend: Callable[[str], tuple[Friend, VerifierKey] | None],
        outside: Mapping[str, tuple[VerifierKey, ...]],
        forked: Callable[[Friend, bytes], None],
    ) -> None:
        """Cosign by `witness`.

        Args:
            witness: the key that cosigns.
            friend: the friend whose log has an origin, and its key; None when it is not to be witnessed.
            outside: the keys of other logs by origin.
            forked: is told of evidence against a friend's log.
        """
        self._witness = witness
        self._friend = friend
        self._outside = outside
        self._forked = forked

    def answer(self, body: bytes) -> Reply:
        """Return the reply to the body of a request."""
        try:
            request = parse_request(body)
        except FormatError as error:
            return refuse(400, error.what)
        author = self._friend(request.origin)
        keys = (author[1],) if author else self._outside.get(request.origin, ())
        try:
            answer: Cosignature | Refused = self._witness.add(request, keys)
        except StorageError:
            # Its owner is told by everything else that needs the store; a stranger only that it failed.
            return refuse(503, "cannot be stored now")
        match answer:
            case Refused(forked=Witnessed() as twice) if author:
                self._forked(author[0], format_equivocation(format_vkey(author[1]), twice.note, twice.fork))
        return reply_to(answer)
