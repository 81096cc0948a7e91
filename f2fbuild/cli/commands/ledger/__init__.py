"""`f2fbuild ledger …`: logs as they lie on this disk, read and checked without the node's word.

A running node is asked only where the logs are. Without one this node's own log is found all the same, and
any directory is read with `--vkey`. No other command knows the ledger's files.
"""

import click

from f2fbuild.cli.commands.ledger.auditing import audit
from f2fbuild.cli.commands.ledger.checking import verify
from f2fbuild.cli.commands.ledger.entries import show
from f2fbuild.cli.commands.ledger.epoch import epoch
from f2fbuild.cli.commands.ledger.evidence import evidence
from f2fbuild.cli.commands.ledger.exporting import export, import_
from f2fbuild.cli.commands.ledger.listing import log
from f2fbuild.cli.commands.ledger.proving import proof
from f2fbuild.cli.commands.ledger.serving import serve
from f2fbuild.cli.commands.ledger.witnessing import checkpoint, witness


@click.group()
def ledger() -> None:
    """Logs: what this node and its friends signed, for everybody to check.

    LOG is an alias, alias@node, a fingerprint, or the start of an origin; without it this node's own log is
    meant. A log whose node is no friend is named by at least 8 digits of its origin: the node brings it from
    friends who keep it, if its owner's key is valid here. With --vkey LOG is the directory of any log, and no
    node is needed.
    """


_COMMANDS = (log, show, proof, checkpoint, witness, verify, audit, epoch, evidence, export, import_, serve)
for _command in _COMMANDS:
    ledger.add_command(_command)
