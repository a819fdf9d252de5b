"""The ratios that count: which two contenders they hold against each other, and what they should reach."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from flashsale.bench.runner import Sample
from flashsale.bench.statistics import percentile


class Rule(NamedTuple):
    """One ratio."""

    name: str
    what: str
    #: the race and the contender above and below the line; without the latter, the value itself
    above: tuple[str, str]
    below: tuple[str, str] | None
    #: None where it cannot be known
    value: Callable[[Sample], float | None]
    target: float | None = None
    stretch: float | None = None
    less_is_better: bool = False


def _rate(sample: Sample) -> float:
    return sample.rate


def _http_busy(sample: Sample) -> float | None:
    return None if sample.http_cpu_s is None else sample.http_cpu_s / sample.seconds


def _p99_ms(sample: Sample) -> float:
    return percentile(sample.latencies_s, 99) * 1_000


def redis_cpu(sample: Sample) -> float:
    return sample.redis_cpu_s / sample.count


def redis_bytes(sample: Sample) -> float:
    return sample.redis_memory / sample.count


_SOLD, _REFUSED = ("accepted", "async_10000"), ("sold_out", "async_10000")
_BARE, _STATIC = ("http", "bare_post"), ("http", "static")
_PROJECTOR, _COPY = ("project", "projector"), ("project", "copy")

#: Names and targets that stay, so that one release can be held against another.
RULES = (
    Rule(
        "accepted_vs_row_lock", "accepted, asyncio ÷ Postgres row lock",
        _SOLD, ("accepted", "row_lock"), _rate, 20, 40,
    ),
    Rule(
        "accepted_vs_row_lock_one_statement", "accepted, asyncio ÷ row lock in one statement",
        _SOLD, ("accepted", "row_lock_one_statement"), _rate,
    ),
    Rule("accepted_vs_skip_locked", "accepted, asyncio ÷ SKIP LOCKED", _SOLD, ("accepted", "skip_locked"), _rate),
    Rule(
        "accepted_vs_counter_and_stream", "accepted, asyncio ÷ DECR, then XADD",
        _SOLD, ("accepted", "counter_and_stream"), _rate,
    ),
    Rule(
        "accepted_vs_script_per_request", "accepted, asyncio ÷ one Lua call a request",
        _SOLD, ("accepted", "script_per_request"), _rate, 6, 12,
    ),
    Rule(
        "accepted_vs_xadd", "accepted, asyncio ÷ XADD of the same bytes",
        _SOLD, ("accepted", "xadd"), _rate, 0.3, 0.5,
    ),
    Rule(
        "accepted_vs_xadd_redis_py", "accepted, asyncio ÷ the same XADD through redis-py",
        _SOLD, ("accepted", "xadd_redis_py"), _rate,
    ),
    Rule(
        "accepted_bulk_vs_xadd", "accepted, sync in bulk ÷ XADD of the same bytes",
        ("accepted", "sync_bulk"), ("accepted", "xadd"), _rate,
    ),
    Rule("refused_vs_get", "sold out, asyncio ÷ GET", _REFUSED, ("sold_out", "get"), _rate, 0.3, 0.6),
    Rule(
        "refused_vs_get_redis_py", "sold out, asyncio ÷ the same GET through redis-py",
        _REFUSED, ("sold_out", "get_redis_py"), _rate,
    ),
    Rule("refused_vs_row_lock", "sold out, asyncio ÷ Postgres row lock", _REFUSED, ("sold_out", "row_lock"), _rate),
    Rule(
        "refused_bulk_vs_get", "sold out, sync in bulk ÷ GET",
        ("sold_out", "sync_bulk"), ("sold_out", "get"), _rate,
    ),
    Rule(
        "over_limit_vs_get", "over the limit, asyncio ÷ GET",
        ("over_limit", "async_10000"), ("over_limit", "get"), _rate,
    ),
    Rule(
        "server_cpu_vs_xadd", "Redis CPU of an accepted order ÷ of an XADD",
        _SOLD, ("accepted", "xadd"), redis_cpu, 4, 2.5, less_is_better=True,
    ),
    Rule(
        "always_vs_everysec", "accepted, asyncio: fsync always ÷ everysec",
        _SOLD, ("accepted", "async_10000_everysec"), _rate, 0.8, 0.95,
    ),
    Rule(
        "bytes_per_held_order", "Redis bytes of a held order, all keys and its event",
        _SOLD, None, redis_bytes, 450, 300, less_is_better=True,
    ),
    Rule(
        "bytes_per_event", "Redis bytes of its event alone",
        ("accepted", "xadd"), None, redis_bytes, less_is_better=True,
    ),
    Rule("project_vs_copy", "projector ÷ COPY into event_log", _PROJECTOR, _COPY, _rate, 0.25, 0.45),
    Rule(
        "project_vs_per_event", "projector ÷ one event a transaction",
        _PROJECTOR, ("project", "per_event"), _rate, 20, 40,
    ),
    Rule("project_vs_executemany", "projector ÷ executemany", _PROJECTOR, ("project", "executemany"), _rate),
    Rule(
        "project_two_vs_copy", "projector, two shards ÷ COPY into event_log",
        ("project", "projector_two"), _COPY, _rate,
    ),
    Rule("replay_vs_copy", "replay ÷ COPY into event_log", ("replay", "replay"), ("replay", "copy"), _rate, 0.5, 1.0),
    Rule(
        "http_order_vs_bare_post", "order over HTTP, accepted ÷ the server's bare POST",
        ("http", "order"), _BARE, _rate, 0.45, 0.7,
    ),
    Rule(
        "http_sold_out_vs_bare_post", "order over HTTP, sold out ÷ the server's bare POST",
        ("http", "sold_out"), _BARE, _rate, 0.7,
    ),
    Rule("http_poll_vs_static", "page of a sale ÷ a static reply of its bytes", ("http", "poll"), _STATIC, _rate, 0.9),
    Rule("http_poll_304_vs_static", "the same, not modified", ("http", "poll_304"), _STATIC, _rate, 0.9),
    Rule(
        "http_feeds_2000_core_share", "of a core, for feeds of 2,000 buyers that are told each change",
        ("http_feeds", "feeds"), None, _http_busy, 0.25, less_is_better=True,
    ),
    Rule(
        "http_order_p99_ms", "p99 of an order over HTTP at half of the knee, ms",
        ("http_half", "half_knee"), None, _p99_ms, 25, less_is_better=True,
    ),
)  # fmt: skip
