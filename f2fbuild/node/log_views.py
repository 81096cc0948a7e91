"""Logs that are kept here as the API tells of them."""

from f2fbuild.api import ledger_replies
from f2fbuild.model.friend import Friend
from f2fbuild.node.parts import Parts


def copy_view(parts: Parts, author: Friend, *, followed: bool) -> ledger_replies.Log:
    """Return this node's copy of a log, of size 0 when it is damaged or not there yet."""
    mirror = parts.mirrored(author)
    return ledger_replies.Log(
        origin=author.vkey.split("+")[0],
        owner=author.owner,
        node=author.node,
        vkey=author.vkey,
        statement_key=author.statement_key.hex(),
        path=str(parts.follower.directory(author)),
        size=mirror.size if mirror else 0,
        frozen=bool(parts.convictions.of(author) or (mirror and mirror.evidence)),
        violation=mirror.violation if mirror else "",
        followed=followed,
    )
