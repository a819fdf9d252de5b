"""`flashsale loadtest`: a crowd over HTTP, against a gateway of its own or a given one."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from flashsale import ids, values
from flashsale.cli import output
from flashsale.cli.extras import need_http
from flashsale.cli.private import end_cleanly_on, servers_of_its_own
from flashsale.cli.session import Json, Session, shared
from flashsale.errors import BadInput

if TYPE_CHECKING:
    from flashsale.loadtest.result import Result
    from flashsale.loadtest.shop import Shop

#: What ends with it: something that a buyer was told is not true.
BROKEN = 6
#: The crowd was not what was asked for.
NOT_OFFERED = 5


@shared
def loadtest(
    session: Session,
    scenario: Annotated[
        str,
        typer.Argument(metavar="opening-second|refresh-storm|bot-flood|slow-postgres", help="Which crowd."),
    ] = "opening-second",
    rate: Annotated[str, typer.Option(metavar="N", help="Buyers who arrive a second, on average.")] = "300",
    seconds: Annotated[str, typer.Option(metavar="N", help="How long they keep arriving.")] = "10",
    units: Annotated[str, typer.Option(metavar="N", help="Units of the sale that is made for it.")] = "1000",
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="A gateway that runs, instead of one for this.", show_default=False),
    ] = None,
    sale: Annotated[
        str | None,
        typer.Option(metavar="SALE", help="With --url: an open sale, for tests only.", show_default=False),
    ] = None,
    sku: Annotated[
        str | None, typer.Option(metavar="SKU", help="With --url: what is ordered.", show_default=False)
    ] = None,
    demo_auth: Annotated[
        bool, typer.Option("--demo-auth", help="With --url: it believes whoever asks.")
    ] = False,
    connections_max: Annotated[str, typer.Option(metavar="N", help="Connections at once.")] = "500",
    seed: Annotated[int, typer.Option(help="Who does what, and when.")] = 7,
    history: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Keep what everybody was told, for `flashsale verify`.", show_default=False
        ),
    ] = None,
    chart: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw it.", show_default=False)
    ] = None,
    json: Json = False,
) -> int:
    """Let a crowd loose on a gateway, and check afterwards that everything it was told is true.

    Buyers arrive when they arrive, whether the gateway is ready or not, and a latency counts from the moment a request
    was due. Runs on private servers with a sale of its own, gone afterwards. With --url on a gateway that runs: it
    orders, pays and cancels there; the servers that are configured must be those of the gateway, for the check reads
    the log. Exit code 0 only if every promise held, 6 if not; 5 when the crowd could not offer what was asked for.
    """
    need_http()
    from flashsale import log
    from flashsale.loadtest import chart as drawing
    from flashsale.loadtest.run import Load, run
    from flashsale.loadtest.scenarios import SCENARIOS

    load = Load(
        rate=values.whole(rate, "rate", 1, 100_000),
        seconds=values.whole(seconds, "seconds", 1, 3_600),
        connections_max=values.whole(connections_max, "connections-max", 1, 50_000),
        seed=seed,
    )
    chosen = SCENARIOS[values.one_of(scenario, SCENARIOS, "scenario")]
    number = values.whole(units, "units", 1, ids.CAPACITY_MAX)
    given = _given(url, sale, sku, demo_auth=demo_auth)
    if given is not None and chosen.postgres_is_slow:
        raise BadInput("scenario", scenario, "it slows a Postgres down: run it without --url")
    if chart is not None:
        drawing.check(chart)
    end_cleanly_on(signal.SIGTERM, signal.SIGHUP)
    log.configure("warning", session.config.settings.log_format)
    with _private(session, number) if given is None else _running(session, given) as (shop, folder):
        result = run(shop, chosen, load, history or folder / "history.jsonl", output.say)
    if chart is not None:
        drawing.draw(result, chart)
    return _told(result, json=json)


def _told(result: Result, *, json: bool) -> int:
    """Print the result; returns the exit code."""
    from flashsale.cli.loadtest_view import print_result

    if json:
        output.json(result)
    else:
        print_result(result)
    for sentence in result.broken:
        output.fail(sentence)
    if not result.is_offered:
        output.fail(
            f"{result.turned_away:,} buyers were turned away, {result.unfinished:,} did not come to their end"
        )
    if result.broken:
        return BROKEN
    return 0 if result.is_offered else NOT_OFFERED


class _Given(NamedTuple):
    url: str
    sale: str
    sku: str | None
    demo_auth: bool


def _given(url: str | None, sale: str | None, sku: str | None, *, demo_auth: bool) -> _Given | None:
    """The gateway that is named, and the sale there; None for one of this run's own."""
    if url is None:
        if sale is not None or sku is not None or demo_auth:
            raise values.Usage("--sale, --sku and --demo-auth go with --url")
        return None
    if sale is None:
        raise values.Usage("--url needs --sale: an open sale of which every unit may be sold for a test")
    return _Given(url, ids.sale_id(sale), None if sku is None else ids.sku(sku), demo_auth)


@contextmanager
def _private(session: Session, units: int) -> Iterator[tuple[Shop, Path]]:
    """Servers, a sale and a gateway for this run."""
    from flashsale.bench.place import opened
    from flashsale.loadtest.shop import private_shop

    output.say("starting servers")
    with servers_of_its_own(session, "loadtest") as (parts, folder):
        private = {"redis": parts.uses_dev_redis, "postgres": parts.uses_dev_postgres}
        servers = [server for server in parts.dev_servers.status() if private[server.name]]
        with opened(parts.urls(), "always", servers, folder) as place, private_shop(place, units) as shop:
            yield shop, folder


@contextmanager
def _running(session: Session, given: _Given) -> Iterator[tuple[Shop, Path]]:
    """A gateway that runs, and the servers behind it."""
    from flashsale.gateway.tokens import Tokens
    from flashsale.loadtest.shop import Shop
    from flashsale.loadtest.target import Target
    from flashsale.projections import catalog
    from flashsale.stream import ShardId

    tokens = None if given.demo_auth else Tokens(session.config.settings.gateway_secrets)
    with session.connected() as at, tempfile.TemporaryDirectory(prefix="flashsale-loadtest-") as folder:
        sku = given.sku or catalog.get(at.connection, given.sale).items[0].sku
        target = Target.at(given.url, given.sale, sku, tokens)
        yield Shop(target, ShardId(given.sale, 0), at.client, at.log, at.connection), Path(folder)
