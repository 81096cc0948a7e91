"""What a builder's owner is told of verdicts against his own node's results, as it reads friends' logs."""

from collections.abc import Callable

from f2fbuild.api import replies
from f2fbuild.audit.contradicted import contradiction
from f2fbuild.audit.findings import Findings
from f2fbuild.audit.found import CONTRADICTED, Finding, Found
from f2fbuild.errors import F2FError
from f2fbuild.jobs.offer import stored_offer
from f2fbuild.jobs.tasks import Task, Tasks
from f2fbuild.model import statement as statements
from f2fbuild.model.digest import sha256_hex
from f2fbuild.model.friend import Friend
from f2fbuild.model.outcome import result_digest
from f2fbuild.model.summary import decode_summary
from f2fbuild.model.verdict import VerdictKind
from f2fbuild.node.views import outcome_word, products_view


class Disputes:
    """Verdicts against this node's own results."""

    def __init__(self, tasks: Tasks, findings: Findings, products: Callable[[str], bytes | None]) -> None:
        """Look at own `tasks`; `products` returns a list of products by its digest, if it is here."""
        self._tasks = tasks
        self._findings = findings
        self._products = products

    def heard(self, friend: Friend, payload: bytes) -> None:
        """Take a verdict in a friend's log: if it is on a result of this node for his job, say so once."""
        summary = decode_summary(payload)
        job = sha256_hex(summary.order.encode())
        task = self._tasks.get(job)
        if task is None or task.submitter != friend.node_id or task.outcome_index is None:
            return
        built = self._built(task)
        words = contradiction(summary, built.result) if built else ""
        if words:
            title = stored_offer(task.offer).title
            self._findings.record(
                Found(
                    kind=CONTRADICTED,
                    owner="",
                    node="",
                    evidence=b"",
                    detail=f"this node's result of {title} for {friend.name} {words}",
                    origin=friend.vkey.partition("+")[0],
                    subject=f"{job} {summary.figures.kind}",
                )
            )

    def list(self) -> list[replies.Divergence]:
        """Return what was found as it is told, oldest first."""
        return [
            self._told(one, *one.subject.split()) for one in self._findings.list() if one.kind == CONTRADICTED
        ]

    def _told(self, found: Finding, job: str, kind: str) -> replies.Divergence:
        task = self._tasks.get(job)
        built = self._built(task) if task else None
        groups: tuple[replies.DivergenceGroup, ...] = ()
        if built:
            own = replies.DivergenceGroup(
                result=result_digest(built.result),
                owners=("this node",),
                outcome=outcome_word(built.result),
                products=products_view(built.result, verified=True),
                environment={},
            )
            groups = (own,)
        return replies.Divergence(
            job=job,
            title=found.detail,
            verdict=VerdictKind(kind),
            environment_differences=(),
            groups=groups,
            differing=(),
            evidence=(),
        )

    def _built(self, task: Task) -> statements.BuildStatement | None:
        """Return what this node signed for, None when its list of products is gone."""
        try:
            digest = statements.products_blob(task.result or b"")
            products = self._products(digest) if digest else b""
            return None if products is None else statements.decode(task.result or b"", products)
        except F2FError:
            return None
