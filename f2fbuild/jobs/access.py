"""Who may fetch which blob: a friend sees only what an order, lock or statement of his names.

To everybody else a blob does not exist. Grants end by themselves: sources with the job, products and logs 30
days after they were made (`limits.ARTIFACT_DAYS`).
"""

from collections.abc import Iterable

from f2fbuild.store.database import Database


class BlobAccess:
    """The durable list of grants."""

    def __init__(self, database: Database) -> None:
        """Keep the list in `database`."""
        self._database = database

    def allow(self, peer: str, digests: Iterable[str], until: int) -> None:
        """Let a peer (node id) fetch these blobs until unix second `until`; a longer grant stays."""
        for digest in digests:
            self._database.execute(
                "INSERT INTO blob_reader (peer, digest, until) VALUES (?, ?, ?) "
                "ON CONFLICT (peer, digest) DO UPDATE SET until = max(until, excluded.until)",
                (peer, digest, until),
            )

    def may_fetch(self, peer: str, digest: str, now: int) -> bool:
        """Return whether the peer may fetch the blob at `now`."""
        return bool(
            self._database.rows(
                "SELECT 1 FROM blob_reader WHERE peer = ? AND digest = ? AND until >= ?", (peer, digest, now)
            )
        )

    def expire(self, now: int) -> int:
        """Forget the grants that have ended; return how many."""
        return self._database.execute("DELETE FROM blob_reader WHERE until < ?", (now,))
