"""From a build definition to a plan, whatever the format."""

from typing import assert_never

from f2fbuild.builder.digests.rpm_pins import RpmPins
from f2fbuild.builder.formats.deb import plan_deb
from f2fbuild.builder.formats.rpm import plan_rpm, rpm_pins
from f2fbuild.builder.parameters import read_parameters
from f2fbuild.builder.steps import Plan
from f2fbuild.builder.targets import Format
from f2fbuild.errors import FormatError
from f2fbuild.model.job import BuildDefinition

_SOURCE_SUFFIX = {Format.DEB: ".dsc", Format.RPM: ".src.rpm"}


def plan_build(definition: BuildDefinition) -> Plan:
    """Return the plan of `definition`.

    Raises:
        FormatError: parameters that this node does not build with, or not exactly one source package.
    """
    parameters = read_parameters(definition.parameters)
    suffix = _SOURCE_SUFFIX[parameters.format]
    names = [source.name for source in definition.sources]
    packages = [name for name in names if name.endswith(suffix)]
    if len(packages) != 1 or any("/" in name or name.startswith((".", "-")) for name in names):
        raise FormatError(f"not one {suffix} and its files", where="build definition")
    match parameters.format:
        case Format.DEB:
            return plan_deb(parameters, packages[0])
        case Format.RPM:
            return plan_rpm(parameters, packages[0])
        case unknown:
            assert_never(unknown)


def pins_of(definition: BuildDefinition) -> RpmPins | None:
    """Return what the definition's RPMs must repeat, None where it makes none.

    Raises:
        FormatError: parameters that this node does not build with.
    """
    parameters = read_parameters(definition.parameters)
    return rpm_pins(parameters) if parameters.format is Format.RPM else None
