"""The API over a real Unix socket: every call, every stream, every error."""

import socket as sockets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from f2fbuild import errors, limits
from f2fbuild.api import calls, replies, requests
from f2fbuild.api.client import Client
from f2fbuild.api.replies import ErrorReply, Reply
from f2fbuild.api.requests import Request
from f2fbuild.ledger.files import LogInUseError
from f2fbuild.store.blobs import BlobMissingError
from tests.api.api_node import Hang, SmallNode, nobody_listening, serving, short_directory
from tests.api.api_samples import CALLS, LOGS, SHORT, STATUS, STREAMS, job, running

ALL_ERRORS = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.F2FError)
]


@pytest.fixture
def place() -> Iterator[Path]:
    with short_directory() as directory:
        yield directory / "f2fbuild" / "api.sock"


def raw(place: Path) -> httpx.Client:
    return httpx.Client(transport=httpx.HTTPTransport(uds=str(place)), base_url="http://node/v1/")


def test_samples_are_complete() -> None:
    assert set(CALLS) == set(calls.CALLS.values())
    assert set(STREAMS) == set(calls.STREAMS.values())


@pytest.mark.parametrize("kind", CALLS, ids=lambda kind: kind.__name__)
def test_every_call(place: Path, kind: type[Request]) -> None:
    request, reply = CALLS[kind]
    node = SmallNode(calls={kind: reply})
    with serving(node, place), Client(place) as client:
        assert client.call(request, type(reply)) == reply
    assert node.asked == [request]


@pytest.mark.parametrize("kind", STREAMS, ids=lambda kind: kind.__name__)
def test_every_stream(place: Path, kind: type[Request]) -> None:
    request, expected = STREAMS[kind]
    node = SmallNode(streams={kind: expected})
    with serving(node, place), Client(place) as client:
        assert tuple(client.stream(request, type(expected[0]))) == expected
    assert node.asked == [request]


@pytest.mark.parametrize("kind", ALL_ERRORS, ids=lambda kind: kind.__name__)
def test_errors_come_back_as_what_they_were(place: Path, kind: type[errors.F2FError]) -> None:
    error = kind("what", where="where\n", hint="hint é")
    node = SmallNode(calls={requests.GetStatus: error}, streams={requests.WatchJob: (running(), error)})
    with serving(node, place), Client(place) as client:
        with pytest.raises(errors.F2FError) as called:
            client.call(requests.GetStatus(), replies.Status)
        stream = client.stream(requests.WatchJob(job=SHORT), replies.Job)
        assert next(stream) == running()
        with pytest.raises(errors.F2FError) as streamed:
            next(stream)
    for found in (called.value, streamed.value):
        assert type(found) is kind
        assert (found.what, found.where, found.hint) == ("what", "where\n", "hint é")
        assert found.exit_code == kind.exit_code


@pytest.mark.parametrize(
    "error", [LogInUseError("busy", where="log"), BlobMissingError("gone")], ids=lambda e: type(e).__name__
)
def test_a_rooms_own_error_comes_as_its_public_ancestor(place: Path, error: errors.F2FError) -> None:
    with (
        serving(SmallNode(calls={requests.GetStatus: error}), place),
        Client(place) as client,
        pytest.raises(errors.StorageError) as caught,
    ):
        client.call(requests.GetStatus(), replies.Status)
    assert type(caught.value) is errors.StorageError
    assert (caught.value.what, caught.value.where) == (error.what, error.where)


def test_an_error_class_of_a_newer_node(place: Path) -> None:
    reply = ErrorReply(error="FromTheFutureError", exit_code=99, what="w", where="", hint="")
    with (
        serving(SmallNode(calls={requests.GetStatus: reply}), place),
        Client(place) as client,
        pytest.raises(errors.F2FError, match="w") as caught,
    ):
        client.call(requests.GetStatus(), replies.Status)
    assert type(caught.value) is errors.F2FError


