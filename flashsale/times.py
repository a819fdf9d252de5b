"""Durations and moments as people write them, in files and on the command line. In milliseconds inside."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from flashsale.commands.sale import TIME_MS_MAX, check_hold
from flashsale.errors import BadInput

_DURATION_PART = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)")
_DURATION = re.compile(rf"(?:{_DURATION_PART.pattern})+")
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_hold(text: object) -> int:
    """How long an unpaid order keeps its units, in ms."""
    hold_ms = parse_duration(text, "hold")
    try:
        return check_hold(hold_ms)
    except BadInput as error:
        raise BadInput("hold", text, error.remedy) from None


def parse_duration(text: object, field: str) -> int:
    """A duration with its unit, `500ms`, `90s`, `15m`, `1h30m` or `2d`, in ms."""
    if type(text) is not str or _DURATION.fullmatch(text) is None:
        raise BadInput(field, text, 'write a duration with its unit: "90s", "15m" or "1h30m"')
    return sum(int(count) * _UNIT_MS[unit] for count, unit in _DURATION_PART.findall(text))


def parse_time(value: object, field: str) -> int:
    """An aware `datetime` in ms since 1970."""
    if type(value) is not datetime:
        raise BadInput(field, shown(value), "write it without quotes, like 2027-03-01T10:00:00+01:00")
    if value.utcoffset() is None:
        remedy = f"say in which time zone: {value.isoformat()}+01:00, or Z for UTC"
        raise BadInput(field, shown(value), remedy)
    milliseconds = (value - _EPOCH) // timedelta(milliseconds=1)
    if not 0 < milliseconds <= TIME_MS_MAX:
        raise BadInput(field, shown(value), "use a time between 1970 and 2200")
    return milliseconds


def shown(value: object) -> object:
    """Dates as they stand in the file."""
    return value.isoformat() if hasattr(value, "isoformat") else value
