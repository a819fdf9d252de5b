"""`flashsale projector`: the daemon that writes the log into Postgres, and how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flashsale import ids, values, words
from flashsale.cli import output
from flashsale.cli.metrics import MetricsListen, listener
from flashsale.cli.session import AcceptUnsafe, Json, Session, shared
from flashsale.errors import BadInput, Halted

if TYPE_CHECKING:
    from flashsale.shard_status import ShardStatus

app = typer.Typer(help="Write the log into Postgres, and see how far that is.")


@app.command()
@shared
def run(
    session: Session,
    name: Annotated[
        str, typer.Option(metavar="SLOT", help="Its name: the same after a restart, no other's meanwhile.")
    ] = "projector-1",
    max_rate: Annotated[
        str | None,
        typer.Option(metavar="N", help="Events a second at most, to spare the database; 0: no limit."),
    ] = None,
    batch_max: Annotated[
        str | None, typer.Option(metavar="N", help="Events in one transaction at most.")
    ] = None,
    trim: Annotated[
        bool, typer.Option("--trim", help="Take off the log what Postgres has and every group acknowledged.")
    ] = False,
    keep: Annotated[
        str | None, typer.Option(metavar="N", help="With --trim: events that stay in each log (1000).")
    ] = None,
    metrics_listen: MetricsListen = None,
    accept_unsafe_servers: AcceptUnsafe = False,
) -> int:
    """Run a projector until it is told to stop.

    Any number may run: they share the sales, and take over from one that dies. SIGTERM lets the batch under way finish
    (exit code 0), Ctrl-C likewise (130). Servers that lose orders, or take none, are refused (4).
    """
    from flashsale.daemon import Daemon
    from flashsale.metrics.work import of_projector

    if keep is not None and not trim:
        raise values.Usage("--keep says what --trim leaves: give both, or neither")
    if len(ids.actor(name, "name")) > NAME_LENGTH_MAX:
        raise BadInput("name", name, f"use at most {NAME_LENGTH_MAX} characters")
    serve = listener(metrics_listen, "--metrics-listen")
    session = session.of_daemon(
        accept_unsafe_servers,
        max_rate=None if max_rate is None else values.whole(max_rate, "max-rate", 0, 10_000_000),
        batch_max=None if batch_max is None else values.whole(batch_max, "batch-max", 1, 10_000),
    )
    daemon = Daemon(name)
    with session.parts.daemon_client(name) as client:
        projector = session.parts.projector(name, daemon, client, values.keep(keep) if trim else None)
        with serve(lambda: of_projector(daemon, projector)):
            return daemon.run(session.parts.gated(projector.step), projector.close)


#: Postgres shows the first 63 bytes of a connection's name, `flashsale projector` included.
NAME_LENGTH_MAX = 40


@app.command()
@shared
def status(session: Session, json: Json = False) -> int:
    """Show for each sale how far Postgres is behind the log, and who applies it.

    Exit code 7 when a log is halted, or lost events that Postgres has.
    """
    from flashsale.projections import reads
    from flashsale.shard_status import shard_status

    with session.connected() as shop:
        rows = [shard_status(shop.log, row, shop.now_ms) for row in reads.checkpoints(shop.connection)]
    if json:
        output.json({"shards": rows})
    elif rows:
        output.table(
            (
                "sale",
                "state",
                "#log",
                "#checkpoint",
                "#lag",
                "#lag, s",
                "projector",
                "heartbeat",
                "#parked",
            ),
            map(_cells, rows),
        )
    else:
        output.say("No sale is defined, so there is nothing to project.")
    for row in rows:
        if row.state in ("halted", "lost"):
            output.fail(_problem(row))
    if any(row.state == "waiting" for row in rows):
        output.say("Nobody applies what waits.")
        output.suggest("projector run")
    return Halted.exit_code if any(row.state in ("halted", "lost") for row in rows) else 0


def _problem(row: ShardStatus) -> str:
    """Why nothing of it is applied, with the shard named once: most reasons name it themselves."""
    shard, reason = f"{row.sale}:{row.shard}", row.halted or "the log ends before the checkpoint"
    if row.lag_events is None:
        reason = f"{reason} ({words.lag(None, row.lost_events)})"
    return reason if shard in reason else f"{shard}: {reason}"


def _cells(row: ShardStatus) -> tuple[Any, ...]:
    heartbeat = (
        "-" if row.heartbeat_age_s is None or row.holder is None else f"{row.heartbeat_age_s:,.1f} s ago"
    )
    return (
        row.sale,
        row.state,
        row.log_head,
        row.checkpoint,
        "-" if row.lag_events is None else words.count(row.lag_events),
        "-" if row.lag_s is None else f"{row.lag_s:,.1f}",
        row.holder or "-",
        heartbeat,
        words.count(row.parked),
    )
