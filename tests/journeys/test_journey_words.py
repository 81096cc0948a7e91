"""What a packager says to a job: ids, logs, retry, cancel, download, and what comes back as JSON."""

from pathlib import Path

from tests.cli.cli_runs import Home, interrupted, records
from tests.journeys.journey_people import (
    SCHEMA,
    begun,
    finally_free,
    hanging,
    lines,
    order,
    source,
    started,
    typed,
)


def built(place: Home, text: str, builders: int = 2, code: int = 0) -> str:
    """Build a source with all of these builders; return the job."""
    path = source(place, text)
    said = typed(place, "build", "toy", path, *order(builders, builders), "--wait", code=code)
    return str(said["short"])


def test_logs_are_followed_until_the_builds_end(people: tuple[Home, ...]) -> None:
    ann, *_ = people
    with (
        hanging(ann, "and tell", builders=2) as job,
        started(ann, "logs", "-f", job) as both,
        started(ann, "logs", "-f", job, "--builder", "bob") as one,
        started(ann, "logs", "-f", job, "--json") as machine,
    ):
        said = lines(both)
        first = [next(said) for _ in range(4)]
        assert {line.split(":", 1)[1] for line in first[::2]} == {
            f"all:{who}@elm:build.log <==" for who in ("bob", "cyd")
        }
        assert first[1::2] == ["making a toy"] * 2
        only = lines(one)
        assert next(only).endswith(":all:bob@elm:build.log <==")
        assert next(only) == "making a toy"
        assert SCHEMA.fullmatch(records(next(lines(machine)))[0]["schema"])
        assert both.poll() is one.poll() is machine.poll() is None
        typed(ann, "cancel", job)
        for process in (both, one, machine):
            process.communicate(timeout=120)
            assert process.returncode == 0


def test_a_builder_has_names_and_a_slip_is_a_usage_error(people: tuple[Home, ...], tmp_path: Path) -> None:
    ann, *_ = people
    job = built(ann, "hello names")
    (bob,) = [one for one in typed(ann, "job", "show", job)["assignments"] if one["alias"] == "bob"]
    for number, name in enumerate(("bob", "bob@elm", bob["owner"], bob["peer"], bob["peer"][:8])):
        assert typed(ann, "logs", job, "--builder", name)["who"] == "bob@elm"
        typed(ann, "download", job, "--builder", name, "--output", str(tmp_path / str(number)))
    for slip in ("bbo", "ann", bob["peer"][:7], "0"):
        typed(ann, "logs", job, "--builder", slip, code=2)
        typed(ann, "logs", "-f", job, "--builder", slip, code=2)
        typed(ann, "download", job, "--builder", slip, "--output", str(tmp_path / "slip"), code=2)


def test_cancel_ends_who_waits_with_5_even_after_one_was_interrupted(people: tuple[Home, ...]) -> None:
    ann, *_ = people
    text = source(ann, "hang and wait")
    with (
        started(ann, "build", "toy", text, *order(1, 1), "--wait") as patient,
        finally_free(ann, begun(patient)) as job,
        started(ann, "watch-task", job) as hasty,
    ):
        next(lines(hasty))
        said = interrupted(hasty)
        assert hasty.returncode == 130
        assert said.strip() == f"continue with: f2fbuild watch {job}"
        assert patient.poll() is None
        assert typed(ann, "cancel", job)["state"] == "cancelled"
        _, said = patient.communicate(timeout=120)
        assert patient.returncode == 5
        assert said == f"(safe to interrupt; continue with: f2fbuild watch {job})\n"
        typed(ann, "cancel", job, code=2)
        typed(ann, "download", job, code=10)


def test_retry_is_a_new_job_for_the_same_build(people: tuple[Home, ...]) -> None:
    ann, *_ = people
    with hanging(ann, "once") as cancelled:
        typed(ann, "cancel", cancelled)
    for job, code in ((built(ann, "hello again"), 0), (built(ann, "whim again", code=10), 10)):
        old, new = typed(ann, "job", "show", job), typed(ann, "retry", job)
        assert new["short"] != job
        same = ("title", "target", "arch", "job_class", "builders", "agree")
        assert [new[name] for name in same] == [old[name] for name in same]
        ended = typed(ann, "watch", new["short"], code=code)
        assert ended["verdict"]["kind"] == old["verdict"]["kind"]
        assert ended["verdict"]["result"] == old["verdict"]["result"] or code
        assert typed(ann, "job", "show", job) == old
    retried = ann.run("retry", cancelled)
    assert retried.exit_code == 0
    again = retried.stderr.split("Next: f2fbuild watch ")[1].strip()
    with finally_free(ann, again):
        assert typed(ann, "job", "show", again)["exit_code"] is None


def test_any_prefix_that_means_one_job_is_taken(people: tuple[Home, ...]) -> None:
    """Ids have 32 letters: of 33 jobs two begin alike."""
    ann, *_ = people
    job = built(ann, "hello prefix")
    first = {job[0]}
    while (letter := str(typed(ann, "retry", job)["short"])[0]) not in first:
        first.add(letter)
    known = {one["short"]: one["id"] for one in typed(ann, "job", "list")["jobs"]}
    said = typed(ann, "job", "show", letter, code=2)
    alike = [short for short in known if short[0] == letter]
    assert said["what"] == f"{len(alike)} jobs begin with this id"
    assert "job list" in said["hint"]
    for word in (job, job.upper(), job[:7], known[job]):
        assert typed(ann, "job", "show", word)["id"] == known[job]
    for word in (f"{job}0", known[job][:-1], "u", "../etc", "%"):
        typed(ann, "job", "show", word, code=2)


