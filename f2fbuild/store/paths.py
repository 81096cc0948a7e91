"""Where a node keeps its things: the XDG directories of its user."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from f2fbuild.errors import ConfigurationError

PROGRAM = "f2fbuild"
SOCKET_PATH_BYTES = 107
"""Bytes of a Unix socket's path: `sun_path` has 108 with its final NUL (unix(7))."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """The directories of one node; nothing is created by naming them."""

    config: Path
    data: Path
    state: Path
    cache: Path
    runtime: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Paths":
        """Return the directories that the XDG Base Directory variables (or their defaults) name."""
        home = Path(environment.get("HOME", "/"))

        def base(variable: str, default: str) -> Path:
            value = environment.get(variable, "")
            return (Path(value) if value.startswith("/") else home / default) / PROGRAM

        state = base("XDG_STATE_HOME", ".local/state")
        runtime = environment.get("XDG_RUNTIME_DIR", "")
        return cls(
            config=base("XDG_CONFIG_HOME", ".config"),
            data=base("XDG_DATA_HOME", ".local/share"),
            state=state,
            cache=base("XDG_CACHE_HOME", ".cache"),
            runtime=Path(runtime) / PROGRAM if runtime.startswith("/") else state / "run",
        )

    @property
    def socket(self) -> Path:
        """The API's Unix socket.

        Raises:
            ConfigurationError: its path is longer than the kernel takes.
        """
        path = self.runtime / "api.sock"
        if len(os.fsencode(path)) > SOCKET_PATH_BYTES:
            raise ConfigurationError(
                f"the socket's path is longer than {SOCKET_PATH_BYTES} bytes",
                where=str(path),
                hint="set XDG_RUNTIME_DIR to a shorter directory",
            )
        return path

    @property
    def config_file(self) -> Path:
        """The node's settings."""
        return self.config / "config.toml"

    @property
    def targets(self) -> Path:
        """One TOML file for each target, with its keys beside it."""
        return self.config / "targets"

    @property
    def seed(self) -> Path:
        """The node's 32-byte seed, mode 0600."""
        return self.data / "seed"

    @property
    def certificate(self) -> Path:
        """The node certificate in force."""
        return self.data / "certificate"

    @property
    def log(self) -> Path:
        """The node's own log of its first epoch, as tlog-tiles."""
        return self.data / "log"

    def log_of(self, epoch: int) -> Path:
        """The node's own log of an epoch; earlier ones are kept and served."""
        return self.log if epoch == 0 else self.log.with_name(f"{self.log.name}-{epoch}")

    @property
    def heads(self) -> Path:
        """What each own log signed last; in no backup, so that a restored one is noticed."""
        return self.state / "heads"

    @property
    def mirrors(self) -> Path:
        """Friends' logs."""
        return self.data / "mirrors"

    @property
    def blobs(self) -> Path:
        """Sources, locks, products, logs and evidence, by digest."""
        return self.data / "blobs"

    @property
    def evidence(self) -> Path:
        """Files that prove what somebody did; kept for ever."""
        return self.data / "evidence"

    @property
    def database(self) -> Path:
        """The node's database."""
        return self.data / "node.sqlite"

    @property
    def keyring(self) -> Path:
        """The node's own GNUPGHOME for friends' keys."""
        return self.data / "gnupg"