@pytest.mark.parametrize("name", ["annotations", "ClassVar", "__doc__"])
def test_an_error_name_that_is_no_error(place: Path, name: str) -> None:
    reply = ErrorReply(error=name, exit_code=1, what="w", where="", hint="")
    with (
        serving(SmallNode(calls={requests.GetStatus: reply}), place),
        Client(place) as client,
        pytest.raises(errors.F2FError) as caught,
    ):
        client.call(requests.GetStatus(), replies.Status)
    assert type(caught.value) is errors.F2FError


def test_a_fault_in_the_node_is_called_one(place: Path) -> None:
    with (
        serving(SmallNode(calls={requests.GetStatus: ValueError("bug")}), place),
        Client(place) as client,
        pytest.raises(errors.LocalProtocolError, match="status 500"),
    ):
        client.call(requests.GetStatus(), replies.Status)


def test_a_fault_in_the_midst_of_a_stream(place: Path) -> None:
    node = SmallNode(streams={requests.WatchJob: (running(), ValueError("bug"))})
    with serving(node, place), Client(place) as client:
        stream = client.stream(requests.WatchJob(job=SHORT), replies.Job)
        assert next(stream) == running()
        with pytest.raises(errors.NodeNotRunningError):
            next(stream)


def refused(place: Path, use: Callable[[Client], object]) -> tuple[int, str]:
    """Return the exit code and the place that a client names when nobody answers."""
    with nobody_listening():
        try:
            with Client(place) as client:
                use(client)
        except errors.NodeNotRunningError as error:
            return error.exit_code, error.where
    raise AssertionError("somebody answered")


def test_nobody_listens(place: Path) -> None:
    def call(client: Client) -> object:
        return client.call(requests.GetStatus(), replies.Status)

    def stream(client: Client) -> object:
        return next(client.stream(requests.WatchJob(job=SHORT), replies.Job))

    assert refused(place, call) == (6, str(place))
    assert refused(place, stream) == (6, str(place))


def test_a_socket_that_a_dead_node_left(place: Path) -> None:
    place.parent.mkdir(mode=0o700)
    with sockets.socket(sockets.AF_UNIX) as dead:
        dead.bind(str(place))
    assert refused(place, lambda client: client.call(requests.GetStatus(), replies.Status)) == (6, str(place))
    with serving(SmallNode(calls={requests.GetStatus: STATUS}), place), Client(place) as client:
        assert client.call(requests.GetStatus(), replies.Status) == STATUS


def test_the_node_stops_while_somebody_waits(place: Path) -> None:
    node = SmallNode(streams={requests.WatchJob: (running(), Hang())})
    with Client(place) as client:
        with serving(node, place):
            stream = client.stream(requests.WatchJob(job=SHORT), replies.Job)
            assert next(stream) == running()
        with pytest.raises(errors.NodeNotRunningError):
            next(stream)


def test_who_leaves_a_stream_ends_it_in_the_node(place: Path) -> None:
    node = SmallNode(streams={requests.WatchJob: (running(), Hang())})
    with serving(node, place):
        with Client(place) as client:
            assert next(client.stream(requests.WatchJob(job=SHORT), replies.Job)) == running()
        assert node.ended.acquire(timeout=120)


def test_only_the_user_may_open_the_socket(place: Path) -> None:
    with serving(SmallNode(), place):
        assert stat.S_IMODE(place.stat().st_mode) == 0o600
        assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700


def test_large_requests_are_refused_by_the_client(place: Path) -> None:
    node = SmallNode(calls={requests.AddTarget: CALLS[requests.AddTarget][1]})
    with serving(node, place), Client(place) as client:
        frame = len(msgspec.json.encode(requests.AddTarget(text="")))
        largest = requests.AddTarget(text="x" * (limits.API_REQUEST_BYTES - frame))
        client.call(largest, replies.Target)
        with pytest.raises(errors.UsageError, match="at most"):
            client.call(requests.AddTarget(text=largest.text + "x"), replies.Target)
    assert node.asked == [largest]