def test_an_empty_id_means_no_job_even_where_there_is_only_one(people: tuple[Home, ...]) -> None:
    """Whose script says `f2fbuild cancel "$JOB"` with a variable that is not set must lose nothing."""
    _, bob, _ = people
    job = built(bob, "hello", builders=1, code=8)
    assert [one["short"] for one in typed(bob, "job", "list")["jobs"]] == [job]
    for command in (("job", "show"), ("watch",), ("logs",), ("cancel",), ("retry",), ("download",)):
        typed(bob, *command, "", code=2)


def test_a_list_of_jobs_is_as_long_as_wanted_and_newest_first(people: tuple[Home, ...]) -> None:
    ann, *_ = people
    first, last = built(ann, "hello first"), built(ann, "hello last")
    found = [one["short"] for one in typed(ann, "job", "list")["jobs"]]
    assert {first, last} <= {*found}
    created = [one["created"] for one in typed(ann, "job", "list")["jobs"]]
    assert created == sorted(created, reverse=True)
    assert [one["short"] for one in typed(ann, "list-builds", "--limit", "1")["jobs"]] == found[:1]
    assert len(ann.run("job", "list", "--limit", "2").stdout.splitlines()) == 2
    for limit in ("0", "1001", "all"):
        assert ann.run("job", "list", "--limit", limit).exit_code == 2


def test_download_is_of_who_is_named_where_nobody_agrees(people: tuple[Home, ...], tmp_path: Path) -> None:
    ann, *_ = people
    job = built(ann, "whim download", code=10)
    assert "--builder" in typed(ann, "download", job, "--output", str(tmp_path / "none"), code=10)["hint"]
    typed(ann, "download", job, "--builder", "dan", code=2)
    for who in ("bob", "cyd"):
        typed(ann, "download", job, "--builder", who, "--output", str(tmp_path / who), "--logs")
    assert not any((tmp_path / "none").iterdir())
    made = {who: sorted(file.name for file in (tmp_path / who).iterdir()) for who in ("bob", "cyd")}
    assert made["bob"] == made["cyd"] == ["build.log", "toy_1.0_all.deb"]
    products = [(tmp_path / who / "toy_1.0_all.deb").read_bytes() for who in ("bob", "cyd")]
    assert products[0] != products[1]


def test_download_writes_over_nothing(people: tuple[Home, ...], tmp_path: Path) -> None:
    ann, *_ = people
    job = built(ann, "hello download")
    kept = tmp_path / "toy_1.0_all.deb"
    kept.write_bytes(b"mine")
    said = typed(ann, "download", job, "--output", str(tmp_path), code=2)
    assert said["where"] == str(kept)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"mine"]
    kept.unlink()
    kept.symlink_to(tmp_path / "elsewhere")
    typed(ann, "download", job, "--output", str(tmp_path), code=2)
    assert [file.name for file in tmp_path.iterdir()] == [kept.name]
    assert ann.run("download", job, "--output", str(source(ann, "hello"))).exit_code == 2


def test_a_product_that_the_disk_damaged_is_fetched_again(people: tuple[Home, ...], tmp_path: Path) -> None:
    """Neither the agreed one nor a builder's is ever handed out damaged."""
    ann, *_ = people
    job = built(ann, "hello damage")
    (product,) = typed(ann, "job", "show", job)["assignments"][0]["products"]
    blob = ann.directory / "data" / "f2fbuild" / "blobs" / product["sha256"][:2] / product["sha256"]
    whole = blob.read_bytes()
    for number, options in enumerate(((), ("--builder", "cyd"))):
        blob.write_bytes(whole[:-3] + b"?!\n")
        output = tmp_path / str(number)
        typed(ann, "download", job, *options, "--output", str(output))
        assert (output / product["name"]).read_bytes() == whole == blob.read_bytes()


def test_a_damaged_product_that_its_builder_has_no_more_is_named(
    people: tuple[Home, ...], tmp_path: Path
) -> None:
    ann, *others = people
    job = built(ann, "hello loss")
    (product,) = typed(ann, "job", "show", job)["assignments"][0]["products"]
    for home in others:
        there = home.directory / "data" / "f2fbuild" / "blobs" / product["sha256"][:2] / product["sha256"]
        there.unlink(missing_ok=True)
    blob = ann.directory / "data" / "f2fbuild" / "blobs" / product["sha256"][:2] / product["sha256"]
    blob.write_bytes(b"damaged")
    said = typed(ann, "download", job, "--output", str(tmp_path), code=1)
    assert said["where"] == product["name"]
    assert not any(tmp_path.iterdir())


QUESTIONS = (
    "status",
    "identity show",
    "peer list",
    "peer show bob",
    "target list",
    "trust explain bob",
    "job list",
    "job show JOB",
    "job explain JOB",
    "watch JOB",
    "logs JOB",
    "divergence list",
    "divergence show DIVERGED",
    "ledger log",
    "ledger show 0",
    "ledger proof write 0",
    "ledger checkpoint",
    "ledger verify",
    "ledger verify bob",
    "ledger evidence list",
)


def test_every_answer_names_its_schema_and_version(people: tuple[Home, ...]) -> None:
    ann, *_ = people
    jobs = {"JOB": built(ann, "hello schema"), "DIVERGED": built(ann, "whim schema", code=10)}
    for question in QUESTIONS:
        typed(ann, *(jobs.get(word, word) for word in question.split()))
