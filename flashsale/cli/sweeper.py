"""`flashsale sweeper`: the daemon that ends holds nobody paid for."""

from __future__ import annotations

import typer

from flashsale import ids
from flashsale.cli.metrics import MetricsListen, listener
from flashsale.cli.session import AcceptUnsafe, Session, Slot, shared

app = typer.Typer(help="End the holds that nobody paid for.")


@app.command()
@shared
def run(
    session: Session,
    name: Slot = "sweeper-1",
    metrics_listen: MetricsListen = None,
    accept_unsafe_servers: AcceptUnsafe = False,
) -> int:
    """Run a sweeper until it is told to stop: holds end less than a second late, and their units are sold again.

    Any number may run. SIGTERM and Ctrl-C let the look under way finish; the exit code is 0 or 130.
    Servers that lose orders, or take none, are refused (4).
    """
    from flashsale.daemon import Daemon
    from flashsale.metrics.work import of_sweeper

    ids.actor(name, "name")
    serve = listener(metrics_listen, "--metrics-listen")
    session = session.of_daemon(accept_unsafe_servers)
    daemon = Daemon(name)
    with session.parts.daemon_client(name) as client:
        sweeper = session.parts.sweeper(daemon, client)
        with serve(lambda: of_sweeper(daemon, sweeper)):
            return daemon.run(session.parts.gated(sweeper.step), close=lambda: None)
