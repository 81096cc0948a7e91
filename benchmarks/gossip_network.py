"""A network of nodes that are nothing but `ledger.gossip`: every message takes one round, offline is offline.

The machines are the product's own. What stands around them here is the post between them: who is online,
what is in flight, and copies of logs where a node would keep them. Heads are signed for real; a signature
that was checked once is not checked again for the next node.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache

from f2fbuild import limits
from f2fbuild.ledger.checkpoint import Checkpoint, open_checkpoint, origin_of, sign_checkpoint
from f2fbuild.ledger.gossip import talk
from f2fbuild.ledger.gossip.spread import Gossip
from f2fbuild.ledger.monitor import Consistency
from f2fbuild.model.signing import SigningKey
from f2fbuild.model.tree import EMPTY_ROOT, leaf_hash, node_hash, prove_consistency, range_root

opened = cache(open_checkpoint)
"""The signature check of the whole network."""


class Story:
    """What a log says: a Merkle tree that grows, and may be told otherwise from some entry on."""

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        """Begin with these leaf hashes."""
        self._levels: list[list[bytes]] = [[]]
        for leaf in leaves:
            self._push(leaf)

    @property
    def size(self) -> int:
        """The number of entries."""
        return len(self._levels[0])

    def append(self, *entries: bytes) -> None:
        """Say more."""
        for entry in entries:
            self._push(leaf_hash(entry))

    def otherwise(self, size: int) -> "Story":
        """Return another story with the same first `size` entries."""
        return Story(self._levels[0][:size])

    def root(self, size: int) -> bytes:
        """Return the root at a size."""
        return range_root(0, size, self._read) if size else EMPTY_ROOT

    def consistency(self, old: int, new: int) -> Consistency | None:
        """Return the proof from one size to the next, None if the story is not so long."""
        if not 0 < old <= new <= self.size:
            return None
        hashes = prove_consistency(old, new, self._read)
        return Consistency(prefix_root=self.root(old), hashes=tuple(hashes))

    def _read(self, level: int, index: int) -> bytes:
        return self._levels[level][index]

    def _push(self, node: bytes) -> None:
        for level in self._levels:
            level.append(node)
            if len(level) % 2:
                return
            node = node_hash(level[-2], level[-1])
        self._levels.append([node])


@dataclass(slots=True)
class Node:
    """One node: its log, its friends, and its copies of friends' logs."""

    name: str
    key: SigningKey
    gossip: Gossip
    log: bytes
    friends: set[str] = field(default_factory=set)
    online: bool = False
    copies: dict[bytes, Story] = field(default_factory=dict)
    stories: dict[str, Story] = field(default_factory=dict)
    """Told to whom; what is told to "" is told to everybody else."""

    def story(self, friend: str) -> Story:
        """Return what this node tells a friend."""
        return self.stories.get(friend) or self.stories.setdefault("", Story())

    def head(self, story: Story) -> bytes:
        """Sign the head of a story."""
        tree = Checkpoint(origin=origin_of(self.key.public), size=story.size, root=story.root(story.size))
        return sign_checkpoint(tree, self.key)


Measure = Callable[[talk.Action], int]


