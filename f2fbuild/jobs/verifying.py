"""A revealed outcome is checked and its products are recomputed from bytes before they count as verified.

No bytes are trusted because somebody sent a hash: every product is fetched from the builder that claims it
(or is here already under the same SHA-256) and goes through the same digests as an own build.
"""

import json

from f2fbuild import limits
from f2fbuild.errors import F2FError, FormatError, RemoteProtocolError
from f2fbuild.jobs.challenging import Challenging
from f2fbuild.jobs.desk import Desk
from f2fbuild.jobs.friends import BROKEN, NotGivenError
from f2fbuild.jobs.lifecycle import AssignmentEvent, next_assignment_state
from f2fbuild.jobs.queue import Assignment, Job
from f2fbuild.jobs.receipts import (
    Promise,
    check_acceptance,
    check_commitment,
    check_outcome,
    opens,
    outcome_statement,
)
from f2fbuild.ledger.commitment import salted
from f2fbuild.ledger.proof import parse_proof
from f2fbuild.model import canonical
from f2fbuild.model import statement as statements
from f2fbuild.model.friend import Friend
from f2fbuild.model.outcome import Succeeded, result_digest
from f2fbuild.model.statement import BuildStatement
from f2fbuild.model.vote import Strike


class Verifying:
    """Brings an assignment with an outcome to `done`."""

    def __init__(self, desk: Desk) -> None:
        """Work with the desk's rows, blobs and engine."""
        self._desk = desk
        self._challenging = Challenging(desk)

    async def verify(self, job: Job, assignment: Assignment, friend: Friend) -> None:
        """Check the outcome, fetch its products, recompute them; the row then says what was found.

        Raises:
            FormatError, LedgerError: the outcome does not keep the builder's promise.
            LinkClosedError, ExchangeResetError, NotConnectedError: the builder went away; to be tried again.
            F2FError: this node could not look at the products.
        """
        promise = check_acceptance(
            friend,
            assignment.acceptance or b"",
            assignment.receipt or b"",
            job=job.id,
            build_key=job.order.build_key,
        )
        entry, proof = assignment.ending or b"", assignment.ending_proof or b""
        payload = outcome_statement(friend, entry, proof)
        built = check_outcome(friend, payload, await self._products_list(payload, friend), promise)
        fault = await self._recompute(built, friend) or await self._challenging.holds(job.id, friend, built)
        withheld = (Strike.WITHHELD,) if fault else ()
        await self._challenging.check(self._desk.queue.assignment(job.id, friend.node_id), friend, built)
        told = self._desk.queue.assignment(job.id, friend.node_id)
        self._desk.queue.advance(
            job.id,
            friend.node_id,
            self._desk.clock(),
            state=next_assignment_state(assignment.state, AssignmentEvent.REVEAL),
            result=result_digest(built.result),
            verified=not fault,
            strikes=(*self._uncommitted(assignment, friend, promise, built), *withheld, *told.strikes),
            facts=await self._facts(built, assignment, friend),
            detail=(fault or (told.detail if told.strikes else ""))[: limits.MESSAGE_TEXT],
        )
        self._desk.changes.notify(job.id)

    async def _products_list(self, payload: bytes, friend: Friend) -> bytes:
        digest = statements.products_blob(payload)
        if not digest:
            return b""
        await self._desk.friends.fetch(friend.node_id, digest, limits.PRODUCTS_LIST_BYTES)
        return self._desk.blobs.read(digest, limits.PRODUCTS_LIST_BYTES)

    async def _recompute(self, built: BuildStatement, friend: Friend) -> str:
        """Return "" when the builder's bytes give the digests that it signed, else what is wrong."""
        if not isinstance(built.result, Succeeded):
            return ""
        try:
            files = {
                p.name: await self._desk.friends.fetch(friend.node_id, p.sha256, p.size)
                for p in built.result.products
            }
            found = await self._desk.engine.digest(files, built.definition)
        except (NotGivenError, RemoteProtocolError, FormatError) as error:
            # The builder's doing; a full disk or a sandbox that fails here is ours, and is raised.
            return f"its products cannot be counted: {error}"
        same = sorted(found, key=lambda p: p.name) == sorted(built.result.products, key=lambda p: p.name)
        return "" if same else "its products have other digests than it signed"

    def _uncommitted(
        self, assignment: Assignment, friend: Friend, promise: Promise, built: BuildStatement
    ) -> tuple[Strike, ...]:
        """Return why the outcome is not one that its builder had committed to in time, nothing when it is."""
        if assignment.commitment is None or assignment.commitment_proof is None:
            return (Strike.LATE,)
        commitment = check_commitment(friend, assignment.commitment, assignment.commitment_proof, promise)
        outcome = parse_proof(assignment.ending_proof or b"").index
        if parse_proof(assignment.commitment_proof).index > outcome:
            return (Strike.LATE,)
        if not opens(commitment, built, promise):
            return (Strike.UNOPENED,)
        return (Strike.BEHIND,) if assignment.behind and self._could_be_read(assignment, built) else ()

    def _could_be_read(self, assignment: Assignment, built: BuildStatement) -> bool:
        """Return whether another builder's result, out already, is the same: who contradicts did not copy."""
        others = self._desk.queue.assignments(assignment.job)
        known = {one.result for one in others if one.out and one.owner != assignment.owner}
        return bool(known & {result_digest(built.result), ""})

    async def _facts(self, built: BuildStatement, assignment: Assignment, friend: Friend) -> str:
        """Return the host facts that the builder declares, as JSON; nothing when it keeps them to itself."""
        known = {built.log, statements.products_blob(statements.encode(built).payload)}
        if isinstance(built.result, Succeeded):
            known |= {product.sha256 for product in built.result.products}
        for digest in [digest for digest in assignment.attachments if digest not in known][:1]:
            try:
                path = await self._desk.friends.fetch(friend.node_id, digest, limits.DETAILS_BYTES)
                return _read_facts(path.read_bytes(), built.details)
            except BROKEN:
                raise
            except F2FError:
                return "{}"
        return "{}"


def _read_facts(blob: bytes, salted_hash: str) -> str:
    details = canonical.decode(blob, where="details")
    try:
        salts = bytes.fromhex(details["salts"])
        facts = {str(key): str(value) for key, value in details["facts"].items()}
        facts["environment"] = str(details["environment"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError("not the details of a build", where="details") from error
    if salted(salts[:32], blob) != salted_hash:
        raise FormatError("not the details that the statement names", where="details")
    return json.dumps(facts)
