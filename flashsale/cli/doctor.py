"""`flashsale doctor`: whether the servers are fit to sell on."""

from __future__ import annotations

from flashsale.cli import output
from flashsale.cli.session import Json, Session, shared


@shared
def doctor(session: Session, json: Json = False) -> int:
    """Check servers and sales: versions, durability, room, who gets in, schema, logs that are lost or not applied.

    Says what could be lost, and what to do. Exit code 5 when a server cannot be reached, 7 when the log of a sale is
    lost, forked or halted, 4 when a check failed.
    """
    from flashsale.doctor import examine

    report = examine(
        session.parts.log,
        lambda: session.parts.postgres(checked=False),
        session.config.secret_files,
        session.config.settings.replicas,
    )
    if json:
        output.json({"durability": report.durability, "checks": report.checks})
        return report.exit_code
    output.table(
        ("", "check", "found"), [(check.verdict, check.name, check.found) for check in report.checks]
    )
    for check in report.checks:
        if check.remedy:
            output.say(f"{check.name}: {check.remedy}")
    output.line("")
    output.line(f"durability: {report.durability.name}, {report.durability.may_lose}")
    return report.exit_code
