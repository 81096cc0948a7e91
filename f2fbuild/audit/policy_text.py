"""Which witnesses make a head of a log believable, as a C2SP tlog-policy that other programs apply.

    log <vkey>
    witness <owner>/<node> <vkey>
    group <owner> any <owner>/<node> …       one owner has one voice, whatever the number of nodes
    group voice-<n> any <owner> …            owners who are known through one introducer have one together
    group witnesses 2 …
    quorum witnesses

Independence is a maximum flow (`trust.graph`), a policy only counts; so owners who are not independent of one
another in pairs share one voice. That is never more generous than what this node asks for.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from f2fbuild.errors import NobodyError
from f2fbuild.limits import WITNESS_QUORUM
from f2fbuild.model.vkey import VerifierKey, format_vkey


def format_policy(
    log: VerifierKey,
    witnesses: Mapping[str, Mapping[str, VerifierKey]],
    independent: Callable[[tuple[str, ...]], int],
) -> str:
    """Return the policy for the log of `log`.

    Args:
        log: the log's key.
        witnesses: witness keys by owner (fingerprint) and node name, without those of the log's owner.
        independent: how many independent voices some owners have.

    Raises:
        NobodyError: there are not enough independent witnesses for any quorum.
    """
    voices = _voices(sorted(owner for owner, nodes in witnesses.items() if nodes), independent)
    if len(voices) < WITNESS_QUORUM:
        raise NobodyError(
            f"{len(voices)} independent witnesses, and a quorum needs {WITNESS_QUORUM}",
            where=log.name,
            hint="add friends who follow this log: f2fbuild peer add CARD",
        )
    lines = [f"log {format_vkey(log)}"]
    for owner in sorted(witnesses):
        names = [f"{owner}/{node}" for node in sorted(witnesses[owner])]
        for name, node in zip(names, sorted(witnesses[owner]), strict=True):
            lines.append(f"witness {name} {format_vkey(witnesses[owner][node])}")
        if names:
            lines.append(f"group {owner} any {' '.join(names)}")
    members = []
    for number, owners in enumerate(voices, 1):
        members.append(owners[0] if len(owners) == 1 else f"voice-{number}")
        if len(owners) > 1:
            lines.append(f"group voice-{number} any {' '.join(owners)}")
    lines += [f"group witnesses {WITNESS_QUORUM} {' '.join(members)}", "quorum witnesses", ""]
    return "\n".join(lines)


def _voices(owners: Sequence[str], independent: Callable[[tuple[str, ...]], int]) -> list[list[str]]:
    """Return the owners in groups that have one voice each; owners without any path have none."""
    voices: list[list[str]] = []
    for owner in (one for one in owners if independent((one,)) == 1):
        shared = [group for group in voices if _depends(owner, group, independent)]
        others = [group for group in voices if group not in shared]
        voices = [*others, sorted([owner, *(one for group in shared for one in group)])]
    return sorted(voices)


def _depends(owner: str, group: Iterable[str], independent: Callable[[tuple[str, ...]], int]) -> bool:
    return any(independent((owner, other)) < 2 for other in group)
