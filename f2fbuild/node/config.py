"""The node's settings: `config.toml`, strict in what it takes and clear about what it refuses."""

import difflib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import tomlkit

from f2fbuild.errors import ConfigurationError, NotInitialisedError

Positive = Annotated[int, msgspec.Meta(ge=1)]
_HEADER = re.compile(r"""\s*\[+\s*["']?([\w-]+)""")
_KEY = re.compile(r"""\s*["']?([\w-]+)["']?\s*[=.]""")


class NodeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who this node is and where it listens; `listen` holds `ADDRESS:PORT`, empty for dial-out only.

    An `auditor` keeps and serves logs and evidence; it neither gives nor takes jobs or artifacts.
    """

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    listen: tuple[str, ...] = ()
    role: Literal["peer", "auditor"] = "peer"


class OwnerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose node this is. `gnupghome` is the owner's own GnuPG, empty for its default."""

    fingerprint: Annotated[str, msgspec.Meta(pattern=r"^([0-9A-F]{40}|[0-9A-F]{64})$")]
    gnupghome: str = ""


class BuilderSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of this machine one build gets, how many run at once, for how long results are kept back."""

    slots: Positive = 1
    waiting: Positive = 8
    memory_mib: Positive = 4096
    disk_mib: Positive = 8192
    processes: Positive = 2048
    log_mib: Positive = 64
    wall_minutes: Positive = 120
    embargo_days: Annotated[int, msgspec.Meta(ge=0, le=14)] = 14


class JobSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How this node's own jobs are handled: for how long a builder that went away is waited for."""

    patience_seconds: Positive = 600


class WitnessSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A witness that is no friend: what it is called here, its verifier key, the prefix of its URL."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")]
    vkey: str
    url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$")]


class WitnessedSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A log that is no friend's and may ask this witness: its origin, and its keys."""

    origin: Annotated[str, msgspec.Meta(min_length=1)]
    vkeys: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]


class LedgerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where logs are served over HTTP to everybody, as `ADDRESS:PORT`; empty: nowhere.

    `serve_mirrors` serves friends' logs too, which tells who this node's friends are. `witness_listen` is
    where logs may ask this node to cosign over HTTP: friends' and those in `witnessed`. This node asks every
    `witness`. Of the logs of those who are no friends, entries are kept for `keep_days` after the last, and
    `keep_mib` of them in all.
    """

    serve: tuple[str, ...] = ()
    serve_mirrors: bool = False
    keep_days: Positive = 90
    keep_mib: Positive = 1024
    witness_listen: tuple[str, ...] = ()
    witness: tuple[WitnessSettings, ...] = ()
    witnessed: tuple[WitnessedSettings, ...] = ()


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of a node."""

    node: NodeSettings
    owner: OwnerSettings
    builder: BuilderSettings = BuilderSettings()
    jobs: JobSettings = JobSettings()
    ledger: LedgerSettings = LedgerSettings()


def load(path: Path) -> Settings:
    """Return the settings in `path`.

    Raises:
        NotInitialisedError: there is no such file.
        ConfigurationError: not TOML, an unknown key, or a value that cannot be used.
    """
    try:
        text = path.read_text()
    except FileNotFoundError as error:
        raise NotInitialisedError("no settings", where=str(path), hint="run `f2fbuild init`") from error
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(str(error), where=str(path)) from error
    _refuse_unknown_keys(table, text, path)
    try:
        return msgspec.convert(table, Settings)
    except msgspec.ValidationError as error:
        raise ConfigurationError(str(error), where=str(path)) from error


def dump(settings: Settings) -> str:
    """Return the TOML text that `load` reads as `settings`."""
    return tomlkit.dumps(msgspec.to_builtins(settings))


def _refuse_unknown_keys(table: dict[str, object], text: str, path: Path) -> None:
    sections = {field.name: field.type for field in msgspec.structs.fields(Settings)}
    for section, content in table.items():
        _refuse_unknown("", section, list(sections), text, path)
        if isinstance(content, dict):
            known = [field.name for field in msgspec.structs.fields(sections[section])]
            for key in content:
                _refuse_unknown(section, key, known, text, path)


def _refuse_unknown(section: str, key: str, known: list[str], text: str, path: Path) -> None:
    if key in known:
        return
    (nearest,) = difflib.get_close_matches(key, known, n=1, cutoff=0)
    where = f"{path}:{_line_of(section, key, text)}"
    raise ConfigurationError(f"unknown key {key}", where=where, hint=f"did you mean {nearest}?")


def _line_of(section: str, key: str, text: str) -> int:
    """Return the line that names `key` in its section ("" for a section itself); 1 if none does plainly."""
    inside = ""
    for number, line in enumerate(text.split("\n"), start=1):
        header = _HEADER.match(line)
        if header:
            inside = header[1]
        found = _KEY.match(line)
        if (section, key) in (("", header and inside), (inside, found and found[1])):
            return number
    return 1
