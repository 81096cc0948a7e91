"""The rules that are asked about an owner, and the reasons for which they say no."""

from enum import Enum, StrEnum


class Rule(StrEnum):
    """The rules, in the order in which they are asked. The value is how the rule is cited."""

    KNOWN = "key 1: the owner's key is in the node's keyring"
    UNREVOKED = "key 2: it is not revoked"
    UNEXPIRED = "key 3: it has not expired"
    VALID = "key 4: the web of trust finds it valid"
    KEPT = "connect 1: the owner was not removed, blocked or paused"
    FRIEND = "connect 2: the owner is a friend of this node"
    CERTIFIED = "connect 3: a certificate of the node, by this owner, is known"
    CURRENT = "connect 4: no newer epoch of the node is known"
    IN_DATE = "connect 5: the certificate is in date"
    GIVEN = "service 1: the owner was given this right"


class RefusalReason(Enum):
    """Why not. Each has the word that is sent and stored, what the user reads, and what to do next."""

    UNKNOWN_OWNER = ("unknown-owner", "this owner's key is not known here", "f2fbuild peer add CARD")
    OWNER_REVOKED = ("owner-revoked", "the owner's key has been revoked", "ask the owner for the new key")
    OWNER_EXPIRED = ("owner-expired", "the owner's key has expired", "ask the owner to extend it")
    OWNER_NOT_VALID = (
        "owner-not-valid",
        "nothing in the web of trust says that this key is its owner's",
        "compare fingerprints, then certify the key: f2fbuild peer add CARD",
    )
    PEER_REMOVED = ("peer-removed", "the owner was removed from the friends", "f2fbuild peer add CARD")
    PEER_BLOCKED = ("peer-blocked", "the owner is blocked", "f2fbuild peer show OWNER")
    PEER_PAUSED = ("peer-paused", "the owner is paused", "f2fbuild peer show OWNER")
    NOT_A_FRIEND = ("not-a-friend", "the owner is not a friend of this node", "f2fbuild peer add CARD")
    CERTIFICATE_MISSING = (
        "certificate-missing",
        "no certificate of the owner's node is known",
        "ask the owner for a friend card: f2fbuild identity card",
    )
    CERTIFICATE_OF_ANOTHER_OWNER = (
        "certificate-of-another-owner",
        "the certificate belongs to another owner",
        "ask the owner for a friend card of this node",
    )
    CERTIFICATE_SUPERSEDED = (
        "certificate-superseded",
        "a newer certificate of this node is known",
        "ask the owner for the newest friend card",
    )
    CERTIFICATE_NOT_YET_VALID = (
        "certificate-not-yet-valid",
        "the certificate's time has not begun",
        "check the clocks of both machines",
    )
    CERTIFICATE_EXPIRED = (
        "certificate-expired",
        "the certificate's time is over",
        "ask the owner for the card of a renewed certificate",
    )
    RIGHT_MISSING = (
        "right-missing",
        "the owner was not given this right",
        "f2fbuild peer add CARD --allow RIGHT",
    )

    def __init__(self, word: str, text: str, advice: str) -> None:
        self.word = word
        self.text = text
        self.advice = advice
