"""Hints in one spelling, and where they may not lead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.errors import FormatError
from f2fbuild.net.hints import Hint, may_dial, parse_hint

_HOSTS = st.one_of(
    st.ip_addresses().map(str),
    st.from_regex(r"[a-z][a-z0-9]{0,10}(\.[a-z][a-z0-9-]{0,10}[a-z0-9]){0,3}", fullmatch=True),
)
_PORTS = st.one_of(st.just(443), st.integers(min_value=1024, max_value=65_535))


@given(st.builds(Hint, host=_HOSTS, port=_PORTS))
def test_a_hint_comes_back_as_it_was(hint: Hint) -> None:
    assert parse_hint(str(hint)) == hint
    assert str(parse_hint(str(hint))) == str(hint)


@given(st.text(max_size=40))
def test_what_is_read_is_written_the_same(text: str) -> None:
    try:
        hint = parse_hint(text)
    except FormatError:
        return
    assert str(hint) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host",
        "host:",
        ":7000",
        "host:0",
        "host:80",
        "host:1023",
        "host:65536",
        "host:07000",
        "host:\uff17\uff10\uff10\uff10",
        "host: 7000",
        "host:7000\n",
        "Host:7000",
        "ho st:7000",
        "-host:7000",
        "host-:7000",
        "host.:7000",
        "ho..st:7000",
        "1.2.3:7000",
        "1.2.3.256:7000",
        "01.2.3.4:7000",
        "::1:7000",
        "[::0:1]:7000",
        "[1.2.3.4]:7000",
        "[fe80::1%eth0]:7000",
        "[FE80::1]:7000",
        "[::1:7000",
        "user@host:7000",
        "a" * 64 + ":7000",
        ".".join(["a" * 60] * 5) + ":7000",
    ],
)
def test_other_spellings_are_refused(text: str) -> None:
    with pytest.raises(FormatError):
        parse_hint(text)


@pytest.mark.parametrize(
    ("host", "at_all", "on_loopback"),
    [
        ("192.0.2.1", True, True),
        ("10.1.2.3", True, True),
        ("2001:db8::1", True, True),
        ("example.org", True, True),
        ("localhost", False, True),
        ("127.0.0.1", False, True),
        ("127.9.9.9", False, True),
        ("::1", False, True),
        ("::ffff:7f00:1", False, True),
        ("169.254.169.254", False, False),
        ("::ffff:a9fe:a9fe", False, False),
        ("fe80::1", False, False),
        ("224.0.0.1", False, False),
        ("ff02::1", False, False),
        ("0.0.0.0", False, False),
        ("::", False, False),
        ("255.255.255.255", False, False),
    ],
)
def test_where_a_hint_may_lead(host: str, at_all: bool, on_loopback: bool) -> None:
    hint = Hint(host=host, port=7000)
    assert may_dial(hint, loopback=False) is at_all
    assert may_dial(hint, loopback=True) is on_loopback
