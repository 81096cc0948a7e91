"""The demonstration: real nodes on loopback, one of them a liar."""
