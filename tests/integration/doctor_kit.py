"""What the tests of the doctor ask of a report."""

from __future__ import annotations

from flashsale.doctor import Check, Report


def finding(report: Report, name: str) -> Check:
    """The check of this name."""
    return next(check for check in report.checks if check.name == name)


def verdicts(report: Report) -> dict[str, str]:
    """Name → verdict."""
    return {check.name: check.verdict for check in report.checks}
