"""The targets of this node: one TOML file each."""

from pathlib import Path

from f2fbuild.builder.targets import Target, format_target, parse_target
from f2fbuild.errors import ConfigurationError, UsageError
from f2fbuild.store.files import private_directory, write_private


class Targets:
    """The files in the targets directory; read anew at every question, so edits need no restart."""

    def __init__(self, directory: Path) -> None:
        """Keep targets in `directory`."""
        self._directory = directory

    def all(self) -> list[Target]:
        """Return all targets by name.

        Raises:
            ConfigurationError: a file cannot be used; names file and line.
        """
        paths = sorted(self._directory.glob("*.toml"))
        return [_read(path) for path in paths]

    def get(self, name: str) -> Target:
        """Return the target of this name.

        Raises:
            UsageError: there is none.
        """
        found = [target for target in self.all() if target.name == name]
        if not found:
            known = ", ".join(target.name for target in self.all()) or "none"
            raise UsageError("no such target", where=name, hint=f"targets here: {known}")
        return found[0]

    def add(self, target: Target) -> None:
        """Keep a new target.

        Raises:
            UsageError: there is one of this name.
        """
        private_directory(self._directory)
        path = self._directory / f"{target.name}.toml"
        if path.exists():
            raise UsageError(
                "there is a target of this name", where=str(path), hint="edit or remove the file"
            )
        for repository in target.repository:
            if not Path(repository.keyring).is_file():
                raise ConfigurationError("no such keyring", where=repository.keyring)
        write_private(path, format_target(target).encode())


def _read(path: Path) -> Target:
    target = parse_target(path.read_text(), where=str(path))
    if target.name != path.stem:
        raise ConfigurationError(
            f"the target is named {target.name}", where=str(path), hint="rename the file"
        )
    return target
