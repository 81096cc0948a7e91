"""Whether the commitments that a submitter shows are real, as far as a builder can know. Pure.

An offer never says who else builds, so a builder cannot know who was asked, nor whether all of them are here;
a submitter that wants to give a result away early can do so anyway, once it has it. What a builder can check,
and does before it reveals:

  * its own commitment is among those that are shown;
  * each stands in the log that is named beside it: the key is the one that its origin is the hash of, and it
    signed the heads of both proofs;
  * each belongs to an acceptance of **this** job at the index that it names, earlier in the same log and
    signed by the same statement key;
  * a log, and a statement key, is shown once;
  * a log of a friend of this node speaks with the statement key that this node knows.

So nobody can pass off another job's commitment, one entry twice, or a promise of a log that does not have it.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from f2fbuild.errors import F2FError, FormatError
from f2fbuild.ledger import entry as entries
from f2fbuild.ledger.checkpoint import parse_log_vkey
from f2fbuild.ledger.proof import parse_proof, verify_proof
from f2fbuild.model.envelope import unseal
from f2fbuild.model.vkey import VerifierKey
from f2fbuild.net.messages import ShownCommitment


class ShownFault(StrEnum):
    """Why what was shown is not enough to reveal a result; the value is the word on the wire."""

    OWN_MISSING = "own-commitment-missing"
    NOT_LOGGED = "commitment-not-logged"
    OTHER_JOB = "commitment-of-another-job"
    TWICE = "log-shown-twice"
    OTHER_KEY = "statement-key-of-another"


def fault_in(
    shown: Sequence[ShownCommitment], *, job: str, own: bytes, known: Mapping[str, bytes]
) -> ShownFault | None:
    """Return what is wrong with the commitments shown for a job, None when the result may come out.

    Args:
        shown: what the submitter shows.
        job: the job's id.
        own: this builder's own commitment, as it stands in its log.
        known: the statement keys (32 bytes) of friends by the origin of their logs.
    """
    if own not in [one.entry for one in shown]:
        return ShownFault.OWN_MISSING
    logs: set[str] = set()
    keys: set[bytes] = set()
    for one in shown:
        try:
            log, speaker = parse_log_vkey(one.log, where="shown log"), unseal(one.acceptance).public
            belongs = _belongs(one, log, speaker, job)
        except F2FError:
            return ShownFault.NOT_LOGGED
        if not belongs:
            return ShownFault.OTHER_JOB
        if known.get(log.name, speaker) != speaker:
            return ShownFault.OTHER_KEY
        if log.name in logs or speaker in keys:
            return ShownFault.TWICE
        logs.add(log.name)
        keys.add(speaker)
    return None


def _belongs(one: ShownCommitment, log: VerifierKey, speaker: bytes, job: str) -> bool:
    """Return whether the log holds an acceptance of the job and, after it, this commitment to its result."""
    accepted, acceptance = _logged(one.acceptance, one.receipt, log, speaker)
    at, commitment = _logged(one.entry, one.proof, log, speaker)
    if not isinstance(acceptance, entries.Acceptance) or not isinstance(commitment, entries.Commitment):
        raise FormatError("not an acceptance and its commitment", where="shown commitment")
    return acceptance.job == job and commitment.acceptance == accepted < at


def _logged(entry: bytes, proof: bytes, log: VerifierKey, speaker: bytes) -> tuple[int, entries.Payload]:
    path = parse_proof(proof, where="shown proof")
    verify_proof(path, entry, log, where="shown proof")
    return path.index, entries.read(entry, speaker, where="shown entry").payload
