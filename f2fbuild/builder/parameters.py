"""The external parameters of a build, read strictly: a job may choose only what is listed here.

Everything else in them follows from the format, so a definition that comes with a job is accepted only if
this module would spell it in the same way (formats: SLSA v1 provenance, `externalParameters`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from f2fbuild.builder.installers import LAYOUT
from f2fbuild.builder.sandbox import BUILD_ID, HOSTNAME, PROFILE
from f2fbuild.builder.steps import LOCALE, TIMEZONE, UMASK
from f2fbuild.builder.targets import Format
from f2fbuild.errors import FormatError
from f2fbuild.limits import BUILD_CPUS, BUILD_MACRO_CHARACTERS, BUILD_MACROS, SOURCE_DATE_BOUND

_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_:~^-]{0,63}", re.ASCII)
_MACRO: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{1,63}", re.ASCII)
_FIXED: Final = {
    Format.DEB: {"format_version": "2.0", "mode": "binary", "path": "/build/reproducible-path"},
    Format.RPM: {"format_version": "4", "mode": "bb", "path": "/builddir/build"},
}
_EVERYWHERE: Final = {
    "hostname": HOSTNAME,
    "locale": LOCALE,
    "sandbox_profile": f"{PROFILE}.{LAYOUT}",
    "timezone": TIMEZONE,
    "umask": UMASK,
    "user": str(BUILD_ID),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """What may differ from build to build of one format.

    `tools` are versions by name ("dpkg", "rpm"); `cpus` how many CPUs the build is shown;
    `source_date_epoch` in unix seconds; `compression` is a dpkg-deb compressor ("xz") or an rpm payload mode
    ("w19.zstdio"). `build_profiles` are Debian's, `macros` rpm's; each is empty for the other format.
    """

    format: Format
    arch: str
    tools: Mapping[str, str]
    vendor: str
    cpus: int
    source_date_epoch: int
    compression: str
    build_profiles: tuple[str, ...] = ()
    macros: Mapping[str, str]

    @property
    def path(self) -> str:
        """Where the package is built."""
        return _FIXED[self.format]["path"]

    def to_json(self) -> dict[str, Any]:
        """Return SLSA externalParameters as canonical JSON values."""
        own: dict[str, Any] = {"build_profiles": list(self.build_profiles)}
        if self.format is Format.RPM:
            own = {"macros": dict(self.macros)}
        return {
            **_EVERYWHERE,
            **_FIXED[self.format],
            **own,
            "arch": self.arch,
            "compression": self.compression,
            "cpus": self.cpus,
            "format": str(self.format),
            "source_date_epoch": self.source_date_epoch,
            "tools": dict(self.tools),
            "vendor": self.vendor,
        }


def read_parameters(value: Mapping[str, Any], *, where: str = "build definition") -> Parameters:
    """Return the parameters whose `to_json` is `value`.

    Raises:
        FormatError: anything that this version of the program would not build in exactly this way.
    """
    try:
        parameters = Parameters(
            format=Format(value["format"]),
            arch=value["arch"],
            tools=value["tools"],
            vendor=value["vendor"],
            cpus=value["cpus"],
            source_date_epoch=value["source_date_epoch"],
            compression=value["compression"],
            build_profiles=tuple(value.get("build_profiles", ())),
            macros=value.get("macros", {}),
        )
        spelled = parameters.to_json()
        fits = _is_plain(parameters)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError("not the parameters of a build", where=where) from error
    if spelled != value or not fits:
        raise FormatError("parameters of a build that this node does not do in this way", where=where)
    return parameters


def _is_plain(parameters: Parameters) -> bool:
    words = [
        parameters.arch,
        parameters.vendor,
        parameters.compression,
        *parameters.build_profiles,
        *parameters.tools,
        *parameters.tools.values(),
    ]
    numbers = (
        (parameters.cpus, 1, BUILD_CPUS),
        (parameters.source_date_epoch, 0, SOURCE_DATE_BOUND),
    )
    return (
        all(_WORD.fullmatch(word) for word in words)
        and all(type(number) is int and least <= number <= most for number, least, most in numbers)
        and len(parameters.macros) + len(words) <= BUILD_MACROS
        and all(_MACRO.fullmatch(name) and _is_line(text) for name, text in parameters.macros.items())
    )


def _is_line(text: str) -> bool:
    return text.isprintable() and len(text) <= BUILD_MACRO_CHARACTERS
