"""Runs by the distribution's own Python inside a sandbox, where `dnf` is: solves and prints SHA-256 digests.

Standard input: the JSON of `solvers.dnf_request`. Output: {"base": […], "all": […]} or {"problem": …}.
This is a program of its own and imports nothing of the project.
"""

import json
import sys
from typing import Any

import dnf  # type: ignore[import-not-found]  # the distribution's, absent from the project's environment


def open_base(request: dict[str, Any]) -> Any:
    """Return a dnf whose whole world is the request's repositories, with nothing installed."""
    base = dnf.Base()
    base.conf.cachedir = request["cache"]
    base.conf.installroot = request["root"]
    base.conf.persistdir = request["cache"]
    base.conf.logdir = request["cache"]
    base.conf.install_weak_deps = False
    base.conf.plugins = False
    base.conf.substitutions["arch"] = base.conf.substitutions["basearch"] = request["arch"]
    base.conf.substitutions["releasever"] = "0"
    for number, uri in enumerate(request["repositories"]):
        repository = dnf.repo.Repo(f"repository{number}", base.conf)
        repository.baseurl = [uri]
        repository.gpgcheck = repository.repo_gpgcheck = False
        base.repos.add(repository)
    base.fill_sack(load_system_repo=False)
    return base


def solve(base: Any, wanted: list[str]) -> list[str]:
    """Return the sorted SHA-256 digests of what installing `wanted` into nothing installs."""
    base.reset(goal=True)
    for each in wanted:
        selector = dnf.selector.Selector(base.sack)
        selector.set(provides=each)
        if not selector.matches() and each.startswith("/"):
            selector = dnf.selector.Selector(base.sack)
            selector.set(file=each)
        if not selector.matches() and not each.startswith("("):
            raise dnf.exceptions.Error(f"no package provides {each}")
        base._goal.install(select=selector, optional=False)  # noqa: SLF001 - the way of dnf's own builddep
    base.resolve()
    return sorted(package.chksum[1].hex() for package in base.transaction.install_set)


def main() -> None:
    """Solve the base alone, then base and build dependencies together."""
    request = json.load(sys.stdin)
    try:
        base = open_base(request)
        alone = solve(base, request["base"])
        answer: dict[str, Any] = {"base": alone, "all": solve(base, request["base"] + request["requires"])}
    except dnf.exceptions.Error as error:
        answer = {"problem": str(error)}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
