"""The composition root: configuration, wiring, start and stop."""
