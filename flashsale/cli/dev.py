"""`flashsale dev`: the private development servers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flashsale.cli import output
from flashsale.cli.session import Json, Session, shared
from flashsale.values import Usage

if TYPE_CHECKING:
    from flashsale.servers import ServerStatus

app = typer.Typer(help="Start, look at, stop and remove the private development servers.")


@app.command()
@shared
def up(session: Session, json: Json = False) -> None:
    """Start a private Redis and Postgres, or find them running. Other commands do so by themselves."""
    parts = session.with_flags(private_servers="start").parts
    if parts.uses_dev_redis and parts.uses_dev_postgres:
        urls = parts.urls()  # the schema, too
    else:
        urls = parts.dev_servers.up()
        output.say("Other servers are configured, and win over these: see `flashsale config show`.")
    if json:
        output.json(urls._asdict())
    else:
        output.facts([("FLASHSALE_REDIS_URL", urls.redis_url), ("FLASHSALE_POSTGRES_URL", urls.postgres_url)])
    output.say(f"Both run, and stay until `flashsale dev down`. Their data is in {parts.data_dir}.")


@app.command()
@shared
def status(session: Session, json: Json = False) -> None:
    """Show what runs, and where its data, socket and log are. Starts nothing."""
    found = session.parts.dev_servers.status()
    if json:
        output.json({"servers": [_record(server) for server in found]})
        return
    for number, server in enumerate(found):
        if number:
            output.line("")
        state = f"runs, process {server.pid}" if server.running else "does not run"
        output.facts(
            [
                (server.name, f"{server.version} {state}".strip()),
                ("data", str(server.data_dir)),
                ("socket", str(server.socket)),
                ("log", str(server.log_file)),
            ]
        )
    if not any(server.running for server in found):
        output.suggest("dev up")


@app.command()
@shared
def down(session: Session, json: Json = False) -> None:
    """Stop the private servers. Their data stays."""
    stopped = session.parts.dev_servers.down()
    if json:
        output.json({"stopped": stopped})
    output.say(f"Stopped {' and '.join(stopped)}; the data stays." if stopped else "Nothing was running.")


@app.command()
@shared
def destroy(
    session: Session,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Stop the private servers and remove all their data."""
    where = session.parts.data_dir
    if not yes:
        if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
            raise Usage(f"this removes all sales and orders in {where}: add --yes")
        typer.confirm(f"Remove all sales and orders in {where}?", abort=True, err=True)
    session.parts.dev_servers.destroy()
    if json:
        output.json({"removed": str(where)})
    output.say(f"Removed the servers in {where}, and their data.")


def _record(server: ServerStatus) -> dict[str, Any]:
    return {
        "name": server.name,
        "running": server.running,
        "pid": server.pid,
        "version": server.version,
        "data_dir": str(server.data_dir),
        "socket": str(server.socket),
        "log_file": str(server.log_file),
    }
