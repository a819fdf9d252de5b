"""`flashsale gateway`: orders over HTTP, and the tokens of those who send them."""

from __future__ import annotations

from typing import Annotated

import typer

from flashsale import ids, values
from flashsale.address import Address
from flashsale.cli import output
from flashsale.cli.extras import need_http
from flashsale.cli.metrics import MetricsListen, listener
from flashsale.cli.session import AcceptUnsafe, Session, Slot, shared
from flashsale.errors import BadInput
from flashsale.loopback import is_local

app = typer.Typer(help="Orders over HTTP.")

#: Each takes a file descriptor; systemd's own limit for a unit is higher.
CONNECTIONS_MAX = 10_000
FEEDS_MAX = 2_000
BUYER_ORDERS_MAX = 10
#: Fewer are what buyers hurry for.
AVAILABLE_MAX = 10, 1_000_000

AvailableMax = Annotated[
    str | None,
    typer.Option(
        metavar="N",
        help="Of more units of a SKU than N, tell buyers this number. All are told unless it is given.",
    ),
]


@app.command()
@shared
def run(
    session: Session,
    name: Slot = "gateway-1",
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to answer; behind a proxy that speaks TLS.")
    ] = "127.0.0.1:8080",
    connections_max: Annotated[
        str, typer.Option(metavar="N", help="Connections at once; more are refused.")
    ] = str(CONNECTIONS_MAX),
    feeds_max: Annotated[
        str, typer.Option(metavar="N", help="Of these, connections that may follow a sale.")
    ] = str(FEEDS_MAX),
    buyer_orders_max: Annotated[
        str,
        typer.Option(
            metavar="N", help="New orders of one buyer at once, and one more each second; 0: any number."
        ),
    ] = str(BUYER_ORDERS_MAX),
    available_max: AvailableMax = None,
    metrics_listen: MetricsListen = None,
    demo_auth: Annotated[
        bool,
        typer.Option(
            "--demo-auth", help="Believe whoever says who they are: for a demo, on this machine only."
        ),
    ] = False,
    storefront: Annotated[
        bool, typer.Option("--storefront", help="Serve pages for buyers, too: /sale/SALE.")
    ] = False,
    sign_in_url: Annotated[
        str, typer.Option(metavar="URL", help="With --storefront: the page of the shop where buyers sign in.")
    ] = "",
    checkout_url: Annotated[
        str,
        typer.Option(
            metavar="URL", help="With --storefront: where they pay; {sale} and {order} in it are filled in."
        ),
    ] = "",
    accept_unsafe_servers: AcceptUnsafe = False,
) -> int:
    """Take orders over HTTP until told to stop.

    Buyers and services show signed tokens; without a secret to sign them by, it does not start.
    SIGTERM and Ctrl-C let every request under way be answered; the exit code is 0 or 130.
    """
    ids.actor(name, "name")
    address = Address.parse(listen, "--listen")
    if demo_auth and not is_local(address.host):
        raise BadInput("--demo-auth", listen, "listen on 127.0.0.1: anybody who reaches it may be anybody")
    most = values.whole(connections_max, "connections-max", 1, 1_000_000)
    most_feeds = values.whole(feeds_max, "feeds-max", 0, 1_000_000)
    told = None if available_max is None else values.whole(available_max, "available-max", *AVAILABLE_MAX)
    most_orders = values.whole(buyer_orders_max, "buyer-orders-max", 0, 1_000_000)
    if (sign_in_url or checkout_url) and not storefront:
        raise values.Usage("--sign-in-url and --checkout-url need --storefront")
    serve_metrics = listener(metrics_listen, "--metrics-listen")
    need_http()
    from flashsale.gateway.gateway import Options
    from flashsale.gateway.gateway import run as serve
    from flashsale.gateway.storefront.options import StorefrontOptions

    pages = StorefrontOptions(demo_auth, sign_in_url, checkout_url) if storefront else None
    session = session.of_daemon(accept_unsafe_servers)
    return serve(
        session.parts,
        Options(name, address, most, most_feeds, most_orders, serve_metrics, demo_auth, pages, told),
    )


@app.command()
@shared
def secret(session: Session) -> None:  # noqa: ARG001 - takes the options that all take
    """Print a new secret to sign tokens by."""
    import secrets

    output.line(secrets.token_urlsafe(48))


@app.command()
@shared
def token(
    session: Session,
    buyer: Annotated[str | None, typer.Option(metavar="BUYER", help="For this buyer.")] = None,
    service: Annotated[str | None, typer.Option(metavar="NAME", help="For this service of the shop.")] = None,
    lifetime: Annotated[str, typer.Option(metavar="SECONDS", help="How long it is good.")] = "3600",
) -> None:
    """Print a token, signed as the shop signs it."""
    lifetime_s = values.lifetime_s(lifetime)
    need_http()
    from flashsale.gateway.tokens import Caller, Tokens

    if (buyer is None) == (service is None):
        raise values.Usage("give either --buyer or --service")
    caller = Caller("service", service) if service is not None else Caller("buyer", buyer or "")
    tokens = Tokens(session.config.settings.gateway_secrets)
    output.line(tokens.issue(caller, lifetime_s))
