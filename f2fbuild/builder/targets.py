"""A target: the named recipe from which a node makes environments.

A target is the owner's own file. Its repositories and keyrings are what this node believes about packages;
a lock that comes with a job is checked against them and never the other way round. The TOML form is strict:
an unknown key is an error, because a misspelled `max_age_days` would be a silent decision about trust.
"""

import difflib
import re
import tomllib
from enum import StrEnum
from typing import Any, Final

import msgspec
import tomlkit

from f2fbuild.errors import ConfigurationError
from f2fbuild.limits import TARGET_BYTES

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
_ARCH: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_:~^()/-]{0,127}", re.ASCII)
_PATH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_~/-]{0,127}|\./|/", re.ASCII)
_MACRO: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{1,63}", re.ASCII)
_URI: Final = re.compile(r"(?:https?|file|copy):[!-~]{1,500}", re.ASCII)


class Format(StrEnum):
    """The package format that a target's environments are made of."""

    DEB = "deb"
    RPM = "rpm"


class Repository(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One signed repository and the keyring whose keys alone may sign it.

    `uri` is an apt archive root or a dnf baseurl. `suite` and `components` are apt's own words and stay empty
    for RPM; a suite that ends in `/` is a flat archive without components. `keyring` is a path on this node.
    `max_age_days` stands in for the target's where it is not 0: a stable suite is signed at its point
    releases only, which are months apart.
    """

    uri: str
    keyring: str
    suite: str = ""
    components: tuple[str, ...] = ()
    max_age_days: int = 0


class Target(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A named recipe for environments of one format and architecture.

    `base` names what is installed in every environment (for Debian besides the essential packages);
    `max_age_days` is how old signed metadata may be where freshness is asked for.
    """

    name: str
    format: Format
    arch: str
    repository: tuple[Repository, ...]
    base: tuple[str, ...]
    max_age_days: int = 14
    build_profiles: tuple[str, ...] = ()
    macros: dict[str, str] = {}


def parse_target(text: str, *, where: str = "target") -> Target:
    """Return the target that the TOML `text` describes.

    Raises:
        ConfigurationError: not TOML, an unknown or missing key, or an unusable value; names the line.
    """
    if len(text.encode()) > TARGET_BYTES:
        raise ConfigurationError(f"larger than {TARGET_BYTES} bytes", where=where)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(str(error), where=where) from error
    _refuse_unknown(table, Target, text, where)
    repositories = table.get("repository", [])
    for repository in repositories if isinstance(repositories, list) else []:
        if isinstance(repository, dict):
            _refuse_unknown(repository, Repository, text, where)
    try:
        target = msgspec.convert(table, Target, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigurationError(str(error), where=where) from error
    return check_target(target, where=where)


def format_target(target: Target) -> str:
    """Return the TOML form of `target`, defaults left out: `parse_target` gives the same target back."""
    table: dict[str, Any] = msgspec.to_builtins(target)
    repositories = table.pop("repository")
    macros = table.pop("macros", None)
    document = tomlkit.document()
    for key, value in table.items():
        document.add(key, value)
    if macros:
        document.add("macros", tomlkit.item(macros))
    array = tomlkit.aot()
    for repository in repositories:
        array.append(tomlkit.item(repository))
    document.add("repository", array)
    return tomlkit.dumps(document)


def check_target(target: Target, *, where: str = "target") -> Target:
    """Return `target` when every value can be used, whoever made it.

    Raises:
        ConfigurationError: names the key and the value.
    """
    _match(_NAME, target.name, "name", where)
    _match(_ARCH, target.arch, "arch", where)
    if not target.repository:
        raise ConfigurationError("has no repository", where=where, hint="Add a [[repository]] table")
    ages = (target.max_age_days, *(each.max_age_days or 1 for each in target.repository))
    if not all(1 <= age <= 3650 for age in ages):
        raise ConfigurationError("max_age_days is not between 1 and 3650", where=where)
    for word in (*target.base, *target.build_profiles):
        _match(_WORD, word, "base, build_profiles", where)
    for macro, value in target.macros.items():
        _match(_MACRO, macro, "macros", where)
        if not value.isprintable():
            raise ConfigurationError(f"the macro {macro} is not one printable line", where=where)
    for repository in target.repository:
        _check_repository(target.format, repository, where)
    _check_format_keys(target, where)
    return target


def _check_format_keys(target: Target, where: str) -> None:
    if target.format is Format.DEB and target.macros:
        raise ConfigurationError("macros belong to RPM targets", where=where)
    if target.format is Format.RPM and target.build_profiles:
        raise ConfigurationError("build_profiles belong to Debian targets", where=where)


def _check_repository(kind: Format, repository: Repository, where: str) -> None:
    _match(_URI, repository.uri, "uri", where)
    if not repository.keyring.startswith("/"):
        raise ConfigurationError(f"keyring {repository.keyring!r} is not an absolute path", where=where)
    if kind is Format.RPM:
        if repository.suite or repository.components:
            raise ConfigurationError("suite and components belong to Debian targets", where=where)
        return
    for part in (repository.suite, *repository.components):
        _match(_PATH, part, "suite, components", where)
        if ".." in part:
            raise ConfigurationError(f"{part!r} leads out of the archive", where=where)
    if repository.suite.endswith("/") == bool(repository.components):
        raise ConfigurationError(
            f"suite {repository.suite!r} needs components, and a flat one (ending in /) has none", where=where
        )


def _match(pattern: re.Pattern[str], value: str, key: str, where: str) -> None:
    if not pattern.fullmatch(value):
        raise ConfigurationError(f"{key}: {value!r} cannot be used", where=where)


def _refuse_unknown(table: dict[str, Any], kind: type[msgspec.Struct], text: str, where: str) -> None:
    known = [field.name for field in msgspec.structs.fields(kind)]
    for key in table:
        if key in known:
            continue
        near = difflib.get_close_matches(key, known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known keys: {', '.join(known)}"
        raise ConfigurationError(f"unknown key {key!r}", where=f"{where}{_line_of(key, text)}", hint=hint)


def _line_of(key: str, text: str) -> str:
    found = re.search(rf"^[ \t\[]*[\"']?{re.escape(key)}\b", text, re.MULTILINE)
    return f":{text.count(chr(10), 0, found.start()) + 1}" if found else ""
