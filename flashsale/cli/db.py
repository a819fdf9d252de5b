"""`flashsale db`: the schema in Postgres."""

from __future__ import annotations

import typer

from flashsale.cli import output, words
from flashsale.cli.session import Json, Session, shared
from flashsale.errors import RefusedByState

app = typer.Typer(help="Bring the schema in Postgres up to date, and see what it is.")


@app.command()
@shared
def migrate(session: Session, json: Json = False) -> None:
    """Apply the migrations that are missing. Run again, or twice at once, it does nothing more."""
    from flashsale.projections.migrate import migrate as apply

    applied = apply(session.parts.urls().postgres_url)
    if json:
        output.json({"applied": applied})
    if applied:
        output.say(f"Applied {words.count(len(applied), 'migrations')}: {', '.join(applied)}.")
        output.suggest("doctor")
    else:
        output.say("The schema is up to date.")


@app.command()
@shared
def status(session: Session, json: Json = False) -> int:
    """Show which migrations are applied. Exit code 4 when the schema is older or newer than this program."""
    from flashsale.projections.migrate import migrations, schema_status

    with session.parts.postgres(checked=False) as connection:
        found = schema_status(connection)
    if json:
        output.json({"applied": found.applied, "missing": found.missing, "unknown": found.unknown})
    else:
        names = {migration.version: migration.name for migration in migrations()}
        output.table(
            ("version", "name", "state"),
            [
                (version, names.get(version, "?"), _state(version, found.applied, found.known))
                for version in sorted({*found.known, *found.applied})
            ],
        )
    if found.missing:
        output.suggest("db migrate")
    if found.unknown:
        output.fail("the schema was made by a newer flashsale: upgrade this one")
    return RefusedByState.exit_code if found.missing or found.unknown else 0


def _state(version: str, applied: tuple[str, ...], known: tuple[str, ...]) -> str:
    if version not in known:
        return "applied by a newer flashsale"
    return "applied" if version in applied else "missing"
