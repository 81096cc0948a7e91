"""Where a job and each of its assignments can be, as two tables.

A row is a state, a column an event, the cell the next state; an empty cell is a bug of ours. States that no
event leaves are final. A job ends once; what the ledger says of it afterwards is its verdict, and changes no
state. An assignment goes forward only, but may skip what its builder did not report: `failed in deps` comes
without `building`. A refused one may be offered again (the builder was busy), and a lost one may still end
with a result, which is then compared like any other.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeAlias, TypeVar

from f2fbuild.errors import LocalProtocolError
from f2fbuild.model.job import AssignmentState, JobState


class JobEvent(StrEnum):
    """What happens to a job."""

    UNBLOCK = "unblock"
    START = "start"
    SUCCEED = "succeed"
    FAIL = "fail"
    GIVE_BACK = "give-back"
    CANCEL = "cancel"
    EXPIRE = "expire"


class AssignmentEvent(StrEnum):
    """What happens to an assignment."""

    OFFER = "offer"
    REFUSE = "refuse"
    ACCEPT = "accept"
    PREPARE = "prepare"
    BUILD = "build"
    VERIFY = "verify"
    COMMIT = "commit"
    REVEAL = "reveal"
    LOSE = "lose"
    CANCEL = "cancel"


_State = TypeVar("_State", JobState, AssignmentState)
_Event = TypeVar("_Event", JobEvent, AssignmentEvent)
Table: TypeAlias = Mapping[_State, Mapping[_Event, _State]]

JOB: Table[JobState, JobEvent] = {
    JobState.BLOCKED: {
        JobEvent.UNBLOCK: JobState.QUEUED,
        JobEvent.CANCEL: JobState.CANCELLED,
        JobEvent.EXPIRE: JobState.EXPIRED,
    },
    JobState.QUEUED: {
        JobEvent.START: JobState.RUNNING,
        JobEvent.CANCEL: JobState.CANCELLED,
        JobEvent.EXPIRE: JobState.EXPIRED,
    },
    JobState.RUNNING: {
        JobEvent.SUCCEED: JobState.SUCCEEDED,
        JobEvent.FAIL: JobState.FAILED,
        JobEvent.GIVE_BACK: JobState.GAVEBACK,
        JobEvent.CANCEL: JobState.CANCELLED,
        JobEvent.EXPIRE: JobState.EXPIRED,
    },
    JobState.SUCCEEDED: {},
    JobState.FAILED: {},
    JobState.GAVEBACK: {},
    JobState.CANCELLED: {},
    JobState.EXPIRED: {},
}
"""A job runs from its first acceptance on."""

_ENDS: Mapping[AssignmentEvent, AssignmentState] = {
    AssignmentEvent.REVEAL: AssignmentState.DONE,
    AssignmentEvent.LOSE: AssignmentState.LOST,
    AssignmentEvent.CANCEL: AssignmentState.CANCELLED,
}
_COMMITS: Mapping[AssignmentEvent, AssignmentState] = {
    AssignmentEvent.COMMIT: AssignmentState.COMMITTED,
    **_ENDS,
}
_VERIFIES: Mapping[AssignmentEvent, AssignmentState] = {
    AssignmentEvent.VERIFY: AssignmentState.VERIFYING,
    **_COMMITS,
}
_BUILDS: Mapping[AssignmentEvent, AssignmentState] = {
    AssignmentEvent.BUILD: AssignmentState.BUILDING,
    **_VERIFIES,
}

ASSIGNMENT: Table[AssignmentState, AssignmentEvent] = {
    AssignmentState.OFFERED: {
        AssignmentEvent.ACCEPT: AssignmentState.ACCEPTED,
        AssignmentEvent.REFUSE: AssignmentState.REFUSED,
        AssignmentEvent.LOSE: AssignmentState.LOST,
        AssignmentEvent.CANCEL: AssignmentState.CANCELLED,
    },
    AssignmentState.REFUSED: {AssignmentEvent.OFFER: AssignmentState.OFFERED},
    AssignmentState.ACCEPTED: {AssignmentEvent.PREPARE: AssignmentState.PREPARING, **_BUILDS},
    AssignmentState.PREPARING: _BUILDS,
    AssignmentState.BUILDING: _VERIFIES,
    AssignmentState.VERIFYING: _COMMITS,
    AssignmentState.COMMITTED: _ENDS,
    AssignmentState.LOST: {AssignmentEvent.REVEAL: AssignmentState.DONE},
    AssignmentState.DONE: {},
    AssignmentState.CANCELLED: {},
}
"""An outcome may come without its commitment: it is then shown, and is no vote (`audit.compare`)."""

OPEN = frozenset(
    {
        AssignmentState.OFFERED,
        AssignmentState.ACCEPTED,
        AssignmentState.PREPARING,
        AssignmentState.BUILDING,
        AssignmentState.VERIFYING,
        AssignmentState.COMMITTED,
    }
)
"""Assignments whose builder may still answer, so that nobody else is asked in its place."""

_ENDINGS: Mapping[JobState, JobEvent] = {
    JobState.SUCCEEDED: JobEvent.SUCCEED,
    JobState.FAILED: JobEvent.FAIL,
    JobState.GAVEBACK: JobEvent.GIVE_BACK,
    JobState.CANCELLED: JobEvent.CANCEL,
    JobState.EXPIRED: JobEvent.EXPIRE,
}


def next_job_state(state: JobState, event: JobEvent) -> JobState:
    """Return where the event takes a job.

    Raises:
        LocalProtocolError: it cannot happen in this state.
    """
    return _step(JOB, state, event)


def next_assignment_state(state: AssignmentState, event: AssignmentEvent) -> AssignmentState:
    """Return where the event takes an assignment.

    Raises:
        LocalProtocolError: it cannot happen in this state. What a peer reports is asked of the table first.
    """
    return _step(ASSIGNMENT, state, event)


def final(table: Table[_State, _Event]) -> frozenset[_State]:
    """Return the states that nothing leaves."""
    return frozenset(state for state, row in table.items() if not row)


def ending(state: JobState) -> JobEvent:
    """Return the event that ends a job in this final state."""
    return _ENDINGS[state]


def mermaid(table: Table[_State, _Event]) -> str:
    """Return the table as a Mermaid state diagram, for the documentation."""
    lines = ["stateDiagram-v2"]
    for state, row in table.items():
        lines += [f"    {state} --> {target}: {event}" for event, target in row.items()]
        if not row:
            lines.append(f"    {state} --> [*]")
    return "\n".join(lines) + "\n"


def _step(table: Table[_State, _Event], state: _State, event: _Event) -> _State:
    target = table[state].get(event)
    if target is None:
        raise LocalProtocolError(f"`{event}` cannot happen to what is {state}", where="lifecycle")
    return target
