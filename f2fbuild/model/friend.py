"""A friend's node as everybody above the rooms knows it: ids, names, and keys."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Friend:
    """A friend's node: ids, names, and the keys that its signatures are checked with.

    `vkey` is its log's vkey, whose name is the log's origin; `statement_key` has 32 bytes.
    """

    node_id: str
    owner: str
    alias: str
    node: str
    vkey: str
    statement_key: bytes

    @property
    def name(self) -> str:
        """How people see the machine: `alias@node`."""
        return f"{self.alias}@{self.node}"
