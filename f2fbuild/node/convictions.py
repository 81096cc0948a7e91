"""What follows here for an owner whose log tells two stories: no offers, no votes, and everybody sees why.

A conviction holds for the owner, over all nodes and epochs: a liar does not escape by a new log. It rests on
evidence that was checked and is kept; what was decided before stays as it was told.
"""

from dataclasses import replace

import msgspec

from f2fbuild.api import replies
from f2fbuild.audit.findings import Findings
from f2fbuild.model.friend import Friend
from f2fbuild.model.vote import Ballot


class Convictions:
    """The owners found to tell two stories, as this node's findings prove it."""

    def __init__(self, findings: Findings) -> None:
        """Look at `findings` whenever asked."""
        self._findings = findings

    def evidence(self, *, owner: str, origin: str) -> str:
        """Return the file that convicts this owner or log, nothing when there is none."""
        found = self._findings.fork_of(origin=origin, owner=owner)
        return found.evidence if found else ""

    def of(self, friend: Friend) -> str:
        """Return the file that convicts a friend, nothing when there is none."""
        return self.evidence(owner=friend.owner, origin=friend.vkey.partition("+")[0])

    def ballot(self, ballot: Ballot) -> Ballot:
        """Return a ballot on which the votes of the convicted are marked."""
        votes = tuple(
            replace(vote, forked=bool(self.evidence(owner=vote.owner, origin=vote.origin)))
            for vote in ballot.votes
        )
        return replace(ballot, votes=votes)

    def job(self, view: replies.Job) -> replies.Job:
        """Return a job as it is told, its convicted builders marked."""
        told = tuple(
            msgspec.structs.replace(one, forked=self.evidence(owner=one.owner, origin=one.origin))
            for one in view.assignments
        )
        return msgspec.structs.replace(view, assignments=told)
