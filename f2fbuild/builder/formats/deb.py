"""What is peculiar to Debian packages: dpkg-source unpacks, dpkg-buildpackage builds, products lie beside.

Nothing is signed here and the build-dependencies are in the environment already, fakeroot among them where a
package still asks for it (`Rules-Requires-Root`). With one uid there is no chown: fakeroot is told so.
"""

from typing import Final

from f2fbuild.builder.parameters import Parameters
from f2fbuild.builder.sandbox import Command
from f2fbuild.builder.steps import SOURCES, Plan, ProductPlace, Step, environment
from f2fbuild.model.outcome import Stage

HOME: Final = "/build"
_UNMET_DEPENDENCIES: Final = 3
"""Exit code of dpkg-buildpackage when dpkg-checkbuilddeps finds something missing (1.21)."""


def plan_deb(parameters: Parameters, source: str) -> Plan:
    """Return the plan for the .dsc file `source`, which lies with its files in `SOURCES`."""
    env = environment(
        home="/nonexistent",
        source_date_epoch=parameters.source_date_epoch,
        DEB_BUILD_OPTIONS=f"parallel={parameters.cpus}",
        DEB_BUILD_PROFILES=" ".join(parameters.build_profiles),
        DEB_VENDOR=parameters.vendor,
        DPKG_DEB_COMPRESSOR_TYPE=parameters.compression,
        FAKEROOTDONTTRYCHOWN="1",
    )
    unpack = ("dpkg-source", "--no-check", "-x", f"{SOURCES}/{source}", parameters.path)
    build = ("dpkg-buildpackage", "-us", "-uc", "-b")
    return Plan(
        home=HOME,
        cpus=parameters.cpus,
        steps=(
            Step(stage=Stage.FETCH, command=Command(argv=unpack, env=env, cwd=HOME)),
            Step(
                stage=Stage.BUILD,
                command=Command(argv=build, env=env, cwd=parameters.path),
                exit_stages={_UNMET_DEPENDENCIES: Stage.DEPS},
            ),
        ),
        products=ProductPlace(directory=".", depth=0, suffixes=(".deb", ".udeb", ".changes", ".buildinfo")),
    )
