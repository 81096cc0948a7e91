"""What the submitter tells builders besides its offers: what all have committed to, and to stop."""

from typing import Any

import trio

from f2fbuild import limits
from f2fbuild.errors import RemoteProtocolError
from f2fbuild.jobs.desk import Desk
from f2fbuild.jobs.friends import BROKEN
from f2fbuild.jobs.queue import Assignment, Job
from f2fbuild.net.exchange import PeerFailureError
from f2fbuild.net.messages import CancelJob, CommitmentsSeen, JobCancelled, ShowCommitments, ShownCommitment
from f2fbuild.net.signed import Kind, SignedMessage, sign_message


class Telling:
    """Tells builders. Whoever cannot be reached is told when asked again."""

    def __init__(self, desk: Desk) -> None:
        """Work with the desk's rows and friends."""
        self._desk = desk
        self._stopped: set[tuple[str, str]] = set()

    async def show(self, job: Job, peer: str, assignments: list[Assignment]) -> None:
        """Show a builder everybody's commitments, after which it reveals; harmless to repeat."""
        request = ShowCommitments(job_id=job.id, commitments=self._shown(assignments))
        if not self._desk.queue.assignment(job.id, peer).out:
            # From here on its result may be read, so who has not committed by now comes too late.
            self._desk.queue.advance(job.id, peer, self._desk.clock(), out=True)
        with trio.move_on_after(limits.OFFER_ANSWER_SECONDS):
            try:
                async with await self._desk.friends.call(peer, request) as exchange:
                    await exchange.expect(CommitmentsSeen)
            except (PeerFailureError, RemoteProtocolError, *BROKEN):
                # Not seen means that they are shown again; who follows the job hears what is wrong.
                return

    def _shown(self, assignments: list[Assignment]) -> list[ShownCommitment]:
        """Return the commitments that can be shown with their proofs; of a friend that is gone none can."""
        shown = []
        for one in assignments:
            friend = self._desk.friends.find(one.peer)
            if friend is not None and one.commitment is not None:
                shown.append(
                    ShownCommitment(
                        log=friend.vkey,
                        acceptance=one.acceptance or b"",
                        receipt=one.receipt or b"",
                        entry=one.commitment,
                        proof=one.commitment_proof or b"",
                    )
                )
        return shown

    async def stop(self, job: Job, peer: str) -> None:
        """Tell a builder to stop. Its closing comes to who follows the job."""
        if (job.id, peer) in self._stopped:
            return
        request = CancelJob(job_id=job.id, request=signed(self._desk, Kind.CANCEL, job.id, peer, {}))
        with trio.move_on_after(limits.OFFER_ANSWER_SECONDS) as waiting:
            try:
                async with await self._desk.friends.call(peer, request) as exchange:
                    await exchange.expect(JobCancelled)
                # A builder that crashes before it has closed its promise closes it when it starts again.
                self._stopped.add((job.id, peer))
            except (PeerFailureError, RemoteProtocolError) as error:
                self._desk.lose(job.id, peer, f"does not stop: {error}")
            except BROKEN:
                return
        if waiting.cancelled_caught:
            self._desk.lose(job.id, peer, "does not stop: no answer")

    def forget(self, job: str) -> None:
        """Forget what was told about a job whose builders have all ended."""
        self._stopped = {(one, peer) for one, peer in self._stopped if one != job}


def signed(desk: Desk, kind: Kind, job: str, peer: str, body: dict[str, Any]) -> bytes:
    """Return a signed message of this node to one friend about one job, good from now for an hour."""
    now = desk.clock()
    message = SignedMessage(
        type=kind,
        job_id=job,
        sender=desk.node_id,
        recipient=peer,
        not_before=now,
        not_after=now + limits.OFFER_SECONDS,
        nonce=desk.random(16).hex(),
        body=body,
    )
    return sign_message(message, desk.statement_key)
