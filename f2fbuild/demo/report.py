"""What the demonstration showed, as one JSON object of schema `f2fbuild.demo/1`."""

from typing import Any

from f2fbuild.api import replies
from f2fbuild.demo.story import Outcome

SCHEMA = "f2fbuild.demo/1"


def report(outcome: Outcome) -> dict[str, Any]:
    """Return the object: jobs, who was caught and refused, and the logs to check."""
    return {
        "schema": SCHEMA,
        "jobs": [_job(job) for job in outcome.jobs],
        "caught": [
            {"owner": one.owner, "node": one.node, "evidence": one.evidence} for one in outcome.caught
        ],
        "refused": [{"peer": peer, "reason": reason} for peer, reason in outcome.refused],
        "logs": [
            {
                "origin": log.origin,
                "vkey": log.vkey,
                "statement_key": log.statement_key,
                "path": log.path,
            }
            for log in outcome.logs
        ],
    }


def _job(job: replies.Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "format": job.format,
        "source": job.title,
        "verdict": str(job.verdict.kind) if job.verdict else "",
        "agree": job.verdict.agree if job.verdict else 0,
        "builders": [_builder(one) for one in job.assignments],
    }


def _builder(one: replies.Assignment) -> dict[str, Any]:
    products = [
        {"name": product.name, "sha256": product.sha256, "canonical": product.canonical}
        for product in one.products
    ]
    return {
        "owner": one.owner,
        "node": one.node,
        "outcome": one.outcome,
        "products": products,
        "log": one.origin,
        "index": one.index,
    }
