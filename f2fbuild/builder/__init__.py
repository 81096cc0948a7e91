"""The builder room: pinned environments, sandboxed builds, digests that compare."""
