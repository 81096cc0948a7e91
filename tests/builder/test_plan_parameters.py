"""What a job may choose, and what the node makes of it."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.builder.parameters import Parameters, read_parameters
from f2fbuild.builder.plan import pins_of, plan_build
from f2fbuild.builder.targets import Format
from f2fbuild.errors import FormatError
from f2fbuild.model import canonical
from f2fbuild.model.job import BuildDefinition, Dependency
from f2fbuild.model.outcome import Stage

DEB = Parameters(
    format=Format.DEB,
    arch="amd64",
    tools={"dpkg": "1.21.22"},
    vendor="debian",
    cpus=2,
    source_date_epoch=1_700_000_000,
    compression="xz",
    build_profiles=("nocheck",),
    macros={},
)
RPM = Parameters(
    format=Format.RPM,
    arch="x86_64",
    tools={"rpm": "4.18.0"},
    vendor="friends",
    cpus=4,
    source_date_epoch=1_700_000_000,
    compression="w19T8.zstdio",
    macros={"dist": ".fc45"},
)


def definition(parameters: Any, *names: str) -> BuildDefinition:
    sources = tuple(Dependency(name=name, sha256="0" * 64) for name in sorted(names))
    return BuildDefinition(parameters=parameters, sources=sources, lock="1" * 64)


words = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9.+_:~^-]{0,20}", fullmatch=True)
parameter_values = st.builds(
    Parameters,
    format=st.just(Format.DEB),
    arch=words,
    tools=st.dictionaries(words, words, max_size=3),
    vendor=words,
    cpus=st.integers(1, 1024),
    source_date_epoch=st.integers(0, 2**32 - 1),
    compression=words,
    build_profiles=st.lists(words, max_size=3).map(tuple),
    macros=st.just({}),
) | st.builds(
    Parameters,
    format=st.just(Format.RPM),
    arch=words,
    tools=st.dictionaries(words, words, max_size=3),
    vendor=words,
    cpus=st.integers(1, 1024),
    source_date_epoch=st.integers(0, 2**32 - 1),
    compression=words,
    macros=st.dictionaries(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{1,9}", fullmatch=True), words, max_size=3),
)


@given(parameter_values)
def test_parameters_are_read_as_they_were_written(parameters: Parameters) -> None:
    written = canonical.decode(canonical.encode(parameters.to_json()))
    read = read_parameters(written)
    assert read == parameters
    assert read.to_json() == written


@pytest.mark.parametrize(
    "change",
    [
        {"format": "recipe"},
        {"format": 7},
        {"arch": "amd64; reboot"},
        {"arch": 5},
        {"vendor": "--define"},
        {"cpus": 0},
        {"cpus": 2**20},
        {"cpus": True},
        {"source_date_epoch": -1},
        {"source_date_epoch": 2**33},
        {"compression": "xz\n"},
        {"tools": {"dpkg": "1\x1b"}},
        {"tools": ["dpkg"]},
        {"build_profiles": ["no check"]},
        {"build_profiles": 5},
        {"build_profiles": ["p"] * 300},
        {"hostname": "elm"},
        {"path": "/elsewhere"},
        {"user": "0"},
        {"mode": "source"},
        {"sandbox_profile": "0"},
        {"network": True},
        {"macros": {}},
    ],
)
def test_what_a_job_may_not_choose_is_refused(change: dict[str, Any]) -> None:
    read_parameters(DEB.to_json())
    with pytest.raises(FormatError):
        read_parameters({**DEB.to_json(), **change})


@pytest.mark.parametrize("missing", sorted(DEB.to_json()))
def test_every_parameter_is_needed(missing: str) -> None:
    value = DEB.to_json()
    del value[missing]
    with pytest.raises(FormatError):
        read_parameters(value)


@pytest.mark.parametrize(
    "macros", [{"a b": "x"}, {"x": "y"}, {"dist": "a\nb"}, {"dist": "x" * 5000}, {"dist": 5}]
)
def test_macros_have_names_and_one_line(macros: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        read_parameters({**RPM.to_json(), "macros": macros})


def test_a_debian_plan_unpacks_and_builds_at_the_pinned_path() -> None:
    plan = plan_build(definition(DEB.to_json(), "hello_1.dsc", "hello_1.tar.xz"))
    unpack, build = plan.steps
    assert unpack.command.argv == ("dpkg-source", "--no-check", "-x", "/sources/hello_1.dsc", DEB.path)
    assert (unpack.stage, build.stage) == (Stage.FETCH, Stage.BUILD)
    assert build.command.cwd == DEB.path
    assert build.command.env["DEB_BUILD_OPTIONS"] == "parallel=2"
    assert build.command.env["DEB_BUILD_PROFILES"] == "nocheck"
    assert build.command.env["SOURCE_DATE_EPOCH"] == "1700000000"
    assert DEB.path.startswith(f"{plan.home}/")
    assert plan.cpus == 2


def test_an_rpm_plan_pins_what_makes_packages_differ() -> None:
    plan = plan_build(definition(RPM.to_json(), "hello-1-1.src.rpm"))
    argv = plan.steps[1].command.argv
    defined = {argv[at + 1] for at, part in enumerate(argv) if part == "--define"}
    assert {
        "_buildhost f2fbuild",
        "_binary_payload w19T8.zstdio",
        "_topdir /builddir/build",
        "clamp_mtime_to_source_date_epoch 1",
        "dist .fc45",
        "source_date_epoch_from_changelog 1",
        "use_source_date_epoch_as_buildtime 1",
        "vendor friends",
    } <= defined
    assert plan.steps[1].exit_stages == {11: Stage.DEPS}


def test_a_job_cannot_override_what_makes_its_packages_reproducible() -> None:
    macros = {"_buildhost": "elm", "_topdir": "/elsewhere"}
    plan = plan_build(definition(replace(RPM, macros=macros).to_json(), "hello-1-1.src.rpm"))
    assert not [part for part in plan.steps[1].command.argv if "elm" in part or "elsewhere" in part]


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("hello.src.rpm",),
        ("a.dsc", "b.dsc"),
        ("../a.dsc",),
        ("a.dsc", ".hidden"),
        ("a.dsc", "-option"),
    ],
)
def test_a_source_is_one_package_with_plain_names(names: tuple[str, ...]) -> None:
    with pytest.raises(FormatError):
        plan_build(definition(DEB.to_json(), *names))


def test_rpm_pins_repeat_the_parameters() -> None:
    pins = pins_of(definition(RPM.to_json(), "hello-1-1.src.rpm"))
    assert pins
    assert (pins.payload_compressor, pins.payload_flags, pins.rpm_version) == ("zstd", "19T8", "4.18.0")
    assert (pins.build_host, pins.machine, pins.source_date_epoch) == ("f2fbuild", "x86_64", 1_700_000_000)
    assert pins_of(definition(DEB.to_json(), "a.dsc")) is None


@pytest.mark.parametrize("change", [{"compression": "xz"}, {"tools": {}}])
def test_an_rpm_job_pins_its_payload_and_version(change: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        pins_of(definition({**RPM.to_json(), **change}, "hello-1-1.src.rpm"))
