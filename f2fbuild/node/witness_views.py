"""What the API shows of witnessing: who cosigned a head, and what this node cosigned."""

from f2fbuild.api import ledger_replies
from f2fbuild.api.cosigned import Cosigned
from f2fbuild.ledger.checkpoint import parse_log_vkey
from f2fbuild.ledger.cosigner import Cosigner
from f2fbuild.model.vkey import VerifierKey, format_vkey
from f2fbuild.node.parts import Parts


def witnessing_view(parts: Parts, key: VerifierKey, note: bytes) -> ledger_replies.Witnessing:
    """Return what is known of the log with this `key`, whose newest head here is `note`, empty for none."""
    witnessing = parts.witnessing
    known = witnessing.cosigners.all()
    cosigned = [
        Cosigned(
            origin=key.name,
            name=known[held.cosignature.key].name if held.cosignature.key in known else "",
            role=known[held.cosignature.key].role if held.cosignature.key in known else "",
            vkey=format_vkey(held.cosignature.key),
            size=held.head.size,
            time=held.cosignature.time,
        )
        for held in witnessing.collected.all(key.name)
    ]
    given = [one for cosigner in (witnessing.witness, witnessing.keeper) for one in _given(parts, cosigner)]
    return ledger_replies.Witnessing(
        origin=key.name,
        note=witnessing.gathering.dressed(note, key, known).decode() if note else "",
        keys=(format_vkey(witnessing.witness.vkey), format_vkey(witnessing.keeper.vkey)),
        cosigned=tuple(cosigned),
        given=tuple(given),
        problems=tuple(
            f"{known[one].name}: {why}" for one, why in witnessing.outside.problems.items() if why
        ),
    )


def _given(parts: Parts, cosigner: Cosigner) -> list[Cosigned]:
    names = {parse_log_vkey(friend.vkey).name: friend.name for friend, _, _ in parts.friendships.all()}
    return [
        Cosigned(
            origin=kept.witnessed.head.origin,
            name=names.get(kept.witnessed.head.origin, ""),
            role=kept.role,
            vkey=format_vkey(cosigner.vkey),
            size=kept.witnessed.head.size,
            time=kept.time,
            forked=bool(kept.witnessed.fork),
        )
        for kept in cosigner.all()
    ]
