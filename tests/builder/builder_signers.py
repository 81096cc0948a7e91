"""Whoever signs an archive, with real keys."""

from pathlib import Path

import trio


class Signer:
    """A GnuPG home with one key."""

    def __init__(self, home: Path) -> None:
        self.home = home

    async def gpg(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """Run gpg in this home; return its output."""
        command = ["gpg", "--homedir", str(self.home), "--batch", "--quiet", *arguments]
        return (await trio.run_process(command, stdin=stdin, capture_stdout=True)).stdout

    async def key(self, path: Path, *, armor: bool) -> Path:
        """Export the public key to `path`."""
        await trio.Path(path).write_bytes(await self.gpg("--export", *(["--armor"] if armor else [])))
        return path
