import pytest

from f2fbuild.trust.signature import BadSignature, GoodSignature, SignatureFault, Status, judge
from tests.trust.trust_people import FINGERPRINT

SUBKEY = "F" * 40
VALID = ("VALIDSIG", f"{SUBKEY} 2026-11-25 1795578455 0 4 0 22 8 00 {FINGERPRINT}")
GOOD: list[Status] = [
    ("NEWSIG", ""),
    ("KEY_CONSIDERED", f"{FINGERPRINT} 0"),
    ("SIG_ID", "8k/mApqW7KeHphppbCso2UxpRxo 2026-11-25 1795578455"),
    ("GOODSIG", "596771AFE027E104 a <a@example.org>"),
    VALID,
    ("TRUST_UNDEFINED", "0 pgp"),
]


def test_the_primary_key_is_the_signer() -> None:
    assert judge(GOOD) == GoodSignature(owner=FINGERPRINT, made=1_795_578_455)


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        (("BADSIG", "596771AFE027E104 a"), SignatureFault.BAD),
        (("REVKEYSIG", "596771AFE027E104 a"), SignatureFault.SIGNER_REVOKED),
        (("KEYREVOKED", ""), SignatureFault.SIGNER_REVOKED),
        (("EXPKEYSIG", "596771AFE027E104 a"), SignatureFault.SIGNER_EXPIRED),
        (("EXPSIG", "596771AFE027E104 a"), SignatureFault.EXPIRED),
        (("SIGEXPIRED", "1"), SignatureFault.EXPIRED),
        (("ERRSIG", f"596771AFE027E104 22 8 00 1795578455 9 {SUBKEY}"), SignatureFault.UNKNOWN_KEY),
        (("ERRSIG", f"596771AFE027E104 22 8 00 1795578455 4 {SUBKEY}"), SignatureFault.BAD),
        (("ERRSIG", ""), SignatureFault.BAD),
        (("NEWSIG", ""), SignatureFault.NOT_ONE),
        (("GOODSIG", "596771AFE027E104 a"), SignatureFault.NOT_ONE),
        (VALID, SignatureFault.NOT_ONE),
        (("NODATA", "1"), SignatureFault.NOT_ONE),
        (("FAILURE", "verify 38"), SignatureFault.NOT_ONE),
    ],
)
def test_one_bad_line_spoils_a_good_signature(more: Status, fault: SignatureFault) -> None:
    assert judge([*GOOD, more]) == BadSignature(fault=fault)


@pytest.mark.parametrize("missing", ["NEWSIG", "GOODSIG", "VALIDSIG"])
def test_every_line_is_needed(missing: str) -> None:
    assert judge([line for line in GOOD if line[0] != missing]) == BadSignature(fault=SignatureFault.NOT_ONE)


@pytest.mark.parametrize(
    "fields",
    [
        f"{SUBKEY} 2026-11-25 1795578455 0 4 0 22 2 00 {FINGERPRINT}",
        f"{SUBKEY} 2026-11-25 1795578455 0 4 0 22 8 01 {FINGERPRINT}",
        f"{SUBKEY} 2026-11-25 1795578455 0 4 0 22 8 00",
        "",
    ],
)
def test_weak_hashes_and_text_signatures_are_refused(fields: str) -> None:
    status = [("VALIDSIG", fields) if line[0] == "VALIDSIG" else line for line in GOOD]
    assert judge(status) == BadSignature(fault=SignatureFault.WEAK)
