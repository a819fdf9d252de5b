"""`flashsale operator`: the page for those who look after a sale, and the tokens that open it."""

from __future__ import annotations

from typing import Annotated

import typer

from flashsale import values
from flashsale.address import Address
from flashsale.cli import output
from flashsale.cli.extras import need_http
from flashsale.cli.session import Session, shared

app = typer.Typer(help="A page to see and steer what runs, in a browser.")


@app.command()
@shared
def run(
    session: Session,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to answer; a port of its own, not for buyers.")
    ] = "127.0.0.1:8081",
    behind_tls: Annotated[
        bool,
        typer.Option(
            "--behind-tls", help="Browsers reach it by a proxy that speaks TLS: cookies go no other way."
        ),
    ] = False,
) -> int:
    """Serve the operator page until told to stop.

    People log in with tokens that `flashsale operator token` makes; without a secret that signs them it does not start.
    What they do stands in the log of the sale as operator:NAME. SIGTERM and Ctrl-C end it: exit code 0 or 130.
    """
    address = Address.parse(listen, "--listen")
    need_http()
    from flashsale.operator.server import Options
    from flashsale.operator.server import run as serve

    options = Options(address, behind_tls)
    session.configure_log()
    return serve(session.parts, options)


@app.command()
@shared
def token(
    session: Session,
    viewer: Annotated[
        str | None, typer.Option(metavar="NAME", help="For somebody who sees everything.")
    ] = None,
    operator: Annotated[
        str | None, typer.Option(metavar="NAME", help="For somebody who may act, too.")
    ] = None,
    lifetime: Annotated[
        str, typer.Option(metavar="SECONDS", help="How long it is good, and the login with it.")
    ] = "43200",
) -> None:
    """Print a token that opens the operator page. Who has it is who it names: send it as you would a password."""
    lifetime_s = values.lifetime_s(lifetime)
    need_http()
    from flashsale.operator.people import Person, PersonTokens

    if (viewer is None) == (operator is None):
        raise values.Usage("give either --viewer or --operator")
    person = Person("operator", operator) if operator is not None else Person("viewer", viewer or "")
    tokens = PersonTokens(session.config.settings.gateway_secrets)
    output.line(tokens.issue(person, lifetime_s))
