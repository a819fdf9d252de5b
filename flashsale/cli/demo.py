"""`flashsale demo`: a whole sale on private servers, with a crowd, a killed projector, and every promise checked."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flashsale.cli import output
from flashsale.cli.session import Json, Session, shared

if TYPE_CHECKING:
    from types import FrameType

    from flashsale.bootstrap import Parts
    from flashsale.servers import Urls

#: What the demo says when a promise did not hold: drift between what was told and what is stored.
BROKEN = 6


@shared
def demo(
    session: Session,
    buyers: Annotated[
        int, typer.Option(min=1, max=100_000_000, help="How many people try to buy.")
    ] = 2_000_000,
    units: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many units there are.")] = 1_000,
    seed: Annotated[int, typer.Option(help="Who cancels, forgets to pay or pays late.")] = 7,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave servers and sale, for other commands to look at.")
    ] = False,
    json: Json = False,
) -> int:
    """Sell 1,000 units to two million buyers, kill a projector half way, and check every promise.

    Runs on servers of its own, gone afterwards; with --keep on the private development servers, which stay. Servers
    that are configured win over both. Exit code 0 only if every promise held.
    """
    from flashsale import log
    from flashsale.demo.display import Display, final_table
    from flashsale.demo.run import Demo

    log.configure("warning", session.config.settings.log_format)
    _end_cleanly_on(signal.SIGTERM, signal.SIGHUP)
    with Display(output.console_of(sys.stderr), quiet=json) as display:
        display.phase("starting servers")
        with _servers(session, keep=keep) as (urls, log_dir):
            run = Demo(urls, log_dir, buyers=buyers, units=units, seed=seed, show=display.show)
            result = run.run()
    if json:
        output.json(result)
    else:
        output.console_of(sys.stdout).print(final_table(result))
    if keep:
        output.suggest(f"sale show {result.sale}", "its orders: order show, its log: events tail")
    return 0 if result.held_true else BROKEN


def _end_cleanly_on(*numbers: signal.Signals) -> None:
    """Let these signals unwind the command like Ctrl-C does: servers and daemons are children, and must not stay."""

    def end(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    for number in numbers:
        signal.signal(number, end)


@contextmanager
def _servers(session: Session, *, keep: bool) -> Iterator[tuple[Urls, Path]]:
    """Where to run, and where the daemons' logs go."""
    parts = session.parts
    if keep or parts.settings.data_dir or not (parts.uses_dev_redis and parts.uses_dev_postgres):
        with (
            _maybe_destroyed(parts, keep=keep) as urls,
            tempfile.TemporaryDirectory(prefix="flashsale-logs-") as logs,
        ):
            yield urls, Path(logs)
        return
    folder = Path(tempfile.mkdtemp(prefix="flashsale-demo-"))
    try:
        private = session.with_flags(data_dir=str(folder / "dev")).parts
        with _maybe_destroyed(private, keep=False) as urls:
            yield urls, folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _maybe_destroyed(parts: Parts, *, keep: bool) -> Iterator[Urls]:
    """Servers that were not there before are removed afterwards, unless they shall be kept."""
    existed = any(server.version for server in parts.dev_servers.status())
    try:
        yield parts.urls()
    finally:
        if not keep and not existed and (parts.uses_dev_redis or parts.uses_dev_postgres):
            parts.dev_servers.destroy()
