import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.errors import FormatError
from f2fbuild.trust.armor import Block, armor, dearmor
from tests.trust.trust_people import gpg, person, short_home


@given(st.binary(min_size=1, max_size=300), st.sampled_from(Block))
def test_round_trip(data: bytes, block: Block) -> None:
    assert dearmor(block, armor(block, data)) == data


def test_gnupg_writes_and_reads_the_same_armor() -> None:
    with person("Ann") as ann, short_home() as elsewhere:
        theirs = gpg(
            ann.home, "--no-emit-version", "--armor", "--export-options", "export-minimal", "--export"
        )
        assert armor(Block.PUBLIC_KEY, ann.key).encode() == theirs
        gpg(elsewhere, "--import", stdin=armor(Block.PUBLIC_KEY, ann.key).encode())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n\n", "\nComment: hello\n\n"),
        ("\n", "\r\n"),
        ("-----\n", "----- \n"),
        ("=", "-"),
        ("SIGNATURE", "MESSAGE"),
        ("BB", "B\nB"),
    ],
)
def test_second_spelling_is_refused(old: str, new: str) -> None:
    text = armor(Block.SIGNATURE, b"\x04\x10\x41" * 40)
    assert old in text
    with pytest.raises(FormatError):
        dearmor(Block.SIGNATURE, text.replace(old, new))


def test_wrong_checksum_and_trailing_text_are_refused() -> None:
    text = armor(Block.SIGNATURE, b"abc")
    with pytest.raises(FormatError, match="one spelling"):
        dearmor(Block.SIGNATURE, text.replace("YWJj", "YWJk"))
    with pytest.raises(FormatError):
        dearmor(Block.SIGNATURE, text + "\n")
