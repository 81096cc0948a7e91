"""What gossip knows, kept over a restart.

It is hearsay, so it is written a moment after it came and not before anything is said: what a crash takes is
heard again, and who then remembers something else than a friend notices it by the checksum.
"""

from collections.abc import Iterable

from f2fbuild.ledger.gossip.logs import Kept
from f2fbuild.ledger.gossip.spread import Gossip
from f2fbuild.ledger.gossip.vectors import pack, unpack
from f2fbuild.store.database import Database


class GossipRows:
    """The rows of one machine of gossip."""

    def __init__(self, database: Database, gossip: Gossip) -> None:
        """Keep `gossip` in `database`, and let it take up what is there."""
        self._database = database
        self._gossip = gossip
        logs = [
            Kept(public=row["public"], note=row["note"], hops=row["hops"], proved=row["proved"])
            for row in database.rows("SELECT * FROM gossip_head ORDER BY rowid")
        ]
        books = {
            row["peer"]: (tuple(unpack(row["has"])), tuple(unpack(row["told"])))
            for row in database.rows("SELECT * FROM gossip_friend")
        }
        gossip.restore(logs, books)
        self._saved = gossip.seq

    def save(self, peers: Iterable[str]) -> None:
        """Write what changed since the last time, and what these friends have and were told."""
        changed, self._saved = self._gossip.kept(self._saved), self._gossip.seq
        with self._database.transaction():
            for kept in changed:
                self._database.execute(
                    "INSERT INTO gossip_head (public, note, hops, proved) VALUES (?, ?, ?, ?) ON CONFLICT "
                    "(public) DO UPDATE SET note = excluded.note, hops = excluded.hops, "
                    "proved = excluded.proved",
                    (kept.public, kept.note, kept.hops, kept.proved),
                )
            for peer in peers:
                has, told = self._gossip.lines(peer)
                self._database.execute(
                    "INSERT INTO gossip_friend (peer, has, told) VALUES (?, ?, ?) ON CONFLICT (peer) DO "
                    "UPDATE SET has = excluded.has, told = excluded.told",
                    (peer, pack(has), pack(told)),
                )

    def forget(self, peer: str) -> None:
        """Forget a friend that is none any more, and the logs that nobody else spoke of."""
        known = {kept.public for kept in self._gossip.kept()}
        with self._database.transaction():
            self._database.execute("DELETE FROM gossip_friend WHERE peer = ?", (peer,))
            for row in self._database.rows("SELECT public FROM gossip_head"):
                if row["public"] not in known:
                    self._database.execute("DELETE FROM gossip_head WHERE public = ?", (row["public"],))
