"""`flashsale db`: the schema in Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from flashsale import words
from flashsale.cli import output
from flashsale.cli.session import Json, Session, shared
from flashsale.errors import RefusedByState

if TYPE_CHECKING:
    from flashsale.projections.migrate import SchemaStatus

app = typer.Typer(help="Bring the schema in Postgres up to date, and see what it is.")


@app.command()
@shared
def migrate(
    session: Session,
    contract: Annotated[
        bool,
        typer.Option(
            "--contract",
            help="Apply contract steps, too: no flashsale that is older than this one runs any more.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Apply the migrations that are missing, while older programs go on. Run again, or twice at once: nothing more."""
    from flashsale.projections.migrate import migrate as apply
    from flashsale.projections.migrate import schema_status

    applied = apply(session.parts.urls().postgres_url, contract=contract)
    with session.parts.postgres(checked=False) as connection:
        waiting = schema_status(connection).waiting
    if json:
        output.json({"applied": applied, "waiting": waiting})
    if applied:
        output.say(f"Applied {words.count(len(applied), 'migrations')}: {', '.join(applied)}.")
        output.suggest("doctor")
    else:
        output.say("The schema is up to date.")
    if waiting:
        output.say(
            f"Contract step {', '.join(waiting)} waits until no older flashsale runs: then add --contract."
        )


@app.command()
@shared
def status(session: Session, json: Json = False) -> int:
    """Show which migrations are applied. Exit code 4 when this program cannot work with them."""
    from flashsale.projections.migrate import migrations, schema_status

    with session.parts.postgres(checked=False) as connection:
        found = schema_status(connection)
    if json:
        output.json(
            {
                "applied": found.applied, "missing": found.missing, "unknown": found.unknown,
                "waiting": found.waiting, "too_new": found.too_new,
            }
        )  # fmt: skip
    else:
        names = {migration.version: migration.name for migration in migrations()}
        output.table(
            ("version", "name", "state"),
            [
                (version, names.get(version, "?"), _state(version, found))
                for version in sorted({*found.known, *found.applied})
            ],
        )
    if found.missing:
        output.suggest("db migrate")
    if found.too_new:
        output.fail("the schema was made by a newer flashsale: upgrade this one")
    return RefusedByState.exit_code if found.missing or found.too_new else 0


def _state(version: str, found: SchemaStatus) -> str:
    if version in found.too_new:
        return "applied by a newer flashsale"
    if version in found.unknown:
        return "applied by a newer flashsale, harmless"
    if version in found.waiting:
        return "waits for --contract"
    return "applied" if version in found.applied else "missing"
