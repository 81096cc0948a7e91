"""The tables of states, cell by cell."""

import pytest

from f2fbuild.errors import LocalProtocolError
from f2fbuild.jobs.lifecycle import (
    ASSIGNMENT,
    JOB,
    OPEN,
    AssignmentEvent,
    JobEvent,
    ending,
    final,
    mermaid,
    next_assignment_state,
    next_job_state,
)
from f2fbuild.model.job import AssignmentState, JobState
from f2fbuild.model.verdict import FINAL_STATE

# For each state: the events that may happen to it, and where each leads.
JOB_TABLE = """
blocked: unblock=queued cancel=cancelled expire=expired
queued: start=running cancel=cancelled expire=expired
running: succeed=succeeded fail=failed give-back=gaveback cancel=cancelled expire=expired
succeeded:
failed:
gaveback:
cancelled:
expired:
"""
ASSIGNMENT_TABLE = """
offered: accept=accepted refuse=refused lose=lost cancel=cancelled
refused: offer=offered
accepted: prepare=preparing build=building verify=verifying commit=committed
accepted: reveal=done lose=lost cancel=cancelled
preparing: build=building verify=verifying commit=committed reveal=done lose=lost cancel=cancelled
building: verify=verifying commit=committed reveal=done lose=lost cancel=cancelled
verifying: commit=committed reveal=done lose=lost cancel=cancelled
committed: reveal=done lose=lost cancel=cancelled
lost: reveal=done
done:
cancelled:
"""


def _parse(text: str) -> dict[tuple[str, str], str]:
    table = {}
    for line in text.strip().splitlines():
        state, _, cells = line.partition(":")
        for cell in cells.split():
            event, _, target = cell.partition("=")
            table[state, event] = target
    return table


@pytest.mark.parametrize("state", JobState)
@pytest.mark.parametrize("event", JobEvent)
def test_every_cell_of_the_job_table(state: JobState, event: JobEvent) -> None:
    target = _parse(JOB_TABLE).get((state, event))
    if target is not None:
        assert next_job_state(state, event) == target
        return
    with pytest.raises(LocalProtocolError) as caught:
        next_job_state(state, event)
    assert str(state) in str(caught.value)
    assert str(event) in str(caught.value)


@pytest.mark.parametrize("state", AssignmentState)
@pytest.mark.parametrize("event", AssignmentEvent)
def test_every_cell_of_the_assignment_table(state: AssignmentState, event: AssignmentEvent) -> None:
    target = _parse(ASSIGNMENT_TABLE).get((state, event))
    if target is not None:
        assert next_assignment_state(state, event) == target
        return
    with pytest.raises(LocalProtocolError) as caught:
        next_assignment_state(state, event)
    assert str(state) in str(caught.value)
    assert str(event) in str(caught.value)


def test_the_tables_have_a_row_for_every_state() -> None:
    assert set(JOB) == set(JobState)
    assert set(ASSIGNMENT) == set(AssignmentState)


def test_final_states() -> None:
    assert final(JOB) == {
        JobState.SUCCEEDED,
        JobState.FAILED,
        JobState.GAVEBACK,
        JobState.CANCELLED,
        JobState.EXPIRED,
    }
    assert final(ASSIGNMENT) == {AssignmentState.DONE, AssignmentState.CANCELLED}


def test_every_state_can_be_reached_and_every_walk_ends() -> None:
    reached = {JobState.BLOCKED}
    for _ in JobState:
        reached |= {target for state in reached for target in JOB[state].values()}
    assert reached == set(JobState)
    assert not any(state in reached_from(state) for state in JobState)


def reached_from(state: JobState) -> set[JobState]:
    found = set(JOB[state].values())
    for _ in JobState:
        found |= {target for one in found for target in JOB[one].values()}
    return found


def test_an_open_assignment_can_be_lost_and_cancelled() -> None:
    losing = {state for state, row in ASSIGNMENT.items() if AssignmentEvent.LOSE in row}
    assert losing == OPEN
    assert {state for state, row in ASSIGNMENT.items() if AssignmentEvent.CANCEL in row} == OPEN


@pytest.mark.parametrize("state", [*final(JOB)])
def test_a_running_job_can_end_in_every_final_state(state: JobState) -> None:
    assert next_job_state(JobState.RUNNING, ending(state)) is state


def test_every_verdict_has_an_end() -> None:
    assert {next_job_state(JobState.RUNNING, ending(state)) for state in FINAL_STATE.values()} <= final(JOB)


def test_the_diagram_is_drawn_from_the_table() -> None:
    lines = mermaid(JOB).splitlines()
    assert lines[0] == "stateDiagram-v2"
    assert "    queued --> running: start" in lines
    assert "    gaveback --> [*]" in lines
    assert len(lines) == 1 + sum(len(row) or 1 for row in JOB.values())
    arrows = {tuple(line.split()) for line in mermaid(ASSIGNMENT).splitlines()[1:]}
    drawn = {(arrow[0], arrow[3]): arrow[2].rstrip(":") for arrow in arrows if len(arrow) == 4}
    assert drawn == _parse(ASSIGNMENT_TABLE)
