"""`identity renew` as its owner runs it: GnuPG signs, and the node takes the certificate."""

import json
import time

from f2fbuild.node.certifying import renewed_certificate
from f2fbuild.node.identity import load_identity
from tests.node.node_house import gnupg, house, init, log_size, paths, running, stop


def test_a_running_node_takes_it_at_once_and_a_stopped_one_at_its_start() -> None:
    with house() as place:
        init(place)
        here = paths(place)
        first = load_identity(here).certificate
        with running(place) as process:
            done = place.run("identity", "renew", "--yes", "--json")
            assert done.exit_code == 0, done.stderr
            said = json.loads(done.stdout)
            second = load_identity(here).certificate
            assert second.data != first.data
            assert said["schema"] == "f2fbuild.renewed/1"
            assert (said["in_force"], said["not_after"]) == (True, second.certificate.not_after)
            doctor = place.run("doctor").stdout
            assert "certificate" in doctor
            assert stop(process)[0] == 0
        assert log_size(place) == 2
        checked = gnupg(place).verify(second.signature, second.text)
        assert getattr(checked, "owner", "") == second.certificate.owner

        told, said = place.start("identity", "renew", "--yes").communicate(timeout=60)
        assert "when the node has started" in told
        assert "not running" in said
        assert load_identity(here).certificate.data == second.data, "not logged yet, not in force yet"
        waiting = renewed_certificate(here).read_bytes()
        with running(place) as process:
            while renewed_certificate(here).exists():
                assert process.poll() is None
                time.sleep(0.05)
            assert stop(process)[0] == 0
        assert log_size(place) == 3
        assert load_identity(here).certificate.data == waiting


def test_it_is_asked_for_and_tried() -> None:
    with house() as place:
        init(place)
        before = load_identity(paths(place)).certificate.data
        tried = place.run("identity", "renew", "--dry-run")
        assert tried.exit_code == 0
        assert "signs another certificate" in tried.stderr
        refused = place.run("identity", "renew")
        assert refused.exit_code == 2
        assert "--yes" in refused.stderr
        assert not renewed_certificate(paths(place)).exists()
        assert load_identity(paths(place)).certificate.data == before
