"""The calls of the API by name, and the request that each takes."""

from f2fbuild.api import requests
from f2fbuild.api.requests import Request

CALLS: dict[str, type[Request]] = {
    "status": requests.GetStatus,
    "protections": requests.GetProtections,
    "certificate-renew": requests.TakeRenewal,
    "card": requests.GetCard,
    "peer-add": requests.AddPeer,
    "peer-show": requests.GetPeer,
    "peer-remove": requests.RemovePeer,
    "peer-list": requests.ListPeers,
    "trust-explain": requests.ExplainTrust,
    "target-list": requests.ListTargets,
    "target-show": requests.GetTarget,
    "target-add": requests.AddTarget,
    "submit": requests.Submit,
    "job-show": requests.GetJob,
    "job-cancel": requests.CancelJob,
    "job-challenge": requests.ChallengeJob,
    "job-retry": requests.RetryJob,
    "job-explain": requests.ExplainJob,
    "job-list": requests.ListJobs,
    "download": requests.Download,
    "divergence-list": requests.ListDivergences,
    "divergence-show": requests.GetDivergence,
    "log-list": requests.ListLogs,
    "log-import": requests.ImportLogs,
    "log-read": requests.ReadStrangersLog,
    "log-witnessing": requests.GetWitnessing,
    "log-policy": requests.GetTlogPolicy,
    "log-date": requests.DateEntry,
}
"""Calls with one reply, by the last part of their path `/v1/NAME`."""

STREAMS: dict[str, type[Request]] = {"job-watch": requests.WatchJob, "job-logs": requests.ReadLog}
"""Calls answered by a stream of replies, one JSON text a line."""
