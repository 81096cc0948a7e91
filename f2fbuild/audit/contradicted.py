"""Whether a submitter's verdict contradicts the result that this node gave: the owner is told first."""

from f2fbuild.model.outcome import Result, Succeeded
from f2fbuild.model.subject import Subject, agreed_subjects
from f2fbuild.model.summary import Summary
from f2fbuild.model.verdict import VerdictKind

_OPEN = (VerdictKind.DIVERGED, VerdictKind.EQUIVALENT)
"""Verdicts under which builders differ and nobody knows who is right."""


def contradiction(summary: Summary, own: Result) -> str:
    """Return in words how a verdict contradicts one's `own` result for its job, nothing when it does not."""
    figures = summary.figures
    if figures.kind in _OPEN:
        return f"is one of several that differ, and not enough agree ({figures.kind})"
    if not summary.passed or _is_agreed(summary.subjects, own):
        return ""
    return f"is another than that of {figures.agree} owners of {figures.denominator} who agreed"


def _is_agreed(subjects: tuple[Subject, ...], own: Result) -> bool:
    if not isinstance(own, Succeeded):
        return False
    agreed = {one.name: one.canonical or one.sha256 for one in subjects}
    mine = {one.name: one.canonical or one.sha256 for one in agreed_subjects([own])}
    return agreed == mine
