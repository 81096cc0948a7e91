"""Records come out of a stream however its bytes arrive."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.errors import LocalProtocolError, RemoteProtocolError
from f2fbuild.net import records
from f2fbuild.net.records import RecordReader

_RECORDS = st.lists(st.binary(min_size=1, max_size=70), max_size=8)


def wire(bodies: list[bytes]) -> bytes:
    return b"".join(records.head(body) + body for body in bodies)


def drain(reader: RecordReader) -> list[bytes]:
    found = []
    while (record := reader.next_record()) is not None:
        found.append(record)
    return found


@given(_RECORDS, st.lists(st.integers(min_value=1, max_value=90), min_size=1))
def test_chunking_does_not_matter(bodies: list[bytes], sizes: list[int]) -> None:
    rest, reader, found, turn = b"\x01" + wire(bodies), RecordReader(), list[bytes](), 0
    assert reader.next_byte() is None
    reader.receive_data(rest[:1])
    assert reader.next_byte() == 1
    rest = rest[1:]
    while rest:
        size = sizes[turn % len(sizes)]
        reader.receive_data(rest[:size])
        found += drain(reader)
        rest, turn = rest[size:], turn + 1
    assert not reader.ended
    reader.receive_data(b"")
    assert reader.next_record() is None
    assert found == bodies
    assert reader.ended


@given(_RECORDS.filter(bool), st.integers(min_value=1, max_value=60))
def test_an_end_within_a_record_is_an_error(bodies: list[bytes], missing: int) -> None:
    reader = RecordReader()
    reader.receive_data(wire(bodies)[: -min(missing, len(bodies[-1]) + 1)])
    drain(reader)
    reader.receive_data(b"")
    with pytest.raises(RemoteProtocolError, match="ended within"):
        reader.next_record()
    with pytest.raises(LocalProtocolError, match="after an error"):
        reader.next_record()


def test_an_empty_record_is_an_error() -> None:
    reader = RecordReader()
    reader.receive_data(b"\0\0")
    with pytest.raises(RemoteProtocolError, match="empty"):
        reader.next_record()


def test_nothing_comes_after_the_end() -> None:
    reader = RecordReader()
    reader.receive_data(b"")
    with pytest.raises(LocalProtocolError, match="after the end"):
        reader.receive_data(b"x")


@pytest.mark.parametrize("size", [0, 65_536])
def test_a_record_of_ours_has_a_legal_size(size: int) -> None:
    with pytest.raises(LocalProtocolError):
        records.head(bytes(size))


def test_the_largest_record_passes() -> None:
    reader, body = RecordReader(), bytes(65_535)
    reader.receive_data(records.head(body) + body)
    assert reader.next_record() == body
