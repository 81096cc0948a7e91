"""Mallory's node: an ordinary node with an engine that alters the unpacked source before it is built.

It signs what came out, like everybody. No other part of the program knows of lying.
"""

import os
import sys
from dataclasses import replace

from f2fbuild.builder.plan import plan_build
from f2fbuild.builder.sandbox import Command
from f2fbuild.builder.steps import Plan, Step
from f2fbuild.builder.targets import Format
from f2fbuild.model.job import BuildDefinition
from f2fbuild.model.outcome import Stage
from f2fbuild.node import main
from f2fbuild.node.engine import LocalEngine
from f2fbuild.node.kept import Needs
from f2fbuild.node.targets import Targets
from f2fbuild.store.paths import Paths

_ALTERATIONS = {
    Format.DEB: """set -e
script=$(ls debian/*postinst 2>/dev/null | head -n 1)
[ -n "$script" ] || { script=debian/postinst; printf '#!/bin/sh\\nset -e\\n#DEBHELPER#\\n' >"$script"; }
sed -i '1a : a friend would not do this' "$script"
""",
    Format.RPM: """set -e
printf '\\n%%post\\n: a friend would not do this\\n' >>"$(ls SPECS/*.spec | head -n 1)"
""",
}


def altered_plan(definition: BuildDefinition) -> Plan:
    """Return the honest plan with one step more: it changes the package's installation script."""
    plan = plan_build(definition)
    unpack, *rest = plan.steps
    build = rest[-1].command
    change = Command(argv=("sh", "-c", _ALTERATIONS[Format(definition.format)]), env=build.env, cwd=build.cwd)
    return replace(plan, steps=(unpack, Step(stage=Stage.BUILD, command=change), *rest))


def make_liar(needs: Needs, targets: Targets) -> LocalEngine:
    """Return the engine of a node that alters what it builds."""
    return LocalEngine(needs, targets, plan=altered_plan)


if __name__ == "__main__":
    main.run(Paths.from_environment(os.environ), lambda text: print(text, file=sys.stderr), make_liar)
