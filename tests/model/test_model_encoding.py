"""Base64 has one spelling: the decoder takes what the encoder writes, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.errors import FormatError
from f2fbuild.model.encoding import decode_base64, encode_base64


@given(st.binary(max_size=100))
def test_what_is_written_is_read(data: bytes) -> None:
    assert decode_base64(encode_base64(data)) == data


@given(st.text(alphabet="AQBg+/-_= \n=", max_size=8))
def test_what_is_read_is_spelled_as_it_is_written(text: str) -> None:
    try:
        data = decode_base64(text)
    except FormatError:
        return
    assert encode_base64(data) == text


@pytest.mark.parametrize(
    "text",
    ["-_-_", "+/+/\n", " +/+/", "QQ", "QQ=", "QR==", "QQ==QQ==", "QQ===", "ä", "\ud800", "A", "="],
)
def test_a_second_spelling_is_refused(text: str) -> None:
    with pytest.raises(FormatError) as refused:
        decode_base64(text, where="here")
    assert refused.value.where == "here"
