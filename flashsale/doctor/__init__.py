"""Examine the servers: reachable, new enough, configured so that nothing acknowledged is lost and nobody else gets in.

Everything is read, nothing is changed. A server that hides a setting (managed services do) gets a warning for it, never
a clean bill.
"""

from flashsale.doctor.check import Check, Verdict
from flashsale.doctor.durability import D0, D1, D2, NOT_DURABLE, UNKNOWN, Level
from flashsale.doctor.gate import Gate
from flashsale.doctor.redis import CLOCK_DIFFERENCE_MS_MAX
from flashsale.doctor.report import Report, examine
from flashsale.doctor.versions import POSTGRES_OLDEST, REDIS_OLDEST, VALKEY_OLDEST

__all__ = [
    "CLOCK_DIFFERENCE_MS_MAX",
    "D0",
    "D1",
    "D2",
    "NOT_DURABLE",
    "POSTGRES_OLDEST",
    "REDIS_OLDEST",
    "UNKNOWN",
    "VALKEY_OLDEST",
    "Check",
    "Gate",
    "Level",
    "Report",
    "Verdict",
    "examine",
]