class Network:
    """All nodes and the post between them."""

    def __init__(self, size: int, measure: Measure = lambda _action: 0) -> None:
        """Make `size` nodes without friends; `measure` returns the bytes that an action costs on the wire."""
        self.nodes: dict[str, Node] = {}
        self.authors: dict[bytes, Node] = {}
        self.now = 0.0
        self.sent: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()
        self.convicted: dict[bytes, dict[str, bytes]] = {}
        self.longest = 0
        self._measure = measure
        self._post: list[tuple[str, talk.Event]] = []
        for number in range(size):
            seed = hashlib.sha256(b"gossip %d" % number).digest()
            key = SigningKey.from_seed(seed)
            gossip = Gossip(key.public, opened)
            name = f"{number:05}"
            self.nodes[name] = node = Node(name=name, key=key, gossip=gossip, log=gossip.own)
            self.authors[node.log] = node

    def befriend(self, one: str, other: str) -> None:
        """Let two nodes be friends, who keep each other's logs in full."""
        for node, friend in ((self.nodes[one], other), (self.nodes[other], one)):
            node.friends.add(friend)

    def start(self, name: str) -> None:
        """Let a node come online."""
        node = self.nodes[name]
        if node.online:
            return
        node.online = True
        full = frozenset(self.nodes[friend].log for friend in node.friends)
        self.happen(name, talk.Follows(full=full, frozen=frozenset()))
        for friend in sorted(node.friends):
            if self.nodes[friend].online:
                self.happen(name, talk.Linked(peer=friend, log=self.nodes[friend].log))
                self.happen(friend, talk.Linked(peer=name, log=node.log))

    def stop(self, name: str) -> None:
        """Let a node go offline."""
        node = self.nodes[name]
        if not node.online:
            return
        for friend in sorted(node.friends):
            if self.nodes[friend].online:
                self.happen(friend, talk.Unlinked(peer=name))
                self.happen(name, talk.Unlinked(peer=friend))
        node.online = False

    def append(self, name: str, *entries: bytes) -> bytes:
        """Let a node's log grow; returns the new head."""
        node = self.nodes[name]
        node.story("").append(*entries)
        head = node.head(node.story(""))
        self.happen(name, talk.Grew(note=head))
        return head

    def tell_otherwise(self, name: str, friends: Iterable[str], story: Story) -> None:
        """Let a node tell some of its friends another story from now on, and its head at once."""
        node = self.nodes[name]
        for friend in friends:
            node.stories[friend] = story
            head = talk.Given(note=node.head(story), public=node.key.public, hops=0)
            self._send(name, friend, talk.Announced(peer=name, head=head))

    def round(self) -> int:
        """Deliver everything in flight; returns how many messages that were."""
        post, self._post = self._post, []
        for name, event in post:
            self.happen(name, event)
        return len(post)

    def settle(self, most: int = 1_000) -> int:
        """Play rounds until nothing is in flight any more; returns how many."""
        for rounds in range(most):
            if not self.round():
                return rounds
        raise RuntimeError(f"still talking after {most} rounds")

    def tick(self, name: str, chosen: tuple[str, ...]) -> None:
        """Let a node begin another round of swaps with these friends."""
        self.happen(name, talk.Tick(chosen=chosen))

    def online_friends(self, name: str) -> list[str]:
        """Return a node's friends who are there."""
        return sorted(friend for friend in self.nodes[name].friends if self.nodes[friend].online)

    def happen(self, name: str, event: talk.Event) -> None:
        """Let something happen at a node, if it is online, and post what it wants done."""
        node = self.nodes[name]
        if not node.online and not isinstance(event, talk.Grew):
            return
        for action in node.gossip.receive(event, self.now):
            self.sent[type(action).__name__] += 1
            self.bytes[name] += self._measure(action)
            self._do(node, action)

    def _do(self, node: Node, action: talk.Action) -> None:
        match action:
            case talk.Announce(peer=peer, head=head):
                self.longest = max(self.longest, head.hops)
                self._send(
                    node.name, peer, talk.Announced(peer=node.name, head=self._shown(node, peer, head))
                )
            case talk.Swap(peer=peer, vector=vector):
                self._send(node.name, peer, talk.Swapped(peer=node.name, vector=vector))
            case talk.AnswerSwap(peer=peer, vector=vector, heads=heads):
                shown = tuple(self._shown(node, peer, head) for head in heads)
                self._send(node.name, peer, talk.SwapAnswered(peer=node.name, vector=vector, heads=shown))
            case talk.Tune(peer=peer, graft=graft, prune=prune):
                self._send(node.name, peer, talk.Tuned(peer=node.name, graft=graft, prune=prune))
            case talk.AskConsistency(peer=peer, log=log, old=old, new=new):
                proof = self._prove(self.nodes[peer or node.name], log, (old, new), limits.HEAD_HOPS)
                self._post.append((node.name, talk.Proved(log=log, consistency=proof)))
            case talk.Pull(peer=peer, log=log, note=note):
                self._pull(node, peer, log, note)
            case talk.Convict(log=log, evidence=evidence):
                self.convicted.setdefault(log, {})[node.name] = evidence

    def _send(self, sender: str, receiver: str, event: talk.Event) -> None:
        if self.nodes[sender].online and self.nodes[receiver].online:
            self._post.append((receiver, event))

    def _shown(self, node: Node, peer: str, head: talk.Given) -> talk.Given:
        """What a liar says of its own log depends on whom it speaks to."""
        if peer not in node.stories or head.public != node.key.public:
            return head
        return talk.Given(note=node.head(node.stories[peer]), public=head.public, hops=head.hops)

    def _prove(self, node: Node, log: bytes, sizes: tuple[int, int], hops: int) -> Consistency | None:
        """Ask along the way by which the head came, as nodes do for one another."""
        story = node.copies.get(log)
        proof = story.consistency(*sizes) if story is not None else None
        known = node.gossip.head(log)
        if proof is not None or known is None or hops == 0:
            return proof
        source = self.nodes.get(known.source)
        return self._prove(source, log, sizes, hops - 1) if source and source.online else None

    def _pull(self, node: Node, peer: str, log: bytes, note: bytes) -> None:
        """Fetch entries from the author; whoever else has them is left out here."""
        author = self.authors[log]
        if peer != author.name:
            return
        told, held = author.story(node.name), node.copies.get(log, Story())
        if told.size < held.size or told.root(held.size) != held.root(held.size):
            # The copy itself convicts (`ledger.mirror`); what is counted here is what gossip finds.
            return
        node.copies[log] = told.otherwise(told.size)
        self._post.append((node.name, talk.Fetched(log=log, note=note, public=author.key.public)))
