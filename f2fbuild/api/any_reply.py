"""Every reply that a node may give, for whoever reads one."""

from typing import TypeAlias

from f2fbuild.api import ledger_replies, replies

AnyReply: TypeAlias = (
    replies.Initialised
    | replies.Status
    | replies.Protections
    | replies.Renewed
    | replies.Card
    | replies.Peer
    | replies.Peers
    | replies.Trust
    | replies.Target
    | replies.Targets
    | replies.Job
    | replies.Jobs
    | replies.Explanation
    | replies.LogChunk
    | replies.Downloaded
    | replies.Divergence
    | replies.Divergences
    | ledger_replies.Logs
    | ledger_replies.Imported
    | ledger_replies.StrangersLog
    | ledger_replies.TlogPolicy
    | ledger_replies.Dated
    | ledger_replies.Witnessing
    | replies.ErrorReply
)
