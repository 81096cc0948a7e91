"""What a certificate that a friend sends in a session is to the one that is held: a decision over the two.

A node keeps its statement key and its session key for ever; another log, witness or mirror key is another
epoch. That the owner signed the certificate is for the keyring to say.
"""

from enum import StrEnum

from f2fbuild.limits import CERTIFICATE_WARNING_DAYS, CLOCK_SKEW_SECONDS
from f2fbuild.model.times import format_time
from f2fbuild.trust.certificates import NodeCertificate


class Renewal(StrEnum):
    """What is offered; the value is the word on the wire."""

    NEW_EPOCH = "new-epoch"
    RENEWED = "renewed"
    OLDER = "older"
    ANOTHER_NODE = "another-node"
    ANOTHER_OWNER = "another-owner"
    ANOTHER_SESSION_KEY = "another-session-key"
    OTHER_KEYS = "other-keys"
    NOT_IN_FORCE = "not-in-force"
    REPEATED_EPOCH = "repeated-epoch"


def compare(held: NodeCertificate, offered: NodeCertificate, now: int) -> Renewal:
    """Return what `offered` is to a node that holds `held`, at `now` (unix seconds)."""
    if offered.statements != held.statements:
        return Renewal.ANOTHER_NODE
    if offered.owner != held.owner:
        return Renewal.ANOTHER_OWNER
    if offered.epoch == held.epoch and offered.log != held.log:
        # Before all else that may be wrong with it: whatever its dates are, it was signed.
        return Renewal.REPEATED_EPOCH
    if (offered.epoch, offered.not_before) <= (held.epoch, held.not_before):
        return Renewal.OLDER
    if not offered.not_before - CLOCK_SKEW_SECONDS <= now < offered.not_after:
        return Renewal.NOT_IN_FORCE
    return _compare_keys(held, offered)


def _compare_keys(held: NodeCertificate, offered: NodeCertificate) -> Renewal:
    before, after = ((one.log, one.witness, one.mirror) for one in (held, offered))
    if offered.noise != held.noise:
        return Renewal.ANOTHER_SESSION_KEY
    if offered.epoch > held.epoch:
        # A key of two epochs would sign for two logs.
        return Renewal.OTHER_KEYS if set(before) & set(after) else Renewal.NEW_EPOCH
    return Renewal.RENEWED if before == after else Renewal.OTHER_KEYS


def ending(certificate: NodeCertificate, now: int) -> str:
    """Return what to tell the owner of a certificate about its end, nothing as long as that is far."""
    left = certificate.not_after - now
    if left >= CERTIFICATE_WARNING_DAYS * 86_400:
        return ""
    when = f"{'ended' if left <= 0 else 'ends'} {format_time(certificate.not_after)}"
    return f"this node's certificate {when}; friends talk to no node without one: `f2fbuild identity renew`"
