"""Which logs this node serves to everybody: its own of all epochs, and friends' when its owner said so."""

from f2fbuild.ledger.carried import digits
from f2fbuild.ledger.checkpoint import parse_log_vkey
from f2fbuild.ledger.shelf import Shelf, Shelved
from f2fbuild.node.parts import Parts


def shelf_of(parts: Parts) -> Shelf:
    """Return the shelf of a node; who is a friend is asked anew for every path."""
    own = parts.identity.certificate.certificate.log

    def logs() -> dict[str, Shelved]:
        found = {digits(own): Shelved(directory=parts.log_directory, key=own, own=True)}
        for log in parts.earlier.own().values():
            found[digits(log.key)] = Shelved(directory=log.directory, key=log.key, own=True)
        if parts.settings.ledger.serve_mirrors:
            for friend, _, _ in parts.friendships.all():
                key = parse_log_vkey(friend.vkey)
                found[digits(key)] = Shelved(directory=parts.follower.directory(friend), key=key, own=False)
        return found

    return Shelf(logs, digits(own))
