"""Nodes of a scene that serve what they like of logs, over real links."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from f2fbuild.ledger.checkpoint import Checkpoint, sign_checkpoint
from f2fbuild.model.signing import SigningKey
from f2fbuild.net.exchange import Exchange
from f2fbuild.net.ledger_messages import GetHead, GetLogResource, Head, LogResource, NoLogResource
from f2fbuild.net.messages import Request
from f2fbuild.trust.policy import Right
from tests.scenes.scene_node import SceneNode


@dataclass
class Lies:
    """What a node says of the log `origin` instead of the truth; None is the truth. `asked` counts paths."""

    origin: str
    head: bytes | None = None
    resource: Callable[[str], bytes | None] | None = None
    asked: list[str] = field(default_factory=list)


def lie(node: SceneNode, lies: Lies) -> None:
    """Let a node tell `lies` from now on; they may be changed meanwhile."""
    table = node.parts.exchanges._table
    honest_head, honest_resource = table[GetHead][1], table[GetLogResource][1]

    async def head(peer: str, request: GetHead, exchange: Exchange) -> None:
        if request.origin == lies.origin and lies.head is not None:
            await exchange.send(Head(checkpoint=lies.head))
        else:
            await honest_head(peer, request, exchange)

    async def resource(peer: str, request: GetLogResource, exchange: Exchange) -> None:
        if request.origin == lies.origin:
            lies.asked.append(request.path)
        if request.origin == lies.origin and lies.resource is not None:
            data = lies.resource(request.path)
            await exchange.send(NoLogResource() if data is None else LogResource(data=data))
        else:
            await honest_resource(peer, request, exchange)

    answers: dict[type[Request], Callable[..., Awaitable[None]]] = {GetHead: head, GetLogResource: resource}
    for kind, answer in answers.items():
        table[kind] = (Right.LEDGER, answer)


def signed_head(key: SigningKey, origin: str, size: int, root: bytes = b"\x07" * 32) -> bytes:
    """A head of any size, signed by the log's own key."""
    return sign_checkpoint(Checkpoint(origin=origin, size=size, root=root), key)
