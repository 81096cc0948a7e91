"""The node tidies up: at start and then every hour, a bounded piece of work each time.

What goes and what stays for ever is stated in docs/reference/retention.md.
"""

import contextlib
from collections.abc import Callable, Container, Iterable, Mapping

import trio

from f2fbuild import limits
from f2fbuild.errors import F2FError
from f2fbuild.jobs.retention import Forgetting
from f2fbuild.ledger.checkpoint import parse_log_vkey
from f2fbuild.ledger.files import CHECKPOINT
from f2fbuild.ledger.mirror import Mirror
from f2fbuild.ledger.retention import Keeping, Kept, to_prune
from f2fbuild.model.friend import Friend
from f2fbuild.store.blobs import BlobStore


class Tidying:
    """Forgets what is owed to nobody any more."""

    def __init__(
        self,
        forgetting: Forgetting,
        blobs: BlobStore,
        *,
        keeping: Keeping,
        mirrors: Callable[[], Iterable[Mirror]],
        friends: Callable[[], Iterable[Friend]],
        clock: Callable[[], int],
        tell: Callable[[str], None],
    ) -> None:
        """Wire what is tidied.

        Args:
            forgetting: ended tasks.
            blobs: interrupted transfers.
            keeping: how much of the logs of those who are no friends is kept.
            mirrors: all copies of others' logs.
            friends: whose logs are followed.
            clock: returns unix seconds.
            tell: is given words for the owner when something cannot be tidied.
        """
        self._forgetting = forgetting
        self._blobs = blobs
        self._keeping = keeping
        self._mirrors = mirrors
        self._friends = friends
        self._clock = clock
        self._tell = tell

    async def run(self) -> None:
        """Tidy up until cancelled. Containment: a round that the disk refuses is told, and tried again."""
        while True:
            try:
                await self.round()
            except (F2FError, OSError) as error:
                self._tell(f"cannot tidy up: {error}")
            await trio.sleep(limits.TIDY_SECONDS)

    async def round(self) -> None:
        """Do one round."""
        await self._forgetting.round()
        before = self._clock() - limits.PARTIAL_DAYS * 86_400
        await trio.to_thread.run_sync(self._blobs.drop_partials_before, before)
        # Rows are read before the thread begins: there it could meet another task's transaction.
        mirrors = {mirror.key.name: mirror for mirror in self._mirrors()}
        followed = {parse_log_vkey(friend.vkey).name for friend in self._friends()}
        await trio.to_thread.run_sync(self._prune, mirrors, followed)

    def _prune(self, mirrors: Mapping[str, Mirror], followed: Container[str]) -> None:
        copies = [_kept(mirror, followed=origin in followed) for origin, mirror in mirrors.items()]
        for origin in to_prune(copies, self._keeping, self._clock()):
            mirrors[origin].prune()


def _kept(mirror: Mirror, *, followed: bool) -> Kept:
    moved = 0
    with contextlib.suppress(FileNotFoundError):
        moved = int((mirror.directory / CHECKPOINT).stat().st_mtime)
    return Kept(
        origin=mirror.key.name,
        followed=followed,
        size=mirror.size,
        pruned=mirror.pruned,
        bytes=0 if followed else mirror.prunable_bytes(),
        moved=moved,
    )
