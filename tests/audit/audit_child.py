"""A process that keeps an accusation and dies at once."""

import os
import signal
import sys
from pathlib import Path

from f2fbuild.audit.accusations import Accusation, Accusations, Testimony
from f2fbuild.store.database import Database
from f2fbuild.store.schema import MIGRATIONS

ACCUSATION = Accusation(
    job="0a" * 32,
    title="a ball",
    accused=Testimony(peer="0b" * 32, outcome=b"{1}", proof=b"p1", products=b"[1]"),
    majority=Testimony(peer="0c" * 32, outcome=b"{2}", proof=b"p2", products=b""),
)

if __name__ == "__main__":
    Accusations(Database.open(Path(sys.argv[1]), MIGRATIONS)).add(ACCUSATION)
    os.kill(os.getpid(), signal.SIGKILL)
