"""What the ledger reads of a node certificate."""

import pytest

from f2fbuild.errors import FormatError
from f2fbuild.ledger.certificate import certificate_epoch
from f2fbuild.ledger.payloads import NodeCertificate


def certificate(*lines: str) -> NodeCertificate:
    text = "\n".join(("f2fbuild node certificate v1", *lines, "", "epoch 9", ""))
    return NodeCertificate(text=text.encode())


@pytest.mark.parametrize("number", [0, 1, 4_294_967_295])
def test_the_epoch_is_the_one_in_the_signed_text(number: int) -> None:
    assert certificate_epoch(certificate(f"epoch {number}", "previous -")) == number


@pytest.mark.parametrize("lines", [(), ("epoch 1", "epoch 2"), ("epoch one",), (" epoch 1",)])
def test_a_text_of_no_epoch_or_two_is_refused(lines: tuple[str, ...]) -> None:
    with pytest.raises(FormatError, match="not the text of a node certificate"):
        certificate_epoch(certificate(*lines))
