"""`flashsale config`: the settings in force."""

from __future__ import annotations

import typer

from flashsale.cli import output
from flashsale.cli.session import Json, Session, shared

app = typer.Typer(help="See the settings in force.")


@app.command()
@shared
def show(session: Session, json: Json = False) -> None:
    """Show every setting, and where its value comes from. Passwords are masked."""
    values = session.config.shown()
    if json:
        output.json(values)
        return
    output.table(
        ("setting", "value", "origin"),
        [(name, _text(session, name, item.value), item.origin) for name, item in values.items()],
    )


def _text(session: Session, name: str, value: object) -> str:
    if value is not None:
        return str(value)
    return str(session.parts.data_dir) if name == "data_dir" else "private development server"
