"""The submitter challenges a builder, at any time between its commitment and the end of its products.

An answer is checked at once when the bytes are here, and as soon as they are when it came before the reveal.
Of every result that is counted one challenge is made unasked (`holds`): the same bytes may have been fetched
from another builder, which would hide that this one has none to hand over.
"""

import trio

from f2fbuild import limits
from f2fbuild.errors import F2FError, RemoteProtocolError, UsageError
from f2fbuild.jobs.ballots import statement_of
from f2fbuild.jobs.challenges import TOO_OFTEN, challenged, hash_files
from f2fbuild.jobs.desk import Desk
from f2fbuild.jobs.friends import NotGivenError
from f2fbuild.jobs.queue import Assignment, Job
from f2fbuild.model.friend import Friend
from f2fbuild.model.job import AssignmentState
from f2fbuild.model.statement import BuildStatement
from f2fbuild.model.vote import ChallengeState, Strike
from f2fbuild.net.exchange import PeerFailureError
from f2fbuild.net.messages import Challenge, ChallengeAnswered

_MAY_BE = (AssignmentState.COMMITTED, AssignmentState.DONE)


class ChallengeFailedError(F2FError):
    """A builder does not show that it holds what it signed for."""


class ChallengedTooOftenError(ChallengeFailedError):
    """A builder has answered enough for a day."""


class Challenging:
    """Challenges builders, and checks their answers."""

    def __init__(self, desk: Desk) -> None:
        """Work with the desk's rows, blobs and friends."""
        self._desk = desk

    async def challenge(self, job: Job, peer: str) -> None:
        """Challenge one builder; its row says what came of it.

        Raises:
            UsageError: it has not committed to a result, is no friend any more, or was asked too often.
            LinkClosedError, ExchangeResetError, NotConnectedError: it went away; to be asked again.
        """
        assignment, friend = self._desk.queue.assignment(job.id, peer), self._desk.friends.find(peer)
        if friend is None or assignment.state not in _MAY_BE:
            what = f"has no result to be challenged, or is gone: {assignment.state}"
            raise UsageError(what, where=friend.name if friend else peer[:8])
        if self._desk.clock() > max(job.order.created, job.order.reveal_by) + limits.ARTIFACT_DAYS * 86_400:
            raise UsageError(f"products are kept for {limits.ARTIFACT_DAYS} days", where=friend.name)
        nonce = self._desk.random(32)
        self._keep(job.id, peer, nonce=nonce, answer="", challenge=ChallengeState.ASKED)
        try:
            answer = await self._ask(job.id, friend, nonce)
        except ChallengedTooOftenError as error:
            self._keep(
                job.id, peer, challenge=assignment.challenge, nonce=assignment.nonce, answer=assignment.answer
            )
            raise UsageError(error.what, where=friend.name, hint="try again tomorrow") from error
        except ChallengeFailedError as error:
            self._fail(job.id, peer, str(error))
            return
        self._keep(job.id, peer, answer=answer, challenge=ChallengeState.ANSWERED)
        if assignment.state is AssignmentState.DONE:
            built = statement_of(assignment, self._desk.blobs)
            await self.check(self._desk.queue.assignment(job.id, peer), friend, built)

    async def check(self, assignment: Assignment, friend: Friend, built: BuildStatement) -> None:
        """Compare an answer that came earlier with the bytes, which are fetched if they are not here."""
        if assignment.challenge is not ChallengeState.ANSWERED:
            return
        try:
            expected = await self._expect(friend, built, assignment.nonce or b"")
        except (NotGivenError, RemoteProtocolError) as error:
            self._fail(assignment.job, assignment.peer, f"its bytes cannot be had: {error}")
            return
        if expected == assignment.answer:
            self._keep(assignment.job, assignment.peer, challenge=ChallengeState.PASSED)
        else:
            self._fail(assignment.job, assignment.peer, "its answer is not the hash of what it signed")

    async def holds(self, job: str, friend: Friend, built: BuildStatement) -> str:
        """Return "" when the builder itself holds the bytes that it signed for, else what is wrong."""
        nonce = self._desk.random(32)
        try:
            expected = await self._expect(friend, built, nonce)
            answer = await self._ask(job, friend, nonce)
        except (NotGivenError, RemoteProtocolError, ChallengeFailedError) as error:
            return f"it does not hold what it signed for: {error}"
        return "" if answer == expected else "it holds other bytes than it signed for"

    async def _ask(self, job: str, friend: Friend, nonce: bytes) -> str:
        with trio.move_on_after(limits.CHALLENGE_SECONDS):
            try:
                request = Challenge(job_id=job, nonce=nonce)
                async with await self._desk.friends.call(friend.node_id, request) as exchange:
                    return (await exchange.expect(ChallengeAnswered)).digest
            except PeerFailureError as error:
                kind = ChallengedTooOftenError if error.code == TOO_OFTEN else ChallengeFailedError
                raise kind(error.what, where=friend.name) from error
            except RemoteProtocolError as error:
                raise ChallengeFailedError(error.what, where=friend.name) from error
        raise ChallengeFailedError("no answer to a challenge", where=friend.name)

    async def _expect(self, friend: Friend, built: BuildStatement, nonce: bytes) -> str:
        sizes = {product.sha256: product.size for product in getattr(built.result, "products", ())}
        files = [
            (
                digest,
                await self._desk.friends.fetch(
                    friend.node_id, digest, sizes.get(digest, limits.LOG_BLOB_BYTES)
                ),
            )
            for digest in challenged(built)
        ]
        return await trio.to_thread.run_sync(hash_files, nonce, files)

    def _fail(self, job: str, peer: str, why: str) -> None:
        strikes = {*self._desk.queue.assignment(job, peer).strikes, Strike.CHALLENGE_FAILED}
        ordered = tuple(strike for strike in Strike if strike in strikes)
        detail = why[: limits.MESSAGE_TEXT]
        self._keep(job, peer, challenge=ChallengeState.FAILED, strikes=ordered, detail=detail)

    def _keep(self, job: str, peer: str, **columns: object) -> None:
        self._desk.queue.advance(job, peer, self._desk.clock(), **columns)
        self._desk.changes.notify(job)
