"""How the newest comparison of log, Redis and Postgres reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flashsale import words

if TYPE_CHECKING:
    from flashsale.projections.comparisons import Comparison


def outcome(found: Comparison | None) -> str:
    """What it found, and when and why nothing could be compared since, for people."""
    parts = []
    if found is not None and (compared := found.compared) is not None:
        agree = "log, Redis and Postgres agree"
        what = words.count(compared.differences, "differences") if compared.differences else agree
        parts.append(f"{words.when(compared.at_ms)} by {compared.by}: {what} at {compared.position}")
    if found is not None and (missed := found.missed) is not None:
        parts.append(f"{words.when(missed.at_ms)} by {missed.by}: not possible: {missed.why}")
    return "; then ".join(parts) or "never"


def drift(found: Comparison | None) -> str:
    """That the newest comparison found differences, for people; empty: it found none, or there was none."""
    compared = found.compared if found is not None else None
    if compared is None or not compared.differences:
        return ""
    differ = words.count(compared.differences, "differences")
    return (
        f"{differ} between log, Redis and Postgres at {compared.position}, seen {words.when(compared.at_ms)}"
    )


def record(found: Comparison | None) -> dict[str, Any] | None:
    """For programs."""
    if found is None:
        return None
    compared, missed = found.compared, found.missed
    return {
        "at": compared and words.iso(compared.at_ms),
        "by": compared and compared.by,
        "position": compared and str(compared.position),
        "differences": compared and compared.differences,
        "missed_at": missed and words.iso(missed.at_ms),
        "missed_by": missed and missed.by,
        "missed": missed and missed.why,
    }
