"""`flashsale ops`: what a machine needs to run flashsale's daemons."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from flashsale.cli import output
from flashsale.cli.session import Json, Session, shared

app = typer.Typer(help="Set a machine up for flashsale's daemons.")

NEXT_STEPS = """\
Next, as root:
  systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload
Then roles and passwords, the schema, and the start: docs/install.md, from step 3 on
  https://github.com/flashsale/flashsale/blob/main/docs/install.md#3-the-servers-and-who-may-do-what-in-them"""


@app.callback()
def ops() -> None:
    """Set a machine up for flashsale's daemons."""


@app.command()
@shared
def install(
    session: Session,  # noqa: ARG001 - takes the options that all take
    prefix: Annotated[Path, typer.Option(metavar="DIR", help="Root of the system to write into.")] = Path(
        "/"
    ),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Write the systemd units, their user and directories, and a settings file with every setting explained.

    Beside it go a redis.conf, users of Redis and roles of Postgres, for you to take to the servers.

    The units start the flashsale that runs this command. Repeat it after an upgrade: units are written anew, your
    settings and drop-ins are kept.
    """
    from flashsale import units

    planned = units.plan(prefix, Path(sys.prefix))
    if not dry_run:
        units.write(planned)
    if json:
        output.json({"files": [{"path": file.path, "what": file.what} for file in planned]})
    else:
        output.table(("file", "what"), [(file.path, file.what) for file in planned])
    if dry_run:
        output.say("Nothing was written.")
    else:
        output.say(NEXT_STEPS)
