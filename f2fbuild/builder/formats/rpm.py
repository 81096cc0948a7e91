"""What is peculiar to RPM: a source package is installed into a topdir, rpmbuild builds its spec there.

The four macros give bit-identical packages from one path; rpm ≥ 4.15 knows them all.
"""

import re
from typing import Final

from f2fbuild.builder.digests.rpm_pins import RpmPins
from f2fbuild.builder.parameters import Parameters
from f2fbuild.builder.sandbox import HOSTNAME, Command
from f2fbuild.builder.steps import SOURCES, Plan, ProductPlace, Step, environment
from f2fbuild.errors import FormatError
from f2fbuild.model.outcome import Stage

HOME: Final = "/builddir"
_MISSING_REQUIRES: Final = 11
"""Exit code of rpmbuild when a BuildRequires is not met (RPMRC_MISSINGBUILDREQUIRES, rpm ≥ 4.15)."""

_REPRODUCIBLE: Final = {
    "_buildhost": HOSTNAME,
    "_changelog_trimtime": "0",
    "clamp_mtime_to_source_date_epoch": "1",
    "source_date_epoch_from_changelog": "1",
    "use_source_date_epoch_as_buildtime": "1",
}
_PAYLOAD: Final = re.compile(r"w(?P<level>[0-9]{1,2}(?:T[0-9]{1,2})?)\.(?P<io>gz|xz|bz|zst|lz)dio", re.ASCII)
_COMPRESSORS: Final = {"gz": "gzip", "xz": "xz", "bz": "bzip2", "zst": "zstd", "lz": "lzma"}
_ONE_SPEC: Final = 'exec rpmbuild "$@" "$0"/SPECS/*.spec'
"""The spec's name is the source's to choose: the shell inside finds it, and it is text of nobody outside."""


def plan_rpm(parameters: Parameters, source: str) -> Plan:
    """Return the plan for the source package `source`, which lies in `SOURCES`."""
    env = environment(
        home=HOME,
        source_date_epoch=parameters.source_date_epoch,
        RPM_BUILD_NCPUS=str(parameters.cpus),
    )
    macros = {
        **parameters.macros,
        **_REPRODUCIBLE,
        "_binary_payload": parameters.compression,
        "_smp_ncpus_max": str(parameters.cpus),
        "_topdir": parameters.path,
        "vendor": parameters.vendor,
    }
    defines = tuple(part for name in sorted(macros) for part in ("--define", f"{name} {macros[name]}"))
    unpack = ("rpm", "-i", "--nodeps", "--define", f"_topdir {parameters.path}", f"{SOURCES}/{source}")
    target = ("--target", parameters.arch)
    build = ("sh", "-c", _ONE_SPEC, parameters.path, "-bb", *target, *defines)
    return Plan(
        home=HOME,
        cpus=parameters.cpus,
        steps=(
            Step(stage=Stage.FETCH, command=Command(argv=unpack, env=env, cwd=HOME)),
            Step(
                stage=Stage.BUILD,
                command=Command(argv=build, env=env, cwd=parameters.path),
                exit_stages={_MISSING_REQUIRES: Stage.DEPS},
            ),
        ),
        products=ProductPlace(directory="build/RPMS", depth=1, suffixes=(".rpm",)),
    )


def rpm_pins(parameters: Parameters) -> RpmPins:
    """Return what every package of a build with `parameters` must repeat.

    Raises:
        FormatError: the compression is no payload mode of rpm, or rpm's version is not pinned.
    """
    mode = _PAYLOAD.fullmatch(parameters.compression)
    version = parameters.tools.get("rpm")
    if mode is None or version is None:
        raise FormatError("no payload mode or version of rpm", where="build definition")
    return RpmPins(
        source_date_epoch=parameters.source_date_epoch,
        build_host=HOSTNAME,
        rpm_version=version,
        machine=parameters.arch,
        payload_compressor=_COMPRESSORS[mode["io"]],
        payload_flags=mode["level"],
    )
