"""Between the messages of a link and the events and actions of gossip: the same values in other clothes."""

from f2fbuild.ledger.gossip import talk
from f2fbuild.net.ledger_messages import AnnounceHead, GivenHead, HeadLine, HeadsSwapped, SwapHeads


def given(message: AnnounceHead | GivenHead) -> talk.Given:
    """Return an announced head."""
    return talk.Given(note=message.checkpoint, public=message.public, hops=message.hops)


def head_request(head: talk.Given) -> AnnounceHead:
    """Return the announcement of a head."""
    return AnnounceHead(checkpoint=head.note, public=head.public, hops=head.hops)


def vector(message: SwapHeads | HeadsSwapped) -> talk.Vector:
    """Return what a friend says it has."""
    have = tuple(
        talk.Have(log=line.log, size=line.size, mark=line.mark, hops=line.hops) for line in message.have
    )
    return talk.Vector(have=have, total=message.total, whole=message.whole, again=message.again)


def swap_request(swap: talk.Swap) -> SwapHeads:
    """Return the request for a swap."""
    told = swap.vector
    return SwapHeads(have=_lines(told), total=told.total, whole=told.whole, again=told.again)


def swap_answer(answer: talk.AnswerSwap) -> HeadsSwapped:
    """Return the answer to one."""
    told = answer.vector
    heads = [GivenHead(checkpoint=one.note, public=one.public, hops=one.hops) for one in answer.heads]
    return HeadsSwapped(have=_lines(told), total=told.total, whole=told.whole, again=told.again, heads=heads)


def _lines(told: talk.Vector) -> list[HeadLine]:
    return [HeadLine(log=one.log, size=one.size, mark=one.mark, hops=one.hops) for one in told.have]