@pytest.mark.parametrize("name", ["target-add", "job-watch"])
def test_large_requests_are_refused_by_the_node(place: Path, name: str) -> None:
    node = SmallNode()
    sent = 0

    def too_much() -> Iterator[bytes]:
        nonlocal sent
        while sent < 4 * limits.API_REQUEST_BYTES:
            sent += 64 * limits.KIB
            yield b" " * 64 * limits.KIB

    with serving(node, place), raw(place) as http:
        try:
            response = http.post(name, content=too_much())
        except httpx.TransportError:
            # It hung up on the large request; the answer was lost with the connection.
            pass
        else:
            assert response.status_code == 400
            assert "at most" in msgspec.json.decode(response.content, type=ErrorReply).what
    assert node.asked == []
    assert sent < 4 * limits.API_REQUEST_BYTES


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("status", b'{"extra": 1}'),
        ("job-show", b"{}"),
        ("job-show", b'{"job": 1}'),
        ("job-watch", b'{"job": "x", "more": true}'),
        ("submit", b'{"target": "t", "source": "s", "builders": 0}'),
        ("submit", b'{"target": "t", "source": "s", "job_class": "best"}'),
        ("job-list", b'{"limit": 1001}'),
        ("job-list", b"[]"),
        ("job-list", b"\xff"),
        ("job-logs", b"not json"),
    ],
)
def test_what_is_no_request_is_refused(place: Path, name: str, body: bytes) -> None:
    node = SmallNode()
    with serving(node, place), raw(place) as http:
        response = http.post(name, content=body)
    assert response.status_code == 400
    refusal = msgspec.json.decode(response.content, type=ErrorReply)
    assert (refusal.error, refusal.exit_code, refusal.where) == ("UsageError", 2, f"/v1/{name}")
    assert refusal.what
    assert node.asked == []


def test_no_body_is_an_empty_request(place: Path) -> None:
    with serving(SmallNode(calls={requests.ListLogs: LOGS}), place), raw(place) as http:
        assert http.post("log-list").status_code == 200


def test_only_post_and_only_known_paths(place: Path) -> None:
    with serving(SmallNode(), place), raw(place) as http:
        assert http.get("status").status_code == 405
        assert http.post("stats").status_code == 404


def test_a_call_that_an_older_node_does_not_know(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "f2fbuild.api.client._NAMES", {requests.GetStatus: "status2", requests.WatchJob: "w2"}
    )
    with serving(SmallNode(), place), Client(place) as client:
        with pytest.raises(errors.IncompatibleVersionError):
            client.call(requests.GetStatus(), replies.Status)
        with pytest.raises(errors.IncompatibleVersionError):
            next(client.stream(requests.WatchJob(job=SHORT), replies.Job))


def test_another_reply_than_asked_for(place: Path) -> None:
    class Later(Reply, frozen=True, kw_only=True, tag="f2fbuild.status/2"):
        pass

    for answer in (LOGS, Later()):
        with (
            serving(SmallNode(calls={requests.GetStatus: answer}), place),
            Client(place) as client,
            pytest.raises(errors.IncompatibleVersionError) as caught,
        ):
            client.call(requests.GetStatus(), replies.Status)
        assert caught.value.exit_code == 12


def test_characters_that_end_lines_elsewhere_do_not_cut_a_stream(place: Path) -> None:
    hostile = job(title="a\u2028b\u0085c\x0bd\x1ce\r\nf")
    with serving(SmallNode(streams={requests.WatchJob: (hostile, hostile)}), place), Client(place) as client:
        assert list(client.stream(requests.WatchJob(job=SHORT), replies.Job)) == [hostile, hostile]


def test_a_stream_that_ends_without_a_newline_and_an_empty_one(place: Path) -> None:
    with serving(SmallNode(streams={requests.WatchJob: ()}), place), Client(place) as client:
        assert list(client.stream(requests.WatchJob(job=SHORT), replies.Job)) == []


def test_every_reply_names_its_schema() -> None:
    for _, reply in CALLS.values():
        schema = msgspec.json.decode(msgspec.json.encode(reply))["schema"]
        assert schema.startswith("f2fbuild.")
        assert schema.endswith("/1")
