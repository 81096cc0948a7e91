"""What an auditor's node does not do: it keeps logs and evidence, and has no part in jobs or artifacts.

Every request, friends' and the owner's, stands in one of two lists here, so that a new one cannot be
forgotten. What the node promised before it became an auditor it still keeps: acceptances are closed at start.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from f2fbuild.api import requests
from f2fbuild.errors import RefusedError
from f2fbuild.jobs.engine import BuildOrder, BuildReport, Prepared, Progress
from f2fbuild.model.job import BuildDefinition
from f2fbuild.model.outcome import Product
from f2fbuild.net import ledger_messages, messages
from f2fbuild.net.exchange import Exchange
from f2fbuild.net.messages import Failure, OfferRefused, Request
from f2fbuild.node.exchanges import Exchanges

WORD = "auditor-node"
"""The reason on the wire."""
_RULE = 'node.role = "auditor"'
_WHY = "this node keeps logs and evidence, and takes no part in jobs or artifacts"

JOBS_AND_ARTIFACTS: frozenset[type[Request]] = frozenset(
    {
        messages.OfferJob,
        messages.FollowJob,
        messages.ShowCommitments,
        messages.Challenge,
        messages.CancelJob,
        messages.WantBlob,
        messages.HaveBlobs,
    }
)
"""What friends may not ask of an auditor."""
LOGS_AND_NEWS: frozenset[type[Request]] = frozenset(
    {
        ledger_messages.GetHead,
        ledger_messages.GetLogResource,
        ledger_messages.AnnounceHead,
        messages.Refuse,
        ledger_messages.ShowEvidence,
        ledger_messages.RenewCertificate,
        ledger_messages.AddCosignatures,
        ledger_messages.SwapHeads,
        ledger_messages.TuneHeads,
        ledger_messages.GetConsistency,
    }
)
"""What an auditor answers as every node does."""
OWNERS_JOBS: frozenset[type[requests.Request]] = frozenset(
    {requests.Submit, requests.ChallengeJob, requests.RetryJob, requests.Download}
)
"""What its owner may not ask of it."""


def refuse_friend(request: Request) -> OfferRefused | Failure | None:
    """Return how an auditor refuses a friend's request, None when it answers it."""
    if isinstance(request, messages.OfferJob):
        return OfferRefused(reason=WORD, rule=_RULE, detail=_WHY)
    return Failure(code=WORD, detail=_WHY) if type(request) in JOBS_AND_ARTIFACTS else None


def check_owner(request: requests.Request) -> None:
    """Return when an auditor does what its owner asks.

    Raises:
        RefusedError: it is about jobs or artifacts.
    """
    if type(request) in OWNERS_JOBS:
        _refuse()


class AuditorExchanges(Exchanges):
    """Answers friends as an auditor does."""

    async def serve(self, peer: str, request: Request, exchange: Exchange) -> None:
        """Answer one request of a friend, or refuse it with its reason."""
        refused = refuse_friend(request)
        if refused is None:
            await super().serve(peer, request, exchange)
        else:
            await exchange.send(refused)


class NoEngine:
    """The engine of an auditor's node: it builds nothing. Fulfils `jobs.engine.Engine`."""

    async def prepare(self, target: str, source: Path) -> Prepared:
        """Refuse."""
        _refuse()

    def target_for(self, definition: BuildDefinition) -> str | None:
        """There is no target here."""
        return None

    async def build(self, order: BuildOrder, progress: Progress) -> BuildReport:
        """Refuse."""
        _refuse()

    async def digest(self, files: Mapping[str, Path], definition: BuildDefinition) -> tuple[Product, ...]:
        """Refuse."""
        _refuse()


def _refuse() -> NoReturn:
    raise RefusedError(_WHY, where=_RULE, hint="ask one of your other nodes, or change config.toml")
