"""Replies about logs: whose, how far, what was found in them, and who cosigned them."""

import msgspec

from f2fbuild.api.cosigned import Cosigned
from f2fbuild.api.replies import Reply


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """One log kept here, as a tlog-tiles directory; `frozen` and `violation` as those of `Peer`.

    `followed` says that its node is this one or a friend, so that it grows by itself.
    """

    origin: str
    owner: str
    node: str
    vkey: str
    statement_key: str
    path: str
    size: int
    frozen: bool
    violation: str = ""
    followed: bool = True


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a log or its author did, with the file that proves it."""

    kind: str
    owner: str
    node: str
    evidence: str
    found: int
    detail: str


class Logs(Reply, frozen=True, kw_only=True, tag="f2fbuild.logs/1"):
    """All logs kept here, this node's own first, and what was found in them."""

    logs: tuple[Log, ...]
    findings: tuple[Finding, ...]


class StrangersLog(Reply, frozen=True, kw_only=True, tag="f2fbuild.strangers-log/1"):
    """A log whose node is no friend, and the id of the friend who gave it now: empty when nobody could."""

    log: Log
    giver: str


class ImportedLog(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one log of an archive; `size` is the entries held here afterwards.

    `state` is `advanced`, `unchanged`, `older`, `unknown` (no certificate of its node is held), `own`,
    `forked`, `violation` or `unusable`; `name` is empty when nobody here is called so.
    """

    origin: str
    name: str
    state: str
    size: int
    detail: str


class Imported(Reply, frozen=True, kw_only=True, tag="f2fbuild.imported/1"):
    """The logs of an archive, in the order of their origins."""

    logs: tuple[ImportedLog, ...]


class Witnessing(Reply, frozen=True, kw_only=True, tag="f2fbuild.witnessing/1"):
    """The newest head of a log with its cosignatures; `keys` are this node's witness and mirror key.

    `given` is what they said last of each log, `problems` why outside witnesses do not cosign.
    """

    origin: str
    note: str
    keys: tuple[str, str]
    cosigned: tuple[Cosigned, ...]
    given: tuple[Cosigned, ...]
    problems: tuple[str, ...]


class TlogPolicy(Reply, frozen=True, kw_only=True, tag="f2fbuild.tlog-policy/1"):
    """A C2SP tlog-policy for the log `origin`."""

    origin: str
    text: str


class Dated(Reply, frozen=True, kw_only=True, tag="f2fbuild.ledger-dated/1"):
    """The evidence, as its text, that the entry at `index` of the log `origin` is older than `before`."""

    origin: str
    index: int
    before: int
    evidence: str
