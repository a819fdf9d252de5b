"""`flashsale metrics`: numbers for Prometheus."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from flashsale import values
from flashsale.address import Address
from flashsale.cli.session import Session, shared

if TYPE_CHECKING:
    from flashsale.metrics.names import Sample

    Serve = Callable[[Callable[[], Iterable[Sample]]], AbstractContextManager[object]]

app = typer.Typer(help="Numbers for Prometheus.")

#: How often the exporter says that it lives.
ALIVE_EVERY_S = 1.0


@app.command()
@shared
def run(
    session: Session,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to answer; nobody is asked who they are.")
    ] = "127.0.0.1:9464",
) -> int:
    """Answer Prometheus with what both servers show of every sale, until told to stop.

    It reads and changes nothing. A server that is away is told as `flashsale_up 0`, what is unknown is left out.
    """
    serve = listener(listen, "--listen")
    from flashsale.daemon import Daemon

    session.configure_log()
    daemon = Daemon("metrics")
    with serve(session.parts.looks().samples):
        return daemon.run(lambda: daemon.wait(ALIVE_EVERY_S), close=lambda: None)


#: Of a daemon: where its own counters are told.
MetricsListen = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="Answer Prometheus there with what this process has done."),
]


def listener(listen: str | None, field: str) -> Serve:
    """What serves samples at an address, or nothing at None. Raises `BadInput`, also without prometheus-client."""
    if listen is None:
        return nullcontext
    try:
        from flashsale.metrics.exposition import Exposition
    except ImportError as error:
        if error.name != "prometheus_client":
            raise
        raise values.Usage(
            f"{field} needs prometheus-client, which is missing: pip install 'flashsale[metrics]'; "
            f"or this user may not read it: chmod -R a+rX {sys.prefix}"
        ) from error
    return partial(Exposition, Address.parse(listen, field))
