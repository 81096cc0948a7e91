"""What the dependency solvers of two distributions are told, and what their answers mean.

apt and dnf solve; this module writes their settings and reads their output. They see nothing but the verified
indexes as one local repository each, in a directory of their own, never the host's own package state.
"""

import json
import re
from collections.abc import Iterable
from pathlib import PurePath
from typing import Any, Final

from f2fbuild.builder.targets import Target
from f2fbuild.errors import F2FError, FormatError
from f2fbuild.model.digest import sha256_hex

NameVersionArch = tuple[str, str, str]

_INSTALL: Final = re.compile(r"Inst (\S+)(?: \[\S+\])? \((\S+) [^)]*\[([a-z0-9-]+)\]\)", re.ASCII)
_INSTALLED: Final = b"Status: install ok installed\n"


class UnsolvableError(F2FError):
    """The build dependencies cannot be met from the target's repositories."""

    exit_code = 4


def apt_settings(directory: PurePath, target: Target) -> str:
    """Return an apt.conf for a private apt whose whole world is `directory`.

    It goes into APT_CONFIG, which apt reads before the host's /etc/apt/apt.conf.d and which turns that off.
    """
    lists = {"APT::Build-Profiles": target.build_profiles, "APT::Architectures": (target.arch,)}
    settings = {
        "Dir": directory,
        "Dir::State": directory / "state",
        "Dir::State::status": directory / "status",
        "Dir::Cache": directory / "cache",
        "Dir::Log": directory / "log",
        "Dir::Etc": directory / "etc",
        "Dir::Etc::Main": "/dev/null",
        "Dir::Etc::Parts": "/dev/null",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Dir::Etc::SourceList": directory / "sources.list",
        "Dir::Etc::Preferences": directory / "preferences",
        "APT::Architecture": target.arch,
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
    }
    lines = [f'{key} "{value}";' for key, value in settings.items()]
    for key, each in lists.items():
        members = " ".join(f'"{value}";' for value in each)
        lines.append(f"{key} {{ {members} }};")
    return "\n".join([*lines, ""])


def apt_base(target: Target, essential: Iterable[str], *, merged: bool) -> list[str]:
    """Return what apt is asked to install as base: essential packages, the target's base, and merged /usr.

    Where the distribution has it (`merged`), `usr-is-merged` stands in for `usrmerge`, whose conversion fails
    in a root that is merged from the start.
    """
    return sorted({*essential, *target.base, *(["usr-is-merged"] if merged else [])})


def parse_simulation(output: str) -> set[NameVersionArch]:
    """Return what `apt-get --simulate` would install.

    Raises:
        UnsolvableError: it would remove a package of the base.
        FormatError: a line that this reader does not understand.
    """
    wanted = set()
    for line in output.splitlines():
        if line.startswith("Remv "):
            raise UnsolvableError(f"the build dependencies conflict with the base: {line}")
        if line.startswith("Inst "):
            found = _INSTALL.match(line)
            if not found:
                raise FormatError(f"cannot be read: {line!r}", where="apt-get --simulate")
            wanted.add((found[1].partition(":")[0], found[2], found[3]))
    return wanted


def installed_status(stanzas: Iterable[bytes]) -> bytes:
    """Return a dpkg status file in which the packages of these index stanzas are installed."""
    return b"".join(stanza + b"\n" + _INSTALLED + b"\n" for stanza in stanzas)


def dnf_request(directory: PurePath, target: Target, repositories: int, requires: Iterable[str]) -> str:
    """Return the JSON that `dnf_solve` reads: its world, base names and build dependencies."""
    return json.dumps(
        {
            "arch": target.arch,
            "cache": str(directory / "cache"),
            "root": str(directory / "root"),
            "repositories": [f"file://{directory}/repository/{number}" for number in range(repositories)],
            "base": list(target.base),
            "requires": list(requires),
        }
    )


def local_repomd(primary: bytes, signed_at: int) -> str:
    """Return the repomd.xml of a local repository that has this primary.xml and nothing else."""
    digest = sha256_hex(primary)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<repomd xmlns="http://linux.duke.edu/metadata/repo">'
        f'<revision>{signed_at}</revision><data type="primary"><checksum type="sha256">{digest}</checksum>'
        f'<location href="repodata/primary.xml"/><timestamp>{signed_at}</timestamp>'
        f"<size>{len(primary)}</size></data></repomd>\n"
    )


def parse_dnf_answer(output: bytes) -> tuple[set[str], set[str]]:
    """Return the SHA-256 of base packages and of what the build needs besides.

    Raises:
        UnsolvableError: the solver says why.
        FormatError: an answer that this reader does not understand.
    """
    try:
        answer: Any = json.loads(output)
        if "problem" in answer:
            raise UnsolvableError(str(answer["problem"]))
        base, everything = set(answer["base"]), set(answer["all"])
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(f"cannot be read: {output[:200]!r}", where="dnf_solve") from error
    if not base <= everything:
        raise UnsolvableError("the build dependencies replace packages of the base")
    return base, everything - base
