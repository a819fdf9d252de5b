"""How times, durations, amounts and states read."""

from __future__ import annotations

from datetime import UTC, datetime

from flashsale.definition import SaleDefinition
from flashsale.money import money

_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"), (1, "ms"))


def iso(time_ms: int) -> str:
    """UTC, for machines: `2027-03-01T09:00:00.123Z`."""
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def when(time_ms: int) -> str:
    """Local time with its offset, for people: `2027-03-01 10:00:00 +01:00`."""
    text = datetime.fromtimestamp(time_ms // 1000, UTC).astimezone().isoformat(sep=" ")
    return f"{text[:19]} {text[19:]}"


def seconds(duration_ms: int | None) -> float | None:
    """For machines; None: not known."""
    return None if duration_ms is None else round(duration_ms / 1000, 1)


def clock(time_ms: int) -> str:
    """The same, short, for lists of events: `10:00:00.123`, local time."""
    moment = datetime.fromtimestamp(time_ms / 1000, UTC).astimezone()
    return moment.isoformat(sep=" ", timespec="milliseconds")[:23]


def span(duration_ms: int) -> str:
    """The two largest units: `30 s`, `1 h 30 min`."""
    parts = []
    for size, unit in _UNITS:
        count, duration_ms = divmod(duration_ms, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def count(number: int, noun: str = "") -> str:
    """`1,000 units`; one unit loses its s."""
    return f"{number:,}" + (f" {noun.removesuffix('s') if number == 1 else noun}" if noun else "")


def price(definition: SaleDefinition, sku: str, quantity: int) -> str:
    """What so many units cost."""
    minor = price_minor(definition, sku)
    return "price unknown" if minor is None else money(minor * quantity, definition.currency)


def price_minor(definition: SaleDefinition, sku: str) -> int | None:
    """What one unit costs; None for a SKU that is not in the definition."""
    return next((item.unit_price_minor for item in definition.items if item.sku == sku), None)


def lag(lag_events: int | None, lost_events: int | None) -> str:
    """`3 events behind`, or that the log is shorter than what Postgres has."""
    if lag_events is not None:
        return f"{count(lag_events, 'events')} behind"
    return "events lost" if lost_events is None else f"{count(lost_events, 'events')} lost"


def field(name: str, value: object) -> str:
    """The value of an event's field, for people."""
    if name == "hold_ms" and isinstance(value, int):
        return span(value).replace(" ", "")
    if name.endswith("_ms") and isinstance(value, int):
        return when(value).replace(" ", "T", 1).replace(" ", "") if value else "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):  # limits: pairs of SKU and number
        return ",".join(f"{sku}:{number}" for sku, number in value) or "none"
    return str(value)
