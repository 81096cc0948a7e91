"""The node's one interface: typed requests and replies over a local socket."""
