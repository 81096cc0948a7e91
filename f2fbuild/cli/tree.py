"""How a job looks on a screen: its builders as a tree, its verdict as one line."""

from rich.console import Group
from rich.text import Text
from rich.tree import Tree

from f2fbuild.api.replies import Assignment, Job
from f2fbuild.cli.output import printable
from f2fbuild.model.job import AssignmentState, JobState
from f2fbuild.model.verdict import VerdictKind

_MARKS = {
    AssignmentState.DONE: "\u2714",
    AssignmentState.REFUSED: "\u2718",
    AssignmentState.LOST: "\u2718",
    AssignmentState.CANCELLED: "\u2718",
}
_GOING_ON = {JobState.QUEUED, JobState.BLOCKED, JobState.RUNNING}


def tree(job: Job) -> Group:
    """Return the live picture of a job."""
    root = Tree(Text(f"{job.short} {printable(job.title)}"))
    for assignment in job.assignments:
        root.add(Text(_assignment(assignment, job)))
    return Group(root, Text(verdict_line(job)))


def summary(job: Job) -> list[str]:
    """Return a job as plain lines; a line changes when something happened."""
    builders = [f"{job.short} {_state(assignment, job)}" for assignment in job.assignments]
    return [*builders, verdict_line(job)]


def verdict_line(job: Job) -> str:
    """Return the line that says how a job stands: state, verdict, numbers, result, and who dissents."""
    words = [job.short, printable(job.title), str(job.state)]
    verdict = job.verdict
    if verdict is not None and job.state not in _GOING_ON:
        words.append(f"{verdict.kind} {verdict.agree}/{verdict.denominator} ({verdict.verified} verified)")
        if verdict.result:
            words.append(f"{job.arch}={verdict.result[:12]}")
        if verdict.accuses:
            words.append(f"contradicted: {', '.join(verdict.accuses)}")
        if verdict.struck:
            words.append(f"no vote: {', '.join(verdict.struck)}")
    if job.reason:
        words.append(f"({printable(job.reason)})")
    return "  ".join(words)


def dissents(job: Job) -> list[str]:
    """Return a line for each builder whose result is another than what enough others agreed on.

    Accused it may not be: that takes a tie-breaker, and there may have been none to ask.
    """
    if job.verdict is None or job.verdict.kind is not VerdictKind.DISPUTED:
        return []
    against = [one for one in job.assignments if one.result and one.result != job.verdict.result]
    return [f"dissent  {_state(one, job)}" for one in against]


def _assignment(assignment: Assignment, job: Job) -> str:
    line = _state(assignment, job)
    if assignment.last_line and assignment.state is AssignmentState.BUILDING:
        line += f"   {printable(assignment.last_line)[:60]}"
    return line


def _state(assignment: Assignment, job: Job) -> str:
    mark = _MARKS.get(assignment.state, "\u23f5")
    who = printable(f"{assignment.alias}@{assignment.node}")
    said = assignment.outcome or str(assignment.state)
    result = f"  result {assignment.result[:12]}" if assignment.result else ""
    struck = f"  no vote: {', '.join(assignment.strikes)}" if assignment.strikes else ""
    if assignment.challenge:
        struck += f"  challenge {assignment.challenge}"
    detail = f"  {printable(assignment.detail)}" if assignment.detail else ""
    against = job.verdict is not None and assignment.owner in job.verdict.accuses
    return f"{who:<20} {mark} {said}{result}{struck}{detail}{'  contradicts the others' if against else ''}"
