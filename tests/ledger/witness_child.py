"""A child process that cosigns heads of ALICE's log, and kills itself at a named commit point.

Usage: witness_child.py STORE POINT NOW OLD NEW...

It asks its witness in `STORE` for the heads of the sizes NEW, one after the other, each time from the size
before (the first time from OLD). After each it prints `cosigned <size>` or `refused <why> <size>`. When POINT
is reached it dies by SIGKILL.
"""

import os
import signal
import sys
from pathlib import Path

from f2fbuild.ledger.add_checkpoint import AddCheckpoint
from f2fbuild.ledger.cosigner import Cosigner, CosignerRole
from f2fbuild.ledger.witness import Refused
from f2fbuild.model.signing import Role, SigningKey, derive_seed
from f2fbuild.store.database import Database
from f2fbuild.store.schema import MIGRATIONS
from tests.ledger.ledger_helpers import ALICE, naive_consistency

STORY = [f"entry {number}".encode() for number in range(20)]
WITNESS = SigningKey.from_seed(derive_seed(b"\x77" * 32, Role.WITNESS, 0))


def ask(old: int, new: int) -> AddCheckpoint:
    proof = naive_consistency(old, STORY[:new]) if 0 < old <= new else []
    return AddCheckpoint(old=old, proof=tuple(proof), note=ALICE.head(STORY[:new]))


def main() -> None:
    store, point, now, old, *sizes = sys.argv[1:]

    def on_commit_point(name: str) -> None:
        if name == point:
            os.kill(os.getpid(), signal.SIGKILL)

    with Database.open(Path(store), MIGRATIONS) as database:
        witness = Cosigner(database, CosignerRole.WITNESS, WITNESS, lambda: int(now), on_commit_point)
        start = int(old)
        for size in map(int, sizes):
            answer = witness.add(ask(start, size), [ALICE.vkey])
            if isinstance(answer, Refused):
                sys.stdout.write(f"refused {answer.refusal.value} {answer.size}\n")
            else:
                sys.stdout.write(f"cosigned {size}\n")
            sys.stdout.flush()
            start = size


if __name__ == "__main__":
    main()
