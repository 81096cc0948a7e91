"""The ledger room: append-only logs that anybody can check."""
