"""`f2fbuild ledger serve`: logs over HTTP, for every tlog-tiles client."""

import signal
from collections.abc import Mapping

import click
import trio

from f2fbuild.api.tiles import create_tiles_app
from f2fbuild.api.web import open_web, serve_web
from f2fbuild.cli import records
from f2fbuild.cli.commands.ledger.which import all_logs, find, log_argument, vkey_option
from f2fbuild.cli.main import command
from f2fbuild.cli.output import Output
from f2fbuild.ledger.carried import digits
from f2fbuild.ledger.checkpoint import parse_log_vkey
from f2fbuild.ledger.shelf import Shelf, Shelved


@click.command()
@log_argument
@vkey_option
@click.option(
    "--listen", default="127.0.0.1:8596", show_default=True, metavar="HOST:PORT", help="Where to answer."
)
@click.option("--all", "everything", is_flag=True, help="Friends' logs too, which tells who they are.")
@command
def serve(output: Output, *, which: str, vkey: str, listen: str, everything: bool) -> None:
    """Serve LOG over HTTP until interrupted, as static C2SP tlog-tiles.

    Its files are /checkpoint and /tile/…; with --all each log kept here is below the last part of its origin
    too: /HEX/checkpoint. Only GET and HEAD are answered. It works beside a running node and without one;
    `ledger.serve` in config.toml lets the node do it.
    """
    kept, key = find(which, vkey)
    logs = {digits(key): Shelved(directory=kept.directory, key=key, own=bool(vkey or not which))}
    for log in all_logs(output) if everything else ():
        other = parse_log_vkey(log.vkey, where=log.title)
        logs.setdefault(digits(other), Shelved(directory=log.directory, key=other, own=False))
    trio.run(_serve, output, listen, logs, digits(key))


async def _serve(output: Output, listen: str, logs: Mapping[str, Shelved], root: str) -> None:
    listeners = await open_web([listen], where="--listen")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_stop_on_signal, nursery.cancel_scope)
        application = create_tiles_app(Shelf(lambda: logs, root).find)
        await nursery.start(serve_web, application, listeners)
        urls = tuple(_url(listener) for listener in listeners)
        if output.json:
            output.reply(records.LedgerServed(urls=urls, logs=tuple(sorted(logs))))
        else:
            for url in urls:
                output.line(url)
            output.hint(f"serving {len(logs)} logs; interrupt to end")


def _url(listener: trio.SocketListener) -> str:
    host, port = listener.socket.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


async def _stop_on_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
            return
