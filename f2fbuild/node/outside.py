"""Witnesses that are no friends: this node's own heads are brought to them over HTTP (C2SP tlog-witness).

Each is asked by a task of its own: when the log has grown, and again when a cosignature has become old. Who
cannot be reached is asked ever more rarely. Nothing else waits for them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx
import trio

from f2fbuild import limits
from f2fbuild.ledger.add_checkpoint import AddCheckpoint, format_request
from f2fbuild.ledger.checkpoint import Checkpoint, open_checkpoint
from f2fbuild.ledger.collected import Collected
from f2fbuild.ledger.cosignature import Cosignature
from f2fbuild.ledger.log import Log
from f2fbuild.ledger.witness_http import PATH, Conflict, Declined, Reply, hear
from f2fbuild.model.tree import prove_consistency
from f2fbuild.model.vkey import VerifierKey


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideWitness:
    """A witness by its name here, its key, and the prefix of its URL."""

    name: str
    key: VerifierKey
    url: str


class OutsideWitnesses:
    """Brings heads to outside witnesses."""

    def __init__(
        self,
        log: Log,
        collected: Collected,
        witnesses: Sequence[OutsideWitness],
        clock: Callable[[], int],
        tell: Callable[[str], None],
    ) -> None:
        """Bring the heads of `log`; what they say is kept in `collected`, problems are told."""
        self._log = log
        self._collected = collected
        self._witnesses = witnesses
        self._clock = clock
        self._tell = tell
        self._grown = trio.Event()
        self.problems: dict[VerifierKey, str] = {}

    def grew(self) -> None:
        """Say that the log has a new head."""
        self._grown.set()
        self._grown = trio.Event()

    async def run(self) -> None:
        """Ask all, until cancelled."""
        async with trio.open_nursery() as nursery:
            for witness in self._witnesses:
                nursery.start_soon(self._keep_asking, witness)

    async def ask(self, client: httpx.AsyncClient, witness: OutsideWitness) -> str:
        """Bring the present head to one witness, and return what stood in the way, empty for nothing."""
        held = [one for one in self._collected.all(self._log.key.name) if one.cosignature.key == witness.key]
        old = held[0].head.size if held else 0
        for _ in range(limits.WITNESS_ATTEMPTS):
            note = self._log.checkpoint()
            head = open_checkpoint(note, self._log.key)
            if old > head.size:
                return (
                    f"has cosigned a head of {old} entries, this log has {head.size}: was a backup restored?"
                )
            match await self._post(client, witness, old, head, note):
                case Cosignature(time=time) as said:
                    if time > self._clock() + limits.COSIGNATURE_AHEAD_SECONDS:
                        return "cosigned at a time that is yet to come"
                    self._collected.add(head, [said])
                    return ""
                case Conflict(size=size):
                    old = size
                case Declined(why=why):
                    return why
        return "names another size every time"

    async def _post(
        self, client: httpx.AsyncClient, witness: OutsideWitness, old: int, head: Checkpoint, note: bytes
    ) -> Cosignature | Conflict | Declined:
        proof: tuple[bytes, ...] = ()
        if 0 < old < head.size:
            proof = await trio.to_thread.run_sync(prove_consistency, old, head.size, self._log.read_hash)
        body = format_request(AddCheckpoint(old=old, proof=proof, note=note))
        with trio.move_on_after(limits.WITNESS_SECONDS):
            try:
                return hear(await _exchange(client, witness.url.rstrip("/") + PATH, body), note, witness.key)
            except httpx.HTTPError as error:
                return Declined(why=f"cannot be reached: {error or type(error).__name__}")
        return Declined(why="takes too long")

    async def _keep_asking(self, witness: OutsideWitness) -> None:
        pause = limits.WITNESS_PAUSE_SECONDS
        async with httpx.AsyncClient(follow_redirects=False, trust_env=False) as client:
            while True:
                grown, size = self._grown, self._log.size
                problem = await self.ask(client, witness)
                if problem and self.problems.get(witness.key) != problem:
                    self._tell(f"the witness {witness.name}: {problem}")
                self.problems[witness.key] = problem
                if problem:
                    pause = min(2 * pause, limits.WITNESS_PAUSE_MOST_SECONDS)
                    await trio.sleep(pause)
                    continue
                pause = limits.WITNESS_PAUSE_SECONDS
                await trio.sleep(pause)
                if self._log.size == size:
                    with trio.move_on_after(limits.COSIGN_AGAIN_SECONDS):
                        await grown.wait()


async def _exchange(client: httpx.AsyncClient, url: str, body: bytes) -> Reply:
    """Return the answer, of which no more than a witness's answer may have is read."""
    data = bytearray()
    with trio.CancelScope() as scope:
        async with client.stream("POST", url, content=body) as response:
            async for piece in response.aiter_raw():
                data += piece
                if len(data) > limits.WITNESS_ANSWER_BYTES:
                    # Leaving the loop would leave the generators behind it open; the next read ends them all.
                    scope.cancel()
                    data.clear()
            media_type = response.headers.get("content-type", "")
            return Reply(status=response.status_code, media_type=media_type, body=bytes(data))
    raise httpx.DecodingError("an answer without end")
