"""Proposals for `init`: a target read off the package sources that this host already trusts.

Pure text to values: the shell reads the files. What cannot be carried over is named with its reason, so the
owner sees what a target does not include.
"""

import configparser
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from f2fbuild.builder.targets import Format, Repository, Target, check_target
from f2fbuild.errors import ConfigurationError

POINT_RELEASE_DAYS: Final = 400
"""Days for which a stable suite may go without a new signature: at the end of its life, about a year."""

_MOVING: Final = frozenset({"sid", "unstable", "testing", "experimental", "devel"})
DEB_BASE: Final = ("build-essential", "fakeroot")
RPM_BASE: Final = (
    "bash",
    "bzip2",
    "coreutils",
    "cpio",
    "diffutils",
    "findutils",
    "gawk",
    "gcc",
    "grep",
    "gzip",
    "make",
    "patch",
    "rpm-build",
    "sed",
    "tar",
    "unzip",
    "util-linux",
    "which",
    "xz",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A target that the host's sources suggest, and what was left out, each with its reason."""

    target: Target
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    keyring: str


def from_host_apt(
    sources: Mapping[str, str], *, name: str, arch: str, suite: str, archive_keyring: str = ""
) -> Proposal:
    """Return a Debian target of the host's sources that belong to `suite` (`bookworm`, with its updates).

    Args:
        sources: file name to text, `.sources` in deb822 form, else one-line form.
        name: the target's name.
        arch: Debian architecture.
        suite: code name; suites called `suite` or `suite-…` are taken.
        archive_keyring: the distribution's own keyring, for sources that name none: apt would believe every
            key it has, a target believes this file's.

    Raises:
        ConfigurationError: nothing usable was found.
    """
    repositories: list[Repository] = []
    left_out: list[str] = []
    for file, text in sources.items():
        for source in _deb822(text) if file.endswith(".sources") else _one_line(text):
            keyring = source.keyring or archive_keyring
            if not keyring.startswith("/"):
                left_out.append(f"{file}: {' '.join(source.uris)}: no Signed-By keyring file")
                continue
            kept = [each for each in source.suites if each == suite or each.startswith(f"{suite}-")]
            left_out += [f"{file}: {each}: not of {suite}" for each in source.suites if each not in kept]
            repositories += [_archive(source, uri, each, keyring) for uri in source.uris for each in kept]
    unique = tuple(dict.fromkeys(repositories))
    target = Target(name=name, format=Format.DEB, arch=arch, repository=unique, base=DEB_BASE)
    return _proposal(target, left_out)


def from_host_dnf(repos: Mapping[str, str], *, name: str, arch: str, release: str) -> Proposal:
    """Return an RPM target of the host's enabled dnf repositories.

    Args:
        repos: file name to text of `/etc/yum.repos.d/*.repo`.
        name: the target's name.
        arch: what `$basearch` stands for.
        release: what `$releasever` stands for.

    Raises:
        ConfigurationError: nothing usable was found, or a file is not in .repo form.
    """
    repositories: list[Repository] = []
    left_out: list[str] = []
    for file, text in repos.items():
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            parser.read_string(text)
        except configparser.Error as error:
            raise ConfigurationError(f"not a dnf repository file: {error}", where=file) from error
        for section in parser.sections():
            options = {key: _expand(value, arch, release) for key, value in parser[section].items()}
            reason = _unusable(options)
            if reason:
                left_out.append(f"{file}: {section}: {reason}")
                continue
            uri, key = options["baseurl"].split()[0], options["gpgkey"].split()[0]
            keyring = unquote(urlsplit(key).path)
            repositories.append(Repository(uri=uri.rstrip("/"), keyring=keyring))
    unique = tuple(dict.fromkeys(repositories))
    target = Target(name=name, format=Format.RPM, arch=arch, repository=unique, base=RPM_BASE)
    return _proposal(target, left_out)


def _archive(source: _Source, uri: str, suite: str, keyring: str) -> Repository:
    rests = "-" not in suite and suite not in _MOVING
    return Repository(
        uri=uri.rstrip("/"),
        suite=suite,
        components=source.components,
        keyring=keyring,
        max_age_days=POINT_RELEASE_DAYS if rests else 0,
    )


def _proposal(target: Target, left_out: list[str]) -> Proposal:
    if not target.repository:
        raise ConfigurationError(
            "no signed repository of this host can be used",
            hint="; ".join(left_out[:4]) or "Write a target file with a [[repository]] table",
        )
    return Proposal(target=check_target(target), left_out=tuple(left_out))


def _deb822(text: str) -> Iterator[_Source]:
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for paragraph in re.split(r"\n[ \t]*\n", lines):
        fields: dict[str, list[str]] = {}
        last: list[str] = []
        for line in paragraph.splitlines():
            if line[:1] in {" ", "\t"}:
                last += line.split()
            elif ":" in line:
                key, _, value = line.partition(":")
                last = fields[key.strip().lower()] = value.split()
        if "deb" not in fields.get("types", []) or fields.get("enabled") == ["no"]:
            continue
        yield _Source(
            uris=tuple(fields.get("uris", [])),
            suites=tuple(fields.get("suites", [])),
            components=tuple(fields.get("components", [])),
            keyring=" ".join(fields.get("signed-by", [])),
        )


def _one_line(text: str) -> Iterator[_Source]:
    for line in text.splitlines():
        found = re.fullmatch(r"\s*deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)(?:#.*)?", line)
        if not found:
            continue
        options = dict(part.split("=", 1) for part in shlex.split(found[1] or "") if "=" in part)
        yield _Source(
            uris=(found[2],),
            suites=(found[3],),
            components=tuple(found[4].split()),
            keyring=options.get("signed-by", ""),
        )


def _expand(value: str, arch: str, release: str) -> str:
    for variable, text in (("basearch", arch), ("arch", arch), ("releasever", release)):
        value = value.replace(f"${{{variable}}}", text).replace(f"${variable}", text)
    return value


def _unusable(options: Mapping[str, str]) -> str:
    if options.get("enabled", "1").lower() not in {"1", "true", "yes"}:
        return "not enabled"
    if not options.get("baseurl"):
        return "has no baseurl"
    if not options.get("gpgkey", "").startswith(("file:", "/")):
        return "has no gpgkey file"
    if options.get("repo_gpgcheck", "0").lower() not in {"1", "true", "yes"}:
        return "its metadata is not signed (repo_gpgcheck is off)"
    return ""
