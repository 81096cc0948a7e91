"""An auditor's node as its owner runs it: by its settings, as a process, with its log served to everybody."""

import httpx
import msgspec

from f2fbuild.demo.actor import free_ports
from f2fbuild.node import config
from tests.cli.cli_runs import Home, records
from tests.node.node_house import house, init, paths, refused, running, stop


def appoint(place: Home, *serve: str) -> None:
    """Write into the settings that the node is an auditor's and serves its log."""
    file = paths(place).config_file
    settings = config.load(file)
    node = msgspec.structs.replace(settings.node, role="auditor")
    ledger = config.LedgerSettings(serve=serve)
    file.write_text(config.dump(msgspec.structs.replace(settings, node=node, ledger=ledger)))


def test_an_auditor_serves_its_log_and_builds_nothing() -> None:
    (port,) = free_ports(1)
    with house() as place:
        init(place)
        appoint(place, f"127.0.0.1:{port}")
        source = place.directory / "hello.dsc"
        source.write_text("hello")
        with running(place) as process:
            head = httpx.get(f"http://127.0.0.1:{port}/checkpoint")
            built = place.run("build", "toy", str(source), "--json")
            got = place.run("download", "7kq2m9xa", "--json")
            audited = place.run("ledger", "audit", "--json")
            code, _ = stop(process)
    assert head.status_code == 200
    assert head.text.startswith("f2fbuild.invalid/log/")
    for answer in (built, got):
        assert answer.exit_code == 7
        (record,) = records(answer.stdout)
        assert (record["error"], record["where"]) == ("RefusedError", 'node.role = "auditor"')
    (record,) = records(audited.stdout)
    assert (audited.exit_code, record["entries"], record["wrong"]) == (0, 1, 0)
    assert record["logs"][0]["certificates"][0]["standing"] == "good"
    assert code == 0


def test_an_address_that_cannot_be_served_at_keeps_the_node_from_starting() -> None:
    with house() as place:
        init(place)
        appoint(place, "192.0.2.1:8080")
        code, said = refused(place)
    assert code == 3
    assert "ledger.serve: 192.0.2.1:8080" in said
